"""The sections about how the result came to be: protection, traffic, data."""

from __future__ import annotations

from sealane.client.report.bars import Bar, bars
from sealane.client.report.markup import NOTHING, Markup, element, join
from sealane.client.report.model import DataPart, Report
from sealane.client.report.tables import code, count, definitions, enumerated, figure, seconds, section, size, table

SCHEMES = {
    "masking": (
        "Each institution added one-time masks to its contribution before sending it; the masks cancel in the sum. "
        "Only the sum over the cohort could be opened, and only by the institutions: the coordinator relayed and "
        "added ciphertexts and could read neither a contribution nor the sum."
    ),
    "rlwe": (
        "Each institution encrypted its contribution under a key of its own that served one sum, by lattice encryption "
        "whose ciphertexts and keys add up. The coordinator added ciphertexts; enough institutions together recovered "
        "the sum of the keys, for one set of contributions, and opened the sum: the coordinator could read neither a "
        "contribution nor the sum."
    ),
    "none": (
        "No sum was secured. The institutions ran a Flower app whose server half, at the institution that the study "
        "names, saw what each of them sent by itself; all participants signed that. Messages travelled sealed from "
        "institution to institution: the coordinator carried them and could read none. What the app released, the "
        "other institutions passed on without being able to check it."
    ),
}
OTHER = "Contributions were encrypted, and only their sum over the cohort could be opened."


def protection(report: Report) -> Markup:
    """Return who signed what, and what nobody could see."""
    study = report.study
    facts = definitions(
        {
            "Study": study.name,
            "Purpose": study.purpose,
            "Computation": study.computation,
            "Scheme": study.scheme,
            "Cohort": f"{enumerated(report.cohort)} ({len(report.cohort)}; at least {study.minimum_cohort} agreed)",
            "Study hash": code(study.hash),
            "Run": report.run,
        }
    )
    rows = [
        [one.name, "–" if one.rows is None else count(one.rows), code(one.fingerprint)] for one in study.participants
    ]
    signed = NOTHING
    if rows:
        caption = "Participants. Each approved the study by signing its hash with the key of this fingerprint."
        signed = table(caption, ["Institution", "Rows", "Fingerprint"], rows)
    return section(
        "How it was protected", element("p", {}, SCHEMES.get(study.scheme, OTHER)), facts, signed, limits(report)
    )


def limits(report: Report) -> Markup:
    """Return what the reader must know about the comparison."""
    if report.metrics is None:
        return NOTHING
    return element(
        "p",
        {"class": "note"},
        "The models alone and pooled, and all scores on held-out rows, were computed outside the federation for this "
        "comparison. A deployment has no pooled rows to compare with.",
    )


def traffic(report: Report) -> Markup:
    """Return bytes by node and seconds by step."""
    parts: list[Markup] = []
    if report.bytes_sent:
        power, unit = kilo(max(report.bytes_sent.values()))
        items = [Bar(name, sent / power, size(sent), "joint-fill") for name, sent in report.bytes_sent.items()]
        caption = (
            f"Bytes that each node sent, {size(sum(report.bytes_sent.values()))} in all, in {report.rounds} rounds."
        )
        parts.append(
            figure(
                lambda identity, width: bars(items, "Bytes sent", f"{unit} sent", identity=identity, width=width),
                "bytes",
                caption,
            )
        )
    times = [[name, seconds(value)] for name, value in report.timings.items()]
    if report.wall_s is not None:
        times.append(["In all", seconds(report.wall_s)])
    if times:
        parts.append(table("Seconds by step", ["Step", "Time"], times, marked="In all"))
    return section("Traffic and time", *parts) if parts else NOTHING


def kilo(most: int) -> tuple[float, str]:
    """Return the decimal unit for an axis that ends at ``most`` bytes."""
    for power, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if most >= power:
            return power, unit
    return 1.0, "bytes"


def data(report: Report) -> Markup:
    """Return which rows were used, and on what terms."""
    return NOTHING if report.data is None else used_rows(report.data)


def used_rows(used: DataPart) -> Markup:
    """Return one data set: its source, licence and digests."""
    digest = used.sha256 if isinstance(used.sha256, str) else None
    facts = definitions(
        {
            "Title": used.title,
            "Source": used.source,
            "Licence": used.licence,
            "Rows": count(used.rows),
            "SHA-256": code(digest) if digest else None,
        }
    )
    each = NOTHING
    if isinstance(used.sha256, dict) and used.sha256:
        rows = [[name, code(value)] for name, value in used.sha256.items()]
        each = table("SHA-256 of each institution's rows", ["Institution", "SHA-256"], rows)
    return section("Data and licence", facts, each)


def body(report: Report) -> Markup:
    """Return all sections about how the result came to be."""
    return join(protection(report), traffic(report), data(report))
