"""Run a Flower app here: its ServerApp in this process, its ClientApps at nodes."""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sealane.computations.flower_app.grid import Carrier, Exchange, SealaneGrid, make_grid
from sealane.computations.flower_app.half import where
from sealane.computations.flower_app.library import SERVER, Flower, load
from sealane.computations.flower_app.project import Project, Value, read_project
from sealane.errors import InputError, ProtocolError, SealaneError
from sealane.flower.processes import Processes, seats
from sealane.flower.virtual import VirtualNodes

MOST_PROCESSES = 64
MOST_VIRTUAL = 100_000
SHOWN_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a run.

    Attributes:
        app: name and version.
        code: hash of the app's code.
        flower: version of Flower.
        nodes: how many.
        where: ``processes``, ``in process`` or ``federation``.
        seconds: of the ServerApp.
        restarted: names of nodes that died and were started again.
        grid: with exchanges and failures.
    """

    app: str
    code: str
    flower: str
    nodes: int
    where: str
    seconds: float
    restarted: tuple[str, ...]
    grid: SealaneGrid

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        times = [exchange.seconds for exchange in self.grid.exchanges]
        return {
            "app": self.app, "code": self.code, "flower": self.flower, "nodes": self.nodes, "where": self.where,
            "scheme": "none", "seconds": round(self.seconds, 6), "exchanges": len(times),
            "median_exchange_s": round(median(times), 6) if times else None,
            "bytes_sent": self.grid.sent, "bytes_received": self.grid.received,
            "restarted": list(self.restarted), "failures": len(self.grid.failures),
            "first_failures": [{"node": one.node, "group": one.group, "code": one.code, "reason": one.reason}
                               for one in self.grid.failures[:SHOWN_FAILURES]],
        }


def run_app(path: Path, *, nodes: int = 3, changes: Mapping[str, Value] | None = None, virtual: bool = False,
            tolerate: bool = False, tell: Callable[[Exchange], None] = lambda exchange: None) -> Summary:
    """Run an app over nodes of this machine. Its two halves see what the other sends, as in Flower: scheme ``none``.

    Args:
        path: the app's directory.
        nodes: how many.
        changes: to its run configuration.
        virtual: as threads of this process rather than as a process each.
        tolerate: pass errors of nodes on to the app rather than end.
        tell: is told each exchange when it is over.

    Raises:
        InputError: the app is malformed or does not load, Flower is missing or of another version.
        ProtocolError: a ClientApp or the ServerApp raised.
        UnavailableError: a node was lost.
    """
    most = MOST_VIRTUAL if virtual else MOST_PROCESSES
    if not 1 <= nodes <= most:
        raise InputError("flower.bad-nodes", "not a possible number of nodes", got=nodes, expected=f"1 to {most}",
                         hint="--virtual runs many nodes in one process")
    flower, project = load(), read_project(path)
    config = project.with_config(changes or {})
    places = seats(str(project.root), nodes, config)
    carrier = VirtualNodes(flower, project.load("client"), places) if virtual else Processes(places)
    with carrier:
        grid = make_grid(flower, carrier, tolerate=tolerate, tell=tell)
        seconds = serve(flower, project, config, grid)
        restarted = () if isinstance(carrier, VirtualNodes) else tuple(carrier.restarted)
    return Summary(f"{project.name} {project.version}", project.code_hash(), flower.version, nodes,
                   "in process" if virtual else "processes", seconds, restarted, grid)


def serve(flower: Flower, project: Project, config: Mapping[str, Value], grid: SealaneGrid) -> float:
    """Run the ServerApp to its end over a grid, and return the seconds it took. What it prints goes to stderr.

    Raises:
        ProtocolError: it raised, or a ClientApp did.
        UnavailableError: a node was lost.
    """
    app = project.load("server")
    context = flower.app.Context(grid.run.run_id, SERVER, {}, flower.app.RecordDict(), dict(config))
    began = time.monotonic()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            app(grid=grid, context=context)
    except SealaneError:
        raise
    except Exception as error:  # an app's own code ran
        if grid.error is None:
            traceback.print_exc()
            raise ProtocolError("flower.server-app-failed", "the ServerApp raised",
                                got=where(error),
                                hint="its traceback is above") from error
    if grid.error is not None:  # the app went on over it
        raise grid.error
    return time.monotonic() - began


__all__ = ["Carrier", "Summary", "run_app", "serve"]
