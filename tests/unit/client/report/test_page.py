"""The page says what the numbers say, stands alone, and lets no name become markup."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from sealane.client.report import parse_report, render_report
from sealane.errors import InputError

VOID = {"meta"}

REPORT: dict[str, Any] = {
    "sector": "finance",
    "study": {
        "name": "scorecard",
        "hash": "ab" * 32,
        "purpose": "Know the risk",
        "computation": "glm.fit",
        "scheme": "masking",
        "minimum_cohort": 2,
        "participants": [
            {"name": "north", "fingerprint": "n" * 51 + "a", "rows": 1452},
            {"name": "south", "fingerprint": "s" * 51 + "a", "rows": 2937},
        ],
    },
    "cohort": ["north", "south"],
    "rounds": 9,
    "metrics": {
        "auc": {"alone": {"north": 0.7011, "south": 0.7213}, "joint": 0.7512, "pooled": 0.7514},
        "ks": {"alone": {"north": 0.3111, "south": 0.3311}, "joint": 0.3611, "pooled": 0.3612},
        "auc_se": {"alone": {"north": 0.021, "south": 0.022}, "joint": 0.023, "pooled": 0.024},
        "within": {"north": {"alone": 0.691, "joint": 0.731, "pooled": 0.732, "rows": 300, "bad": 17}},
    },
    "roc": {
        "north": {"fpr": [0, 0.5, 1], "tpr": [0, 0.6, 1]},
        "joint": {"fpr": [0, 0.4, 1], "tpr": [0, 0.7, 1]},
        "pooled": {"fpr": [0, 0.4, 1], "tpr": [0, 0.7, 1]},
    },
    "coefficients": [
        {"name": "Intercept", "joint": -5.26, "se": 0.3, "low": -5.86, "high": -4.66, "pooled": -5.26, "scale": 1.0},
        {"name": "rate", "joint": 0.15, "se": 0.01, "low": 0.13, "high": 0.17, "pooled": 0.15, "scale": 4.0},
        {"name": "term[T.long]", "joint": -0.4, "se": 0.3, "low": -1.0, "high": 0.2, "pooled": -0.4, "scale": 1.0},
    ],
    "heldout": {"rows": 1971, "bad": 104},
    "bytes_sent": {"north": 73211, "south": 80100},
    "wall_s": 18.24,
    "timings": {"enrol": 4.4},
    "data": {"title": "Loans", "source": "A lender", "licence": "MIT", "rows": 4389, "sha256": {"north": "cd" * 32}},
    "run": "r-abcdefghijklmnop",
    "created": "2026-03-31T12:00:00Z",
}
PLAIN = {key: REPORT[key] for key in ("sector", "study", "cohort", "rounds", "bytes_sent", "wall_s")}


class Reader(HTMLParser):
    """Checks that elements nest, and collects elements and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if self.open and self.open[-1] != "style" else ""


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_headline_and_numbers() -> None:
    reader = read(render_report(REPORT))
    words = " ".join(reader.text.split())
    # (0.7011 + 0.7213) / 2 = 0.7112
    assert "The joint model ranks with an AUC of 0.751; alone, institutions reach 0.711 on average" in words
    for told in ("0.701", "0.721", "0.361", "0.691", "1\u202f971", "104", "ab" * 32, "n" * 51 + "a", "cd" * 32):
        assert told in reader.text
    for told in ("73.2 kB", "80.1 kB", "18.2 s", "4.4 s", "MIT", "A lender", "masking", "r-abcdefghijklmnop"):
        assert told in reader.text


def test_nothing_is_fetched_and_nothing_runs() -> None:
    page = render_report(REPORT)
    reader = read(page)
    assert {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in reader.elements} == set()
    attributes = {name for _, found in reader.elements for name in found}
    assert not {name for name in attributes if name.startswith("on") or name in {"src", "href", "xlink:href", "style"}}
    assert not re.search(r"https?://|url\(|@import", page)
    policy = next(found for _, found in reader.elements if found.get("http-equiv") == "Content-Security-Policy")
    assert (policy["content"] or "").startswith("default-src 'none'")


def test_charts_and_tables_have_names() -> None:
    reader = read(render_report(REPORT))
    ids = [found["id"] for _, found in reader.elements if "id" in found]
    assert len(ids) == len(set(ids))
    charts = [found for tag, found in reader.elements if tag == "svg"]
    assert len(charts) == 2 * 4  # AUC, ROC, coefficients and bytes, each wide and narrow
    for chart in charts:
        assert chart["role"] == "img"
        assert set((chart["aria-labelledby"] or "").split()) <= set(ids)
    tags = [tag for tag, _ in reader.elements]
    assert tags.count("caption") == tags.count("table") > 0
    assert all(found.get("scope") in ("col", "row") for tag, found in reader.elements if tag == "th")
    assert ("html", {"lang": "en"}) in reader.elements


HOSTILE = "<script>alert(1)</script>\"'&\u202e\x07"


def planted(value: Any) -> Any:
    """Return the report with hostile text in place of every text and every key that is a name."""
    if isinstance(value, str):
        return value if value == "Intercept" else HOSTILE
    if isinstance(value, list):
        return [planted(one) for one in value]
    if isinstance(value, dict):
        named = {"north", "south", "enrol"}
        return {(key + HOSTILE if key in named else key): planted(one) for key, one in value.items()}
    return value


def test_hostile_text_stays_text() -> None:
    report = planted(copy.deepcopy(REPORT))
    page = render_report(report)
    reader = read(page)
    assert "script" not in {tag for tag, _ in reader.elements}
    assert "alert(1)" in reader.text
    assert "\u202e" not in page
    assert "\x07" not in page
    clean = read(render_report(REPORT))
    assert [tag for tag, _ in reader.elements] == [tag for tag, _ in clean.elements]


def test_sections_without_data_are_left_out() -> None:
    reader = read(render_report(PLAIN))
    heads = {"Alone, joint, pooled", "ROC curves", "Coefficients", "Data and licence"}
    assert not any(head in reader.text for head in heads)
    assert "glm.fit: one result from 2 institutions" in reader.text
    assert "outside the federation" not in reader.text
    assert {"How it was protected", "Traffic and time"} <= set(re.findall(r"<h2>(.*?)</h2>", render_report(PLAIN)))


def test_coefficients_without_scale_are_shown_by_their_error() -> None:
    bare = [{"name": "rate", "joint": 0.15, "se": 0.05, "low": 0.05, "high": 0.25}]
    reader = read(render_report(PLAIN | {"coefficients": bare}))
    assert "Coefficient / standard error (z)" in reader.text
    assert "3.00 (1.00, 5.00)" in reader.text
    pointless = [{"name": "rate", "joint": 0.15}]
    assert "svg" in {tag for tag, _ in read(render_report(PLAIN | {"coefficients": pointless})).elements}
    assert "Change of" not in read(render_report(PLAIN | {"coefficients": pointless})).text


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("rounds", -1, "rounds"),
        ("surprise", 1, "surprise"),
        ("wall_s", float("nan"), "wall_s"),
        ("bytes_sent", {"north": "many"}, "bytes_sent.north"),
        ("roc", {"joint": {"fpr": [0, 2], "tpr": [0, 1]}}, "roc.joint.fpr.1"),
        ("roc", {"joint": {"fpr": [0, 1], "tpr": [0]}}, "roc.joint"),
    ],
)
def test_malformed_reports_are_refused(field: str, value: Any, where: str) -> None:
    with pytest.raises(InputError) as refused:
        render_report(REPORT | {field: value})
    assert refused.value.code == "report.malformed"
    assert where in refused.value.message
    assert refused.value.hint


def test_json_round_trip() -> None:
    report = parse_report(REPORT)
    assert parse_report(report.model_dump(mode="json")) == report
    assert render_report(report) == render_report(REPORT)
