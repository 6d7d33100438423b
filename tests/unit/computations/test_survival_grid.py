"""The time grid: where times go, and that merging leaves no small cell."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sealane.computations.survival.grid import fine_grid, merge, merge_earlier, refine
from sealane.computations.survival.rows import Placed
from sealane.computations.survival.settling import OwnRows, settle
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Field


def days(high, kind="integer", low=0):
    return Field(name="days", type=kind, unit="d", minimum=float(low), maximum=float(high))


def test_a_time_goes_to_the_end_of_its_interval():
    grid = fine_grid(days(70), 7.0, None)
    assert grid.last == 10
    assert grid.place(np.array([0, 0.5, 7, 7.001, 14, 69, 70])).tolist() == [0, 1, 1, 2, 2, 10, 10]


def test_an_entry_goes_to_the_beginning_of_its_interval():
    grid = fine_grid(days(70), 7.0, 28.0)
    assert grid.place_before(np.array([0, 6.9, 7, 7.001, 27, 28, 60])).tolist() == [0, 0, 1, 1, 3, 4, 4]
    assert fine_grid(days(2, "number"), 0.1, None).place_before(np.array([0.3, 0.7, 1.1])).tolist() == [3, 7, 11]


def test_decimal_times_at_a_grid_time_stay_there():
    grid = fine_grid(days(2, "number"), 0.1, None)
    assert grid.place(np.array([0.3, 0.7, 1.1, 1.9])).tolist() == [3, 7, 11, 19]  # 1.1 / 0.1 is 11.000000000000002


def test_times_past_the_horizon_are_past_the_grid():
    grid = fine_grid(days(70), 7.0, 28.0)
    assert grid.place(np.array([28.0, 28.5, 60.0])).tolist() == [4, 5, 5]


@pytest.mark.parametrize(("high", "kind", "width"), [
    (5000, "integer", 1), (5001, "integer", 2), (25000, "integer", 5), (70, "integer", 1), (70, "number", 0.02),
    (5, "number", 0.001), (7300, "number", 2), (36600, "number", 10), (0.37, "number", 0.0001)])
def test_the_default_resolution_follows_from_the_range(high, kind, width):
    grid = fine_grid(days(high, kind), None, None)
    assert grid.resolution == pytest.approx(width, rel=1e-12)
    assert grid.last <= 5000
    assert not grid.chosen


def test_a_default_resolution_divides_the_horizon():
    assert fine_grid(days(20_000), None, 7301.0).resolution == 1.0  # 2 would do for the number of intervals
    assert fine_grid(days(20_000), None, 7302.0).resolution == 2.0


@pytest.mark.parametrize(("high", "resolution", "horizon", "code"), [
    (0, 1.0, None, "survival.no-time"), (100, 1.0, 101.0, "survival.horizon"), (100, 7.0, 50.0, "survival.horizon"),
    (1e6, 1.0, None, "survival.grid-too-fine")])
def test_refusals(high, resolution, horizon, code):
    with pytest.raises(InputError) as caught:
        fine_grid(days(high, low=-1), resolution, horizon)
    assert caught.value.code == code


def test_merging_by_hand():
    events = [0, 3, 0, 4, 9, 0, 6, 2]
    leavings = [0, 0, 0, 5, 0, 5, 0, 0]
    merged = merge(np.array([events, leavings]), 5)
    # 1 + 3: 7 events, 5 leavings. 4: 9 events. 5: 5 leavings. 6: 6 events. What is left, 2 events, joins 6.
    assert merged.edges == (3, 4, 5, 7)
    assert merged.occupied == 6
    assert merged.move(np.array([0, 1, 3, 4, 7])).tolist() == [3, 3, 3, 4, 7]
    assert merge(np.array([events]), 5).edges == (3, 4, 7)


def test_a_merged_interval_happens_where_half_of_it_has():
    events = np.array([0, 3, 0, 4, 9, 0, 6, 2])
    merged = merge(events[None], 5).centred(events)
    assert merged.edges == (3, 4, 7)
    # 3 of 7 have come at 1 and 7 at 3: the fourth is at 3. Of 8 the fourth is at 6.
    assert merged.places.tolist() == [3, 4, 6]
    assert merged.move(np.array([0, 1, 3, 4, 5, 6, 7])).tolist() == [3, 3, 3, 4, 6, 6, 6]
    assert merge(np.array([[0, 4, 1, 0, 2]]), 5).centred(np.array([0, 4, 1, 0, 2])).places.tolist() == [1]


def test_all_in_one_place_and_nothing_at_all():
    events = np.array([0, 0, 8, 0])
    assert merge(events[None], 5).centred(events).places.tolist() == [2]
    nothing = np.zeros(4, dtype=np.int64)
    assert merge(nothing[None], 5).centred(nothing).places.tolist() == []


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 12), st.lists(st.integers(0, 6), min_size=1, max_size=30))
def test_half_of_an_interval_lies_on_either_side_of_its_time(minimum, counts):
    counts = np.array(counts)
    merged = merge(counts[None], minimum)
    if merged is None:
        return
    first = 0
    for edge, place in zip(merged.edges, merged.centred(counts).places.tolist(), strict=True):
        assert first <= place <= edge  # so times ascend with their intervals
        within = counts[first : edge + 1]
        assert 2 * within[: place - first].sum() < within.sum() <= 2 * within[: place - first + 1].sum()
        first = edge + 1


def test_refining_by_hand():
    one, other = [3, 2, 6, 0, 5, 1], [0, 1, 4, 0, 0, 5]
    together = merge(np.array([one, other]), 5)
    assert together.edges == (2, 5)  # at 1 the other has 1 only; 5 of the first at 4 would do but for the last
    assert refine(np.array(one), together, 5).edges == (1, 2, 5)
    assert refine(np.array(other), together, 5).edges == (2, 5)


def test_merging_to_earlier_times():
    # From the right: 7 closes at 5; 2 + 4 at 2; what is left, 3, joins what comes after it.
    merged = merge_earlier(np.array([[0, 3, 4, 0, 2, 7, 0]]), 5)
    assert merged.edges == (1, 5)


async def test_a_group_of_too_few_has_no_grid():
    stop = np.array([1, 1, 2, 2, 3, 3, 3, 3, 3])
    placed = Placed(np.full(9, -1), stop, np.array([1, 1, 1, 1, 1, 0, 0, 0, 0]), np.arange(9))
    with pytest.raises(RefusedError) as caught:
        await settle(Alone(), OwnRows(placed, np.zeros(9, dtype=np.int64)), fine_grid(days(3), 1.0, None), kinds=2,
                     sharing=[(0,)])
    assert caught.value.code == "survival.no-grid"


class Alone:
    """A cohort of one, whose sums are its own."""

    minimum_count = 10

    async def sum(self, terms):
        return {name: term.values for name, term in terms.items()}


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(30, 200), st.sampled_from([0.0, 0.3]))
def test_late_entries_leave_no_thin_risk_set(seed, rows, from_the_beginning):
    random = np.random.default_rng(seed)
    start = np.where(random.random(rows) < from_the_beginning, -1, random.integers(1, 30, rows))
    stop = start + random.integers(2, 25, rows)
    kind = (np.arange(rows) % 2).astype(np.int64)
    own = OwnRows(Placed(start, stop, kind, np.arange(rows)), np.zeros(rows, dtype=np.int64))
    groups, moved = asyncio.run(settle(Alone(), own, fine_grid(days(60), 1.0, None), kinds=2, sharing=[(0,)]))
    group = groups[0]
    assert (moved.placed.start <= start).all()
    assert (moved.placed.stop >= stop).all()
    for place in range(61):
        there = int(((moved.placed.start < place) & (moved.placed.stop >= place)).sum())
        assert group.at_risk(np.array([place]))[0] == there
        assert there == 0 or there >= 10
        outlasting = int(((moved.placed.start < place) & (moved.placed.stop > place)).sum())
        assert outlasting == 0 or outlasting >= 10
    entering = moved.placed.start[moved.placed.start >= 0]
    assert group.entries.numbers.tolist() == np.unique(entering, return_counts=True)[1].tolist()
    assert group.entries.places.tolist() == np.unique(entering).tolist()


async def test_who_enters_when_others_leave_does_not_cover_the_few_that_stay():
    # 12 from the beginning, of whom 10 leave at 1, when 10 others enter: the counts alone would tell that 2 stay.
    start, stop = np.repeat([-1, 1], [12, 10]), np.repeat([1, 3], [10, 12])
    kind = np.concatenate([np.ones(10, dtype=np.int64), np.zeros(12, dtype=np.int64)])
    own = OwnRows(Placed(start, stop, kind, np.arange(22)), np.zeros(22, dtype=np.int64))
    groups, _ = await settle(Alone(), own, fine_grid(days(3), 1.0, None), kinds=2, sharing=[(0,)])
    assert groups[0].entries.places.tolist() == []
    assert groups[0].at_risk(np.array([1, 3])).tolist() == [22, 12]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(100, 400), st.integers(2, 4), st.integers(1, 3))
def test_no_difference_of_risk_sets_is_small(seed, rows, kinds, number):
    """Events of some causes and leavings, each moved within intervals of its own, past one another."""
    random = np.random.default_rng(seed)
    stop = np.minimum(random.gamma(2.0, 12.0, rows).astype(np.int64), 60)
    own = OwnRows(Placed(np.full(rows, -1), stop, np.arange(rows) % kinds, np.arange(rows)),
                  random.integers(0, number, rows))
    totals = np.bincount(own.group * kinds + own.placed.kind)
    assume(not ((totals > 0) & (totals < 10)).any())  # refused
    groups, moved = asyncio.run(settle(Alone(), own, fine_grid(days(60), 1.0, None), kinds=kinds,
                                       sharing=[tuple(range(number))]))
    for j, group in groups.items():
        here = moved.group == j
        there = np.array([(moved.placed.stop[here] >= place).sum() for place in range(62)])
        assert group.at_risk(np.arange(62)).tolist() == there.tolist()
        apart = there[:, None] - there[None, :]
        assert not ((apart > 0) & (apart < 10)).any()  # the last of them is 0, so risk sets themselves are not small
        for kind, ladder in enumerate((group.leavings, *group.events)):
            at = moved.placed.stop[here & (moved.placed.kind == kind)]
            assert [ladder.places.tolist(), ladder.numbers.tolist()] == [
                one.tolist() for one in np.unique(at, return_counts=True)]
            # Rows are where a reader puts them who knows the intervals.
            before = stop[(own.group == j) & (own.placed.kind == kind)]
            found = ladder.places[np.searchsorted(ladder.until, before)]
            assert found.tolist() == at.tolist()
        for kind, merged in enumerate(group.shared, start=1):  # events where a test has them, all else as before
            tested = moved.placed.stop.copy()
            chosen = here & (moved.placed.kind == kind)
            tested[chosen] = merged.move(own.placed.stop[chosen])
            there = np.array([(tested[here] >= place).sum() for place in range(62)])
            apart = there[:, None] - there[None, :]
            assert not ((apart > 0) & (apart < 10)).any()


def test_groups_with_late_entries_keep_the_ends():
    random = np.random.default_rng(2)
    start = np.where(np.arange(200) % 2, -1, random.integers(1, 30, 200))
    placed = Placed(start, start + random.integers(2, 25, 200), np.arange(200) // 2 % 2, np.arange(200))
    for sharing, kept in (([(0, 1)], (True, True)), ([(0,), (1,)], (True, False))):
        groups, _ = asyncio.run(settle(Alone(), OwnRows(placed, np.arange(200) % 2), fine_grid(days(60), 1.0, None),
                                       kinds=2, sharing=sharing))
        for j, group in groups.items():
            assert ((group.events[0].places == group.events[0].until).all() == kept[j]
                    == (group.shared[0].places == np.array(group.shared[0].edges)).all())


def test_a_total_under_the_minimum_cannot_be_merged_away():
    assert merge(np.array([[9, 9, 9], [0, 1, 3]]), 5) is None
    assert merge(np.array([[9, 9, 9], [0, 1, 4]]), 5).edges == (0, 2)


def sums(counts, edges):
    return np.add.reduceat(counts, [0, *(edge + 1 for edge in edges[:-1])])


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(2, 12), st.integers(0, 2**32))
def test_no_count_is_small_and_nothing_is_lost(minimum, kinds, size, seed):
    random = np.random.default_rng(seed)
    counts = random.poisson(random.uniform(0, 6, (kinds, 1)), (kinds, size))
    merged = merge(counts, minimum)
    whole = counts.sum(axis=1)
    if ((whole > 0) & (whole < minimum)).any():
        assert merged is None
        return
    if not whole.any():
        assert merged.edges == ()
        return
    assert merged.edges[-1] == np.flatnonzero(counts.sum(axis=0))[-1]
    for one in counts:
        together = sums(one, merged.edges)
        assert together.sum() == one.sum()
        assert not ((together > 0) & (together < minimum)).any()
        finer = refine(one, merged, minimum).edges
        if not one.any():
            assert finer == ()
            continue
        apart = sums(one, finer)
        assert (apart >= minimum).all()
        assert apart.sum() == one.sum()
        # Within every interval of the coarser merging the finer one comes to the same count.
        ends = np.searchsorted(merged.edges, finer)
        assert np.bincount(ends, apart, len(merged.edges)).tolist() == together.tolist()
