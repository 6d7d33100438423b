"""The plan of a sum: wide enough for a whole cohort at its bounds, refused where nothing is wide enough."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from circle import integers, seed_of
from hypothesis import given
from hypothesis import strategies as st

from sealane.core.canonical import content_hash
from sealane.errors import InputError, ProtocolError
from sealane.ring.base import ArrayValues
from sealane.ring.words import add
from sealane.secagg.fixed_point import encode_integers
from sealane.secagg.layout import MAXIMUM_ENTRIES, Layout, decode, encode, plan
from sealane.secagg.terms import Term, count, real, update


def total_of(layout: Layout, terms: dict[str, Term], size: int) -> np.ndarray:
    total = encode(layout, terms, seed_of("r"))
    for _ in range(size - 1):
        add(total, encode(layout, terms, seed_of("r")), layout.width)
    return total


@pytest.mark.parametrize("size", [2, 3, 5, 12, 1000])
@pytest.mark.parametrize("bound", [2.0**-900, 1e-12, 0.3, 1.0, 3.0, 1e6, 2.0**20, 2.0**52, 2.0**60, 1e18])
def test_reals_of_a_whole_cohort_at_its_bounds_do_not_overflow(size: int, bound: float) -> None:
    values = [bound, -bound, math.nextafter(bound, 0), 0.0]
    layout = plan({"x": real(values, bound)}, size)
    total = integers(total_of(layout, {"x": real(values, bound)}, size), layout.width)
    fraction = layout.places[0].fraction
    expected = [size * int(Fraction(value) * 2**fraction) for value in values]
    assert all(abs(value) < 2 ** (layout.width - 1) for value in expected)
    assert total == [value % 2**layout.width for value in expected]
    read = decode(layout, total_of(layout, {"x": real(values, bound)}, size))["x"].tolist()
    assert all(math.isclose(r, size * v, rel_tol=1e-15, abs_tol=size * 2.0**-fraction)
               for r, v in zip(read, values, strict=True))


@pytest.mark.parametrize(("size", "bound"), [(2, 2**61 - 2**8), (3, 2**60), (12, 2**58), (3, 1), (64, 10**9)])
def test_counts_of_a_whole_cohort_at_their_bounds_are_the_integer(size: int, bound: int) -> None:
    values = [bound, -bound, bound - 1, 0]
    for term in (count(values, bound, signed=True), count([bound, 0], bound)):
        layout = plan({"n": term}, size)
        assert layout.width == 64
        assert decode(layout, total_of(layout, {"n": term}, size), own={"n": term})["n"].tolist() == [
            size * value for value in term.values.tolist()]


def test_counts_beside_wide_reals_are_still_the_integer() -> None:
    terms = {"n": count([[7, -7], [2**55, -(2**55)]], 2**56, signed=True), "x": real([1.5], 1e15)}
    layout = plan(terms, 3)
    assert layout.width == 128
    read = decode(layout, total_of(layout, terms, 3))
    assert read["n"].tolist() == [[21, -21], [3 * 2**55, -3 * 2**55]]
    assert read["n"].dtype == np.int64
    assert read["x"].tolist() == [4.5]


@pytest.mark.parametrize("bound", [0.0, -1.0, math.nan, math.inf, 1e308, 1e302, 5e-324, 1e-305])
@pytest.mark.parametrize("kind", [count, real, update])
def test_a_bound_outside_what_floats_can_plan_with_is_refused(bound: float, kind: object) -> None:
    # A bound of 1e308 times a cohort is infinite: its exponent reads 0, and the sum would not fit what it asked for.
    with pytest.raises(InputError) as caught:
        plan({"x": kind([0], bound)}, 12)  # type: ignore[operator]
    assert caught.value.code == "sum.bad-bound"


@pytest.mark.parametrize(("terms", "code"), [
    ({}, "sum.empty"),
    ({"a": update([0.0], 1.0), "b": count([0], 1)}, "sum.mixed"),
    ({"a": real([0.0], 2.0**71)}, "sum.too-wide"),
    ({"a": count([0], 2.0**62)}, "sum.too-wide"),
    ({"a": update([0.0], 1.0, bits=3)}, "sum.bad-bits"),
    ({"a": update([0.0], 1.0, bits=25)}, "sum.bad-bits"),
    ({"a": Term(np.broadcast_to(np.float64(0), MAXIMUM_ENTRIES + 1), "real", 1.0)}, "sum.too-long"),
])
def test_a_sum_that_cannot_be_planned_is_refused(terms: dict[str, Term], code: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(terms, 3)
    assert caught.value.code == code


@pytest.mark.parametrize(("term", "code"), [
    (real([0.0, 1.0000001], 1.0), "sum.out-of-bounds"),
    (real([-1.1], 1.0), "sum.out-of-bounds"),
    (count([11], 10), "sum.out-of-bounds"),
    (count([-(2**63)], 10), "sum.out-of-bounds"),
    (count([-(2**63)], 10, signed=True), "sum.out-of-bounds"),
    (count([-11], 10, signed=True), "sum.out-of-bounds"),
    (count([-1], 10), "sum.out-of-bounds"),
    (count([2**60 + 1], 2.0**60), "sum.out-of-bounds"),
    (real([math.nan], 1.0), "sum.not-finite"),
    (real([math.inf], 1.0), "sum.not-finite"),
    (update([math.nan], 1.0), "sum.not-finite"),
])
def test_a_value_past_its_bound_is_refused_without_being_told(term: Term, code: str) -> None:
    with pytest.raises(InputError) as caught:
        encode(plan({"x": term}, 3), {"x": term}, seed_of("r"))
    assert caught.value.code == code
    assert "1.0000001" not in str(caught.value.to_dict())


def test_the_description_names_everything_public_and_nothing_private() -> None:
    layout = plan({"b": real([1.25], 2.0), "a": count([[1, 2]], 5)}, 3)
    other = plan({"b": real([0.75], 2.0), "a": count([[3, 4]], 5)}, 3)
    assert layout.hash() == other.hash()
    assert [place.name for place in layout.places] == ["a", "b"]
    different = [
        plan({"b": real([1.25], 2.0), "a": count([[1, 2]], 5)}, 4),
        plan({"b": real([1.25], 2.5), "a": count([[1, 2]], 5)}, 3),
        plan({"b": real([1.25], 2.0), "a": count([[1], [2]], 5)}, 3),
        plan({"b": real([1.25], 2.0), "c": count([[1, 2]], 5)}, 3),
        plan({"b": count([1], 2.0), "a": count([[1, 2]], 5)}, 3),
        plan({"b": real([1.25], 2.0), "a": count([[1, 2]], 5, signed=True)}, 3),
    ]
    assert len({layout.hash(), *(one.hash() for one in different)}) == 7


@pytest.mark.parametrize("terms", [
    {"n": count([3], 10)},
    {"x": real([3.0], 1e6)},
    {"n": count([1], 10), "x": real([1.0], 1e9)},
    {"u": update(np.ones(9), 1.0)},
])
def test_an_opened_sum_that_no_cohort_can_have_is_refused(terms: dict[str, Term]) -> None:
    layout = plan(terms, 3)
    if layout.most:
        sums = np.full(layout.length, layout.most, dtype=np.uint32)
        decode(layout, ArrayValues(sums))
        with pytest.raises(ProtocolError) as caught:
            decode(layout, ArrayValues(sums + 1))
        assert caught.value.code == "sum.total-out-of-range"
        return
    honest = total_of(layout, terms, 3)
    decode(layout, honest)
    forged = honest + np.uint64(0x9E3779B97F4A7C15)
    if layout.width == 96:
        forged[1] &= np.uint64(0xFFFFFFFF)
    with pytest.raises(ProtocolError) as caught:
        decode(layout, forged)
    assert caught.value.code == "sum.total-out-of-range"


def opened_as(term: Term, totals: list[int], *, cohort: int = 3, own: Term | None = None) -> list[int]:
    layout = plan({"n": term}, cohort, smallest=cohort, colluding=1)
    found = decode(layout, encode_integers(np.array(totals), layout.width), own=None if own is None else {"n": own})
    return found["n"].tolist()


@pytest.mark.parametrize(("term", "own", "right", "wrong"), [
    (count([0], 10), None, (0, 30), (-1, 31)),
    (count([0], 10, signed=True), None, (-30, 30), (-31, 31)),
    (count([0], 1), None, (0, 3), (-1, 4)),
    (count([4], 10), count([4], 10), (4, 24), (3, 25)),  # what is left for two others is 0 to 20
    (count([-4], 10, signed=True), count([-4], 10, signed=True), (-24, 16), (-25, 17)),
    (count([0], 1), count([0], 1), (0, 2), (3,)),
    # With noise of deviation 6 two honest nodes draw with 6 / sqrt(2), of which the tail is 47: three draw up to 141.
    (count([0], 10, noise="6"), None, (-141, 171), (-142, 172)),
    (count([4], 10, noise="6"), count([4], 10, noise="6"), (-137, 165), (-138, 166)),
])
def test_an_opened_count_has_no_slack(term: Term, own: Term | None, right: tuple[int, ...],
                                      wrong: tuple[int, ...]) -> None:
    for total in right:
        assert opened_as(term, [total], own=own) == [total]
    for total in wrong:
        with pytest.raises(ProtocolError) as caught:
            opened_as(term, [total], own=own)
        assert caught.value.code == "sum.total-out-of-range"


def test_of_fewer_addends_less_is_possible() -> None:
    layout = plan({"n": count([1], 10)}, 4)
    total = encode_integers(np.array([31]), layout.width)
    assert decode(layout, total)["n"].tolist() == [31]
    with pytest.raises(ProtocolError):
        decode(layout, total, 3)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.floats(1e-300, 1e300), min_size=1,
                       max_size=4), st.integers(2, 15))
def test_a_layout_is_hashed_in_its_canonical_form(bounds: dict[str, float], cohort: int) -> None:
    kinds = (lambda bound: count([[1, 2]], 1.0 + bound % 1000), lambda bound: update([0.5], 1.0, 8, norm=2.0))
    for kind in kinds:
        layout = plan({name: kind(bound) for name, bound in bounds.items()}, cohort)
        assert layout.hash() == content_hash(layout.describe())
