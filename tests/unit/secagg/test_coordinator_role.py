"""The coordinator's states: what moves them, what they refuse, and that what they hold opens nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from circle import Circle, announce, relay

from sealane.errors import ProtocolError
from sealane.secagg.coordinator_role import (
    Announced,
    Gathering,
    Relayed,
    SumState,
    accept_contribution,
    accept_release,
    announcement,
    opening,
)
from sealane.secagg.layout import plan
from sealane.secagg.node_role import Contributed, Released
from sealane.secagg.terms import count, update

TERMS = [{"n": count([k], 10)} for k in range(3)]


@pytest.fixture
def circle() -> Circle:
    return Circle(3)


@pytest.fixture
def states(circle: Circle) -> list[Contributed]:
    return circle.contribute(plan(TERMS[0], 3), TERMS)


@pytest.fixture
def released(circle: Circle, states: list[Contributed]) -> list[Released]:
    return circle.release(states)


def gathered(circle: Circle, states: list[Contributed], number: int) -> SumState:
    state: SumState = Gathering(circle.attempt)
    for k in range(number):
        state = accept_contribution(state, circle.names[k], states[k].message)
    return state


def test_the_last_contribution_closes_the_gathering(circle: Circle, states: list[Contributed]) -> None:
    assert gathered(circle, states, 2).missing == {circle.names[2]}
    done = gathered(circle, states, 3)
    assert isinstance(done, Announced)
    assert {name: announcement(done, name) for name in circle.names} == announce(states)
    assert done.missing == circle.attempt.cohort


def test_the_last_release_closes_the_sum(
    circle: Circle, states: list[Contributed], released: list[Released]
) -> None:
    state = gathered(circle, states, 3)
    for k in range(3):
        assert isinstance(state, Announced)
        state = accept_release(state, circle.names[k], released[k].message)
    assert isinstance(state, Relayed)
    assert state.missing == frozenset()
    wanted = relay(circle.names, released)
    assert {name: opening(state.announced, name) for name in circle.names} == wanted


def test_the_same_again_changes_nothing_and_other_bytes_are_refused(
    circle: Circle, states: list[Contributed], released: list[Released]
) -> None:
    other = circle.contribute(plan(TERMS[0], 3), TERMS, salt="other")
    for number in (1, 2, 3):
        state = gathered(circle, states, number)
        assert accept_contribution(state, circle.names[0], states[0].message) is state
        with pytest.raises(ProtocolError) as caught:
            accept_contribution(state, circle.names[0], other[0].message)
        assert caught.value.code == "run.equivocation"
    state = accept_release(gathered(circle, states, 3), circle.names[0], released[0].message)
    assert accept_release(state, circle.names[0], released[0].message) is state
    with pytest.raises(ProtocolError) as caught:
        accept_release(state, circle.names[0], circle.release(other)[0].message)
    assert caught.value.code == "run.equivocation"


def test_steps_out_of_place_are_refused(
    circle: Circle, states: list[Contributed], released: list[Released]
) -> None:
    stranger = next(name for name in Circle(6).names if name not in circle.names)
    whole = gathered(circle, states, 3)
    cases = [
        ("run.not-a-member", lambda: accept_contribution(whole, stranger, states[0].message)),
        ("run.illegal-transition", lambda: accept_release(gathered(circle, states, 2), circle.names[0],
                                                          released[0].message)),
        ("run.release-malformed", lambda: accept_release(whole, stranger, released[0].message)),
        ("run.release-malformed", lambda: accept_release(whole, circle.names[1], released[0].message)),
        ("run.release-malformed", lambda: accept_release(whole, circle.names[0],
                                                         replace(released[0].message, sealed={}))),
        ("run.payload-length", lambda: accept_contribution(
            gathered(circle, states, 1), circle.names[1], replace(states[1].message, payload=bytes(16)))),
        ("run.payload-length", lambda: accept_contribution(
            gathered(circle, states, 1), circle.names[1], replace(states[1].message, relay_whole=False))),
    ]
    for code, step in cases:
        with pytest.raises(ProtocolError) as caught:
            step()
        assert caught.value.code == code


def test_updates_are_added_modulo_two_to_the_64(circle: Circle) -> None:
    terms = [{"u": update(np.full(7, 0.1 * k), 1.0)} for k in range(3)]
    states = circle.contribute(plan(terms[0], 3), terms)
    done = gathered(circle, states, 3)
    assert isinstance(done, Announced)
    made = {name: announcement(done, name) for name in circle.names}
    assert made == announce(states)
    assert all(len(arrival.aggregate) == len(states[0].message.payload) for arrival in made.values())


@pytest.mark.parametrize(("payload", "bits"), [(bytes(7), 54), (bytes(27), 0), (bytes(27), 65), (bytes(27), 2**31)])
def test_an_update_that_is_no_vector_of_words_is_refused(
    payload: bytes, bits: int, circle: Circle, states: list[Contributed]
) -> None:
    broken = replace(states[0].message, payload=payload, word_bits=bits, relay_whole=False)
    with pytest.raises(ProtocolError):
        accept_contribution(Gathering(circle.attempt), circle.names[0], broken)
