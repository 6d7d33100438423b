"""For any values within their bounds: encoding is exact, sums are those of integers, nothing overflows."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from circle import integers, seed_of
from hypothesis import given
from hypothesis import strategies as st
from reference import encode_real, signed

from sealane.ring.words import add
from sealane.secagg.layout import decode, encode, plan
from sealane.secagg.terms import Term, count, real, update

sizes = st.integers(2, 12)
bounds = st.floats(min_value=2.0**-80, max_value=2.0**60)


@st.composite
def real_columns(draw: st.DrawFn) -> tuple[float, list[list[float]]]:
    bound = draw(bounds)
    value = st.floats(-bound, bound) | st.sampled_from([bound, -bound, 0.0, math.nextafter(bound, 0.0)])
    size, entries = draw(sizes), draw(st.integers(1, 6))
    return bound, [draw(st.lists(value, min_size=entries, max_size=entries)) for _ in range(size)]


@given(real_columns())
def test_reals_sum_to_the_exact_fixed_point(case: tuple[float, list[list[float]]]) -> None:
    bound, columns = case
    terms = [{"x": real(column, bound)} for column in columns]
    layout = plan(terms[0], len(columns))
    fraction, width = layout.places[0].fraction, layout.width
    total = encode(layout, terms[0], seed_of("r"))
    for term in terms[1:]:
        add(total, encode(layout, term, seed_of("r")), width)
    expected = [sum(encode_real(v, fraction) for v in row) for row in zip(*columns, strict=True)]
    assert [signed(v, width) for v in integers(total, width)] == expected
    for read, whole in zip(decode(layout, total)["x"].tolist(), expected, strict=True):
        exact = Fraction(whole, 2**fraction)
        assert abs(Fraction(read) - exact) <= abs(exact) * Fraction(1, 2**51)
    assert fraction >= 56


@st.composite
def count_columns(draw: st.DrawFn) -> tuple[int, list[list[int]]]:
    size, entries = draw(sizes), draw(st.integers(1, 6))
    bound = draw(st.integers(1, 2**58))
    value = st.integers(-bound, bound) | st.sampled_from([bound, -bound])
    return bound, [draw(st.lists(value, min_size=entries, max_size=entries)) for _ in range(size)]


@given(count_columns(), st.booleans())
def test_counts_sum_to_the_integer_in_any_ring(case: tuple[int, list[list[int]]], wide: bool) -> None:
    bound, columns = case
    beside: dict[str, Term] = {"wide": real([0.5], 1e15)} if wide else {}
    terms = [{"n": count(column, bound, signed=True), **beside} for column in columns]
    layout = plan(terms[0], len(columns))
    total = encode(layout, terms[0], seed_of("r"))
    for term in terms[1:]:
        add(total, encode(layout, term, seed_of("r")), layout.width)
    assert decode(layout, total, own=terms[-1])["n"].tolist() == [sum(row) for row in zip(*columns, strict=True)]
    assert layout.width == (128 if wide else 64)


@given(bounds, sizes, st.sampled_from([1.0, -1.0]), st.sampled_from(["real", "count"]))
def test_a_whole_cohort_at_its_bound_never_overflows(bound: float, size: int, sign: float, kind: str) -> None:
    if kind == "count":
        bound = float(math.floor(min(max(bound, 1.0), 2.0**58)))
    values: Term = (count([int(sign * bound)], bound, signed=True) if kind == "count"
                    else real([sign * bound], bound))
    layout = plan({"x": values}, size)
    vector = encode(layout, {"x": values}, seed_of("r"))
    one = signed(integers(vector, layout.width)[0], layout.width)
    assert abs(one) * size < 2 ** (layout.width - 1)
    scale = 2**layout.places[0].fraction
    assert abs(Fraction(one, scale) - Fraction(sign * bound)) < Fraction(1, scale)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9), sizes)
def test_the_plan_depends_on_nothing_private(values: list[float], size: int) -> None:
    zeros = np.zeros(len(values))
    assert plan({"x": real(values, 1.0)}, size) == plan({"x": real(zeros, 1.0)}, size)
    assert plan({"x": update(values, 1.0)}, size) == plan({"x": update(zeros, 1.0)}, size)
