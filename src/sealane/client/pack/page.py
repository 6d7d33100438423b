"""The pack's page for people: made from its other files alone, so that a verifier can make it again."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sealane.audit.checkpoint import parse_checkpoint, witness_of
from sealane.audit.note import parse_note
from sealane.client.report.markup import Markup, element
from sealane.client.report.page import head
from sealane.client.report.tables import code, definitions, table
from sealane.core.ids import fingerprint


def render_pack(files: Mapping[str, bytes]) -> str:
    """Return the page, which stands alone."""
    study, cohort = json.loads(files["study.json"]), json.loads(files["cohort.json"])
    software, endorsements = json.loads(files["software.json"]), json.loads(files["endorsements.json"])
    names = {p["fingerprint"]: p["name"] for p in study["participants"]}
    title = f"Evidence of run {cohort['run']}"
    result = endorsements[0]["result_hash"] if endorsements else "none was released"
    body = [
        element("header", {}, element("p", {"class": "kicker"}, f"Sealane · audit · {study['name']}"),
                element("h1", {}, title),
                element("p", {"class": "lead"}, "What was agreed, what ran and what was released, by the audit log.")),
        element("main", {}, *_sections(files, {
            "Study": study["name"], "Purpose": study["purpose"], "Computation": study["computation"],
            "Scheme": study["scheme"], "Minimum cohort": str(study["minimum_cohort"]),
            "Colluding nodes assumed": str(study["colluding"]), "Result hash": code(result),
            "Code, SHA-256": code(", ".join(software["agreed_code_sha256"])),
            "Software": f"coordinator {software['coordinator']}, exported with {software['exported_with']}",
            "Cohort": ", ".join(names.get(m["fingerprint"], m["fingerprint"]) for m in cohort["members"]) or "none",
            "Endorsed by": ", ".join(names.get(fingerprint(bytes.fromhex(e["public_key"])), "?")
                                     for e in endorsements) or "nobody",
        }, names)),
        element("footer", {}, element("p", {}, "Verify it offline: sealane audit verify FOLDER --policy POLICY")),
    ]
    page = element("html", {"lang": "en"}, head(title), element("body", {}, *body))
    return f"<!doctype html>\n{page}\n"


def _sections(files: Mapping[str, bytes], facts: dict[str, str], names: Mapping[str, str]) -> list[Markup]:
    statements = [[names.get(fingerprint(bytes.fromhex(s["public_key"])), "?"), code(s["kind"]),
                   code(fingerprint(bytes.fromhex(s["public_key"])))] for s in json.loads(files["statements.json"])]
    entries = [(leaf["position"], json.loads(leaf["entry"])) for leaf in json.loads(files["leaves.json"])]
    leaves = [[str(position), code(e["at"]), code(e["kind"]), code(e["party"]), code(e["detail"])]
              for position, e in entries]
    signed = []
    for name in ("checkpoint.txt", "newest.txt"):
        note = parse_note(files[name])
        checkpoint = parse_checkpoint(note.text)
        cosigners = [witness_of(line) for line in note.signatures]
        signed.append([name, code(str(checkpoint.size)), code(checkpoint.root.hex()),
                       code(", ".join(names.get(f, f) for f in cosigners if f is not None))])
    return [
        element("h2", {}, "What ran"), definitions(facts),
        element("h2", {}, "What was signed"),
        table("Agreements, refusals and counter-offers.", ["Party", "Kind", "Key"], statements),
        element("h2", {}, "What the log holds"),
        table("Leaves about the study and the run.", ["Leaf", "At", "Act", "By", "Detail"], leaves, dense=True),
        element("h2", {}, "Who vouches for the log"),
        table("Checkpoints and the nodes that cosigned them.", ["File", "Leaves", "Root", "Cosigned by"], signed,
              dense=True),
    ]
