"""``sealane doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealane.cli.exits import UNEXPECTED
from sealane.cli.groups import SealaneCommand
from sealane.cli.output import show
from sealane.cli.settings import settings_of

if TYPE_CHECKING:
    from sealane.cli.diagnosis.check import Check

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(cls=SealaneCommand, examples=("doctor", "doctor --home ./north", "doctor --home ./coordinator --json"))
def doctor() -> int:
    """Check a home and its surroundings, and say what is wrong and what to do.

    Looks at ports, clocks, certificates, versions, peers, disk, permissions, databases and datasets, and repeats why
    the last runs were refused. The exit code is 1 where a check fails.
    """
    home = settings_of().home_of("node", "analyst", "coordinator", "auditor")
    role, checks = _examine(home)
    failed = any(check.status == "fail" for check in checks)
    document = {"ok": not failed, "role": role, "home": str(home), "checks": [check.to_dict() for check in checks]}
    show(document, lambda: "\n".join([f"{role} in {home}", *map(_line, checks)]))
    return UNEXPECTED if failed else 0


def _examine(home: Path) -> tuple[str, list[Check]]:
    if (home / "authority").is_dir():
        from sealane.cli.diagnosis.coordinator import examine_coordinator

        return "coordinator", examine_coordinator(home)
    from sealane.cli.diagnosis.check import of_error
    from sealane.cli.diagnosis.party import examine_party
    from sealane.errors import SealaneError
    from sealane.rpc.identity import load_identity

    try:
        identity = load_identity(home)
    except SealaneError as error:
        return "no identity", [of_error("identity", error)]
    return identity.role, examine_party(identity)


def _line(check: Check) -> str:
    mark = click.style(f"{check.status:<4}", fg=COLOURS[check.status])
    hint = f"\n      hint: {check.hint}" if check.hint and check.status != "ok" else ""
    return f"{mark}  {check.name}: {check.message}{hint}"
