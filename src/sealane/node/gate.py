"""The node's policy gate: asked when a run is offered, before every round, before every release, before a result.

It holds what the coordinator sends against what this institution signed, and remembers on disk which cohorts it has
answered for which rows.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Protocol

from sealane.computations.base import Computation, Dataset, Parameters
from sealane.computations.registry import get, read_parameters
from sealane.core.clock import Clock
from sealane.core.ids import Fingerprint
from sealane.errors import RefusedError
from sealane.governance.approval import Approval, SignedApproval
from sealane.governance.contract import Contract
from sealane.governance.differencing import check_cohort
from sealane.governance.policy import check_round, check_run
from sealane.governance.study import Study, parse_study
from sealane.node.charging import Charging
from sealane.node.ledger import NodeLedger
from sealane.rpc.notices import RunOffer, Statement
from sealane.secagg.layout import Layout
from sealane.secagg.result import MAXIMUM_RESULT

RunsReleased = Callable[[str], frozenset[str]]


class Records(Protocol):
    """What the gate must find in the node's register."""

    def own_statement(self, study_hash: str) -> Statement | None:
        """Return what this institution last signed about a study."""

    def cohorts(self, dataset_version: str) -> list[frozenset[str]]:
        """Return the cohorts that rows were answered for, whatever was computed: computations share sums."""

    def record_cohort(self, dataset_version: str, computation: str, cohort: frozenset[str]) -> None:
        """Remember, on disk, that a cohort is about to be answered."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A run that this node let in, with everything it was let in for."""

    study: Study
    approvals: tuple[SignedApproval, ...]
    own: Approval
    waived: frozenset[str]
    computation: Computation[Any]
    parameters: Parameters


class Gate:
    """The gate of one node.

    Args:
        own: this node's fingerprint.
        records: the node's register.
        datasets: opens a registered dataset in the version that was approved.
        protection: refuses a study that does not protect the approved dataset as its grade asks.
        clock: tells the time.
        ledger: the node's privacy ledger.
    """

    def __init__(
        self, own: Fingerprint, records: Records, datasets: Callable[[Approval, Study], Dataset],
        protection: Callable[[Approval, Study], None], clock: Clock, ledger: NodeLedger,
    ) -> None:
        self._own = own
        self._records = records
        self._datasets = datasets
        self._protection = protection
        self._clock = clock
        self.ledger = ledger
        self._answering: dict[str, set[str]] = {}
        self._answering_lock = Lock()

    def admit(self, offer: RunOffer, *, runs_released: RunsReleased) -> Admission:
        """Decide on an offered run.

        Args:
            offer: what the coordinator sent.
            runs_released: in which runs of a study, by its hash, this node has helped to open something.

        Raises:
            RefusedError: not approved here or elsewhere, revoked, expired, run too often, not installed, or the data
                is not graded, too poor or not protected as its grade asks.
            ProtocolError: a signature does not verify.
            InputError: the study's parameters are not the computation's.
        """
        study = parse_study(offer.study.study)
        self._check_own(study)
        approvals = tuple(s for s in offer.study.statements if isinstance(s, SignedApproval))
        everyone = frozenset(p.fingerprint for p in study.participants)
        approved = check_run(study, approvals, own_fingerprint=self._own, cohort=everyone, now=self._clock())
        self._check_runs(study, offer.run_id, runs_released)
        parameters = read_parameters(study.computation, study.parameters)
        self._protection(approved[self._own], study)
        waived = frozenset(f for f, a in approved.items() if a.waives_differencing)
        return Admission(study, approvals, approved[self._own], waived, get(study.computation), parameters)

    def check_cohort(self, admission: Admission, cohort: AbstractSet[Fingerprint]) -> None:
        """Decide whether this node may take part with a cohort, also next to the cohorts it answered before.

        Raises:
            RefusedError: too small, a stranger in it, or a contribution would follow by subtraction.
        """
        study = admission.study
        check_run(study, admission.approvals, own_fingerprint=self._own, cohort=cohort, now=self._clock())
        names = {p.fingerprint: p.name for p in study.participants}  # a refusal is for people to read

        def named(members: AbstractSet[str]) -> frozenset[str]:
            return frozenset(names.get(f, f) for f in members)

        previous = [named(earlier) for earlier in self._records.cohorts(admission.own.dataset_version)]
        check_cohort(previous, named(cohort), named(admission.waived), colluding=study.colluding)

    def now(self) -> datetime:
        """Return the present moment by this node's clock."""
        return self._clock()

    def open_dataset(self, admission: Admission) -> Dataset:
        """Open the approved dataset, in the approved version.

        Raises:
            RefusedError: it was changed or withdrawn.
        """
        return self._datasets(admission.own, admission.study)

    def rounds(self, admission: Admission, run_id: str, *, runs_released: RunsReleased) -> _Rounds:
        """Return what a run asks before each round and release; ``runs_released`` as for :meth:`admit`."""
        return _Rounds(self, admission, run_id, runs_released)

    def check_result(self, admission: Admission, result: bytes) -> None:
        """Decide whether a result may be endorsed and delivered now.

        Raises:
            RefusedError: revoked, expired, or larger than any result may be.
        """
        self.check_round(admission, 0)
        if len(result) > MAXIMUM_RESULT:
            raise RefusedError("result.too-large", "the result is too large", got=f"{len(result)} bytes",
                               expected=f"at most {MAXIMUM_RESULT} bytes")

    def check_round(self, admission: Admission, number: int) -> None:
        """Decide whether a round may go on.

        Raises:
            RefusedError: revoked, expired, or past the agreed number of rounds.
        """
        revoked = not isinstance(self._records.own_statement(admission.own.study), SignedApproval)
        check_round(admission.study, revoked=revoked, number=number, now=self._clock())

    def remember(
        self, admission: Admission, run_id: str, cohort: frozenset[Fingerprint], runs_released: RunsReleased
    ) -> None:
        """Check run and cohort once more, and remember that they are about to be answered.

        Any number of runs may have been let in before the first of them released, each in a thread of its own.
        """
        with self._answering_lock:
            self._check_runs(admission.study, run_id, runs_released)
            self.check_cohort(admission, cohort)
            self._records.record_cohort(admission.own.dataset_version, admission.study.computation, cohort)
            self._answering.setdefault(admission.study.hash, set()).add(run_id)

    def _check_runs(self, study: Study, run_id: str, runs_released: RunsReleased) -> None:
        others = (runs_released(study.hash) | self._answering.get(study.hash, set())) - {run_id}
        if len(others) >= study.runs:
            raise RefusedError("study.runs-exhausted", "the study allows no further run", got=f"{len(others)} runs",
                               expected=f"at most {study.runs}", hint="propose a study with more runs")

    def _check_own(self, study: Study) -> None:
        statement = self._records.own_statement(study.hash)
        if statement is None:
            raise RefusedError("run.not-signed-here", "this node has not signed the study", got=study.hash[:16],
                               hint=f"`sealane study show {study.hash[:12]}`, then approve or refuse it")
        if not isinstance(statement, SignedApproval):
            raise RefusedError("study.revoked", "approval of the study was revoked", got=study.name)


class _Rounds:
    """The gate, for one run."""

    def __init__(self, gate: Gate, admission: Admission, run_id: str, runs_released: RunsReleased) -> None:
        self._gate = gate
        self._admission = admission
        self._run_id = run_id
        self._runs_released = runs_released
        self._charging = Charging(gate.ledger, run_id, admission.study, admission.own, admission.computation,
                                  admission.parameters)
        self._remembered: set[frozenset[Fingerprint]] = set()

    def check_round(self, number: int) -> None:
        """See :class:`sealane.node.cohort.RoundGate`."""
        self._gate.check_round(self._admission, number)

    def check_release(self, survivors: frozenset[Fingerprint]) -> None:
        """See :class:`sealane.node.cohort.RoundGate`."""
        if survivors not in self._remembered:
            self._gate.remember(self._admission, self._run_id, survivors, self._runs_released)
            self._remembered.add(survivors)

    def reserve(self, contract: Contract) -> None:
        """Hold in the ledger what the run may cost. See :meth:`sealane.node.charging.Charging.reserve`."""
        self._charging.reserve(contract)

    def charge(self, number: int, layout: Layout) -> None:
        """See :class:`sealane.node.cohort.RoundGate`."""
        self._charging.commit(number, layout)
