"""A serving node: the home held, the control socket open and the stream kept, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

from sealane.core.clock import Clock, system_clock
from sealane.core.exclusive import exclusive
from sealane.node.agent import Agent
from sealane.node.control_server import listening
from sealane.node.execution import Execution
from sealane.node.home import open_home
from sealane.node.journal import Journal
from sealane.node.place import Place
from sealane.node.sandbox.chosen import chosen
from sealane.node.settings import read_node_settings
from sealane.node.study_table import Room
from sealane.ring.select import choose
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)


@asynccontextmanager
async def serving(
    path: Path, *, backend: str = "cpu", sandbox: str | None = None, clock: Clock = system_clock
) -> AsyncIterator[Agent]:
    """Serve a node's home for as long as the block lasts.

    Args:
        path: of the home.
        backend: where the arithmetic of ``rlwe`` runs.
        sandbox: how computations run, as :func:`sealane.node.sandbox.offer.decide` takes it; None as the settings say.
        clock: tells the time.

    Raises:
        InputError: no node was enrolled there.
        RefusedError: another process serves it, a key may be read by others, or the sandbox that is required cannot be.
        UnavailableError: the control socket or a database cannot be opened, or the GPU that was asked for is not there.
    """
    if backend == "cuda":
        choose(backend)  # who asks for a GPU by name is told now that there is none, not in the first run
    settings = read_node_settings(path)
    sandboxed, room = settings.sandbox, settings.studies.room()
    # Before any key is read: what computes later comes of a process that never had one.
    filed = path if sandboxed.rows == "disk" else None
    with chosen(sandbox or sandboxed.mode, path, sandboxed.limits(), filed) as execution:
        async with _serving_with(path, backend, execution, clock, room, streamed=filed is not None) as agent:
            yield agent


@asynccontextmanager
async def _serving_with(path: Path, backend: str, execution: Execution, clock: Clock, room: Room, *,
                        streamed: bool) -> AsyncIterator[Agent]:
    home = replace(open_home(path, clock=clock, room=room), sandboxed=execution.full, streamed=streamed)
    try:
        with exclusive(path), home.witness() as witness:
            with closing(Journal(home.runs_path)) as journal:
                journal.sweep()
            agent = Agent(home, home.gate(), witness, execution, backend)
            async with listening(Place(home, agent)), asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(agent.serve())
                log(_LOG, "node.serving", fingerprint=home.identity().fingerprint)
                try:
                    yield agent
                finally:
                    keeping.cancel()
            log(_LOG, "node.stopped")
    finally:
        home.close()
