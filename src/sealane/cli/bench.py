"""``sealane bench``: how long secure sums take here, beside what a user could pick instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sealane.cli.groups import noun
from sealane.cli.output import note, write_json
from sealane.cli.settings import settings_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


@noun("bench", examples=("bench secagg", "bench secagg --peers"))
def bench() -> None:
    """Measure secure sums on this machine, beside their peers."""


@bench.command(examples=("bench secagg", "bench secagg --scheme masking --cohort 10",
                         "bench secagg --peers --json > figures.json",
                         "bench secagg --length 25000000 --whole-round --rounds 3"))
@click.option("--scheme", type=click.Choice(["rlwe", "masking", "ckks"]), default="rlwe", show_default=True,
              help="What protects the sum; ckks is TenSEAL's smallest secure set.")
@click.option("--backend", type=click.Choice(["cpu", "cuda", "auto"]), default="cpu", show_default=True,
              help="Where rlwe computes.")
@click.option("--length", type=int, default=1_000_000, show_default=True, help="Values of a node's vector.")
@click.option("--cohort", type=int, default=4, show_default=True, help="Nodes that contribute.")
@click.option("--bits", type=int, default=16, show_default=True, help="Width that a value is quantised to, 4 to 24.")
@click.option("--threads", type=int, default=1, show_default=True, help="Processor threads that a system may use.")
@click.option("--rounds", type=int, default=5, show_default=True, help="Repetitions, of which medians are taken.")
@click.option("--peers", is_flag=True, help="Measure TenSEAL, Flower's SecAgg+ and plain NumPy too, and print ratios.")
@click.option("--whole-round", is_flag=True, help="Measure a whole sum of all nodes in one process, and its memory.")
def secagg(
    scheme: str, backend: str, length: int, cohort: int, bits: int, threads: int, rounds: int, peers: bool,
    whole_round: bool,
) -> None:
    """Measure a secure sum: encrypt, serialise, add and open, bytes, memory and error.

    Every system runs in a process of its own on the same vectors. Encryption starts from floats and is of one node;
    addition is of the whole cohort. Ratios compare processor time where one thread works, else time by the clock.
    """
    from sealane.bench import report
    from sealane.bench.asked import PEERS, Asked
    from sealane.errors import InputError

    asked = Asked(scheme, backend, length, cohort, bits, threads, rounds)
    if whole_round and (peers or scheme == "ckks" or backend != "cpu"):
        raise InputError("bench.no-such-round", "a whole round is of rlwe or masking on the cpu, without peers",
                         hint="leave out --peers, --backend and --scheme ckks")
    document = (report.whole_round(asked, tell=note) if whole_round
                else report.benchmark(asked, peers=PEERS if peers else (), tell=note))
    if settings_of().as_json:
        write_json(document)
    elif whole_round:
        _show_round(document)
    else:
        _show(document)


def _show(document: dict[str, Any]) -> None:
    console = _console()
    ours = f"{document['scheme']} ({document['backend']})"
    shown = _table(f"Sum of {document['length']:,} values over {document['cohort']} nodes, {document['bits']} bits",
                   ("encrypt", "write", "add", "open", "B/value", "error", "memory"))
    shown.add_row(f"[bold]{ours}[/bold]", *_cells(document), end_section=True)
    for name, peer in document["peers"].items():
        shown.add_row(name, *(_cells(peer) if "missing" not in peer else ["missing"]))
    console.print(shown)
    if document["ratios"]:
        ratios = _table(f"Times as much as {ours}", ("encrypt + write", "add", "open", "bytes"))
        for name, ratio in document["ratios"].items():
            ratios.add_row(name, *("–" if value is None else f"{value:,.3g}" for value in ratio.values()))
        console.print(ratios)
    for name, peer in document["peers"].items():
        if "missing" in peer:
            note(f"{name}: {peer['missing']['message']}\nhint: {peer['missing']['hint']}")


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    console.width = max(console.width, 110)  # a figure that is cut says nothing
    return console


def _table(title: str, columns: tuple[str, ...]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    made.add_column("system", no_wrap=True)
    for name in columns:
        made.add_column(name, justify="right", no_wrap=True)
    return made


def _cells(one: dict[str, Any]) -> list[str]:
    return [*(f"{one[f'{step}_s'] * 1000:,.2f} ms" for step in ("encrypt", "serialise", "add", "open")),
            f"{one['bytes_per_value']:.2f}", f"{one['max_abs_error']:.0e}", f"{one['peak_memory_bytes'] / 1e6:,.0f} MB"]


def _show_round(document: dict[str, Any]) -> None:
    shown = _table(f"Whole round of {document['cohort']} nodes, {document['length']:,} values each, "
                   f"{document['scheme']} ({document['backend']})",
                   ("time", "processor", "memory", "copies of a model", "error"))
    for name, one in (("all roles", document), ("scheme alone", document["streamed"])):
        shown.add_row(name, f"{one['round_s']:.2f} s", f"{one['cpu']['round_s']:.2f} s",
                      f"{one['peak_memory_bytes'] / 1e6:,.0f} MB", f"{one['copies_of_the_model']:.1f}",
                      f"{one['max_abs_error']:.0e}")
    _console().print(shown)
