"""One run at the coordinator: silence, lost nodes, kills, and who comes late."""

from __future__ import annotations

import pytest
from circle import RUN, announce, relay, seed_of
from office import SIZE, Office, kinds

from sealane.coordinator.run_state import RunState
from sealane.crypto.signing import SigningKey
from sealane.errors import RefusedError, UnavailableError
from sealane.rpc.notices import Nudge, RunOffer
from sealane.secagg.layout import plan
from sealane.secagg.messages import (
    Endorsed,
    Opening,
    Start,
)
from sealane.secagg.terms import count


@pytest.fixture
def office() -> Office:
    return Office()


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


def test_under_rlwe_nobody_is_left_out_once_somebody_uploaded() -> None:
    """Key shares go with an upload, so who sent one takes part in no other attempt: the lost one is waited for."""
    office = Office(scheme="rlwe")
    office.start()
    office.away = {office.names[3]}
    terms = [{"n": count([k], 10)} for k in range(SIZE)]
    states = office.circle.contribute(plan(terms[0], SIZE), terms)
    assert not office.records.facts[-1].announced
    office.run.receive(office.names[0], states[0].message)
    assert office.records.facts[-1].announced
    office.restart()
    office.time += 11
    office.run.tick()
    assert (office.state, office.run.facts.attempt) == (RunState.PAUSED, 0)
    office.away = set()
    office.run.resume()
    office.drain()
    for name, state in zip(office.names, states, strict=True):
        office.run.receive(name, state.message)
    assert kinds(office.drain()) == {"Arrival": SIZE}


def test_under_rlwe_a_node_is_left_out_before_anybody_uploaded() -> None:
    office = Office(scheme="rlwe")
    office.start()
    office.away = {office.names[3]}
    office.time += 11
    office.run.tick()
    assert (office.state, office.run.facts.attempt) == (RunState.RUNNING, 1)
    assert office.run.cohort == tuple(office.names[:3])


def test_a_node_that_is_lost_before_it_proposes_pauses_the_run(office: Office) -> None:
    """Between sums all compute, or wait for a value that one of them is to propose: the coordinator cannot tell."""
    office.start()
    office.sum()
    office.away = {office.names[0]}
    office.time += 9
    office.run.tick()
    assert office.state is RunState.RUNNING
    office.time += 2
    office.run.tick()
    assert office.state is RunState.PAUSED
    assert office.run.facts.error is not None
    assert office.run.facts.error.got == "n0"


def test_a_node_that_joins_late_starts_a_paused_run_and_what_paused_it_is_over(office: Office) -> None:
    office.away = {office.names[3]}
    office.run.begin()
    for k in range(2):
        office.run.receive(office.names[k], office.join(k), 100)
    office.time += 1000
    office.run.tick()
    assert office.state is RunState.PAUSED
    assert office.run.facts.error is not None
    office.away = set()
    for k in (2, 3):
        office.run.receive(office.names[k], office.join(k), 100)
    assert office.state is RunState.RUNNING
    assert office.run.facts.error is None


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


def test_nothing_is_repeated_while_parts_of_a_long_message_arrive(office: Office) -> None:
    office.start()
    office.drain()
    for _ in range(5):
        office.time += 0.9
        office.run.moved = office.time  # as the hub notes with every part
        office.run.tick()
    assert office.drain() == []
    office.time += 1.1
    office.run.tick()
    assert kinds(office.drain())["Nudge"] == SIZE
