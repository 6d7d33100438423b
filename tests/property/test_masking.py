"""For any cohort: masks cancel in the whole of it, in no part of it, and the opened sum is the integers' sum."""

from __future__ import annotations

import functools
from itertools import combinations

import numpy as np
from circle import Circle, integers, seed_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from masked_words import opened, protect
from reference import encode_real, signed

from sealane.ring.words import WIDTHS, Width, add, from_bytes, limbs_of, to_bytes
from sealane.secagg.layout import decode, encode, plan
from sealane.secagg.terms import count, real, update

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BOUND = {64: 4.0, 96: 1e6, 128: 1e15}


@functools.cache
def circle_of(size: int) -> Circle:
    return Circle(size)


@quick
@given(st.integers(2, 12), st.sampled_from(WIDTHS), st.integers(0, 20), st.integers(0, 2**32))
def test_masks_cancel_over_the_whole_cohort(size: int, width: Width, entries: int, seed: int) -> None:
    circle = circle_of(size)
    rng = np.random.default_rng(seed)
    vectors = [rng.integers(0, 2**64, size=(limbs_of(width), entries), dtype=np.uint64) for _ in range(size)]
    if width == 96:
        for vector in vectors:
            vector[1] &= np.uint64(0xFFFFFFFF)
    transcript = circle.attempt.transcript()
    seeds = [seed_of("mask", k, seed) for k in range(size)]
    total = np.zeros((limbs_of(width), entries), dtype=np.uint64)
    for role, vector, own in zip(circle.roles, vectors, seeds, strict=True):
        protected = protect(role._pairs, transcript, vector, width, own)
        add(total, protected, width)
    shares = {name: own.reveal() for name, own in zip(circle.names, seeds, strict=True)}
    found = opened(to_bytes(total, width), width, transcript, shares)
    plain = zip(*(integers(vector, width) for vector in vectors), strict=True)
    assert integers(found, width) == [sum(row) % 2**width for row in plain]


@quick
@given(st.integers(2, 12), st.sampled_from(WIDTHS), st.integers(0, 2**32))
def test_the_opened_sum_is_the_exact_sum(size: int, width: Width, seed: int) -> None:
    circle = circle_of(size)
    rng = np.random.default_rng(seed)
    rows = rng.uniform(-1, 1, size=(size, 3)) * rng.choice([BOUND[width], 1.0, 1e-9], size=(size, 3))
    numbers = rng.integers(-1000, 1001, size=(size, 2))
    terms = [{"x": real(row, BOUND[width] * 1.0), "n": count(whole, 1000, signed=True)} for row, whole in
             zip(rows, numbers, strict=True)]
    layout = plan(terms[0], size)
    states = circle.contribute(layout, terms, salt=seed)
    all_opened = circle.open(circle.release(states))
    fraction = next(place.fraction for place in layout.places if place.name == "x")
    exact = [sum(encode_real(value, fraction) for value in column) for column in rows.T.tolist()]
    for one in all_opened:
        found = [signed(value, layout.width) for value in integers(one.total, layout.width)]
        assert found == [*numbers.sum(axis=0).tolist(), *exact]
    assert len({one.transcript.value for one in all_opened}) == 1


@quick
@given(st.integers(2, 6), st.sampled_from(WIDTHS), st.integers(0, 2**32))
def test_no_part_of_a_cohort_opens(size: int, width: Width, seed: int) -> None:
    """With every self mask known, each proper part of the cohort still hides behind its pairs with the rest."""
    circle = circle_of(size)
    terms = [{"x": real(np.full(4, k / size), BOUND[width])} for k in range(size)]
    layout = plan(terms[0], size)
    states = circle.contribute(layout, terms, salt=seed)
    payloads = [from_bytes(s.message.payload, layout.width, layout.length) for s in states]
    plain = [encode(layout, term, seed_of("r")) for term in terms]
    for number in range(1, size):
        for part in combinations(range(size), number):
            total, wanted = np.zeros_like(payloads[0]), np.zeros_like(payloads[0])
            for k in part:
                add(total, payloads[k], layout.width)
                add(wanted, plain[k], layout.width)
            shares = {circle.names[k]: states[k].seed.reveal() for k in part}
            found = opened(to_bytes(total, layout.width), layout.width, states[0].sum.transcript, shares)
            assert all(a != b for a, b in zip(integers(found, layout.width), integers(wanted, layout.width),
                                              strict=True))


@quick
@given(st.integers(3, 6), st.integers(0, 2**32))
def test_without_one_self_mask_the_whole_sum_stays_closed(size: int, seed: int) -> None:
    circle = circle_of(size)
    terms = [{"n": count([k, k], 100)} for k in range(size)]
    layout = plan(terms[0], size)
    states = circle.contribute(layout, terms, salt=seed)
    total = circle.release(states)[0].total
    for withheld in range(size):
        shares = {circle.names[k]: states[k].seed.reveal() for k in range(size) if k != withheld}
        found = opened(total.write(), 64, states[0].sum.transcript, shares)
        assert all(value != sum(range(size)) for value in integers(found, 64))


@quick
@given(st.integers(2, 5), st.floats(-1, 1), st.integers(0, 2**32))
def test_two_runs_over_the_same_values_share_no_word(size: int, value: float, seed: int) -> None:
    circle, later = circle_of(size), Circle(size, number=1)
    for kind in (real, update):
        terms = [{"x": kind(np.full(12, value), 1.0)} for _ in range(size)]
        layout = plan(terms[0], size)
        first = circle.contribute(layout, terms, salt=(seed, 1))
        second = circle.contribute(layout, terms, salt=(seed, 2))
        third = later.contribute(layout, terms, salt=(seed, 1))
        seen = [[s.message.payload[at : at + 4] for at in range(0, len(s.message.payload) - 3, 4)]
                for states in (first, second, third) for s in states]
        words = [word for vector in seen for word in vector]
        assert len(set(words)) == len(words)
        assert decode(layout, circle.open(circle.release(first))[0].total)["x"].shape == (12,)
