"""``sealane agreement``: what this institution signed, and how it is put on hold or ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from sealane.cli.groups import noun
from sealane.cli.names import study_names
from sealane.cli.node_call import call_node, tell_unsent
from sealane.cli.output import facts, show, table


@noun("agreement", examples=("agreement list", "agreement show joint-scorecard", "agreement suspend joint-scorecard",
                             "agreement revoke joint-scorecard --reason 'consent withdrawn'"))
def agreement() -> None:
    """List, show, suspend, resume and revoke the agreements of this node. An agreement is named by its study."""


@agreement.command(name="list", examples=("agreement list", "agreement list --json"))
def list_agreements() -> None:
    """List this institution's agreements and where they stand."""
    found = call_node("agreement.list")
    show(found, lambda: table(("study", "hash", "negotiation", "state", "dataset", "version", "signed", "expires"), (
        (one["name"], one["hash"][:12], one["negotiation"].lower(), one["state"].lower(), one["dataset"],
         one["dataset_version"][:12], one["signed_at"], one["expires"]) for one in found), empty="no agreements"))


@agreement.command(name="show", examples=("agreement show joint-scorecard", "agreement show 3fa9c2d1 --out north.dsse"))
@click.argument("study", shell_complete=study_names)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path),
              help="Also write the signed envelope (DSSE, JSON) to a file.")
def show_agreement(study: str, out: Path | None) -> None:
    """Show what this institution signed for STUDY, its state, and which limits hold with everybody's terms."""
    found = call_node("agreement.show", study=study)
    if out is not None:
        out.write_text(json.dumps(found["envelope"], indent=1) + "\n", encoding="utf-8")
    show(found, lambda: _text(found))


@agreement.command(examples=("agreement suspend joint-scorecard --reason 'audit under way'",))
@click.argument("study", shell_complete=study_names)
@click.option("--reason", default="", help="Kept at this node.")
def suspend(study: str, reason: str) -> None:
    """Put the agreement to STUDY on hold: nothing runs here, a run under way ends, until it is resumed."""
    found = call_node("agreement.suspend", study=study, reason=reason)
    show(found, f"suspended {found['name']} ({found['hash'][:12]}){_stopped(found)}")


@agreement.command(examples=("agreement resume joint-scorecard",))
@click.argument("study", shell_complete=study_names)
def resume(study: str) -> None:
    """Take the agreement to STUDY up again."""
    found = call_node("agreement.resume", study=study)
    show(found, f"{found['name']} ({found['hash'][:12]}) is {found['state'].lower()}")


@agreement.command(examples=("agreement revoke joint-scorecard --reason 'consent withdrawn'",))
@click.argument("study", shell_complete=study_names)
@click.option("--reason", default="", help="For people; every participant sees it.")
def revoke(study: str, reason: str) -> None:
    """Revoke the agreement to STUDY for good, also in a run under way. What was charged stays charged."""
    found = call_node("agreement.revoke", study=study, reason=reason)
    show(found, f"revoked {found['name']} ({found['hash'][:12]}){_stopped(found)}")
    tell_unsent(found)


def _text(found: dict[str, Any]) -> str:
    from sealane.governance.tariff import make_tariff

    own = found["agreement"]
    head = facts([
        ("study", found["name"]), ("hash", found["hash"]), ("agreement", own["id"]),
        ("negotiation", found["negotiation"].lower()), ("state", found["state"].lower()),
        ("dataset", f"{found['dataset']} version {found['dataset_version'][:12]}"), ("signed", found["signed_at"]),
        ("purpose", own["terms"]["purpose"]),
        ("computation", f"{own['terms']['computation']}, code {own['code'][:16]}"),
        ("results go to", ", ".join(found["recipients"]) or "nobody"),
        ("kinds of result", ", ".join(own["terms"]["outputs"])),
        ("differencing", "waived" if own["waives_differencing"] else "guarded"),
        ("tariff", make_tariff(own["tariff"]).describe() if own["tariff"] else None),
        ("epsilon at most", own["terms"]["epsilon"]), ("delta at most", own["terms"]["delta"]),
        ("not before", own["terms"]["starts"]),
    ])
    limits = table(("limit", "value", "set by"), (
        (name.replace("_", " "), one["value"], one["set_by"]) for name, one in found["limits"].items()))
    return f"{head}\n\n{limits}"


def _stopped(found: dict[str, Any]) -> str:
    return f", and stopped {', '.join(found['stopped'])}" if found["stopped"] else ""
