"""A run in a thread of its own, so that computing never holds up the stream, other runs or the control socket."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from sealane.core.memory import hand_back_memory
from sealane.crypto.signing import SigningKey
from sealane.errors import SealaneError
from sealane.node.execution import Execution
from sealane.node.gate import Gate
from sealane.node.journal import Journal
from sealane.node.run import NodeRun
from sealane.node.run_meter import Metered
from sealane.node.witness import NodeWitness
from sealane.rpc.codec import FromCoordinator, FromNode
from sealane.rpc.notices import Failure, RunOffer
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)


class RunThread:
    """Holds one :class:`~sealane.node.run.NodeRun` with its loop and its own connection to the journal."""

    def __init__(
        self, offer: RunOffer, key: SigningKey, gate: Gate, journal: Path, post: Callable[[FromNode], None],
        witness: NodeWitness, backend: str = "cpu", metered: Metered = lambda event: None, *, execution: Execution,
    ) -> None:
        self.run_id = offer.run_id
        self._offer = offer
        self._key = key
        self._gate = gate
        self._journal = journal
        self._post = post
        self._witness = witness
        self._backend = backend
        self._metered = metered
        self._execution = execution
        self._loop = asyncio.new_event_loop()
        self._run: NodeRun | None = None
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._work, name=offer.run_id, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """True until the run is over for this node."""
        return self._thread.is_alive()

    @property
    def study_hash(self) -> str | None:
        """Hash of the run's study, once the gate has let it in."""
        return None if self._run is None else self._run.study.hash

    def deliver(self, message: FromCoordinator) -> None:
        """Hand a message to the run; of one that is over it is dropped."""
        if not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._receive, message)
            except RuntimeError:
                return  # closed in between

    def refuse(self, error: SealaneError) -> None:
        """Stop the run at once, and tell the coordinator why."""
        if not self._loop.is_closed():
            with suppress(RuntimeError):  # it ended in between
                self._loop.call_soon_threadsafe(self._refuse, error)

    def _refuse(self, error: SealaneError) -> None:
        if self._run is not None:
            self._run.refuse(error)

    def stop(self, wait_s: float = 5.0) -> None:
        """Stop computing without ending the run, which goes on when the node is started again."""
        if self.alive and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._over.set)
            except RuntimeError:
                return
            self._thread.join(wait_s)

    def _receive(self, message: FromCoordinator) -> None:
        if self._run is not None:
            self._run.receive(message)

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        finally:
            self._loop.close()
            hand_back_memory()

    async def _main(self) -> None:
        try:
            with closing(Journal(self._journal)) as journal:
                self._run = NodeRun(self._offer, self._key, self._gate, journal, self._post,
                                    ended=lambda _: self._over.set(), backend=self._backend,
                                    metered=self._metered, witness=self._witness, execution=self._execution)
                await self._over.wait()
                await self._run.close()
        except SealaneError as error:
            log(_LOG, "run.failed", level=logging.WARNING, error=error, run=self.run_id)
            self._post(Failure(self.run_id, error))
