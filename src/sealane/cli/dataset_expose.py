"""``sealane dataset desensitise|mock``: tables that a steward shows inside the institution."""

from __future__ import annotations

from pathlib import Path

import click

from sealane.cli.groups import SealaneCommand
from sealane.cli.names import dataset_names
from sealane.cli.node_call import call_node
from sealane.cli.output import facts, show
from sealane.errors import InputError

OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=SealaneCommand, examples=("dataset desensitise loans --rules rules.toml --output shown.parquet",))
@click.argument("name", shell_complete=dataset_names)
@click.option("--rules", type=OUTPUT,
              help="What is done to each field, and the k that is asked for; by default what the sector pack says.")
@click.option("--output", required=True, type=OUTPUT, help="File to write, .parquet or .csv; never overwritten.")
def desensitise(name: str, rules: Path | None, output: Path) -> None:
    """Write a graded dataset's rows with pseudonyms, intervals, shifted dates and coded ends.

    Refused where fewer than k rows agree in the quasi-identifiers. Fields that no rule names are left out.
    """
    found = call_node("dataset.desensitise", name=name, rules=None if rules is None else read_text(rules),
                      output=str(output.absolute()))
    show(found, lambda: facts([("wrote", found["output"]), ("rows", f"{found['rows']:,}"),
                               ("smallest group", f"{found['k']:,} rows"), ("sha256", found["sha256"])]))


@click.command(cls=SealaneCommand, examples=("dataset mock loans --rows 1000 --output mock.parquet",))
@click.argument("name", shell_complete=dataset_names)
@click.option("--rows", default=1000, type=click.IntRange(1), help="How many rows to make up.")
@click.option("--output", required=True, type=OUTPUT, help="File to write, .parquet or .csv; never overwritten.")
def mock(name: str, rows: int, output: Path) -> None:
    """Write made-up rows of a graded dataset's contract, from its profile with small cells hidden and nothing else.

    A column sealane_synthetic marks every row. Fields are independent of each other: no result over it means anything.
    """
    found = call_node("dataset.mock", name=name, rows=rows, output=str(output.absolute()))
    show(found, lambda: facts([("wrote", f"{found['output']} (synthetic)"), ("rows", f"{found['rows']:,}"),
                               ("sha256", found["sha256"])]))


def read_text(path: Path) -> str:
    """Return a file of rules that goes to the node.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("rules.unreadable", "a file of rules cannot be read", got=type(error).__name__,
                         expected=str(path), hint="it is a TOML file in UTF-8") from error
