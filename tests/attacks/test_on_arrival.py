"""Sums behind a run's first open on arrival: what a coordinator, and one with the keys of a node, make of that."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from circle import Circle, announce, integers, seed_of
from reference import hkdf, stream

from sealane.computations.base import count
from sealane.core.secret import Secret
from sealane.errors import ProtocolError
from sealane.ring.words import add, from_bytes, to_bytes
from sealane.secagg.layout import Layout, decode, encode, plan
from sealane.secagg.node_role import Contributed, Opened
from sealane.secagg.tags import ENTRIES, tagged
from sealane.secagg.transcript import Transcript

SIZE, LIAR = 4, 3
HONEST = (0, 1, 2)
VALUES = [[11, -7, 100], [2, 30, -100], [-5, 4, 1], [0, 90, 13]]
LAYOUT: Layout = plan({"n": count(VALUES[0], 100, signed=True)}, SIZE)
COMMON = seed_of("what the first sum left to its members")


@pytest.fixture(scope="module")
def circle() -> Circle:
    return Circle(SIZE)


def contributed(circle: Circle, k: int, transcript: Transcript | None = None, values: list[int] | None = None,
                exchange: int = 1) -> Contributed:
    vector = encode(LAYOUT, {"n": count(values or VALUES[k], 100, signed=True)}, seed_of("rounding", k))
    return circle.roles[k].contribute(exchange, transcript or circle.attempt.transcript(), LAYOUT, vector, COMMON,
                                      common=True)


def words(state: Contributed) -> np.ndarray:
    """The entries of a payload, without its tag."""
    payload = from_bytes(state.message.payload, 64, LAYOUT.length + ENTRIES)
    return np.array(integers(payload, 64)[:-ENTRIES], dtype=object)


def self_mask(circle: Circle, state: Contributed, k: int) -> np.ndarray:
    """The one self mask of a sum is on the first member's contribution."""
    if k:
        return np.zeros(LAYOUT.length, dtype=object)
    key = hkdf(COMMON.reveal(), "self mask", state.sum.transcript.value, circle.names[k].encode())
    return np.array(stream(key, 1, LAYOUT.length), dtype=object)


def pair_mask(circle: Circle, state: Contributed, k: int, j: int) -> np.ndarray:
    low, high = sorted((circle.names[k], circle.names[j]))
    key = hkdf(circle.shared(k, j).reveal(), "pair mask", state.sum.transcript.value, low.encode(), high.encode())
    mask = np.array(stream(key, 1, LAYOUT.length), dtype=object)
    return mask if circle.names[k] == low else -mask


def bare(circle: Circle, state: Contributed, k: int, known: tuple[int, ...] = (LIAR,)) -> np.ndarray:
    """A payload without its self mask and without the masks of pairs with those whose keys are known."""
    out = words(state) - self_mask(circle, state, k)
    for j in known:
        out = out - pair_mask(circle, state, k, j)
    return out


def plain(*who: int) -> list[int]:
    return [sum(column) % 2**64 for column in zip(*(VALUES[k] for k in who), strict=True)]


def test_without_what_the_members_share_the_sum_stays_closed(circle: Circle) -> None:
    states = [contributed(circle, k) for k in range(SIZE)]
    total = sum(words(state) for state in states)
    assert [value % 2**64 for value in total] != plain(*range(SIZE))
    masks = sum(self_mask(circle, state, k) for k, state in enumerate(states))
    assert [value % 2**64 for value in total - masks] == plain(*range(SIZE))  # the control


def test_with_one_members_keys_only_the_sum_of_all_others_opens(circle: Circle) -> None:
    states = [contributed(circle, k) for k in HONEST]
    for size in (1, 2):
        for who in combinations(HONEST, size):
            found = sum(bare(circle, states[k], k) for k in who)
            assert all(value % 2**64 != right for value, right in zip(found, plain(*who), strict=True))
    assert [value % 2**64 for value in sum(bare(circle, states[k], k) for k in HONEST)] == plain(*HONEST)
    alone = bare(circle, states[0], 0, known=(1, 2, 3))  # the control: it takes the keys of all others
    assert [value % 2**64 for value in alone] == plain(0)


def test_members_that_were_told_different_sums_open_nothing_together(circle: Circle) -> None:
    """Member 3 signs two contributions; each half of the others is told one. What they open differs by its own lie."""
    first, second = (contributed(circle, LIAR, values=values) for values in ([0, 90, 13], [0, 90, 14]))
    honest = [contributed(circle, k) for k in HONEST]
    told: list[Opened] = []
    for k in HONEST:
        states = [*honest, first if k == 0 else second]
        told.append(circle.roles[k].open_on_arrival(honest[k], announce(states)[circle.names[k]]))
    assert len({one.transcript.value for one in told}) == 2
    after = [contributed(circle, k, told[k].transcript, exchange=2) for k in HONEST]
    for who in (HONEST, *combinations(HONEST, 2)):
        found = sum(bare(circle, after[k], k) for k in who)
        assert all(value % 2**64 != right for value, right in zip(found, plain(*who), strict=True))
    arrival = announce([*after, contributed(circle, LIAR, told[0].transcript, exchange=2)])[circle.names[0]]
    with pytest.raises(ProtocolError) as caught:
        circle.roles[0].open_on_arrival(after[0], arrival)
    assert caught.value.code == "sum.total-changed"


def test_each_sum_has_masks_of_its_own(circle: Circle) -> None:
    """The same values in two exchanges: their difference, which would show a mask used twice, is not zero anywhere."""
    for k in HONEST:
        one, other = contributed(circle, k, exchange=1), contributed(circle, k, exchange=2)
        assert (words(one) != words(other)).all()
        assert (bare(circle, one, k, known=()) != bare(circle, other, k, known=())).all()


def test_a_member_led_on_alone_shows_nothing(circle: Circle) -> None:
    """With member 3's keys the coordinator can make member 0 believe any total, as a member's lie could before.

    It goes on to a round that no honest member shares, where its masks do not cancel.
    """
    states = [contributed(circle, k) for k in range(SIZE)]
    arrivals = announce(states)
    bound = states[0].sum.transcript.value
    key = Secret(hkdf(COMMON.reveal(), "sum tag", bound))
    total = from_integers(stream(hkdf(COMMON.reveal(), "self mask", bound, circle.names[0].encode()), 1, 3 + ENTRIES))
    made_up = encode(LAYOUT, {"n": count([9, 9, 9], 100, signed=True)}, COMMON)
    for _ in range(SIZE):
        add(total, tagged(made_up, 64, SIZE, key, 0), 64)
    arrival = replace(arrivals[circle.names[0]], aggregate=to_bytes(total, 64))
    misled = circle.roles[0].open_on_arrival(states[0], arrival)
    assert decode(LAYOUT, misled.total, SIZE)["n"].tolist() == [36, 36, 36]  # the control
    right = circle.roles[1].open_on_arrival(states[1], arrivals[circle.names[1]]).transcript
    after = [contributed(circle, k, right if k else misled.transcript, exchange=2) for k in HONEST]
    for size in (1, 2, 3):
        for who in combinations(HONEST, size):
            found = sum(bare(circle, after[k], k) for k in who)
            assert all(value % 2**64 != right for value, right in zip(found, plain(*who), strict=True))


def from_integers(values: list[int]) -> np.ndarray:
    return np.array([values], dtype=np.uint64)
