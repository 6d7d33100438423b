"""The node's policy gate: asked when a run is offered, before every round, before every release, before a result.

It holds what the coordinator sends against what this institution signed, and remembers on disk which cohorts it has
answered for which rows and what it decided. The decision itself is :func:`sealane.governance.policy.decide`.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Protocol

from sealane.computations.base import Computation, Dataset, Parameters
from sealane.computations.installed import code_hash, output_kinds
from sealane.computations.registry import get, read_parameters
from sealane.core.clock import Clock
from sealane.core.ids import Fingerprint
from sealane.errors import ProtocolError, RefusedError
from sealane.governance.agreement import Agreement, verify_agreement
from sealane.governance.contract import Contract
from sealane.governance.differencing import check_cohort
from sealane.governance.limits import Limits
from sealane.governance.policy import (
    Moment,
    Refuse,
    Request,
    Standing,
    check_signatures,
    decide,
    quarantined,
    revoked_here,
)
from sealane.governance.signed_statement import SignedAgreement, SignedRefusal, Statement
from sealane.governance.study import Study, parse_study
from sealane.node.apps import Find, equipped, none_installed
from sealane.node.charging import Charging
from sealane.node.decided import Decided, Deciding
from sealane.node.ledger import NodeLedger
from sealane.rpc.notices import RunOffer
from sealane.secagg.layout import Layout
from sealane.secagg.result import MAXIMUM_RESULT

RunsReleased = Callable[[str], frozenset[str]]


class Records(Deciding, Protocol):
    """What the gate must find in the node's register."""

    def own_statement(self, study_hash: str) -> Statement | None:
        """Return what this institution last signed about a study: an agreement, or the refusal that outweighs it."""

    def standing(self, study_hash: str, dataset: str) -> Standing:
        """Return how things stand here for a study and the dataset agreed for it."""

    def cohorts(self, dataset_version: str) -> list[frozenset[str]]:
        """Return the cohorts that rows were answered for, whatever was computed: computations share sums."""

    def record_cohort(self, dataset_version: str, computation: str, cohort: frozenset[str]) -> None:
        """Remember, on disk, that a cohort is about to be answered."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A run that this node let in, with everything it was let in for.

    Attributes:
        run_id: of the run.
        study: what was agreed on.
        agreements: every participant's, by fingerprint.
        own: this node's.
        waived: fingerprints of those who waive the guard against differencing.
        limits: the tightest of the study and all agreements.
        computation: as installed here.
        parameters: of the computation.
        code: hash of the computation as installed when the run was let in.
    """

    run_id: str
    study: Study
    agreements: dict[str, Agreement]
    own: Agreement
    waived: frozenset[str]
    limits: Limits
    computation: Computation[Any]
    parameters: Parameters
    code: str


class Gate:
    """The gate of one node.

    Args:
        own: this node's fingerprint.
        records: the node's register.
        datasets: opens a registered dataset in the version that was agreed.
        protection: refuses a study that does not protect the agreed dataset as its grade asks.
        clock: tells the time.
        ledger: the node's privacy ledger.
        apps: finds the code of an app that is installed here.
    """

    def __init__(
        self, own: Fingerprint, records: Records, datasets: Callable[[Agreement, Study], Dataset],
        protection: Callable[[Agreement, Study], None], clock: Clock, ledger: NodeLedger, apps: Find = none_installed,
    ) -> None:
        self._own = own
        self._records = records
        self._datasets = datasets
        self._protection = protection
        self._clock = clock
        self.ledger = ledger
        self._apps = apps
        self._decided = Decided(records)
        self._answering: dict[str, set[str]] = {}
        self._answering_lock = Lock()

    def admit(self, offer: RunOffer, *, runs_released: RunsReleased) -> Admission:
        """Decide on an offered run.

        Args:
            offer: what the coordinator sent.
            runs_released: in which runs of a study, by its hash, this node has helped to open something.

        Raises:
            RefusedError: not agreed here or elsewhere, revoked, lapsed, run too often, other code, not installed, or
                the data is not graded, too poor or not protected as its grade asks.
            ProtocolError: a signature does not verify.
            InputError: the study's parameters are not the computation's.
        """
        with self._decided.asked(offer.run_id, "", "offer"):
            study = parse_study(offer.study.study)
        with self._decided.asked(offer.run_id, study.hash, "admission"):
            own = self._check_own(study)
            agreements = check_signatures(
                study, [s for s in offer.study.statements if isinstance(s, SignedAgreement)])
            if agreements[self._own] != own:
                raise ProtocolError("agreement.not-ours", "the offer holds another agreement of this institution than "
                                    "it keeps", got=agreements[self._own].signed_at, expected=own.signed_at,
                                    hint="was this node restored from a backup? refuse the study, and propose it again")
            computation, parameters = get(study.computation), read_parameters(study.computation, study.parameters)
            request = Request("admission", frozenset(agreements), other_runs=self._others(study, offer.run_id,
                              runs_released), code=code_hash(computation), outputs=output_kinds(computation))
            limits = self._decide(study, agreements, own, request)
            self._protection(own, study)
            computation = equipped(computation, parameters, self._apps)
            waived = frozenset(f for f, a in agreements.items() if a.waives_differencing)
            return Admission(offer.run_id, study, agreements, own, waived, limits, computation, parameters,
                             request.code)

    def check_cohort(self, admission: Admission, cohort: AbstractSet[Fingerprint]) -> None:
        """Decide whether this node may take part with a cohort, also next to the cohorts it answered before.

        Raises:
            RefusedError: too small, a stranger or a revoked institution in it, or a contribution would follow by
                subtraction.
        """
        with self.asked(admission, "cohort"):
            self._check_cohort(admission, cohort)

    def open_dataset(self, admission: Admission) -> Dataset:
        """Open the agreed dataset, in the agreed version.

        Raises:
            RefusedError: it was changed or withdrawn.
        """
        with self.asked(admission, "dataset"):
            return self._datasets(admission.own, admission.study)

    def rounds(
        self, admission: Admission, cohort: AbstractSet[Fingerprint], *, runs_released: RunsReleased
    ) -> _Rounds:
        """Return what a run asks before each round and release; ``runs_released`` as for :meth:`admit`."""
        return _Rounds(self, admission, frozenset(cohort), runs_released)

    def check_result(self, admission: Admission, result: bytes) -> None:
        """Decide whether a result may be endorsed and delivered now.

        Raises:
            RefusedError: revoked, lapsed, or larger than any result may be.
        """
        with self.asked(admission, "result"):
            self._decide_for(admission, "result", frozenset(admission.agreements))
            if len(result) > MAXIMUM_RESULT:
                raise RefusedError("result.too-large", "the result is too large", got=f"{len(result)} bytes",
                                   expected=f"at most {MAXIMUM_RESULT} bytes")

    def check_round(self, admission: Admission, cohort: frozenset[Fingerprint], number: int) -> None:
        """Decide whether a round of a cohort may go on.

        Raises:
            RefusedError: revoked by any of the cohort, suspended, lapsed, in quarantine, the dataset changed, or past
                the agreed number of rounds.
        """
        with self.asked(admission, "round"):
            self._decide_for(admission, "round", cohort, number=number)

    def remember(
        self, admission: Admission, cohort: frozenset[Fingerprint], runs_released: RunsReleased
    ) -> None:
        """Check run and cohort once more, and remember that they are about to be answered.

        Any number of runs may have been let in before the first of them released, each in a thread of its own.
        """
        with self.asked(admission, "release"), self._answering_lock:
            others = self._others(admission.study, admission.run_id, runs_released)
            self._decide_for(admission, "release", cohort, other_runs=others)
            self._check_cohort(admission, cohort)
            self._records.record_cohort(admission.own.dataset_version, admission.study.computation, cohort)
            self._answering.setdefault(admission.study.hash, set()).add(admission.run_id)

    def asked(self, admission: Admission, moment: str) -> AbstractContextManager[None]:
        """Return a block whose end is kept as this gate's decision; see :meth:`sealane.node.decided.Decided.asked`."""
        return self._decided.asked(admission.run_id, admission.own.study, moment)

    def _decide_for(self, admission: Admission, moment: Moment, cohort: frozenset[str], *, number: int = 0,
                    other_runs: int = 0) -> None:
        request = Request(moment, cohort, number, other_runs, admission.code, output_kinds(admission.computation))
        self._decide(admission.study, admission.agreements, admission.own, request, admission.limits)

    def _decide(self, study: Study, agreements: dict[str, Agreement], own: Agreement, request: Request,
                limits: Limits | None = None) -> Limits:
        standing = self._records.standing(own.study, own.dataset)
        decision = decide(study, agreements, self._own, standing, request, self._clock(), limits)
        if isinstance(decision, Refuse):
            raise decision.error
        return decision.limits

    def _check_cohort(self, admission: Admission, cohort: AbstractSet[Fingerprint]) -> None:
        study = admission.study
        self._decide_for(admission, "cohort", frozenset(cohort))
        names = {p.fingerprint: p.name for p in study.participants}  # a refusal is for people to read

        def named(members: AbstractSet[str]) -> frozenset[str]:
            return frozenset(names.get(f, f) for f in members)

        previous = [named(earlier) for earlier in self._records.cohorts(admission.own.dataset_version)]
        check_cohort(previous, named(cohort), named(admission.waived), colluding=study.colluding)

    def _others(self, study: Study, run_id: str, runs_released: RunsReleased) -> int:
        answered = runs_released(study.hash) | self.ledger.runs(study.hash) | self._answering.get(study.hash, set())
        return len(answered - {run_id})

    def now(self) -> datetime:
        """Return the present moment by this node's clock."""
        return self._clock()

    def _check_own(self, study: Study) -> Agreement:
        """Return what this node itself signed, from its own register and never from an offer."""
        standing = self._records.standing(study.hash, "")
        if standing.quarantined is not None:
            raise quarantined(standing.quarantined)
        statement = self._records.own_statement(study.hash)
        if isinstance(statement, SignedRefusal):
            raise revoked_here(study)
        if not isinstance(statement, SignedAgreement):
            raise RefusedError("run.not-signed-here", "this node has not signed the study", got=study.hash[:16],
                               hint=f"`sealane study show {study.hash[:12]}`, then approve or refuse it")
        return verify_agreement(statement, study)


class _Rounds:
    """The gate, for one attempt of a run."""

    def __init__(
        self, gate: Gate, admission: Admission, cohort: frozenset[Fingerprint], runs_released: RunsReleased
    ) -> None:
        self._gate = gate
        self._admission = admission
        self._cohort = cohort
        self._runs_released = runs_released
        self._charging = Charging(gate.ledger, admission.run_id, admission.study, admission.own, admission.computation,
                                  admission.parameters, admission.limits.smallest_cohort.value)
        self._remembered: set[frozenset[Fingerprint]] = set()

    def check_round(self, number: int) -> None:
        """See :class:`sealane.node.cohort.RoundGate`."""
        self._gate.check_round(self._admission, self._cohort, number)

    def check_release(self, survivors: frozenset[Fingerprint]) -> None:
        """See :class:`sealane.node.cohort.RoundGate`."""
        if survivors not in self._remembered:
            self._gate.remember(self._admission, survivors, self._runs_released)
            self._remembered.add(survivors)

    def reserve(self, contract: Contract) -> None:
        """Hold in the ledger what the run may cost. See :meth:`sealane.node.charging.Charging.reserve`."""
        with self._gate.asked(self._admission, "reservation"):
            self._charging.reserve(contract)

    def charge(self, number: int, layout: Layout | None) -> None:
        """See :class:`sealane.node.cohort.RoundGate`."""
        with self._gate.asked(self._admission, "charge"):
            self._charging.commit(number, layout)
