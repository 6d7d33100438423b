"""``sealane why``: a refusal explained to the person who hit it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealane.cli.groups import SealaneCommand
from sealane.cli.names import run_ids
from sealane.cli.node_call import call_node
from sealane.cli.output import facts, show
from sealane.cli.settings import settings_of
from sealane.errors import RefusedError, SealaneError

if TYPE_CHECKING:
    from sealane.client.session import Session


@click.command(cls=SealaneCommand, examples=("why r-abcdefghijklmnop", "why joint-scorecard --home ./north --json"))
@click.argument("wanted", metavar="RUN|STUDY", shell_complete=run_ids)
def why(wanted: str) -> None:
    """Explain why a run or a study was refused: which node, which clause, what was got and allowed, what to do.

    At a node it reads what the node's own policy gate recorded, at an analyst what the coordinator knows.
    """
    from sealane.rpc.identity import load_identity

    home = settings_of().home_of("analyst", "node")
    found = _of_node(home, wanted) if load_identity(home).role == "node" else _of_analyst(home, wanted)
    show(found, lambda: _text(found))


def _of_node(home: Path, wanted: str) -> dict[str, Any]:
    from sealane.rpc.identity import load_identity

    found: dict[str, Any] = call_node("why", wanted=wanted)
    name = load_identity(home).name
    return found | {"refusals": [one | {"node": name} for one in found["refusals"]]}


def _of_analyst(home: Path, wanted: str) -> dict[str, Any]:
    from contextlib import closing

    from sealane.cli.connecting import session

    with session(home) as opened:
        if not wanted.startswith("r-"):
            return explain_study(opened, wanted)
        with closing(opened.watch(wanted)) as statuses:  # type: ignore[type-var]  # a generator
            status = next(statuses)
    refusals = [] if status.error is None else [_refusal(status.error, status.run_id, status.study_hash)]
    return {"about": status.run_id, "state": status.state, "refusals": refusals, "permits": {}}


def explain_study(session: Session, wanted: str) -> dict[str, Any]:
    """Say what stands in a study's way: refusals, missing agreements, counter-offers, and its runs' ends."""
    from sealane.cli.study_view import find
    from sealane.governance.negotiation import NegotiationState, standing_of
    from sealane.governance.signed_statement import SignedRefusal, verify_refusal

    record, study = find(session, wanted)
    refusals = []
    for one in record.statements:
        if isinstance(one, SignedRefusal):
            said = verify_refusal(one, study)
            error = RefusedError("study.refused", f"node {said.node}: it refused the study",
                                 got=said.reason or "no reason", hint="settle it with them and propose a new study")
            refusals.append(_refusal(error, "", study.hash) | {"at": said.refused_at})
    states = standing_of(study, record.statements)
    missing = sorted(name for name, state in states.items()
                     if state in (NegotiationState.REQUESTED, NegotiationState.OFFERED))
    if missing:
        error = RefusedError("run.not-approved", "not every participant has approved the study",
                             got=f"without {', '.join(missing)}", expected=f"{len(study.participants)} approvals",
                             hint=f"see `sealane study show {study.hash[:12]}`")
        refusals.append(_refusal(error, "", study.hash))
    refusals += [_refusal(run.error, run.run_id, study.hash) for run in session.runs()
                 if run.study_hash == study.hash and run.error is not None]
    return {"about": study.name, "refusals": refusals, "permits": {}}


def _refusal(error: SealaneError, run: str, study: str) -> dict[str, Any]:
    """Return a refusal as the coordinator passed it on, with the node that it names."""
    from sealane.governance.clauses import clause_of, meaning

    named, mark, rest = error.message.partition(": ")
    node = named.removeprefix("node ") if mark and named.startswith("node ") else None
    clause = clause_of(error)
    fields = error.to_dict() | ({"message": rest} if node else {})
    return {"node": node, "run": run, "study": study, "moment": None, "at": None, "clause": clause,
            "meaning": meaning(clause), "error": fields}


def _text(found: dict[str, Any]) -> str:
    if not found["refusals"]:
        permits = ", ".join(f"{times} × {moment}" for moment, times in found["permits"].items())
        return f"nothing was refused about {found['about']}" + (f"; permitted: {permits}" if permits else "")
    return "\n\n".join(_one(one) for one in found["refusals"])


def _one(one: dict[str, Any]) -> str:
    error = one["error"]
    return facts([
        ("refused by", one["node"] or "the coordinator"), ("run", one["run"] or None), ("study", one["study"] or None),
        ("when", " ".join(filter(None, [one["at"], f"({one['moment']})" if one["moment"] else None])) or None),
        ("clause", f"{one['clause']}: {one['meaning']}" if one["meaning"] else one["clause"]),
        ("what", f"{error['message']} [{error['code']}]"), ("got", error["got"]), ("allowed", error["expected"]),
        ("do", error["hint"]),
    ])
