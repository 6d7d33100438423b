"""The middle of a serving coordinator: which nodes are connected, which runs are under way, what goes where.

It belongs to one event loop. Streams put messages in and take frames out of outboxes; analysts' calls come through
``operations``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from sealane.coordinator.catalog_mirror import mirror
from sealane.coordinator.coordination import Coordination
from sealane.coordinator.parcels import Parcels
from sealane.coordinator.registry import Party, Registry
from sealane.coordinator.run_facts import Patience, RunFacts
from sealane.coordinator.run_state import RunState
from sealane.coordinator.store import Store
from sealane.coordinator.witnessing import Witnessing
from sealane.core.ids import Fingerprint
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.governance.agreement import verify_agreement
from sealane.governance.catalog_statement import SignedPublication, SignedWithdrawal
from sealane.governance.counter import MAXIMUM_COUNTERS, verify_counter
from sealane.governance.signed_statement import (
    SignedAgreement,
    SignedCounter,
    SignedRefusal,
    claimed_study,
    verify_refusal,
)
from sealane.governance.study import OPEN_PER_PROPOSER, Study, parse_study
from sealane.rpc.codec import FromCoordinator, FromNode
from sealane.rpc.notices import (
    ActsHead,
    Cosigned,
    Directory,
    FreshAnswer,
    FreshQuestion,
    HeadHeld,
    Hello,
    Parcel,
    PartyRecord,
    RunEnded,
    Statement,
    StudyRecord,
    WitnessHead,
)
from sealane.secagg.scheme import Scheme, get_scheme
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
TICK_SECONDS = 0.25
REGISTRY_SECONDS = 1.0
FORGET_SECONDS = 60.0
COMPLAINT_SECONDS = 60.0


@dataclass(slots=True)
class Connection:
    """A node's stream."""

    party: Party
    send: Callable[[FromCoordinator], None]
    close: Callable[[], None]
    admitted: Callable[[], Party]


@dataclass(slots=True)
class Hub:
    """Everything a serving coordinator holds in memory."""

    store: Store
    registry: Registry
    patience: Patience
    key: SigningKey
    open_per_proposer: int = OPEN_PER_PROPOSER
    connections: dict[Fingerprint, Connection] = field(default_factory=dict)
    runs: dict[str, Coordination] = field(default_factory=dict)
    watched: dict[str, asyncio.Event] = field(default_factory=dict)
    schemes: set[str] = field(default_factory=set)
    prepared: dict[str, asyncio.Future[Scheme]] = field(default_factory=dict)
    complained: float = float("-inf")
    witnessing: Witnessing = field(init=False)
    parcels: Parcels = field(init=False)

    def __post_init__(self) -> None:
        self.witnessing = Witnessing(self.key, self.store.log, self.send, self._save_acts)
        self.parcels = Parcels(self.send, self.connections.__contains__, time.monotonic)

    def restore(self) -> None:
        """Take up the runs that a former process left."""
        for facts, _ in self.store.all_runs():
            if not facts.state.over:
                self._coordinate(facts)

    async def keep_time(self) -> None:
        """Let runs look at the clock, and streams of parties that were removed end."""
        checked = 0.0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._prepare()
            acts = [run.tick for run in self.runs.values()]
            if time.monotonic() - checked > REGISTRY_SECONDS:
                checked = time.monotonic()
                acts += [self._check_admitted, self._forget, self.witnessing.publish]
            for act in acts:
                self._carry_out(act)

    def _prepare(self) -> None:
        """Let a scheme compile, or load, what it needs, before the first round of a run would wait for it."""
        for scheme in self.schemes - self.prepared.keys():
            self.prepared[scheme] = asyncio.get_running_loop().run_in_executor(None, get_scheme, scheme)

    def _forget(self) -> None:
        """Let go of runs that ended a while ago: what is asked of them is on disk."""
        self.witnessing.forget(lambda run: run.facts.state.over)
        for run_id, run in list(self.runs.items()):
            if run.facts.state.over and time.monotonic() - run.ended > FORGET_SECONDS:
                del self.runs[run_id]
                self.watched.pop(run_id, None)

    def _carry_out(self, act: Callable[[], None]) -> None:
        """Do what is due. Where the disk is full it stays due, for this run; time goes on for all."""
        try:
            act()
        except UnavailableError as error:
            if time.monotonic() - self.complained > COMPLAINT_SECONDS:
                self.complained = time.monotonic()
                log(_LOG, "coordinator.cannot-keep", level=logging.ERROR, error=error)

    def connect(self, connection: Connection) -> None:
        """Take a node's new stream; an older one of the same node ends."""
        node = connection.party.fingerprint
        older = self.connections.get(node)
        if older is not None:
            older.close()
        self.connections[node] = connection
        self.witnessing.connected(node, connection.party.signing_key)
        self.store.add_event("node.connected", connection.party.name, node)
        self.send(node, self.directory())
        for record in self.store.studies_for(node):
            self.send(node, record)
        for run in list(self.runs.values()):
            run.node_connected(node)

    def disconnect(self, connection: Connection) -> None:
        """Forget a stream that ended."""
        node = connection.party.fingerprint
        if self.connections.get(node) is connection:
            del self.connections[node]
            self.witnessing.lost(node)
            log(_LOG, "node.disconnected", node=connection.party.name)
            with suppress(UnavailableError):  # a full disk is no reason to keep what is gone
                self.store.add_event("node.disconnected", connection.party.name, node)

    def send(self, node: Fingerprint, message: FromCoordinator) -> None:
        """Put a message into a node's outbox; where there is none, the node catches up when it comes back."""
        connection = self.connections.get(node)
        if connection is not None:
            connection.send(message)

    def moved(self, node: Fingerprint) -> None:
        """Take note that a part of a long message went to a node or came from it: nothing of it is to be repeated."""
        for run in self.runs.values():
            if node in run.participants:
                run.moved = run.now()

    def receive(self, sender: Party, message: FromNode, size: int) -> None:
        """Take in a node's message.

        Raises:
            ProtocolError: it fits nowhere; the stream ends with this error.
        """
        match message:
            case Hello():
                raise ProtocolError("stream.second-hello", "a stream says hello once")
            case SignedAgreement() | SignedRefusal() | SignedCounter():
                self.state(sender, message)
            case SignedPublication() | SignedWithdrawal():
                mirror(self.store, sender, message)
            case WitnessHead() | Cosigned() | ActsHead() | HeadHeld() | FreshQuestion() | FreshAnswer():
                self.witnessing.receive(sender.fingerprint, message)
            case Parcel():
                self.parcels.pass_on(sender, message)
            case _:
                run = self.runs.get(message.run_id)
                if run is not None:
                    run.receive(sender.fingerprint, message, size)
                else:
                    self._answer_late(sender, message.run_id)

    def state(self, sender: Party, statement: Statement) -> None:
        """Take in an agreement, a refusal or a counter-offer, and pass it on to the participants."""
        claimed = claimed_study(statement)
        try:
            record = self.store.study(claimed)
        except InputError:
            if self.store.log.newest("study.proposed", claimed) is None:
                raise
            log(_LOG, "study.statement-too-late", level=logging.DEBUG, node=sender.name, study=claimed)
            return  # dropped, since it expired before anybody signed: no fault of whoever signs it now
        study = parse_study(record.study)
        if _signer(statement, study) != sender.fingerprint:
            raise ProtocolError("study.statement-of-another", "a node sent another's statement", got=sender.name)
        counters = [one for one in record.statements
                    if isinstance(one, SignedCounter) and one.public_key == statement.public_key]
        if isinstance(statement, SignedCounter) and statement not in counters and len(counters) >= MAXIMUM_COUNTERS:
            raise ProtocolError("counter.too-many", "an institution made too many counter-offers to one study",
                                got=sender.name, expected=f"at most {MAXIMUM_COUNTERS}")
        if not self.store.add_statement(study.hash, sender.name, statement):
            return
        log(_LOG, "study.statement", node=sender.name, study=study.hash,
            kind=statement.kind)
        self._announce_study(study)
        if isinstance(statement, SignedRefusal):
            for run in list(self.runs.values()):
                if run.study.hash == study.hash and not run.facts.state.over:
                    run.abort(RefusedError("study.revoked", f"node {sender.name}: approval of the study was revoked",
                                           got=study.name))

    def propose(self, study: Study, proposer: Party) -> None:
        """Keep a study and put it before its participants.

        Raises:
            RefusedError: the proposer is no recipient, or a participant is not an enrolled node.
            InputError: it has expired.
            UnavailableError: too many studies of this proposer are open.
        """
        if all(r.fingerprint != proposer.fingerprint for r in study.recipients):
            raise RefusedError("study.not-a-recipient", "the proposer is not among the study's recipients",
                               got=proposer.name, hint="propose it with your own identity")
        nodes = {p.fingerprint: p.name for p in self.registry.by_role("node")}
        for participant in study.participants:
            if nodes.get(Fingerprint(participant.fingerprint)) != participant.name:
                raise RefusedError("study.unknown-participant", "a participant is not an enrolled node of that name",
                                   got=f"{participant.name} {participant.fingerprint}",
                                   expected=", ".join(sorted(nodes.values())) or "no node is enrolled yet")
        if self.store.add_study(study, proposer.name, self.open_per_proposer):
            log(_LOG, "study.proposed", study=study.hash, name=study.name)
            self._announce_study(study)

    def start_run(self, record: StudyRecord, run_id: str, started_by: Party) -> Coordination:
        """Start a run of a study.

        Raises:
            RefusedError: not every participant approved, another run is under way, or the runs are used up.
        """
        study = parse_study(record.study)
        approved = approving(record, study)
        missing = [p.name for p in study.participants if p.fingerprint not in approved]
        if missing:
            raise RefusedError("run.not-approved", "not every participant has approved the study",
                               got=f"without {', '.join(missing)}", expected=f"{len(study.participants)} approvals",
                               hint=f"see `sealane study show {study.hash[:12]}`")
        if any(r.study.hash == study.hash and not r.facts.state.over for r in self.runs.values()):
            raise RefusedError("run.under-way", "a run of this study is under way", got=study.name,
                               hint="watch, resume or cancel it: `sealane run list`")
        if self.store.count_runs(study.hash) >= study.runs:
            raise RefusedError("study.runs-exhausted", "the study allows no further run", got=f"{study.runs} runs",
                               expected=f"at most {study.runs}", hint="propose a study with more runs")
        facts = RunFacts(run_id, study.hash, RunState.PROPOSED)
        self.store.add_run(facts, started_by.name)
        run = self._coordinate(facts)
        run.begin()
        return run

    def directory(self) -> Directory:
        """Return the parties, with who is connected."""
        return Directory(tuple(
            PartyRecord(p.name, p.role, p.fingerprint, p.signing_key, p.sealing_key, p.fingerprint in self.connections)
            for p in self.registry.all() if p.status == "enrolled"))

    def _coordinate(self, facts: RunFacts) -> Coordination:
        record = self.store.study(facts.study_hash)
        study = parse_study(record.study)
        self.schemes.add(study.scheme)
        signed = approving(record, study)
        record = replace(record, statements=tuple(signed.values()))
        changed = self.watched.setdefault(facts.run_id, asyncio.Event())
        run = Coordination(
            study=study, record=record, facts=facts, keys={f: s.public_key for f, s in signed.items()},
            send=self.send, records=self.store, patience=self.patience, now=time.monotonic,
            connected=self.connections.__contains__, changed=changed.set, prove=self.witnessing.prove)
        self.runs[facts.run_id] = run
        return run

    def _save_acts(self, node: Fingerprint, detail: str) -> None:
        self.store.save_acts(self.connections[node].party.name, node, detail)

    def _answer_late(self, sender: Party, run_id: str) -> None:
        for facts, _ in self.store.all_runs():
            if facts.run_id == run_id and facts.state.over:
                self.send(sender.fingerprint, RunEnded(run_id, facts.error))

    def _announce_study(self, study: Study) -> None:
        record = self.store.study(study.hash)
        for participant in study.participants:
            self.send(Fingerprint(participant.fingerprint), record)

    def _check_admitted(self) -> None:
        for connection in list(self.connections.values()):
            try:
                connection.admitted()
            except UnavailableError:
                raise  # the registry cannot be read now, which says nothing about a party
            except SealaneError as error:
                log(_LOG, "node.turned-away", node=connection.party.name, code=error.code)
                party = connection.party
                connection.close()
                self.store.add_event("node.turned-away", party.name, party.fingerprint, error.code)


def approving(record: StudyRecord, study: Study) -> dict[Fingerprint, SignedAgreement]:
    """Return the agreements that stand: those of institutions that have not refused, which is final."""
    refused = {verify_refusal(s, study).fingerprint for s in record.statements if isinstance(s, SignedRefusal)}
    agreed = {Fingerprint(verify_agreement(s, study).fingerprint): s
              for s in record.statements if isinstance(s, SignedAgreement)}
    return {f: signed for f, signed in agreed.items() if f not in refused}


def _signer(statement: Statement, study: Study) -> str:
    """Return the fingerprint of whoever signed a statement, once it is verified."""
    match statement:
        case SignedAgreement():
            return verify_agreement(statement, study).fingerprint
        case SignedCounter():
            return verify_counter(statement, study).fingerprint
        case SignedRefusal():
            return verify_refusal(statement, study).fingerprint
