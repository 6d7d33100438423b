"""A coordination of one run, on a clock and a wire that the test holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from circle import RUN, Circle, seed_of

from sealane.coordinator.coordination import Coordination
from sealane.coordinator.run_facts import Patience, RunFacts
from sealane.coordinator.run_state import RunState
from sealane.core.ids import Fingerprint
from sealane.crypto.sealing import sealing_public_key
from sealane.crypto.signing import SigningKey
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Participant, Study, make_study
from sealane.rpc.notices import StudyRecord
from sealane.secagg.attempt import sign_endorsement, sign_join
from sealane.secagg.layout import plan
from sealane.secagg.messages import (
    Endorsement,
    Join,
    SealedResult,
)
from sealane.secagg.terms import count

SIZE = 4
ANALYST = SigningKey(seed_of("analyst"))


@dataclass
class Records:
    facts: list[RunFacts] = field(default_factory=list)
    endorsed: list[str] = field(default_factory=list)
    sealed: dict[Fingerprint, bytes] = field(default_factory=dict)
    endorsements: Mapping[Fingerprint, Endorsement] = field(default_factory=dict)

    def save(self, facts: RunFacts) -> None:
        self.facts.append(facts)

    def save_endorsed(self, run_id: str, detail: str) -> None:
        self.endorsed.append(detail)

    def save_result(self, run_id: str, sealed: dict[Fingerprint, bytes],
                    endorsements: dict[Fingerprint, Endorsement]) -> None:
        self.sealed, self.endorsements = sealed, dict(endorsements)


class Office:
    """A coordination, and what it sent; ``time`` moves when the test says so."""

    def __init__(self, **study_fields: Any) -> None:
        self.circle = Circle(SIZE)
        self.names = self.circle.names
        fields: dict[str, Any] = {"minimum_cohort": 3} | study_fields
        self.study: Study = make_study(
            name="s", sector="finance", purpose="p", data_contract="test.rows/v1", computation="test.probe",
            parameters={}, expires="2099-01-01T00:00:00Z",
            participants=[Participant(name=f"n{k}", fingerprint=f) for k, f in enumerate(self.names)],
            recipients=[recipient_of("analyst", ANALYST, sealing_public_key(seed_of("sealing")))], **fields)
        self.circle = Circle(SIZE, study_hash=self.study.hash, scheme=self.study.scheme)
        self.record = StudyRecord(self.study.canonical(), "analyst", "2026-01-01T00:00:00Z")
        self.time = 100.0
        self.away: set[Fingerprint] = set()
        self.sent: list[tuple[Fingerprint, Any]] = []
        self.records = Records()
        self.run = self.open(RunFacts(RUN, self.study.hash, RunState.PROPOSED))

    def open(self, facts: RunFacts) -> Coordination:
        return Coordination(
            study=self.study, record=self.record, facts=facts, keys={k.fingerprint: k.public_key for k in
                                                                     self.circle.keys},
            send=lambda node, message: self.sent.append((node, message)), records=self.records,
            patience=Patience(round_s=10.0, nudge_s=1.0), now=lambda: self.time,
            connected=lambda node: node not in self.away)

    def restart(self) -> None:
        """What is on disk, and nothing else."""
        self.run = self.open(self.records.facts[-1])

    def join(self, k: int) -> Join:
        return sign_join(self.circle.keys[k], self.study.hash, RUN, self.circle.agreements[k].public_key)

    def start(self) -> None:
        self.run.begin()
        for k in range(SIZE):
            self.run.receive(self.names[k], self.join(k), 100)

    def drain(self) -> list[tuple[Fingerprint, Any]]:
        sent, self.sent = self.sent, []
        return sent

    def sum(self) -> None:
        terms = [{"n": count([k], 10)} for k in range(SIZE)]
        states = self.circle.contribute(plan(terms[0], SIZE), terms)
        for name, state in zip(self.names, states, strict=True):
            self.run.receive(name, state.message)
        for name, released in zip(self.names, self.circle.release(states), strict=True):
            self.run.receive(name, released.message)

    def endorsement(self, k: int, result: bytes = b"r" * 32) -> Endorsement:
        attempt = self.circle.attempt
        return sign_endorsement(self.circle.keys[k], attempt, attempt.transcript(), result)

    def sealed(self, **changes: Any) -> SealedResult:
        return replace(SealedResult(RUN, 0, {ANALYST.fingerprint: b"sealed"}), **changes)

    @property
    def state(self) -> RunState:
        return self.run.facts.state


def kinds(sent: list[tuple[Fingerprint, Any]]) -> dict[str, int]:
    out: dict[str, int] = {}
    for _, message in sent:
        out[type(message).__name__] = out.get(type(message).__name__, 0) + 1
    return out
