"""The parties of a simulated federation: nodes and a coordinator made of the real parts, kept in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

from sealane.computations.installed import code_hash, output_kinds
from sealane.computations.registry import get
from sealane.coordinator.run_facts import RunFacts
from sealane.core.clock import Clock, to_text
from sealane.core.entropy import random_secret
from sealane.core.ids import Fingerprint
from sealane.crypto.sealing import sealing_public_key
from sealane.crypto.signing import SigningKey
from sealane.errors import SealaneError
from sealane.governance.agreement import Agreement, sign_agreement
from sealane.governance.contract import Contract
from sealane.governance.policy import Standing
from sealane.governance.signed_statement import SignedRefusal
from sealane.governance.study import Study
from sealane.governance.terms import narrow, terms_of
from sealane.node.acts import MemoryActs
from sealane.node.apps import none_installed
from sealane.node.charging import enter_cap
from sealane.node.execution import Unconfined
from sealane.node.gate import Gate
from sealane.node.journal import Journal
from sealane.node.ledger import NodeLedger
from sealane.node.run import NodeRun
from sealane.node.witness import MemoryKept, NodeWitness
from sealane.privacy.ledger import make_cap
from sealane.rpc.codec import FromCoordinator, FromNode
from sealane.rpc.notices import (
    Failure,
    FreshAnswer,
    FreshQuestion,
    HeadHeld,
    LogUpdate,
    PeerHead,
    RunOffer,
    Statement,
)
from sealane.secagg.messages import Endorsement
from sealane.simulation.log import MemoryLog

LIFETIME = timedelta(days=1)
DATASET = "frame"
SIMULATED_EPSILON = Decimal("1e9")
"""In simulation nobody is to be protected; set a cap at a node's ``ledger`` to see it hold."""


class FrameDataset:
    """A data frame that stands in for a registered dataset."""

    def __init__(self, contract: Contract, frame: pd.DataFrame) -> None:
        self._contract = contract
        self._frame = frame

    @property
    def contract(self) -> Contract:
        """The contract, inferred or given."""
        return self._contract

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self._frame)

    def frame(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return the named columns of all rows."""
        return self._frame[list(columns)]


class MemoryRecords:
    """What a gate looks up, without a database."""

    def __init__(self) -> None:
        self.statements: dict[str, Statement] = {}
        self.dataset_version: str | None = None
        self.quarantined: str | None = None
        self.withdrawn: frozenset[str] = frozenset()
        self.refusals: list[tuple[str, str, SealaneError]] = []
        self.permits: Counter[str] = Counter()
        self._cohorts: dict[str, list[frozenset[str]]] = {}

    def own_statement(self, study_hash: str) -> Statement | None:
        """Return what the node last signed about a study."""
        return self.statements.get(study_hash)

    def standing(self, study_hash: str, dataset: str) -> Standing:
        """Return how things stand for a study."""
        return Standing(quarantined=self.quarantined, withdrawn=self.withdrawn, dataset_version=self.dataset_version,
                        revoked=isinstance(self.statements.get(study_hash), SignedRefusal))

    def record_refusal(self, run: str, study: str, moment: str, clause: str, error: SealaneError) -> None:
        """Keep a refusal."""
        self.refusals.append((moment, clause, error))

    def record_permits(self, run: str, counts: dict[str, int]) -> None:
        """Count permits."""
        self.permits.update(counts)

    def cohorts(self, dataset_version: str) -> list[frozenset[str]]:
        """Return the cohorts that were answered."""
        return list(self._cohorts.get(dataset_version, []))

    def record_cohort(self, dataset_version: str, computation: str, cohort: frozenset[str]) -> None:
        """Remember a cohort."""
        self._cohorts.setdefault(dataset_version, []).append(frozenset(cohort))


def _ungraded(agreement: Agreement, study: Study) -> None:
    """Let every study use a frame: all frames lie in this one process, and nobody has graded them."""


class SimulatedNode:
    """One institution's node. ``restart`` builds it again from what a real one has on disk."""

    def __init__(self, name: str, dataset: FrameDataset, dataset_version: str, clock: Clock, log_key: bytes) -> None:
        self.name = name
        self.key = SigningKey(random_secret())
        self.dataset = dataset
        self.dataset_version = dataset_version
        self.records = MemoryRecords()
        self.records.dataset_version = dataset_version
        self.journal = Journal(":memory:")
        self.clock = clock
        self.ledger = NodeLedger(":memory:", clock)
        self.ledger.put_cap(make_cap(DATASET, "dataset", "", "", SIMULATED_EPSILON, Decimal("1e-6"), None))
        self.apps: dict[str, bytes] = {}
        self.gate = Gate(self.key.fingerprint, self.records, lambda agreement, study: self.dataset, _ungraded, clock,
                         self.ledger, self._app)
        self.witness = NodeWitness(self.key, log_key, MemoryKept(), MemoryActs(self.key.fingerprint, clock), clock)
        self.run: NodeRun | None = None
        self.up = True

    @property
    def fingerprint(self) -> Fingerprint:
        """Fingerprint of the node's key."""
        return self.key.fingerprint

    def _app(self, name: str, code: str) -> bytes:
        return self.apps[code] if code in self.apps else none_installed(name, code)

    def approve(self, study: Study, *, waives_differencing: bool = False, **narrower: Any) -> Statement:
        """Sign a study, as the institution's steward would; ``narrower`` are fields of :class:`Terms`."""
        computation = get(study.computation)
        terms = narrow(terms_of(study, code=code_hash(computation), outputs=output_kinds(computation)), study,
                       waives_differencing=waives_differencing, **narrower)
        agreement = Agreement(study.hash, self.name, self.fingerprint, DATASET, self.dataset_version, terms,
                              to_text(self.clock()))
        enter_cap(self.ledger, agreement, study)
        self.records.statements[study.hash] = sign_agreement(self.key, agreement)
        return self.records.statements[study.hash]

    def receive(self, message: FromCoordinator, post: Callable[[FromNode], None]) -> None:
        """Take in a coordinator's message, as a node's agent does."""
        if isinstance(message, LogUpdate):
            try:
                post(self.witness.update(message))
            except SealaneError as error:
                if self.run is not None:
                    post(Failure(self.run.run_id, error))
            return
        if isinstance(message, PeerHead | HeadHeld | FreshQuestion | FreshAnswer):
            said = self.witness.fresh.receive(message)
            if said is not None:
                post(said)
            return
        if self.run is None or (isinstance(message, RunOffer) and message.run_id != self.run.run_id):
            if isinstance(message, RunOffer):
                try:
                    self.run = NodeRun(message, self.key, self.gate, self.journal, post, witness=self.witness,
                                       execution=Unconfined())
                except SealaneError as error:
                    post(Failure(message.run_id, error))
            return
        self.run.receive(message)

    def greet(self, post: Callable[[FromNode], None]) -> None:
        """Say what a node says to the log when its stream opens."""
        post(self.witness.head())
        post(self.witness.fresh.head())
        post(self.witness.fresh.question())

    async def crash(self) -> None:
        """Lose everything that is not in the journal or the records."""
        self.up = False
        self.witness.start_anew()
        if self.run is not None:
            await self.run.close()
            self.run = None
        self.journal.lose()


class MemoryRuns:
    """Where a simulated coordinator keeps its runs."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.facts: RunFacts | None = None
        self.sealed: Mapping[Fingerprint, bytes] = {}
        self.endorsements: Mapping[Fingerprint, Endorsement] = {}

    def save(self, facts: RunFacts) -> None:
        """Keep a run, and tell the log how it moved."""
        old, self.facts = self.facts, facts
        if old is None or old.state is not facts.state:
            self.log.append(f"run.{facts.state.lower()}", "coordinator", facts.run_id, f"attempt {facts.attempt}")
        if facts.members and (old is None or old.attempt != facts.attempt):
            self.log.append("run.cohort", "coordinator", facts.run_id, facts.cohort_detail)

    def save_endorsed(self, run_id: str, detail: str) -> None:
        """Tell the log what every member endorsed."""
        self.log.append("run.endorsed", "coordinator", run_id, detail, once=f"endorsed {run_id} {detail}")

    def save_result(
        self, run_id: str, sealed: dict[Fingerprint, bytes], endorsements: dict[Fingerprint, Endorsement]
    ) -> None:
        """Keep a result."""
        self.sealed, self.endorsements = sealed, dict(endorsements)


class SimulatedAnalyst:
    """The one who asks: proposes studies and opens results sealed to them."""

    def __init__(self) -> None:
        self.key = SigningKey(random_secret())
        self.sealing_seed = random_secret()
        self.sealing_key = sealing_public_key(self.sealing_seed)
