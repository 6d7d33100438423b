"""``sealane sector``: which packs are installed, whether one is in order, and a new one to begin from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sealane.cli.groups import noun
from sealane.cli.names import sector_names
from sealane.cli.output import amount, show, table


@noun("sector", examples=("sector list", "sector new wind-power --title 'Wind power'", "sector check wind-power"))
def sector() -> None:
    """List sector packs, check them, and write a new one. A pack is an installed package, found by its entry point."""


@sector.command(name="list", examples=("sector list", "sector list --json"))
def list_sectors() -> None:
    """List the installed sector packs: what brings them, their data contracts and purposes."""
    from sealane.sectors.registry import packs, providers

    brought = providers()
    found: list[dict[str, Any]] = [
        {"name": name, "title": one.title, "package": brought[name], "contracts": sorted(one.contracts),
         "purposes": dict(one.purposes), "minimum_count": one.minimum_count,
         "code_systems": sorted(system.name for system in one.code_systems.values()),
         "example": one.example.name if one.example else None} for name, one in sorted(packs().items())]
    rows = ((one["name"], one["title"], contract, one["package"]) for one in found for contract in one["contracts"])
    show(found, lambda: table(("name", "title", "contract", "package"), rows))


@sector.command(examples=("sector check finance", "sector check wind-power --json"))
@click.argument("name", shell_complete=sector_names)
def check(name: str) -> int:
    """Check an installed sector pack NAME, and say what its author has still to write. Exit code 2 if anything is."""
    from sealane.errors import InputError
    from sealane.sectors.checks import faults
    from sealane.sectors.registry import pack

    one = pack(name)
    found = faults(one)
    show({"ok": not found, "name": name, "faults": found}, lambda: "\n".join(found) or (
        f"{name} is in order: {amount(len(one.contracts), 'contract')}, {amount(len(one.purposes), 'purpose')}"))
    return InputError.exit_code if found else 0


@sector.command(examples=("sector new wind-power", "sector new wind-power --out ./packs/wind --title 'Wind power'"))
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to make; by default sealane-sector-NAME here.")
@click.option("--title", help="Title of the sector, for people; by default its name.")
def new(name: str, out: Path | None, title: str | None) -> None:
    """Write a sector pack NAME to begin from: a package that installs, with tests that pass.

    It declares a data contract, labels, purposes, defaults for tables that are shown, and an example study. Nothing
    that is there is overwritten.
    """
    from sealane.sectors.scaffold import write_pack

    folder, written = write_pack(name, out, title)
    show({"name": name, "folder": str(folder), "files": written},
         f"wrote {amount(len(written), 'file')} to {folder}\n"
         f"next: pip install -e {folder}, then `sealane sector list` shows it; its README.md says what to change")
