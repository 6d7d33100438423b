"""One run at the coordinator, on a clock and a wire that the test holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from circle import RUN, Circle, announce, relay, seed_of

from sealane.coordinator.coordination import Coordination, Patience, RunFacts
from sealane.coordinator.run_state import RunState
from sealane.core.ids import Fingerprint
from sealane.crypto.sealing import sealing_public_key
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError, RefusedError, UnavailableError
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Participant, Study, make_study
from sealane.rpc.notices import Failure, Hello, Nudge, RunEnded, RunOffer, StudyRecord
from sealane.secagg.attempt import sign_endorsement, sign_join
from sealane.secagg.layout import plan
from sealane.secagg.messages import (
    Arrival,
    Endorsed,
    Endorsement,
    Join,
    Opening,
    Release,
    SealedResult,
    Start,
)
from sealane.secagg.terms import count

SIZE = 4
ANALYST = SigningKey(seed_of("analyst"))


@dataclass
class Records:
    facts: list[RunFacts] = field(default_factory=list)
    sealed: dict[Fingerprint, bytes] = field(default_factory=dict)
    endorsements: Mapping[Fingerprint, Endorsement] = field(default_factory=dict)

    def save(self, facts: RunFacts) -> None:
        self.facts.append(facts)

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
        self.circle = Circle(SIZE, study_hash=self.study.hash)
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


@pytest.fixture
def office() -> Office:
    return Office()


def kinds(sent: list[tuple[Fingerprint, Any]]) -> dict[str, int]:
    out: dict[str, int] = {}
    for _, message in sent:
        out[type(message).__name__] = out.get(type(message).__name__, 0) + 1
    return out


def test_a_whole_run(office: Office) -> None:
    office.run.begin()
    assert office.drain() == [(name, RunOffer(RUN, office.record)) for name in office.run.participants]
    office.start()
    assert office.state is RunState.RUNNING
    starts = [message for _, message in office.drain() if isinstance(message, Start)]
    assert len(starts) == SIZE
    assert [m.fingerprint for m in starts[0].members] == sorted(office.names)
    office.circle.attempt.verify_members()
    assert starts[0].members == office.circle.attempt.members
    office.sum()
    assert kinds(office.drain()) == {"Arrival": SIZE, "Opening": SIZE}
    for k in range(SIZE):
        office.run.receive(office.names[k], office.endorsement(k))
    assert office.state is RunState.RELEASING
    assert kinds(office.drain()) == {"Endorsed": SIZE}
    office.run.receive(office.names[0], office.sealed())
    assert office.state is RunState.COMPLETED
    assert office.records.sealed == {ANALYST.fingerprint: b"sealed"}
    assert office.records.endorsements.keys() == set(office.names)
    assert [message for _, message in office.drain()] == [RunEnded(RUN)] * SIZE
    assert office.run.bytes_sent[office.names[0]] == 100
    assert office.run.waiting_for == ()


def test_something_may_open_only_after_that_is_on_disk(office: Office) -> None:
    office.start()
    told: list[bool] = []
    office.run.send = lambda node, message: told.append(office.records.facts[-1].announced) if isinstance(
        message, Arrival) else None
    office.sum()
    assert told == [True] * SIZE


def test_a_full_disk_holds_an_announcement_back_until_it_is_kept(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.start()
    office.drain()

    def full(facts: RunFacts) -> None:
        raise UnavailableError("storage.full", "the database cannot grow")

    with monkeypatch.context() as patch:
        patch.setattr(office.records, "save", full)
        with pytest.raises(UnavailableError):
            office.sum()
        # Whoever comes back then is told nothing that nodes could release upon.
        with pytest.raises(UnavailableError):
            office.run.node_connected(office.names[0])
    assert office.run.facts.announced is False
    assert not any(isinstance(message, Arrival | Opening) for _, message in office.drain())
    office.run.node_connected(office.names[0])
    assert office.records.facts[-1].announced is True
    assert kinds(office.drain())["Arrival"] == 1


def test_a_join_must_be_signed_by_its_node_for_this_run(office: Office) -> None:
    office.run.begin()
    office.run.receive(office.names[0], office.join(1))
    assert office.state is RunState.ABORTED
    assert office.run.facts.error is not None
    assert office.run.facts.error.code == "signature.invalid"
    assert "n0" in str(office.run.facts.error)


def test_two_different_joins_end_the_run(office: Office) -> None:
    office.run.begin()
    office.run.receive(office.names[0], office.join(0))
    office.run.receive(office.names[0], office.join(0))
    other = Circle(SIZE, run_id="r-bbbbbbbbbbbbbbbb").agreements[0].public_key
    office.run.receive(office.names[0], sign_join(office.circle.keys[0], office.study.hash, RUN, other))
    assert office.run.facts.error is not None
    assert office.run.facts.error.code == "run.equivocation"


def test_a_stranger_is_told_so(office: Office) -> None:
    stranger = SigningKey(seed_of("stranger")).fingerprint
    with pytest.raises(ProtocolError) as caught:
        office.run.receive(stranger, office.join(0))
    assert caught.value.code == "run.not-a-member"
    assert office.state is RunState.PROPOSED


@pytest.mark.parametrize("error", [RefusedError("study.revoked", "no"), InputError("sum.out-of-bounds", "no")])
def test_a_node_that_fails_ends_the_run_under_its_name(error: RefusedError, office: Office) -> None:
    office.start()
    office.drain()
    office.run.receive(office.names[2], Failure(RUN, error))
    assert office.state is RunState.ABORTED
    assert office.run.facts.error is not None
    assert type(office.run.facts.error) is type(error)
    assert office.run.facts.error.code == error.code
    assert "n2" in office.run.facts.error.message
    assert kinds(office.drain()) == {"RunEnded": SIZE}
    office.run.receive(office.names[1], office.join(1))
    assert [type(m) for _, m in office.drain()] == [RunEnded]
    assert office.state is RunState.ABORTED


def test_a_message_without_a_place_ends_the_run(office: Office) -> None:
    office.start()
    office.run.receive(office.names[0], Hello("1", ()))
    assert office.run.facts.error is not None
    assert office.run.facts.error.code == "run.unexpected-message"


def test_an_attempt_that_never_began(office: Office) -> None:
    office.start()
    office.run.receive(office.names[0], Release(RUN, 1, 0, {}))
    assert office.run.facts.error is not None
    assert office.run.facts.error.code == "run.attempt-unknown"


def test_results_that_differ_end_the_run(office: Office) -> None:
    office.start()
    office.run.receive(office.names[0], office.endorsement(0))
    office.run.receive(office.names[1], office.endorsement(1, b"s" * 32))
    assert office.run.facts.error is not None
    assert office.run.facts.error.code == "result.differs"


def test_an_endorsement_of_another_attempt_is_late(office: Office) -> None:
    office.start()
    office.run.receive(office.names[0], replace(office.endorsement(0), attempt=1))
    assert office.run.endorsements == {}
    assert office.state is RunState.RUNNING


@pytest.mark.parametrize("sealed", [{}, {"z" * 52: b"x"}])
def test_a_result_for_other_recipients_ends_the_run(sealed: dict[Fingerprint, bytes], office: Office) -> None:
    office.start()
    for k in range(SIZE):
        office.run.receive(office.names[k], office.endorsement(k))
    office.run.receive(office.names[0], office.sealed(sealed=sealed))
    assert office.run.facts.error is not None
    assert office.run.facts.error.code == "result.recipients-differ"


def test_a_result_from_another_member_or_too_early_is_dropped(office: Office) -> None:
    office.start()
    office.run.receive(office.names[0], office.sealed())
    for k in range(SIZE):
        office.run.receive(office.names[k], office.endorsement(k))
    office.run.receive(office.names[1], office.sealed())
    assert office.state is RunState.RELEASING
    assert office.records.sealed == {}


def test_killed_while_releasing_it_waits_for_all_endorsements_again(office: Office) -> None:
    """The first member repeats its endorsement and its result at once; the others' endorsements are on the way."""
    office.start()
    for k in range(SIZE):
        office.run.receive(office.names[k], office.endorsement(k))
    office.restart()
    assert office.state is RunState.RELEASING
    office.run.receive(office.names[0], office.endorsement(0))
    office.run.receive(office.names[0], office.sealed())
    assert office.records.sealed == {}
    for k in range(1, SIZE):
        office.run.receive(office.names[k], office.endorsement(k))
    office.run.receive(office.names[0], office.sealed())
    assert office.state is RunState.COMPLETED
    assert office.records.endorsements.keys() == set(office.names)


def test_silence_is_met_by_repeating_and_then_by_leaving_a_node_out(office: Office) -> None:
    office.start()
    office.drain()
    lost = office.names[3]
    office.away = {lost}
    terms = [{"n": count([k], 10)} for k in range(SIZE)]
    states = office.circle.contribute(plan(terms[0], SIZE), terms)
    for k in range(3):
        office.run.receive(office.names[k], states[k].message)
    assert office.run.waiting_for == (lost,)
    office.time += 1.5
    office.run.tick()
    nudged = office.drain()
    assert {node for node, _ in nudged} == set(office.names[:3])
    assert kinds(nudged) == {"RunOffer": 3, "Start": 3, "Nudge": 3}
    office.time += 9
    office.run.tick()
    assert (office.run.facts.attempt, office.run.cohort) == (1, tuple(office.names[:3]))
    assert kinds(office.drain()) == {"Start": 3}
    # What belongs to the attempt that was closed comes too late, and harms nothing.
    office.run.receive(lost, states[3].message)
    office.run.receive(office.names[0], states[0].message)
    assert office.state is RunState.RUNNING
    assert office.drain() == []


def test_after_something_may_have_opened_nobody_is_left_out(office: Office) -> None:
    office.start()
    office.sum()
    office.away = {office.names[3]}
    terms = [{"n": count([k], 10)} for k in range(SIZE)]
    states = office.circle.contribute(plan(terms[0], SIZE), terms, exchange=1)
    for k in range(3):
        office.run.receive(office.names[k], states[k].message)
    office.time += 11
    office.run.tick()
    error = office.run.facts.error
    assert office.state is RunState.PAUSED
    assert isinstance(error, UnavailableError)
    assert (error.code, error.got) == ("run.node-lost", "n3")
    assert office.run.facts.attempt == 0
    # Paused it waits without end; brought back and resumed it goes on where it was.
    office.time += 1000
    office.run.tick()
    assert office.state is RunState.PAUSED
    office.away = set()
    office.drain()
    office.run.resume()
    assert office.state is RunState.RUNNING
    assert office.run.facts.error is None
    assert kinds(office.drain()) == {"RunOffer": 4, "Start": 4, "Arrival": 4, "Opening": 4, "Nudge": 4}
    office.run.receive(office.names[3], states[3].message)
    arrivals = announce(states, office.names)
    assert [message for _, message in office.drain()] == [arrivals[name] for name in office.names]


def test_too_few_left_is_a_pause_too(office: Office) -> None:
    office.start()
    office.away = set(office.names[2:])
    terms = [{"n": count([k], 10)} for k in range(SIZE)]
    states = office.circle.contribute(plan(terms[0], SIZE), terms)
    for k in range(2):
        office.run.receive(office.names[k], states[k].message)
    office.time += 11
    office.run.tick()
    assert office.state is RunState.PAUSED
    assert office.run.facts.error is not None
    assert office.run.facts.error.got == "n2, n3"


def test_only_a_paused_run_is_resumed(office: Office) -> None:
    office.start()
    with pytest.raises(RefusedError) as caught:
        office.run.resume()
    assert caught.value.code == "run.not-paused"
    office.run.abort(RefusedError("study.revoked", "no"))
    with pytest.raises(RefusedError):
        office.run.resume()
    assert office.state is RunState.ABORTED


def test_killed_in_the_middle_of_a_sum_it_asks_and_goes_on(office: Office) -> None:
    office.start()
    terms = [{"n": count([k], 10)} for k in range(SIZE)]
    states = office.circle.contribute(plan(terms[0], SIZE), terms)
    released = office.circle.release(states)
    for name, state in zip(office.names, states, strict=True):
        office.run.receive(name, state.message)
    office.restart()
    office.drain()
    office.run.node_connected(office.names[0])
    assert [type(m) for _, m in office.drain()] == [RunOffer, Start, Nudge]
    # Each repeats contribution and release together, in whatever order the nodes come.
    for k in (2, 0, 3, 1):
        office.run.receive(office.names[k], states[k].message)
        office.run.receive(office.names[k], released[k].message)
    sent = office.drain()
    assert kinds(sent) == {"Arrival": SIZE, "Opening": SIZE}
    wanted = relay(office.names, released)
    assert {node: m for node, m in sent if isinstance(m, Opening)} == wanted


def test_who_came_late_is_told_where_the_run_stands(office: Office) -> None:
    office.run.begin()
    office.drain()
    office.run.node_connected(office.names[1])
    assert office.drain() == [(office.names[1], RunOffer(RUN, office.record))]
    office.start()
    for k in range(SIZE):
        office.run.receive(office.names[k], office.endorsement(k))
    office.drain()
    office.run.node_connected(office.names[1])
    told = [type(message) for _, message in office.drain()]
    assert told == [RunOffer, Start, Endorsed, Nudge]
    office.run.node_connected(SigningKey(seed_of("stranger")).fingerprint)
    assert office.drain() == []
    assert Nudge in told


def test_every_move_is_on_disk_before_it_is_told(office: Office) -> None:
    seen: list[tuple[str, RunState | None]] = []

    def kept() -> RunState | None:
        return office.records.facts[-1].state if office.records.facts else None

    office.run.send = lambda node, message: seen.append((type(message).__name__, kept()))
    office.start()
    for k in range(SIZE):
        office.run.receive(office.names[k], office.endorsement(k))
    office.run.receive(office.names[0], office.sealed())
    assert {state for kind, state in seen if kind == "Start"} == {RunState.RUNNING}
    assert {state for kind, state in seen if kind == "Endorsed"} == {RunState.RELEASING}
    assert {state for kind, state in seen if kind == "RunEnded"} == {RunState.COMPLETED}
