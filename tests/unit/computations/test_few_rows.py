"""Whose weight lies with few of a node's rows, and counts that contradict each other."""

from __future__ import annotations

import numpy as np
import pytest

from sealane.computations.few_rows import own_effective, rests_on_few
from sealane.computations.statistics.counted import check_cumulated, check_parts
from sealane.errors import ProtocolError


@pytest.mark.parametrize(("weights", "effective"), [
    ([], 0.0), ([0.0, 0.0], 0.0), ([3.0], 1.0), ([1.0, 1.0, 1.0, 1.0], 4.0), ([2.0, 1.0], 1.8),
    ([1e-300] * 5, 5.0), ([1e300] * 5, 5.0), ([1.0, 1e-200], 1.0),
])
def test_effective_rows_of_any_scale(weights: list[float], effective: float) -> None:
    assert own_effective(np.array(weights)) == pytest.approx(effective)


@pytest.mark.parametrize(("weights", "few"), [
    ([1.0] * 1000, False),
    ([1.0] + [1e-9] * 999, True),        # one row of a thousand
    ([1.0] * 9 + [0.0] * 991, True),
    ([1.0] * 10 + [0.0] * 990, False),   # the minimum count
    ([0.0] * 1000, True),                # nothing that could hide another node's
    ([1.0] * 3 + [0.0] * 9, False),      # a quarter of few
    ([1.0] * 2 + [0.0] * 10, True),
    ([1.0], False), ([], False),
])
def test_few_rows_are_under_the_minimum_and_under_a_quarter(weights: list[float], few: bool) -> None:
    assert rests_on_few(np.array(weights), float(len(weights)), 10) is few


def test_rows_that_weigh_unevenly_anyway_are_held_to_what_they_are() -> None:
    weights = np.array([100.0] + [1.0] * 99)  # 3.9 effective rows
    assert rests_on_few(weights, 100.0, 10)
    assert not rests_on_few(weights, own_effective(weights), 10)


@pytest.mark.parametrize(("under", "low", "high"), [([3, 2], 0, 9), ([1, 2], 2, 9), ([2, 10], 0, 9), ([-1], 0, 9)])
def test_counts_up_to_points_neither_fall_nor_leave_their_ends(under: list[int], low: int, high: int) -> None:
    check_cumulated(np.array([2, 2, 9]), 2, 9)
    check_cumulated(np.zeros(0, np.int64), 2, 9)
    with pytest.raises(ProtocolError) as caught:
        check_cumulated(np.array(under), low, high)
    assert caught.value.code == "statistics.counts-contradict"


def test_parts_hold_what_the_whole_held() -> None:
    check_parts(np.array([4, 9]), np.array([4, 9]))
    with pytest.raises(ProtocolError) as caught:
        check_parts(np.array([4, 9]), np.array([4, 10]))
    assert caught.value.code == "statistics.counts-contradict"
