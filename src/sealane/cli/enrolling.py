"""Joining a coordinator, the same for every role."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sealane.cli.groups import SealaneCommand
from sealane.cli.output import facts, show
from sealane.cli.settings import settings_of
from sealane.errors import InputError

NEXT = {
    "node": "tell the fingerprint to the other institutions by telephone, then `sealane node serve`",
    "analyst": "tell the fingerprint to the institutions by telephone, then `sealane study new study.toml`",
    "auditor": "read what the coordinator recorded: `sealane auditor events`",
}


def enrol_command(role: str) -> click.Command:
    """Return the ``enrol`` verb of a role."""
    @click.command(cls=SealaneCommand, name="enrol", help=(
        f"Make this {role}'s keys and get its certificate.\n\nINVITATION is the line that `sealane coordinator invite` "
        "printed, a file that holds it, or - (the default) to read it from standard input, which keeps the token out "
        "of the list of processes. The keys are made here and never leave; if the reply is lost, repeat the same "
        "command."),
        examples=(f"{role} enrol - < invitation.txt", f"{role} enrol invitation.txt --home ./{role}"))
    @click.argument("invitation", default="-")
    @click.option("--name", help="Refuse an invitation for another name.")
    def enrol(invitation: str, name: str | None) -> None:
        join(role, _read(invitation), settings_of().home_of(role), name)

    return enrol


def join(role: str, text: str, home: Path, name: str | None) -> None:
    """Enrol, and say who this party now is."""
    import asyncio

    from sealane.rpc.enrolment import enrol
    from sealane.rpc.invitation import parse_invitation

    invited = parse_invitation(text)
    if invited.role != role:
        raise InputError("invitation.other-role", "the invitation is for another role", got=invited.role, expected=role,
                         hint=f"`sealane {invited.role} enrol`")
    identity = asyncio.run(enrol(text, home, name=name))
    document: dict[str, Any] = {
        "name": identity.name, "role": identity.role, "fingerprint": identity.fingerprint, "home": str(home),
        "coordinator": identity.coordinator_address, "coordinator_fingerprint": identity.coordinator_fingerprint,
    }
    show(document, lambda: f"enrolled {role} {identity.name}\n" + facts(
        [("fingerprint", identity.fingerprint), ("home", home), ("coordinator", identity.coordinator_address),
         ("next", NEXT[role])]))


def _read(given: str) -> str:
    if given == "-":
        if sys.stdin.isatty():
            return str(click.prompt("Invitation", hide_input=True, err=True))
        return sys.stdin.read(1 << 16)
    if given.startswith("sealane-invite:"):
        return given
    try:
        with Path(given).open(encoding="utf-8") as file:
            return file.read(1 << 16)
    except (OSError, UnicodeDecodeError, ValueError):
        return given  # no file: let it be judged as what it should have been
