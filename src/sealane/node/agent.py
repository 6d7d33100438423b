"""A serving node: one outbound stream to the coordinator, opened again whenever it ends, and the runs it carries."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any

from sealane._version import __version__
from sealane.computations.registry import names
from sealane.core.entropy import random_bytes
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.governance.signed_statement import SignedAgreement, claimed_study
from sealane.node import aftermath
from sealane.node.execution import Execution
from sealane.node.gate import Gate
from sealane.node.home import NodeHome
from sealane.node.publications import announcements
from sealane.node.run_thread import RunThread
from sealane.node.scoring.desk import Desk
from sealane.node.scoring.vouching import Vouching
from sealane.node.stream import Link, open_link
from sealane.node.witness import NodeWitness
from sealane.rpc.codec import FromCoordinator, FromNode
from sealane.rpc.notices import (
    Directory,
    Failure,
    FreshAnswer,
    FreshQuestion,
    HeadHeld,
    Hello,
    LogUpdate,
    Parcel,
    PeerHead,
    RunEnded,
    RunOffer,
    StudyRecord,
    Welcome,
)
from sealane.rpc.renewal import needs_renewal, renew
from sealane.secagg.messages import Contribution, Letters, Proposal, Release, SealedResult
from sealane.secagg.scheme import get_scheme
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 20.0
HELD_S = 1.0
"""A stream that lasted so long was no mistake."""
KEEP_AGAIN_S = 1.0
"""Between tries to keep what the log's newest checkpoint says."""
RENEWAL_CHECK_S = 3600.0
MAXIMUM_RUNS = 64


@dataclass(slots=True)
class Agent:
    """One serving node.

    Attributes:
        connected: whether the stream is open now.
        reached: set once the coordinator has answered for the first time.
        problem: why it is not, where something went wrong.
        directory: the parties, by the coordinator's word.
        execution: where computations run.
        backend: where the arithmetic of ``rlwe`` runs; see :mod:`sealane.ring.select`.
    """

    home: NodeHome
    gate: Gate
    witness: NodeWitness
    execution: Execution
    backend: str = "cpu"
    runs: dict[str, RunThread] = field(default_factory=dict)
    connected: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    problem: SealaneError | None = None
    directory: Directory = field(default_factory=lambda: Directory(()))
    _prepared: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    _desk: Any = None  # a Desk; pydantic, which looks through a command's Place, can make nothing of what it holds
    _making_desk: Any = field(default_factory=Lock)
    _link: Link | None = None
    _answered: bool = False
    _rejected: set[str] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    @property
    def desk(self) -> Desk:
        """Where parcels of private scoring are worked on; made when it is first needed."""
        with self._making_desk:
            if self._desk is None:
                fresh = self.witness.fresh
                self._desk = Desk(self.home.register, self.home.identity().signing_key, self.home.clock, self.post,
                                  lambda: self.post(fresh.head()),
                                  Vouching(fresh, self.post).wait)
            desk: Desk = self._desk
            return desk

    async def serve(self) -> None:
        """Keep the stream open until cancelled."""
        renewal = asyncio.create_task(self._keep_certificate())
        pause = FIRST_PAUSE_S
        try:
            while True:
                began = self._loop.time()
                self._answered = False
                self._rejected.clear()
                try:
                    await self._connect()
                except SealaneError as error:
                    self._note(error)
                # A stream that held earns a quick return; one that ends as soon as it is answered does not, nor one
                # that another process of this identity ended: the two would take turns without a pause.
                replaced = self.problem is not None and self.problem.code == "stream.replaced"
                if self._answered and self._loop.time() - began > HELD_S and not replaced:
                    pause = FIRST_PAUSE_S
                # Full jitter: nodes that lost the same coordinator do not come back at the same moment.
                await asyncio.sleep(pause * (0.5 + random_bytes(1)[0] / 512))
                pause = min(pause * 2, LONGEST_PAUSE_S)
        finally:
            renewal.cancel()
            if self._desk is not None:
                self._desk.close()
            for run in list(self.runs.values()):
                await asyncio.to_thread(run.stop)

    def speak(self) -> None:
        """Send this institution's statements that the coordinator does not have yet, and all about its catalog."""
        for _, statement in self.home.register.unsent():
            self.post(statement)
        for announced in announcements(self.home):
            self.post(announced)
        self.post(self.witness.fresh.head())

    def stop_runs(self, error: SealaneError, study_hash: str | None = None) -> list[str]:
        """Refuse the runs under way, or those of one study, and return their ids. It may be called from any thread."""
        stopped = [run for run in list(self.runs.values()) if run.alive and study_hash in (None, run.study_hash)]
        for run in stopped:
            run.refuse(error)
        self.post(self.witness.fresh.head())
        return sorted(run.run_id for run in stopped)

    def post(self, message: FromNode) -> None:
        """Send a message, from any thread. Without a stream it is dropped: after the next hello it is asked for."""
        self._loop.call_soon_threadsafe(self._post, message)

    def _post(self, message: FromNode) -> None:
        if self._link is None:
            return
        try:
            self._link.send(message)
        except InputError as error:
            log(_LOG, "message.too-large", error=error)
            if isinstance(message, Contribution | Release | Proposal | SealedResult | Letters):
                self._link.send(Failure(message.run_id, error))

    async def _connect(self) -> None:
        """Hold one stream from its opening to its end, which always is an error of some kind."""
        async with open_link(self.home.identity()) as link:
            link.send(Hello(__version__, tuple(names())))
            self._link = link
            try:
                async for message in link:
                    if not self._answered:
                        link.largest = min(link.largest, _check_welcome(message).maximum_message_bytes)
                        self._answered = self.connected = True
                        self.reached.set()
                        self.problem = None
                        log(_LOG, "coordinator.connected", address=link.address)
                        self.speak()
                        self._post(self.witness.head())
                        self._post(self.witness.fresh.question())
                        for question in aftermath.questions(self.home, [r for r, t in self.runs.items() if t.alive]):
                            self._post(question)
                        continue
                    await self._receive(message)
            finally:
                self._link = None
                if self.connected:
                    log(_LOG, "coordinator.lost", address=link.address)
                self.connected = False

    async def _receive(self, message: FromCoordinator) -> None:
        match message:
            case Welcome():
                raise ProtocolError("stream.second-welcome", "a stream says welcome once")
            case Directory():
                self.directory = message
                self.desk.connected({party.fingerprint: party.connected for party in message.parties})
            case Parcel():
                self.desk.take(message)
            case StudyRecord():
                self._study(message)
            case RunOffer():
                self._offer(message)
            case LogUpdate():
                await self._witness(message)
            case PeerHead() | HeadHeld() | FreshQuestion() | FreshAnswer():
                said = await asyncio.to_thread(self.witness.fresh.receive, message)
                if said is not None:
                    self._post(said)
            case _:
                run = self.runs.get(message.run_id)
                if run is not None and run.alive:
                    run.deliver(message)
                elif isinstance(message, RunEnded):
                    aftermath.end(self.home, message)
                    self._post(self.witness.fresh.head())

    async def _witness(self, update: LogUpdate) -> None:
        """Cosign a newer log; where it cannot be kept for now, say a little later from where to send it again."""
        try:
            self._post(await asyncio.to_thread(self.witness.update, update))
        except UnavailableError as full:
            log(_LOG, "log.not-kept", level=logging.WARNING, error=full)
            self._loop.call_later(KEEP_AGAIN_S, lambda: self._post(self.witness.head()))

    def _study(self, record: StudyRecord) -> None:
        """Remember a study and what was signed about it; what does not verify is left out and logged.

        Of studies that are left out the first of each kind on a stream is logged: nobody fills the log with them.
        """
        register = self.home.register
        try:
            study = register.record_study(record.study, record.proposer)
        except SealaneError as error:
            if error.code not in self._rejected:
                self._rejected.add(error.code)
                log(_LOG, "study.rejected", level=logging.WARNING, error=error)
            return
        if study.scheme not in self._prepared:
            # What a scheme compiles, or loads, when it is first used shall not hold up the first round.
            self._prepared[study.scheme] = self._loop.run_in_executor(None, self._prepare, study.scheme)
        unsent = {statement for _, statement in register.unsent()}
        for statement in record.statements:
            try:
                if claimed_study(statement) == study.hash:
                    register.record_statement(study.hash, statement)
                    if statement in unsent:
                        register.mark_sent(statement)
            except SealaneError as error:
                log(_LOG, "statement.rejected", error=error)
        own = register.own_statement(study.hash)
        if own is not None and own not in record.statements:
            self._post(own)
        if not isinstance(own, SignedAgreement):
            log(_LOG, "study.waiting", study=study.hash, name=study.name, decided=own is not None)

    def _prepare(self, name: str) -> None:
        try:
            log(_LOG, "scheme.prepared", scheme=name, runs_on=get_scheme(name, self.backend).runs_on)
        except SealaneError as error:
            log(_LOG, "scheme.not-prepared", scheme=name, error=error)  # a run of it will say so to everybody

    def _offer(self, offer: RunOffer) -> None:
        self.runs = {run_id: run for run_id, run in self.runs.items() if run.alive}
        known = self.runs.get(offer.run_id)
        if known is not None:
            known.deliver(offer)
        elif len(self.runs) < MAXIMUM_RUNS:
            self._study(offer.study)
            key = self.home.identity().signing_key
            self.runs[offer.run_id] = RunThread(offer, key, self.gate, self.home.runs_path, self.post,
                                                self.witness, self.backend, partial(aftermath.record, self.home),
                                                execution=self.execution)

    async def _keep_certificate(self) -> None:
        while True:
            identity = self.home.identity()
            if needs_renewal(identity.certificate, self.home.clock()):
                try:
                    await renew(identity, clock=self.home.clock)
                    log(_LOG, "certificate.renewed")
                except SealaneError as error:
                    log(_LOG, "certificate.not-renewed", error=error)
            await asyncio.sleep(RENEWAL_CHECK_S)

    def _note(self, error: SealaneError) -> None:
        if self.problem is None or self.problem.code != error.code:
            if isinstance(error, UnavailableError):
                log(_LOG, "coordinator.unavailable", level=logging.WARNING, error=error)
            elif isinstance(error, RefusedError):
                log(_LOG, "coordinator.refused", level=logging.ERROR, error=error)
            else:
                log(_LOG, "coordinator.protocol", level=logging.ERROR, error=error)
        self.problem = error


def _check_welcome(message: FromCoordinator) -> Welcome:
    if not isinstance(message, Welcome):
        raise ProtocolError("stream.no-welcome", "the coordinator did not answer hello", got=type(message).__name__)
    if message.version.split(".")[:2] != __version__.split(".")[:2]:
        raise RefusedError("stream.version", "the coordinator runs another version", got=message.version,
                           expected=__version__, hint="upgrade the older of the two")
    return message
