"""``sealane auditor``."""

from __future__ import annotations

import click

from sealane.cli.enrolling import enrol_command
from sealane.cli.groups import noun
from sealane.cli.output import show, table
from sealane.cli.settings import settings_of


@noun("auditor", examples=("auditor enrol - < invitation.txt", "auditor events --after 100"))
def auditor() -> None:
    """Enrol an auditor, and read what a coordinator recorded."""


auditor.add_command(enrol_command("auditor"))


@auditor.command(examples=("auditor events", "auditor events --after 100 --limit 500 --json"))
@click.option("--after", type=click.IntRange(min=0), default=0, help="Leave out events up to this number.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, help="Most events to print.")
def events(after: int, limit: int) -> None:
    """List what the coordinator recorded, oldest first."""
    from sealane.cli.connecting import session
    from sealane.client.session import require_role

    with session(settings_of().home_of("auditor")) as opened:
        require_role(opened, "auditor")
        found = [{"sequence": e.sequence, "at": e.at, "kind": e.kind, "party": e.party, "subject": e.subject,
                  "detail": e.detail} for e in opened.events(after, limit)]
    show(found, lambda: table(("number", "at", "kind", "party", "subject", "detail"),
                              (list(event.values()) for event in found)))
