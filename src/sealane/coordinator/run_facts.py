"""What is kept of a run at the coordinator: its facts, what it has cost, how long it is waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sealane.audit.entry import cohort_detail
from sealane.coordinator.run_state import RunState
from sealane.core.ids import Fingerprint
from sealane.errors import SealaneError
from sealane.secagg.messages import Endorsement, Member


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the coordinator waits, in seconds.

    Attributes:
        round_s: without any progress, after which a node that is not connected counts as lost.
        nudge_s: without any progress, after which everything is sent again; doubled each time.
        silent_s: without any progress, after which a connected node counts as lost too; ``round_s`` if not given.
    """

    round_s: float = 600.0
    nudge_s: float = 2.0
    silent_s: float | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run has cost so far: exchanges finished, bytes that each node sent, seconds."""

    exchanges: int = 0
    bytes_sent: Mapping[Fingerprint, int] = field(default_factory=dict)
    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is kept on disk of a run."""

    run_id: str
    study_hash: str
    state: RunState
    attempt: int = -1
    members: tuple[Member, ...] = ()
    announced: bool = False
    error: SealaneError | None = None
    tally: Tally = field(default_factory=Tally)

    @property
    def cohort_detail(self) -> str:
        """What the audit log says of the present attempt's cohort."""
        return cohort_detail(self.attempt, self.study_hash,
                             [(m.fingerprint, m.agreement_key, m.signature) for m in self.members])


class RunRecords(Protocol):
    """Where a run's facts go. Each call is on disk when it returns."""

    def save(self, facts: RunFacts) -> None:
        """Keep the run as it now stands."""

    def save_endorsed(self, run_id: str, detail: str) -> None:
        """Keep, in the audit log, what every member of an attempt endorsed."""

    def save_result(
        self, run_id: str, sealed: dict[Fingerprint, bytes], endorsements: dict[Fingerprint, Endorsement]
    ) -> None:
        """Keep a completed run's sealed results and who endorsed them."""
