"""``sealane analyst``."""

from __future__ import annotations

import click

from sealane.cli.enrolling import enrol_command
from sealane.cli.groups import noun
from sealane.cli.output import show, table
from sealane.cli.settings import settings_of


@noun("analyst", examples=("analyst enrol - < invitation.txt", "analyst peers", "analyst trust north FINGERPRINT"))
def analyst() -> None:
    """Enrol an analyst. Analysts propose studies, start runs and open results."""


analyst.add_command(enrol_command("analyst"))


@analyst.command(examples=("analyst peers", "analyst peers --json"))
def peers() -> None:
    """List the institutions whose fingerprints are kept here, and which were compared with them."""
    from sealane.client.known import Known

    found = [{"name": name, **peer} for name, peer in sorted(Known(settings_of().home_of("analyst")).peers().items())]
    show(found, lambda: table(("name", "trust", "fingerprint"), (
        (p["name"], "verified" if p["verified"] else "seen", p["fingerprint"]) for p in found),
        empty="no institution is known yet"))


@analyst.command(examples=("analyst trust north 5kq2…",))
@click.argument("name")
@click.argument("fingerprint")
def trust(name: str, fingerprint: str) -> None:
    """Remember an institution's FINGERPRINT as compared with it out of band."""
    from sealane.client.known import Known

    known = Known(settings_of().home_of("analyst"))
    known.trust(name, fingerprint)
    found = known.peers()[name]
    show({"name": name, **found}, f"{name} is verified as {found['fingerprint']}")
