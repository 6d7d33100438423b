"""The secure quantile agreement: bins of the cohort's quantiles, none under the minimum count."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.computations.statistics.grid import FINER, Grid
from sealane.computations.trees.bin_kernels import close_bins
from sealane.computations.trees.bins import Bins, agree_on_bins
from sealane.computations.trees.rows import Feature
from sealane.governance.contract import Field

quick = settings(max_examples=200, deadline=None)


class Adding:
    """Both institutions of a cohort at once: every sum is over the rows given."""

    size, smallest, minimum_count = 3, 3, 10

    def __init__(self):
        self.sums = 0

    async def sum(self, terms):
        self.sums += 1
        return {name: term.values for name, term in terms.items()}


def number(low, high, kind="number"):
    return Feature(Field(name="x", type=kind, minimum=low, maximum=high), low, high)


def agreed(values, feature, most=63):
    cohort = Adding()
    missing = int(np.isnan(values).sum())
    (bins,) = asyncio.run(agree_on_bins(cohort, (feature,), {"x": values}, len(values), {"x": missing}, {}, most))
    return bins, cohort


@pytest.mark.parametrize("values", [
    np.random.default_rng(0).normal(size=5000), np.random.default_rng(1).lognormal(3.0, 2.5, size=5000),
    np.random.default_rng(2).choice([0.0, 0.1, 7.0], size=3000), np.r_[np.zeros(900), np.linspace(0, 1, 100)],
    np.random.default_rng(3).exponential(size=200),
])
def test_every_bin_holds_the_minimum_count_and_about_its_share(values):
    bins, cohort = agreed(values, number(float(values.min()) - 1, float(values.max()) + 1e6))
    counts = np.bincount(bins.codes(values), minlength=bins.number)
    assert counts.min() >= 10
    assert len(counts) == bins.number <= 63
    assert cohort.sums <= 6
    distinct = np.unique(values, return_counts=True)[1].max()
    assert counts.max() <= max(2.5 * max(len(values) / 63, 10), distinct + 20)
    if distinct == 1 and len(values) > 1000:
        assert bins.number >= 50


def test_bins_are_quantiles_of_the_rows():
    values = np.random.default_rng(5).lognormal(0.0, 1.5, size=20_000)
    bins, _ = agreed(values, number(0.0, 1e5), most=11)
    assert bins.number in (10, 11)
    shares = np.arange(1, bins.number) / bins.number
    found = np.searchsorted(np.sort(values), bins.edges) / len(values)
    assert found == pytest.approx(shares, abs=0.02)


@pytest.mark.parametrize("reach", [1e6, 1e9, 1e12])
@pytest.mark.parametrize("low", [0.0, -1.0])
@pytest.mark.parametrize("values", [
    np.random.default_rng(8).lognormal(2.0, 1.0, 6000), np.random.default_rng(8).lognormal(2.0, 1.0, 6000).round(2),
    np.random.default_rng(9).choice([0.0, 0.5, 1.25, 60.0], size=3000), np.r_[np.zeros(4000), np.linspace(1, 20, 2000)],
    np.random.default_rng(9).choice([1 / 3, np.pi], size=300),
])
def test_a_range_far_too_wide_changes_no_bins(values, low, reach):
    near, _ = agreed(values, number(low, 1000.0), most=31)
    far, cohort = agreed(values, number(low * reach, reach), most=31)
    before, after = (np.cumsum(np.bincount(bins.codes(values), minlength=31)) for bins in (near, far))
    assert abs(near.number - far.number) <= 2
    assert far.number >= min(28, len(np.unique(values)))
    assert np.abs(np.searchsorted(np.sort(values), far.edges, side="right")[:, None] - before).min(axis=1).max() \
        <= len(values) / 31
    assert np.diff(after).max() <= max(3 * len(values) / 31, np.unique(values, return_counts=True)[1].max() + 20)
    assert cohort.sums <= 12


def test_a_value_that_stands_often_takes_no_more_sums():
    values = np.r_[np.zeros(700), np.random.default_rng(1).lognormal(2.0, 1.0, 300)]
    bins, cohort = agreed(values, number(0.0, 1000.0), most=31)
    assert (bins.edges[0], cohort.sums) == (0.0, 6)


def test_whole_numbers_lie_between_borders():
    values = np.random.default_rng(6).integers(0, 5000, size=4000).astype(float)
    bins, _ = agreed(values, number(0.0, 5000.0, "integer"))
    assert all(edge % 1 == 0.5 for edge in bins.edges)
    few, _ = agreed(np.repeat(np.arange(6.0), 50), number(0.0, 5.0, "integer"))
    assert few.edges == (0.5, 1.5, 2.5, 3.5, 4.5)
    assert agreed(np.repeat([0.0, 1.0], 50), number(0.0, 1.0, "boolean"))[0].edges == (0.5,)


def test_missing_values_are_the_last_bin():
    values = np.r_[np.full(40, np.nan), np.repeat([1.0, 2.0, 3.0], 40)]
    bins, _ = agreed(values, number(0.0, 4.0))
    assert bins.number == 4
    assert np.bincount(bins.codes(values)).tolist() == [40, 40, 40, 40]
    assert bins.codes(np.array([np.nan, 1.0, 3.5])).tolist() == [3, 0, 2]


def test_a_value_on_a_border_goes_left_as_in_lightgbm():
    bins = Bins(number(0.0, 4.0), edges=(1.0, 2.0))
    assert bins.codes(np.array([0.5, 1.0, 1.0000001, 2.0, 3.0])).tolist() == [0, 0, 1, 1, 2]


def test_levels_that_are_not_told_apart_share_bin_zero():
    feature = Feature(Field(name="c", type="category", allowed=("p", "q", "r", "s")), levels=("p", "q", "r", "s"))
    bins = Bins(feature, levels=(1, 3))
    assert bins.codes(np.array([-1, 0, 1, 2, 3])).tolist() == [0, 0, 1, 0, 2]
    assert bins.number == 3


def test_a_constant_has_one_bin():
    bins, cohort = agreed(np.full(100, 3.0), number(3.0, 3.0))
    assert (bins.number, bins.useful, cohort.sums) == (1, False, 0)


@quick
@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.integers(1, 12), st.integers(1, 30))
def test_a_bin_ends_as_soon_as_it_holds_its_share_of_what_is_left(counts, most, least):
    closed = np.empty(len(counts), np.bool_)
    close_bins(np.array(counts), most, least, closed)
    bins, left, held = [], sum(counts), 0
    for cell, number in enumerate(counts[:-1]):
        held += number
        if held >= max(least, left / (most - len(bins))) and left - held >= least and len(bins) < most - 1:
            bins.append(cell)
            left, held = left - held, 0
    assert np.flatnonzero(closed).tolist() == bins


@quick
@given(st.lists(st.tuples(st.floats(0.3, 40.0), st.integers(0, 40)), min_size=1, max_size=20), st.integers(0, 40),
       st.sampled_from(["number", "integer"]), st.integers(-9, 9))
def test_full_cells_are_divided_and_counted_again_and_the_others_stay(widths, target, kind, low):
    tops = (low + np.cumsum([width for width, _ in widths])).round(kind == "integer") + (kind == "integer") * 0.5
    tops = np.unique(tops)
    feature = number(float(low), float(tops[-1]), kind)
    tops[-1] = np.inf
    counts = [count for _, count in widths[: len(tops)]]
    cells = Grid(feature.low, feature.high, kind == "integer", tops.copy())
    cells.counts, cells.fresh = np.array(counts), np.empty(0, np.int64)
    cells.divide(float(target), single=False)
    expected, below = [], feature.low
    for top, count in zip(tops.tolist(), counts, strict=True):
        end = min(top, feature.high)
        cuts = [below + (end - below) * (part / FINER) for part in range(1, FINER)]
        if kind == "integer":
            cuts = [float(np.floor(cut)) + 0.5 for cut in cuts]
        inner = sorted({cut for cut in cuts if below < cut < end}) if count > target else []
        expected += [(cut, 0 if inner else count, bool(inner)) for cut in [*inner, top]]
        below = top
    fresh = [place in cells.fresh for place in range(len(cells.tops))]
    assert list(zip(cells.tops.tolist(), cells.counts.tolist(), fresh, strict=True)) == expected


@quick
@given(st.lists(st.integers(-30, 30), unique=True, max_size=62), st.integers(0, 2**32))
def test_a_value_is_above_the_edges_under_it(edges, seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.integers(-32, 33, 50), rng.normal(0, 20, 50), [np.nan, np.inf, -np.inf, -0.0]])
    bins = Bins(number(-50.0, 50.0), edges=tuple(map(float, sorted(edges))), missing=True)
    expected = [len(edges) + 1 if np.isnan(value) else sum(edge < value for edge in edges) for value in values]
    assert bins.codes(values).tolist() == expected
