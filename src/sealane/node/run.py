"""One run at one node: join, compute in every attempt, endorse, deliver. Everything else is told to the coordinator.

The journal is what makes it safe to be killed: an instance built again from it says the same things again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from sealane.audit.evidence import START
from sealane.core.canonical import canonical_bytes
from sealane.core.entropy import random_secret
from sealane.core.ids import Fingerprint
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.derivation import derive
from sealane.crypto.sealing import seal_to
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.governance.signed_statement import SignedAgreement
from sealane.governance.study import Study
from sealane.node import acquaintance
from sealane.node.cohort import NodeCohort
from sealane.node.execution import Execution
from sealane.node.fresh import vouched
from sealane.node.gate import Admission, Gate
from sealane.node.inbox import Inbox
from sealane.node.journal import Journal
from sealane.node.journal_rows import RunRow
from sealane.node.ledger_heads import record_joined, record_over, record_reserved
from sealane.node.run_meter import Metered, RunMeter, metered_run
from sealane.node.started import read_start, write_start
from sealane.node.witness import NodeWitness, by_signer, reported_acts
from sealane.rpc.codec import FromCoordinator, FromNode
from sealane.rpc.notices import Failure, LogEvidence, Nudge, RunEnded, RunOffer
from sealane.secagg.attempt import Attempt, sign_endorsement, sign_join, verify_endorsement
from sealane.secagg.messages import (
    Arrival,
    Delivery,
    Endorsed,
    Endorsement,
    Introduced,
    Introduction,
    Opening,
    Proposal,
    SealedResult,
    Start,
)
from sealane.secagg.node_role import NodeRole
from sealane.secagg.result import result_hash, result_info, salted
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
END_AGAIN_S = 5.0
"""After so long an end that could not be written is tried again."""
_LOG_START = (1 << 31) + 1
"""The inbox number of the log's proofs before an attempt begins: past every exchange, so that none forgets them."""
_RESULT = 1 << 31
"""The inbox number of messages about the result: after every exchange."""


@dataclass(slots=True)
class _Running:
    """What an attempt under way consists of."""

    attempt: Attempt
    inbox: Inbox
    task: asyncio.Task[None]
    introduction: Introduction | None = None
    cohort: NodeCohort | None = None
    endorsement: Endorsement | None = None
    sealed: SealedResult | None = None


class NodeRun:
    """One run at this node. Methods must be called on the loop that the instance was made on.

    Args:
        offer: the coordinator's offer, with the study and all that was signed about it.
        key: this node's signing key.
        gate: this node's policy gate.
        journal: this node's memory of its runs.
        post: sends a message to the coordinator, or drops it where there is no stream; it is asked for again.
        ended: called once, when the run is over for this node.
        metered: keeps what the run used, on disk, before it counts as over here.
        witness: this node's side of the audit log.
        execution: where the computation runs.

    Raises:
        RefusedError: the gate does not let the run in.
        ProtocolError: something in the offer does not verify.
    """

    def __init__(
        self,
        offer: RunOffer,
        key: SigningKey,
        gate: Gate,
        journal: Journal,
        post: Callable[[FromNode], None],
        ended: Callable[[str], None] = lambda run_id: None,
        backend: str = "cpu",
        metered: Metered = lambda event: None,
        *,
        witness: NodeWitness,
        execution: Execution,
    ) -> None:
        self.run_id = offer.run_id
        self._witness = witness
        self._reported = 0
        self._key = key
        self._gate = gate
        self._journal = journal
        self._ended = ended
        self._backend = backend
        self._execution = execution
        self._admission: Admission = gate.admit(offer, runs_released=journal.runs_released)
        self._signed = tuple(s for s in offer.study.statements if isinstance(s, SignedAgreement))
        if journal.run(self.run_id) is None and self.run_id in gate.ledger.runs(self.study.hash):
            # Its key and noise would be drawn anew, and what it opens is charged already.
            raise RefusedError("run.forgotten", "the ledger was charged for a run that the journal does not know",
                               got=self.run_id, hint="a restored node cannot go on with it: start another")
        self._row: RunRow = journal.join(offer.run_id, self.study.hash, random_secret())
        self._meter = RunMeter(journal, offer.run_id)
        self._post = self._meter.counting(post)
        self._tell_log = post  # what a witness says belongs to no run
        self._metered = metered
        self._running: _Running | None = None
        self._failed: SealaneError | None = None
        if self._row.ended:
            raise ProtocolError("run.offered-again", "a run that is over at this node was offered again",
                                got=self.run_id)
        self._held = 0
        self._report()
        if self._row.start is not None:
            self._hold()
            self._begin(read_start(self.run_id, self._row.start))
        else:
            self._post(self._join())

    @property
    def study(self) -> Study:
        """The study that this run belongs to."""
        return self._admission.study

    def receive(self, message: FromCoordinator) -> None:
        """Take in a message of this run. One that does not fit is reported, and ends the run at this node."""
        try:
            self._receive(message)
        except SealaneError as error:
            self._fail(error)

    def repeat(self) -> None:
        """Send again what the coordinator may have lost: everything since the last opened sum."""
        running = self._running
        if running is None or running.cohort is None:
            self._tell_log(self._witness.head())
            self._tell_log(self._witness.fresh.head())
            self._tell_log(self._witness.fresh.question())
        if isinstance(self._failed, RefusedError):
            self._post(Failure(self.run_id, self._failed))  # a refusal may have been lost; nothing else is said again
            return
        if running is None:
            self._post(self._join())
            return
        if running.introduction is not None and (running.cohort is None or not running.cohort.opened):
            self._post(running.introduction)
        if running.cohort is not None:
            for message in running.cohort.unsettled:
                self._post(message)
        for late in (running.endorsement, running.sealed):
            if late is not None:
                self._post(late)

    def refuse(self, error: SealaneError) -> None:
        """Stop at once and say why: the run ends everywhere. What was released before stays released."""
        if self._running is not None:
            self._running.task.cancel()
        self._fail(error)

    async def close(self) -> None:
        """Stop computing, without ending the run: it goes on when the node is started again."""
        if self._running is not None:
            self._running.task.cancel()
            await asyncio.gather(self._running.task, return_exceptions=True)

    def _receive(self, message: FromCoordinator) -> None:
        match message:
            case Start():
                self._start(message)
            case Arrival() | Opening() | Proposal() | Delivery():
                if self._running is not None and message.attempt == self._running.attempt.number:
                    self._running.inbox.put(message, message.exchange)
            case Introduced():
                if self._running is not None and message.attempt == self._running.attempt.number:
                    self._running.inbox.put(message, acquaintance.NUMBER)
            case Endorsed():
                if self._running is not None and message.attempt == self._running.attempt.number:
                    self._running.inbox.put(message, _RESULT)
            case Nudge():
                self.repeat()
            case RunEnded():
                self._end(message.error)
            case LogEvidence():
                if self._running is not None and self._is_current(message, self._running.attempt):
                    self._running.inbox.put(message, _LOG_START if message.stage == START else _RESULT)
            case RunOffer():
                if self._running is None:
                    self._post(self._join())
            case _:
                raise ProtocolError("run.unexpected-message", "message has no place in a run",
                                    got=type(message).__name__)

    def _report(self) -> None:
        """Remember that this run is joined, and report it, so that the log holds it before anything is contributed."""
        self._witness.acts.record("run.cohort", self.run_id, self.study.hash)
        record_joined(self._gate.ledger, self.run_id, self._witness.acts.record)
        self._reported = self._hold()

    def _hold(self) -> int:
        """Have peers hold the head of this node's acts, as they must before anything is contributed."""
        head = self._witness.fresh.head()
        self._held = head.count
        self._tell_log(head)
        return head.count

    def _is_current(self, evidence: LogEvidence, attempt: Attempt) -> bool:
        """Tell evidence of this attempt from an older one's, and from what was made before the log had our report."""
        if evidence.attempt != attempt.number:
            return False
        if evidence.stage != START or len(evidence.leaves) < 2:
            return True
        return reported_acts(evidence.leaves[1].entry) >= self._reported

    async def _evidence(self, running: _Running, number: int) -> LogEvidence:
        """Wait for the log's proofs.

        Raises:
            UnavailableError: they did not come.
        """
        try:
            async with asyncio.timeout(self._witness.patience_s):
                return await running.inbox.take(LogEvidence, number)
        except TimeoutError:
            raise UnavailableError(
                "audit.no-evidence", "the audit log did not prove that it holds what this node did",
                expected=f"proofs under a cosigned checkpoint within {self._witness.patience_s:g} s",
                hint="more than (n + c)/2 of the study's nodes must be connected to cosign") from None

    def _join(self) -> FromNode:
        return sign_join(self._key, self.study.hash, self.run_id, self._agreement().public_key)

    def _agreement(self) -> AgreementKey:
        return AgreementKey(self._row.agreement_seed)

    def _start(self, start: Start) -> None:
        if self._running is not None and start.attempt <= self._running.attempt.number:
            # The same again, or an attempt that is closed for ever; but what lacked something may be tried again.
            same = (start.attempt, start.members) == (self._running.attempt.number, self._running.attempt.members)
            if same and isinstance(self._failed, UnavailableError):
                self._failed = None
                self._begin(start)
            return
        attempt = self._attempt_of(start)
        self._gate.check_cohort(self._admission, attempt.cohort)
        attempt.verify_own(self._key.fingerprint, self._agreement().public_key)  # before anything is written
        self._journal.begin_attempt(self.run_id, start.attempt, write_start(start))
        if self._running is not None:
            self._running.task.cancel()
        self._begin(start)

    def _attempt_of(self, start: Start) -> Attempt:
        study = self.study
        return Attempt(self.run_id, study.hash, start.attempt, study.scheme, start.members, study.colluding,
                       self._admission.limits.smallest_cohort.value)

    def _begin(self, start: Start) -> None:
        attempt = self._attempt_of(start)
        inbox = Inbox()
        task = asyncio.get_running_loop().create_task(self._attempt(attempt, inbox), name=f"{self.run_id}")
        self._running = _Running(attempt, inbox, task)

    async def _attempt(self, attempt: Attempt, inbox: Inbox) -> None:
        try:
            await self._compute(attempt, inbox)
        except SealaneError as error:
            self._fail(error)
        except Exception as error:
            # What an unforeseen exception says may quote rows: only its type and place are told.
            log(_LOG, "computation.failed", level=logging.ERROR, error=error, run=self.run_id)
            self._fail(ProtocolError("computation.failed", "the computation failed at this node",
                                     got=type(error).__name__, hint="the node's log says where, but quotes no value"))

    async def _compute(self, attempt: Attempt, inbox: Inbox) -> None:
        admission, gate = self._admission, self._gate
        running = self._running
        assert running is not None
        approvals = by_signer(self._signed)
        others = approvals.keys() - {self._key.fingerprint}
        await vouched(self._witness.fresh, others, self.study.colluding, self._held, self._witness.patience_s)
        self._witness.check_start(await self._evidence(running, _LOG_START), attempt, approvals, admission.own.node,
                                  self._reported)
        acquainted = await acquaintance.acquaint(
            attempt, self._key, self._agreement(), self._journal, inbox, self._introduce)
        role = NodeRole(attempt, self._key, self._agreement(), acquainted.secrets, backend=self._backend)
        rounds = gate.rounds(admission, attempt.cohort, runs_released=self._journal.runs_released)
        cohort = NodeCohort(
            role, self._journal, rounds, inbox, self._post,
            minimum_count=admission.limits.minimum_count.value,
            names={participant.fingerprint: participant.name for participant in admission.study.participants},
            waived=admission.waived,
            rounding_key=derive(self._row.agreement_seed, "rounding key", self.run_id.encode()),
            transcript=acquainted.transcript(attempt),
        )
        running.cohort = cohort
        dataset = gate.open_dataset(admission)
        self._meter.opened(admission.own.dataset, getattr(dataset, "rows", 0))
        rounds.reserve(dataset.contract)
        record_reserved(gate.ledger, self.run_id, self._witness.acts.record)
        self._tell_log(self._witness.fresh.head())
        payload = await self._execution.compute(admission, dataset, cohort, self.run_id, self._meter.add_cpu)
        result = salted(canonical_bytes(payload), cohort.transcript)
        gate.check_result(admission, result)
        self._meter.endorsed()
        self._journal.settle()  # or a node that lies could make this one endorse two results, before and after a crash
        self._witness.acts.record("run.endorsed", self.run_id, result_hash(result).hex())
        running.endorsement = sign_endorsement(self._key, attempt, cohort.transcript, result_hash(result))
        self._post(running.endorsement)
        endorsed = await inbox.take(Endorsed, _RESULT)
        _check_endorsed(running.endorsement, attempt, endorsed)
        if attempt.first == self._key.fingerprint:
            self._witness.check_release(await self._evidence(running, _RESULT), attempt, approvals,
                                        running.endorsement.result_hash)
            gate.check_result(admission, result)
            running.sealed = self._seal(attempt, result)
            self._post(running.sealed)

    def _introduce(self, message: Introduction) -> None:
        assert self._running is not None
        self._running.introduction = message
        self._post(message)

    def _seal(self, attempt: Attempt, result: bytes) -> SealedResult:
        info = result_info(attempt.study_hash, attempt.run_id)
        sealed = {Fingerprint(r.fingerprint): seal_to(bytes.fromhex(r.sealing_key), result, info)
                  for r in self._admission.limits.recipients}
        return SealedResult(attempt.run_id, attempt.number, sealed)

    def _fail(self, error: SealaneError) -> None:
        self._failed = error
        log(_LOG, "run.failed", level=logging.WARNING, error=error, run=self.run_id)
        self._post(Failure(self.run_id, error))

    def _end(self, error: SealaneError | None) -> None:
        if self._running is not None and not self._running.task.done():
            # What its child used is only known once that has ended, and belongs into what is metered.
            self._running.task.add_done_callback(lambda _: self._end(error))
            self._running.task.cancel()
            return
        try:
            self._meter.close()
            self._gate.ledger.void(self.run_id)
            record_over(self._gate.ledger, self.run_id, self._witness.acts.record)
            self._tell_log(self._witness.fresh.head())
            self._meter_run(error)
            self._journal.end(self.run_id)
        except UnavailableError as full:
            # Nobody is told: the run is over for everybody else, who would only say so again.
            log(_LOG, "run.end-not-kept", level=logging.WARNING, error=full, run=self.run_id)
            asyncio.get_running_loop().call_later(END_AGAIN_S, self._end, error)
            return
        log(_LOG, "run.ended", run=self.run_id, code=error.code if error else "completed")
        self._ended(self.run_id)

    def _meter_run(self, error: SealaneError | None) -> None:
        """Meter the run. Only a disk that takes nothing holds the end up: the run's keys are to be forgotten."""
        try:
            self._metered(metered_run(self._journal, self.run_id, self.study, self._key.fingerprint, error,
                                      self._gate.now(), self._gate.ledger.charged(self.run_id, self.study.delta)))
        except UnavailableError:
            raise
        except SealaneError as unmetered:
            log(_LOG, "run.not-metered", level=logging.ERROR, error=unmetered, run=self.run_id)


def _check_endorsed(own: Endorsement, attempt: Attempt, endorsed: Endorsed) -> None:
    if endorsed.endorsements.keys() != attempt.cohort:
        raise ProtocolError("result.not-endorsed", "not every member endorsed the result",
                            got=f"{len(endorsed.endorsements)} endorsements", expected=f"{attempt.size}")
    for member in attempt.members:
        theirs = endorsed.endorsements[member.fingerprint]
        verify_endorsement(theirs, member.signing_key, attempt.study_hash, own.result_hash)
        if (theirs.run_id, theirs.attempt, theirs.transcript) != (own.run_id, own.attempt, own.transcript):
            raise ProtocolError("result.other-run", "a node endorsed this result in another run or transcript",
                                got=f"run {theirs.run_id}, attempt {theirs.attempt}",
                                expected=f"run {own.run_id}, attempt {own.attempt}")
