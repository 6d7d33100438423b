"""``sealane flower``: run a Flower app unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealane.cli.flower_apps import COMMANDS
from sealane.cli.groups import noun
from sealane.cli.output import amount, facts, kilobytes, note, show

if TYPE_CHECKING:
    from sealane.computations.flower_app.grid import Exchange

EXPOSED = "scheme none: the app's server half sees each node's update by itself"


@noun("flower", examples=("flower run ./my-app", "flower check ./my-app --server north", "flower install ./my-app"))
def flower() -> None:
    """Run Flower apps unchanged: over processes of this machine, or at the nodes of a study."""


for one in COMMANDS:
    flower.add_command(one)


@flower.command(examples=("flower run ./my-app", "flower run ./my-app --nodes 5 --run-config num-rounds=3",
                          "flower run ./my-app --nodes 1000 --virtual --json > summary.json"))
@click.argument("app", type=click.Path(path_type=Path))
@click.option("--nodes", type=int, default=3, show_default=True, help="How many nodes to start here.")
@click.option("--virtual", is_flag=True, help="Run all nodes in this process, for hundreds of them.")
@click.option("--run-config", "changes", multiple=True, metavar="KEY=VALUE",
              help="Change a value of [tool.flwr.app.config]; again for another.")
@click.option("--tolerate", is_flag=True,
              help="Pass a failing node's error on to the app, as Flower does, rather than end the run.")
def run(app: Path, nodes: int, virtual: bool, changes: tuple[str, ...], tolerate: bool) -> None:
    """Run an unmodified Flower app: its ServerApp here, its ClientApps at nodes of this machine.

    APP is a directory with a pyproject.toml that has [tool.flwr.app], as for `flwr run`. Each node is a process that
    is told its partition-id and num-partitions. The app's server half sees every node's update by itself; an app that
    shall not uses sealane.flower.secure_sum_mod.
    """
    from sealane.cli.local_federation import stopped_by_sigterm
    from sealane.computations.flower_app.project import read_changes
    from sealane.flower.run import run_app

    told = 0

    def tell(exchange: Exchange) -> None:
        nonlocal told
        told += 1
        note(f"{told:>4}  {exchange.kind:<10} {exchange.answered} of {amount(exchange.nodes, 'node')}  "
             f"{kilobytes(exchange.sent)} out, {kilobytes(exchange.received)} in  {exchange.seconds * 1000:,.0f} ms")

    note(EXPOSED)
    with stopped_by_sigterm():
        summary = run_app(app, nodes=nodes, changes=read_changes(changes), virtual=virtual, tolerate=tolerate,
                          tell=tell)
    document = summary.to_dict()
    show(document, lambda: _text(document))


def _text(document: dict[str, Any]) -> str:
    typical = document["median_exchange_s"]
    lines = [facts((
        ("app", document["app"]), ("code", document["code"][:16]), ("Flower", document["flower"]),
        ("nodes", f"{document['nodes']}, {document['where']}"), ("time", f"{document['seconds']:.2f} s"),
        ("exchanges", document["exchanges"]),
        ("one exchange", None if typical is None else f"{typical * 1000:,.0f} ms (median)"),
        ("sent", kilobytes(document["bytes_sent"])), ("received", kilobytes(document["bytes_received"])),
        ("started again", ", ".join(document["restarted"]) or None),
        ("failures", document["failures"] or None),
    ))]
    lines += [f"  {one['node']}: {one['reason']}" for one in document["first_failures"]]
    return "\n".join(lines)
