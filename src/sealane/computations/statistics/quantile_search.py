"""Order statistics of several samples at once, by secure search on the contract's range: no value is ever gathered.

Each step opens, for every wanted rank, how many values lie at or under each of the points that split its interval into
equal parts. That tells in which part the value of that rank lies, which is the next interval. After k steps of s parts
it is s^k times narrower. Integers are searched among integers, to the exact one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.statistics.moments import Sample

PARTS = 16


@dataclass(frozen=True, slots=True)
class Quantile:
    """What a sample's quantile is known to be.

    Attributes:
        value: interpolated between two order statistics, as numpy does by default; None where it is hidden.
        error: how far the exact one can be from it.
    """

    value: float | None
    error: float | None


HIDDEN = Quantile(None, None)


@dataclass(slots=True)
class _Interval:
    """Where the value of a rank lies: above ``low`` and at or under ``high``."""

    sample: int
    rank: int
    low: float
    high: float
    width: float
    whole: bool

    @property
    def found(self) -> bool:
        return self.high - self.low <= self.width

    def points(self) -> list[float]:
        if self.whole:
            low, high = int(self.low), int(self.high)
            return [float(low + (high - low) * j // PARTS) for j in range(1, PARTS)]
        return [self.low + (self.high - self.low) * (j / PARTS) for j in range(1, PARTS)]

    def narrow(self, points: Sequence[float], under: Sequence[int]) -> None:
        for point, number in zip(points, under, strict=True):
            if number > self.rank:
                self.high = point
                return
            self.low = max(self.low, point)

    def value(self) -> float:
        """Return the decimal with the fewest digits that the interval holds: 0.5 and not 0.49999."""
        if self.whole:
            return self.high
        middle = (self.low + self.high) / 2
        return next((short for digits in range(-15, 20) if self.low <= (short := round(middle, digits)) <= self.high),
                    middle)

    def error(self) -> float:
        return 0.0 if self.whole else max(self.value() - self.low, self.high - self.value())


def ranks(rows: int, probabilities: Sequence[float], minimum: int) -> list[tuple[int, int, float] | None]:
    """Return the two ranks (from 0) and the weight of the upper one for each probability, None where it is hidden.

    At least the minimum count of values must lie at or beyond a quantile on either side, and between it and the one
    shown before it. That depends on numbers of rows alone, never on values.
    """
    out: list[tuple[int, int, float] | None] = []
    before: int | None = None
    for probability in probabilities:
        place = (rows - 1) * probability
        lower = min(math.floor(place), rows - 1)
        upper = min(lower + 1, rows - 1) if place > lower else lower
        shown = lower + 1 >= minimum and rows - upper >= minimum and (before is None or lower - before >= minimum)
        out.append((lower, upper, place - lower) if shown else None)
        before = lower if shown else before
    return out


async def quantiles(
    cohort: Cohort, samples: Sequence[Sample], whole: Sequence[bool], probabilities: Sequence[float],
    resolution: float,
) -> list[list[Quantile]]:
    """Return quantiles of every sample, all searched side by side, one sum for each step.

    Args:
        cohort: of the run.
        samples: whose quantiles.
        whole: for each sample, whether all its values are integers.
        probabilities: ascending, the same for every sample.
        resolution: final width of an interval, as a part of the contract's range; integers are found exactly.
    """
    wanted = [ranks(one.rows, probabilities, cohort.minimum_count) for one in samples]
    intervals = {(k, rank): _interval(k, rank, one, exact, resolution)
                 for k, (one, exact) in enumerate(zip(samples, whole, strict=True))
                 for pair in wanted[k] if pair is not None for rank in pair[:2]}
    local = [np.sort(one.values) for one in samples]
    most = max((one.rows for one in samples), default=1)
    while unfound := [one for one in intervals.values() if not one.found]:
        points = [one.points() for one in unfound]
        under = np.array([np.searchsorted(local[one.sample], at, side="right")
                          for one, at in zip(unfound, points, strict=True)], dtype=np.int64)
        opened: NDArray[np.int64] = (await cohort.sum({"under": count(under, most)}))["under"]
        for one, at, numbers in zip(unfound, points, opened.tolist(), strict=True):
            one.narrow(at, numbers)
    return [[HIDDEN if pair is None else _between(intervals[k, pair[0]], intervals[k, pair[1]], pair[2])
             for pair in wanted[k]] for k in range(len(samples))]


def _interval(sample: int, rank: int, one: Sample, whole: bool, resolution: float) -> _Interval:
    if whole:
        return _Interval(sample, rank, math.ceil(one.low) - 1.0, float(math.floor(one.high)), 1.0, True)
    return _Interval(sample, rank, one.low, one.high, (one.high - one.low) * resolution, False)


def _between(lower: _Interval, upper: _Interval, weight: float) -> Quantile:
    low, high = lower.value(), upper.value()
    return Quantile(low + weight * (high - low), max(lower.error(), upper.error()))


def ascending(probabilities: Sequence[float]) -> None:
    """Refuse probabilities that are not between 0 and 1 and ascending.

    Raises:
        ValueError: they are not.
    """
    if any(not 0.0 < one < 1.0 for one in probabilities) or any(a >= b for a, b in pairwise(probabilities)):
        raise ValueError("probabilities lie between 0 and 1 and ascend")
