"""Sums under ``rlwe`` are exact for any cohort, length, width and drop-outs; ciphertexts look like nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from circle import Circle, announce, relay, seed_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealane.ring.base import ArrayValues
from sealane.ring.words import Width
from sealane.secagg.layout import Layout, Place, plan
from sealane.secagg.node_role import Contributed, Released
from sealane.secagg.rlwe.digits import digits, from_digits
from sealane.secagg.rlwe.parameters import parameters
from sealane.secagg.terms import count

slow = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def rounds(draw: st.DrawFn) -> tuple[int, int, list[int], list[int], int, int]:
    """A cohort, colluders, survivors, those who reply, a length and the bits of a value."""
    size = draw(st.integers(3, 9))
    colluding = draw(st.integers(0, size - 3))
    needed = parameters(size, colluding, 1, colluding + 2).replies
    survivors = draw(st.permutations(range(size)))[: draw(st.integers(max(colluding + 2, 2), size))]
    repliers = draw(st.permutations(range(size)))[: draw(st.integers(needed, size))]
    return size, colluding, sorted(survivors), sorted(repliers), draw(st.integers(1, 900)), draw(st.integers(1, 24))


def of_bits(length: int, bits: int, size: int) -> Layout:
    most = size * (2**bits - 1)
    return Layout((Place("u", "update", (length,), 1.0, bits, 0, 0, length),), 64, length, size, most)


@slow
@given(rounds(), st.integers(0, 2**32))
def test_any_sum_of_any_survivors_is_the_integers_sum(
    case: tuple[int, int, list[int], list[int], int, int], seed: int
) -> None:
    size, colluding, survivors, repliers, length, bits = case
    circle = Circle(size, scheme="rlwe", colluding=colluding, smallest=colluding + 2)
    layout = of_bits(length, bits, size)
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2**bits, size=(size, length), dtype=np.uint32)
    values[:, :3] = 2**bits - 1  # every slot at its largest: nothing may carry into the next
    transcript = circle.attempt.transcript()
    states = [role.contribute(0, transcript, layout, ArrayValues(row), seed_of("m", k, seed))
              for k, (role, row) in enumerate(zip(circle.roles, values, strict=True))]
    released = released_by(circle, states, survivors)
    opening = relay(circle.names, [released[k] for k in range(size)])
    reader = repliers[0]
    sealed = {f: s for f, s in opening[circle.names[reader]].sealed.items()
              if circle.names.index(f) in repliers}
    opened = circle.roles[reader].open(released[reader], replace(opening[circle.names[reader]], sealed=sealed))
    assert opened.total.read(0, length).tolist() == values[survivors].sum(axis=0).tolist()  # type: ignore[union-attr]


def released_by(circle: Circle, states: list[Contributed], survivors: list[int]) -> dict[int, Released]:
    # As if the coordinator had relayed whole: this writing of it need not add residues.
    whole = [replace(state, message=replace(state.message, relay_whole=True)) for state in states]
    arrivals = announce([whole[k] for k in survivors], [circle.names[k] for k in survivors], circle.names)
    return {k: role.release(whole[k], arrivals[role.own]) for k, role in enumerate(circle.roles)}


@given(st.integers(1, 40), st.integers(1, 12), st.sampled_from([64, 96, 128]), st.integers(0, 2**32))
def test_digits_of_words_sum_to_the_words_sum(length: int, addends: int, width: Width, seed: int) -> None:
    rng = np.random.default_rng(seed)
    total = np.zeros(width // 16 * length, dtype=np.uint32)
    whole = [0] * length
    for _ in range(addends):
        vector = rng.integers(0, 2**64, size=(1 if width == 64 else 2, length), dtype=np.uint64)
        if width == 96:
            vector[1] &= np.uint64(0xFFFFFFFF)
        for k in range(length):
            whole[k] += int(vector[0, k]) + (int(vector[1, k]) << 64 if width > 64 else 0)
        cut = digits(vector, width)
        assert cut.max() < 2**16
        total += cut
    back = from_digits(total, width, length)
    found = [int(back[0, k]) + (int(back[1, k]) << 64 if width > 64 else 0) for k in range(length)]
    assert found == [value % 2**width for value in whole]


def test_every_three_of_four_nodes_open_and_no_two_do() -> None:
    circle = Circle(4, scheme="rlwe")
    terms = [{"n": count([k, 7], 100)} for k in range(4)]
    states = circle.contribute(plan(terms[0], 4), terms)
    released = released_by(circle, states, [0, 1, 2, 3])
    told = relay(circle.names, [released[k] for k in range(4)])[circle.names[0]]
    for number in (1, 2, 3):
        for others in combinations((1, 2, 3), number):
            some = replace(told, sealed={circle.names[k]: told.sealed[circle.names[k]] for k in others})
            if number == 1:
                with pytest.raises(Exception, match=r"run\.opening-incomplete"):
                    circle.roles[0].open(released[0], some)
            else:
                assert circle.roles[0].open(released[0], some).total.tolist() == [[6, 28]]  # type: ignore[union-attr]
