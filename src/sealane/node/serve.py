"""A serving node: the home held, the control socket open and the stream kept, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sealane.core.clock import Clock, system_clock
from sealane.node.agent import Agent
from sealane.node.control_server import listening
from sealane.node.home import exclusive, open_home
from sealane.node.place import Place
from sealane.ring.select import choose
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)


@asynccontextmanager
async def serving(path: Path, *, backend: str = "cpu", clock: Clock = system_clock) -> AsyncIterator[Agent]:
    """Serve a node's home for as long as the block lasts.

    Raises:
        InputError: no node was enrolled there.
        RefusedError: another process serves it, or a key may be read by others.
        UnavailableError: the control socket or a database cannot be opened, or the GPU that was asked for is not there.
    """
    if backend == "cuda":
        choose(backend)  # who asks for a GPU by name is told now that there is none, not in the first run
    home = open_home(path, clock=clock)
    try:
        with exclusive(path), home.witness() as witness:
            agent = Agent(home, home.gate(), witness, backend)
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
