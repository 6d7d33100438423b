"""How computations run at this node: the host is probed, the choice made and told, the fork server started."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sealane.node.execution import Execution, Unconfined
from sealane.node.sandbox.fork_server import ForkServer
from sealane.node.sandbox.limits import Limits
from sealane.node.sandbox.offer import decide
from sealane.node.sandbox.probe import probe
from sealane.node.sandbox.readable import check_apart
from sealane.node.sandbox.sandbox import Sandbox
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)


@contextmanager
def chosen(mode: str, home: Path, limits: Limits, filed: Path | None = None) -> Iterator[Execution]:
    """Hold what computations of a node run in, for as long as the block lasts.

    Args:
        mode: as :func:`sealane.node.sandbox.offer.decide` takes it.
        home: of the node.
        limits: of each run.
        filed: directory for files of rows; None where they lie in memory.

    Raises:
        InputError: no such mode.
        RefusedError: full strength is required and not to be had, or the home could be read from inside.
    """
    choice = decide(mode, probe())
    if choice.confinement is None:
        log(_LOG, "sandbox.off", level=logging.WARNING, why=choice.why)
        yield Unconfined(filed)
        return
    check_apart(home)
    log(_LOG, "sandbox.chosen", level=logging.INFO if choice.full else logging.WARNING, full=choice.full,
        confinement=choice.confinement.describe(), why=choice.why)
    server = ForkServer(choice.confinement)
    server.start()
    try:
        yield Sandbox(server, limits, filed)
    finally:
        server.close()
