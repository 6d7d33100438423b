"""One run, from the coordinator's side: offer, start, relay, release. Synchronous; messages and time come in.

The coordinator keeps on disk only what nodes cannot tell it again: the run, its attempt, its end. The messages of an
exchange belong to the nodes, which hold them durably and repeat them when asked; so a coordinator that was killed
asks, and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from sealane.audit.entry import endorsed_detail
from sealane.coordinator.exchanges import Exchanges
from sealane.coordinator.introductions import Introductions
from sealane.coordinator.run_facts import Patience, RunFacts, RunRecords, Tally
from sealane.coordinator.run_state import RunState, step
from sealane.core.ids import Fingerprint
from sealane.crypto.signing import verify
from sealane.errors import ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.governance.agreement import verify_agreement
from sealane.governance.limits import Limits, tightest
from sealane.governance.signed_statement import SignedAgreement
from sealane.governance.study import Study
from sealane.rpc.codec import FromCoordinator, FromNode
from sealane.rpc.notices import Failure, Nudge, RunEnded, RunOffer, StudyRecord
from sealane.secagg.attempt import JOIN, Attempt, join_body, verify_endorsement
from sealane.secagg.messages import (
    Contribution,
    Endorsed,
    Endorsement,
    Introduction,
    Join,
    Letters,
    Member,
    Proposal,
    Release,
    SealedResult,
    Start,
)

Send = Callable[[Fingerprint, FromCoordinator], None]


@dataclass(slots=True)
class Coordination:
    """One run. ``changed`` is called after every visible change, for those who watch."""

    study: Study
    record: StudyRecord
    facts: RunFacts
    keys: dict[Fingerprint, bytes]
    send: Send
    records: RunRecords
    patience: Patience
    now: Callable[[], float]
    connected: Callable[[Fingerprint], bool]
    changed: Callable[[], None] = lambda: None
    prove: Callable[[Coordination, Fingerprint], None] = lambda run, node: None
    joins: dict[Fingerprint, Join] = field(default_factory=dict)
    endorsements: dict[Fingerprint, Endorsement] = field(default_factory=dict)
    bytes_sent: dict[Fingerprint, int] = field(default_factory=dict)
    introductions: Introductions | None = None
    exchanges: Exchanges | None = None
    started: float = 0.0
    progress: float = 0.0
    nudged: float = 0.0
    moved: float = 0.0
    nudges: int = 0
    ended: float = 0.0
    limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        self.limits = tightest(self.study, [verify_agreement(one, self.study) for one in self.record.statements
                                            if isinstance(one, SignedAgreement)])
        self.progress = self.nudged = self.now()
        self.started = self.now() - self.facts.tally.elapsed_s
        self.bytes_sent |= self.facts.tally.bytes_sent
        if self.facts.members:
            self._open_attempt(self.facts.members)

    @property
    def participants(self) -> tuple[Fingerprint, ...]:
        """Every institution of the study."""
        return tuple(Fingerprint(p.fingerprint) for p in self.study.participants)

    @property
    def cohort(self) -> tuple[Fingerprint, ...]:
        """The members of the present attempt; every participant before there is one."""
        return tuple(m.fingerprint for m in self.facts.members) or self.participants

    @property
    def elapsed(self) -> float:
        """Seconds since the run began, to its end; while no coordinator served they did not count."""
        return (self.ended or self.now()) - self.started

    @property
    def tally(self) -> Tally:
        """What the run has cost so far."""
        finished = self.exchanges.finished if self.exchanges is not None else 0
        return Tally(max(finished, self.facts.tally.exchanges), dict(self.bytes_sent), self.elapsed)

    @property
    def waiting_for(self) -> tuple[Fingerprint, ...]:
        """Who holds the run up."""
        match self.facts.state:
            case RunState.COMPLETED | RunState.ABORTED:
                return ()
            case RunState.RELEASING:
                return self.cohort[:1]
            case _ if self.exchanges is None or self.introductions is None:
                return tuple(f for f in self.participants if f not in self.joins)
            case _ if self.introductions.missing and not self.exchanges.begun:
                return tuple(f for f in self.cohort if f in self.introductions.missing)
            case _ if self.endorsements:
                return tuple(f for f in self.cohort if f not in self.endorsements)
            case _:
                return tuple(f for f in self.cohort if f in self.exchanges.missing)

    def begin(self) -> None:
        """Offer the run to every participant."""
        self._to(self.participants, RunOffer(self.facts.run_id, self.record))

    def receive(self, sender: Fingerprint, message: FromNode, size: int = 0) -> None:
        """Take in a node's message. A node that breaks the protocol ends the run, with its name in the error."""
        if self.facts.state.over:
            self.send(sender, RunEnded(self.facts.run_id, self.facts.error))
            return
        if sender not in self.participants:
            raise ProtocolError("run.not-a-member", "party is not of this run's study", got=sender)
        self.bytes_sent[sender] = self.bytes_sent.get(sender, 0) + size
        try:
            self._dispatch(sender, message)
        except ProtocolError as error:
            self.abort(self._named(sender, error))

    def node_connected(self, node: Fingerprint) -> None:
        """Tell a node that came (back) where the run stands, and ask for what it knows."""
        if node in self.participants and not self.facts.state.over:
            self._catch_up(node)

    def tick(self) -> None:
        """Look at the clock: repeat what may have been lost, and end or pause what waits too long."""
        if self.facts.state.over or self.facts.state is RunState.PAUSED:
            return
        now = self.now()
        if self.exchanges is None and len(self.joins) == len(self.participants):
            self._start(self.participants)  # everybody had joined when the disk was full
            return
        silence, waiting = now - self.progress, self.waiting_for
        present = [node for node in waiting if self.connected(node)]
        # Where all compute, those present may wait for a value that one who is away is to propose.
        lost = not present or len(present) < len(waiting) == len(self.cohort)
        if silence > (self.patience.silent_s or self.patience.round_s) or (silence > self.patience.round_s and lost):
            self._out_of_patience()
        elif now - max(self.progress, self.nudged, self.moved) > self.patience.nudge_s * 2**self.nudges:
            self.nudged = now
            self.nudges += 1
            for member, relay in self.exchanges.hasten() if self.exchanges is not None else ():
                self.send(member, relay)
            for node in self.cohort:
                if self.connected(node):
                    self._catch_up(node)

    def abort(self, error: SealaneError) -> None:
        """End the run for good."""
        if not self.facts.state.over:
            self._move(RunState.ABORTED, error=error)
            self._to(self.participants, RunEnded(self.facts.run_id, error))

    def resume(self) -> None:
        """Go on with a paused run.

        Raises:
            RefusedError: it is not paused.
        """
        if self.facts.state is not RunState.PAUSED:
            raise RefusedError("run.not-paused", "only a paused run can be resumed", got=self.facts.state,
                               expected=RunState.PAUSED, hint="`sealane run show RUN` says whom a run waits for")
        self._move(RunState.RUNNING if self.facts.members else RunState.PROPOSED, error=None)
        self._advanced()
        for node in self.participants:
            if self.connected(node):
                self._catch_up(node)

    def _dispatch(self, sender: Fingerprint, message: FromNode) -> None:
        match message:
            case Join():
                self._join(sender, message)
            case Introduction():
                self._introduce(sender, message)
            case Contribution() | Release() | Proposal() | Letters():
                self._exchange(sender, message)
            case Endorsement():
                self._endorse(sender, message)
            case SealedResult():
                self._deliver(sender, message)
            case Failure():
                self._fail(self._named(sender, message.error))
            case _:
                raise ProtocolError("run.unexpected-message", "message has no place in a run",
                                    got=type(message).__name__)

    def _fail(self, error: SealaneError) -> None:
        """A node that lacks something for now (disk, a source) pauses the run; any other failure ends it."""
        if isinstance(error, UnavailableError):
            if self.facts.state is not RunState.PAUSED:
                self._move(RunState.PAUSED, error=error)
        else:
            self.abort(error)

    def _join(self, sender: Fingerprint, message: Join) -> None:
        if self.facts.members:
            return  # a repeated join of an attempt under way
        verify(self.keys[sender], JOIN, join_body(self.facts.study_hash, message.run_id, message.agreement_key),
               message.signature)
        known = self.joins.get(sender)
        if known is not None and known != message:
            raise ProtocolError("run.equivocation", "node answered twice with different bytes", got=f"node {sender}")
        self.joins[sender] = message
        self._advanced()
        if len(self.joins) == len(self.participants):
            self._start(self.participants)

    def _start(self, cohort: Iterable[Fingerprint]) -> None:
        members = tuple(
            Member(f, self.keys[f], self.joins[f].agreement_key, self.joins[f].signature) for f in sorted(cohort)
        )
        if self.facts.state is RunState.PROPOSED:
            self._move(RunState.ADMITTED)
        self._move(RunState.RUNNING, attempt=self.facts.attempt + 1, members=members)
        self._open_attempt(members)
        self._to(self.cohort, Start(self.facts.run_id, self.facts.attempt, members))
        self._prove()

    def _open_attempt(self, members: tuple[Member, ...]) -> None:
        attempt = Attempt(self.facts.run_id, self.facts.study_hash, self.facts.attempt, self.study.scheme, members,
                          self.study.colluding, self.limits.smallest_cohort.value)
        self.introductions, self.exchanges = Introductions(attempt), Exchanges(attempt)
        self.joins |= {m.fingerprint: Join(self.facts.run_id, m.agreement_key, m.signature) for m in members}
        self.endorsements = {}

    def _introduce(self, sender: Fingerprint, message: Introduction) -> None:
        if self.introductions is None or not self._is_current(sender, message.attempt):
            return
        if self.introductions.add(sender, message):
            self._advanced()
            if not self.introductions.missing:
                for member in self.cohort:
                    self._tell_introduced(member)

    def _tell_introduced(self, member: Fingerprint) -> None:
        told = self.introductions.told(member) if self.introductions is not None else None
        if told is not None:
            self.send(member, told)

    def _is_current(self, sender: Fingerprint, attempt: int) -> bool:
        """Tell whether a message is of the attempt under way; of one that is closed it is late, and harmless.

        Raises:
            ProtocolError: of an attempt that never began.
        """
        if attempt > self.facts.attempt:
            raise ProtocolError("run.attempt-unknown", "a node names an attempt that never began", got=attempt)
        return attempt == self.facts.attempt and sender in self.cohort

    def _exchange(self, sender: Fingerprint, message: Contribution | Release | Proposal | Letters) -> None:
        if self.exchanges is None or not self._is_current(sender, message.attempt):
            return
        accepted = self.exchanges.accepted
        match message:
            case Contribution():
                relays = list(self.exchanges.contribute(sender, message))
            case Release():
                relays = list(self.exchanges.release(sender, message))
            case Proposal():
                relays = list(self.exchanges.propose(sender, message))
            case Letters():
                relays = list(self.exchanges.write(sender, message))
        self._keep_announced(self.exchanges)
        for member, relay in relays:
            self.send(member, relay)
        if self.exchanges.accepted > accepted:
            self._advanced()

    def _keep_announced(self, exchanges: Exchanges) -> None:
        """From here on something may have opened: on disk before any node can be asked to release."""
        if not self.facts.announced and exchanges.fixed:
            self._save(announced=True)

    def _endorse(self, sender: Fingerprint, message: Endorsement) -> None:
        if message.attempt != self.facts.attempt or sender not in self.cohort:
            return
        verify_endorsement(message, self.keys[sender], self.facts.study_hash, message.result_hash)
        for other in self.endorsements.values():
            if (other.result_hash, other.transcript) != (message.result_hash, message.transcript):
                raise ProtocolError("result.differs", "nodes arrived at different results",
                                    hint="a node lies, or runs another version: see `sealane doctor`")
        if sender not in self.endorsements:
            self.endorsements[sender] = message
            self._advanced()
        if len(self.endorsements) == len(self.cohort):
            if self.facts.state is RunState.RUNNING:
                self._move(RunState.RELEASING)
            self.records.save_endorsed(self.facts.run_id, self.endorsed_detail)
            self._to(self.cohort, Endorsed(self.facts.run_id, self.facts.attempt, dict(self.endorsements)))
            self._prove()

    @property
    def endorsed_detail(self) -> str:
        """What the audit log says of the result that every member endorsed; empty before that."""
        if not self.endorsements or len(self.endorsements) < len(self.cohort):
            return ""
        return endorsed_detail(self.facts.attempt, next(iter(self.endorsements.values())).result_hash)

    def _prove(self) -> None:
        """Ask for the proofs that each member waits for: what it did, and what this attempt did, is in the log."""
        for node in self.cohort:
            self.prove(self, node)

    def _deliver(self, sender: Fingerprint, message: SealedResult) -> None:
        if self.facts.state is not RunState.RELEASING or sender != self.cohort[0]:
            return
        if len(self.endorsements) < len(self.cohort):
            return  # after a restart they are still coming again; the result will too
        wanted = {r.fingerprint for r in self.limits.recipients}
        if message.sealed.keys() != wanted:
            raise ProtocolError("result.recipients-differ", "the result is not sealed to the study's recipients",
                                got=f"{len(message.sealed)} recipients", expected=f"{len(wanted)} recipients")
        self.records.save_result(self.facts.run_id, dict(message.sealed), self.endorsements)
        self._move(RunState.COMPLETED)
        self._to(self.participants, RunEnded(self.facts.run_id))

    def _catch_up(self, node: Fingerprint) -> None:
        if self.exchanges is None:
            if node not in self.joins:
                self.send(node, RunOffer(self.facts.run_id, self.record))
            return
        if node not in self.cohort:
            return
        self.send(node, RunOffer(self.facts.run_id, self.record))
        self.send(node, Start(self.facts.run_id, self.facts.attempt, self.facts.members))
        self.prove(self, node)
        self._tell_introduced(node)
        self._keep_announced(self.exchanges)
        for message in self.exchanges.again(node):
            self.send(node, message)
        if len(self.endorsements) == len(self.cohort):
            self.send(node, Endorsed(self.facts.run_id, self.facts.attempt, dict(self.endorsements)))
        self.send(node, Nudge(self.facts.run_id))

    def _out_of_patience(self) -> None:
        lost = tuple(f for f in self.waiting_for if not self.connected(f)) or self.waiting_for
        present = tuple(f for f in self.cohort if f not in lost)
        error = UnavailableError(
            "run.node-lost", "a node was lost and the run cannot go on without it", got=", ".join(self._names(lost)),
            expected=f"all {len(self.cohort)} nodes within {self.now() - self.progress:.0f} s",
            hint=f"bring it back, then `sealane run resume {self.facts.run_id}`")
        never_opened = not self.facts.announced
        if never_opened and len(present) >= self.limits.smallest_cohort.value and all(f in self.joins for f in present):
            self.progress = self.now()
            self._start(present)
        else:
            self._move(RunState.PAUSED, error=error)

    def _advanced(self) -> None:
        self.progress = self.now()
        self.nudges = 0
        self.changed()

    def _move(self, state: RunState, **changes: object) -> None:
        new = state if state is self.facts.state else step(self.facts.state, state)
        if new not in (RunState.PAUSED, RunState.ABORTED):
            changes.setdefault("error", None)  # what made it pause is over
        self._save(state=new, **changes)
        if new.over:
            self.ended = self.now()
            self.exchanges = None  # nobody asks for them any more, and the last aggregate may be of a model's size

    def _save(self, **changes: object) -> None:
        facts = replace(self.facts, tally=self.tally, **changes)  # type: ignore[arg-type]
        self.records.save(facts)  # first, so that what a full disk refused has not happened here either
        self.facts = facts
        self.changed()

    def _to(self, nodes: Iterable[Fingerprint], message: FromCoordinator) -> None:
        for node in nodes:
            self.send(node, message)

    def _names(self, nodes: Iterable[Fingerprint]) -> list[str]:
        by_fingerprint = {p.fingerprint: p.name for p in self.study.participants}
        return [by_fingerprint[f] for f in nodes]

    def _named(self, sender: Fingerprint, error: SealaneError) -> SealaneError:
        """Say which node an error came from, and never let a node pass one off as another branch's."""
        name, = self._names([sender])
        branch = type(error) if isinstance(error, SealaneError) else RefusedError
        return branch(error.code, f"node {name}: {error.message}", got=error.got, expected=error.expected,
                      hint=error.hint)
