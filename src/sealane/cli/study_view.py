"""How a study is shown: one document at an analyst and at a node, and its text."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from sealane.cli.output import facts, table
from sealane.client.session import Session
from sealane.errors import InputError, ProtocolError
from sealane.governance.study import Study, parse_study
from sealane.node.statements import describe as describe_statement
from sealane.node.statements import standings
from sealane.rpc.notices import StudyRecord

LONG, SHOWN = 600, 120
"""Characters of a parameter that are shown whole, and how many of a longer one: a model to be judged may be one."""


def find(session: Session, wanted: str) -> tuple[StudyRecord, Study]:
    """Return a study by name or hash from the coordinator.

    Raises:
        ProtocolError: the coordinator sent another one.
    """
    record = session.study(wanted)
    study = parse_study(record.study)
    if study.name != wanted and not study.hash.startswith(wanted):
        raise ProtocolError("study.hash-differs", "the coordinator sent another study", got=study.hash,
                            expected=wanted[:64])
    return record, study


def find_replaced(session: Session, study: Study) -> StudyRecord | None:
    """Return the study that another amends, where it names one that the coordinator has."""
    if study.replaces is None:
        return None
    try:
        return find(session, study.replaces)[0]
    except InputError:
        return None


def describe(record: StudyRecord, replaced: StudyRecord | None = None) -> dict[str, Any]:
    """Return what :func:`sealane.node.commands.study_show` returns at a node, as an analyst sees it.

    Raises:
        ProtocolError: a statement does not verify.
    """
    study = parse_study(record.study)
    statements = [describe_statement(statement, study) for statement in record.statements]
    last = {one["node"]: one["decision"] for one in statements if one["decision"] != "countered"}
    return {
        "hash": study.hash, "name": study.name, "sector": study.sector, "purpose": study.purpose,
        "computation": study.computation, "proposer": record.proposer, "received_at": record.proposed_at,
        "expires": study.expires, "decision": None,
        "approvals": list(last.values()).count("approved"), "participants": len(study.participants),
        "study": study.model_dump(mode="json"), "statements": statements,
        "negotiation": standings(
            study, record.statements, None if replaced is None else (parse_study(replaced.study), replaced.statements)),
    }


def summarise(record: StudyRecord) -> dict[str, Any]:
    """Return a line of the list; a study whose statements do not verify is shown as that, beside the others."""
    long = ("study", "statements", "negotiation")
    try:
        return {key: value for key, value in describe(record).items() if key not in long}
    except ProtocolError as error:
        bare = describe(replace(record, statements=()))
        return {key: value for key, value in bare.items() if key not in long} | {
            "decision": error.code}


def present(document: dict[str, Any]) -> str:
    """Return a study as text: all that is signed, and who signed."""
    study = document["study"]
    last = {one["node"]: one for one in document["statements"]}
    head = facts([
        ("study", study["name"]), ("hash", document["hash"]),
        ("decision here", document["decision"]),
        ("purpose", f"{study['purpose']} ({study['sector']})"), ("data contract", study["data_contract"]),
        ("computation", study["computation"]),
        *((f"  {name}", _plain(value)) for name, value in study["parameters"].items()),
        ("scheme", study["scheme"]),
        ("minimum cohort", f"{study['minimum_cohort']} institutions, {study['colluding']} of them may collude"),
        ("minimum count", f"{study['minimum_count']} rows behind a released cell"),
        ("quality floor", study["quality_floor"]),
        ("jurisdictions", ", ".join(f"{p['name']} {p['jurisdiction']}" for p in
                                    (*study["participants"], *study["recipients"]) if p["jurisdiction"]) or None),
        ("privacy", None if study["epsilon"] is None else
         f"epsilon {study['epsilon']} at delta {study['delta']} at most, for one run"),
        ("limits", f"{study['rounds']} rounds a run, {study['runs']} runs, to {study['expires']}"),
        ("replaces", study["replaces"]),
        ("proposed", f"by {document['proposer'] or '?'} at {document['received_at']}"),
    ])
    states = document["negotiation"]
    parties = table(("participant", "decision", "state", "at", "on", "fingerprint"), (
        (p["name"], *_said(last.get(p["name"]), states.get(p["name"], "")), p["fingerprint"])
        for p in study["participants"]))
    recipients = table(("recipient", "fingerprint"), ((r["name"], r["fingerprint"]) for r in study["recipients"]),
                       empty="no recipient: nobody could open a result")
    counters = [f"{one['node']} would rather sign {_changes(one['changes'])}: {one['reason'] or 'no reason given'}\n"
                f"  take it up with `sealane study amend {document['hash'][:12]} --from {one['node']}`"
                for one in document["statements"] if one["decision"] == "countered"]
    return "\n\n".join([head, parties, recipients, *counters])


def present_list(documents: list[dict[str, Any]]) -> str:
    """Return studies as a table."""
    return table(("study", "hash", "computation", "purpose", "here", "approved", "proposer", "expires"), (
        (d["name"], d["hash"][:12], d["computation"], d["purpose"], d["decision"] or "-",
         f"{d['approvals']} of {d['participants']}", d["proposer"] or "?", d["expires"]) for d in documents),
        empty="no studies")


def _said(statement: dict[str, Any] | None, state: str) -> tuple[str, str, str, str]:
    if statement is None:
        return "waiting", state.lower(), "", ""
    about = statement.get("dataset") or statement.get("reason") or ""
    waived = ", waives differencing" if statement.get("waives_differencing") else ""
    own = statement.get("narrower") or {}
    narrower = f", own terms: {_changes(own)}" if own else ""
    return statement["decision"], state.lower(), statement["at"], f"{about}{waived}{narrower}"


def _changes(changes: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {_plain(value)}" for name, value in sorted(changes.items()))


def _plain(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) <= LONG:
        return text
    return f"{text[:SHOWN]} … ({len(text):,} characters, SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:16]}; " \
           "--json shows all)"
