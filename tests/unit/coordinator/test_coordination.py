"""One run at the coordinator: what it takes in, refuses, and puts on disk before it tells."""

from __future__ import annotations

from dataclasses import replace

import pytest
from circle import RUN, Circle, seed_of
from office import ANALYST, SIZE, Office, kinds

from sealane.coordinator.run_facts import RunFacts
from sealane.coordinator.run_state import RunState
from sealane.core.ids import Fingerprint
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError, RefusedError, UnavailableError
from sealane.rpc.notices import Failure, Hello, RunEnded, RunOffer
from sealane.secagg.attempt import sign_join
from sealane.secagg.messages import (
    Arrival,
    Opening,
    Release,
    Start,
)


@pytest.fixture
def office() -> Office:
    return Office()


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
