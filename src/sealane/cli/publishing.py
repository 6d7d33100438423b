"""``sealane dataset publish`` and ``unpublish``: what the node tells the catalog."""

from __future__ import annotations

from typing import Any

import click

from sealane.cli.groups import SealaneCommand
from sealane.cli.names import dataset_names
from sealane.cli.node_call import call_node
from sealane.cli.output import facts, note, show


@click.command(cls=SealaneCommand, examples=(
    "dataset publish loans --title 'Consumer loans since 2015' --keyword credit --term 'Aggregates only'",
    "dataset publish loans --purpose credit-risk --steward 'Data office'"))
@click.argument("name", shell_complete=dataset_names)
@click.option("--title", default="", help="Title for people; the contract's by default.")
@click.option("--description", default="", help="A few sentences for people.")
@click.option("--keyword", "keywords", multiple=True, help="A word to be found by; may be repeated.")
@click.option("--purpose", "purposes", multiple=True,
              help="A purpose that studies may use it for; may be repeated. Every purpose of the sector by default.")
@click.option("--term", "terms", multiple=True, help="A term of use, as a sentence; may be repeated.")
@click.option("--steward", help="Whom to ask.")
@click.option("--fresh-until", metavar="MOMENT", help="When it will be renewed, such as 2027-01-31T00:00:00Z.")
@click.option("--minimum-count", type=click.IntRange(2, 1_000_000), default=10,
              help="Round the number of rows down to a multiple of this.")
def publish(name: str, **said: Any) -> None:
    """Publish metadata of dataset NAME in the coordinator's catalog: fields and terms, never a value.

    The dataset is graded first; its strictest grade is published. The number of rows is rounded down. A publication
    replaces an earlier one of the same dataset.
    """
    lists = {key: list(value) for key, value in said.items() if isinstance(value, tuple)}
    found = call_node("dataset.publish", name=name, **said | lists)
    show(found, lambda: "\n".join([f"published {name}", facts([
        ("title", found["title"]), ("contract", found["contract"]), ("grade", found["grade"]),
        ("fields", len(found["fields"])),
        ("rows", f"{found['rows']:,} or a few more"), ("purposes", ", ".join(found["purposes"])),
        ("version", found["dataset_version"][:12]), ("sequence", found["sequence"])])]))
    _say_where(found)


@click.command(cls=SealaneCommand, examples=("dataset unpublish loans",))
@click.argument("name", shell_complete=dataset_names)
def unpublish(name: str) -> None:
    """Withdraw dataset NAME from the catalog: the coordinator forgets what it said of it. Approvals stand."""
    found = call_node("dataset.unpublish", name=name)
    show(found, f"{name} is published no more")
    _say_where(found)


def _say_where(found: dict[str, Any]) -> None:
    if not found["sent"]:
        note("hint: the node has no connection now: the coordinator hears of it when the node serves again")
