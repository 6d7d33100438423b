"""Order statistics of several samples at once, by secure search on the contract's range: no value is ever gathered.

Each step opens, for every wanted rank, how many values lie at or under each of the points that split its interval into
equal parts. That tells in which part the value of that rank lies, which is the next interval. After k steps of s parts
it is s^k times narrower. Integers are searched among integers, to the exact one.

Where no resolution says so, where to end is learned on the way: a contract's range may be far wider than its values.
An interval is crowded where it holds a good part of the rows between one wanted rank and the next. The search ends at a
millionth of the range, or a thousandth of the last crowded interval where that is less, so that two quantiles that are
shown never share an interval unless their values are one. A crowd in so little may be one value many times: from the
last step to a millionth on, the decimal with the fewest digits in a crowded interval is asked after too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.statistics.counted import check_cumulated
from sealane.computations.statistics.moments import Sample

PARTS = 16
COARSE, FINE = 1e-6, 1e-3
"""Without a resolution, the final width as a part of the range and of the last crowded interval: the lesser of both."""
FLOOR = 2.0**-60
"""Of the range: values that lie nearer together count as one."""
CROWD = 16
"""An interval is crowded from this part on of the rows between its rank and the nearest other one, or an end."""


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
    """Where the value of a rank lies: above ``low`` and at or under ``high``, with the rows counted up to either.

    It is found once it is as narrow as ``width``, which shrinks with the last interval of ``crowd`` rows or more; none
    is crowded where ``crowd`` is None.
    """

    sample: int
    rank: int
    low: float
    high: float
    width: float
    whole: bool
    rows: int
    crowd: int | None = None
    before: int = 0
    floor: float = 0.0
    coarse: float = 0.0

    @property
    def found(self) -> bool:
        return self.high - self.low <= self.width

    @property
    def crowded(self) -> bool:
        return self.crowd is not None and self.rows - self.before >= self.crowd

    def points(self) -> tuple[float, ...]:
        if self.whole:
            low, high = int(self.low), int(self.high)
            return tuple(float(low + (high - low) * j // PARTS) for j in range(1, PARTS))
        points = [self.low + (self.high - self.low) * (j / PARTS) for j in range(1, PARTS)]
        if self.crowded and self.high - self.low <= PARTS * self.coarse:
            short = self.value()
            points += [short, max(self.low, math.nextafter(short, -math.inf))]
        return tuple(sorted(points))

    def narrow(self, points: Sequence[float], under: Sequence[int]) -> None:
        """Go on with the part that holds the rank.

        Raises:
            ProtocolError: ``statistics.counts-contradict``.
        """
        inside = [number for point, number in zip(points, under, strict=True) if point >= self.low]
        check_cumulated(np.array(inside, dtype=np.int64), self.before, self.rows)
        for point, number in zip(points, under, strict=True):
            if number > self.rank:
                self.high, self.rows = point, number
                break
            if point >= self.low:
                self.low, self.before = point, number
        if math.nextafter(self.low, math.inf) >= self.high:
            self.low = self.high  # no other number lies between: past 2^53 whole ones are further apart than 1
        if self.crowded:
            self.width = max(min((self.high - self.low) * FINE, self.coarse), self.floor)

    def value(self) -> float:
        """Return the decimal with the fewest digits that the interval holds: 0.5 and not 0.49999."""
        return self.high if self.whole else shortest(self.low, self.high)

    def error(self) -> float:
        return 0.0 if self.whole else max(self.value() - self.low, self.high - self.value())


def shortest(low: float, high: float) -> float:
    """Return the decimal with the fewest digits between two numbers, or either of them."""
    middle = (low + high) / 2
    return next((short for digits in range(-15, 20) if low <= (short := round(middle, digits)) <= high), middle)


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
    resolution: float | None = None,
) -> list[list[Quantile]]:
    """Return quantiles of every sample, all searched side by side, one sum for each step.

    Args:
        cohort: of the run.
        samples: whose quantiles.
        whole: for each sample, whether all its values are integers.
        probabilities: ascending, the same for every sample.
        resolution: final width of an interval, as a part of the contract's range; None: as the values nearby are
            spread. Integers are found exactly.

    Raises:
        ProtocolError: ``statistics.counts-contradict``: counts that rows cannot have.
    """
    wanted = [ranks(one.rows, probabilities, cohort.minimum_count) for one in samples]
    intervals = {(k, rank): _interval(k, rank, one, exact, crowd, resolution)
                 for k, (one, exact) in enumerate(zip(samples, whole, strict=True))
                 for pair, crowd in _crowds(one.rows, wanted[k], cohort.minimum_count) for rank in pair}
    local = [np.sort(one.values) for one in samples]
    most = max((one.rows for one in samples), default=1)
    while unfound := [(one, one.points()) for one in intervals.values() if not one.found]:
        asked = dict.fromkeys((one.sample, points) for one, points in unfound)  # those of ranks that share an interval
        under = np.concatenate([np.searchsorted(local[sample], points, side="right") for sample, points in asked])
        opened: NDArray[np.int64] = (await cohort.sum({"under": count(under, most)}))["under"]
        ends = np.cumsum([len(points) for _, points in asked])[:-1]
        numbers = dict(zip(asked, (one.tolist() for one in np.split(opened, ends)), strict=True))
        for one, points in unfound:
            one.narrow(points, numbers[one.sample, points])
    return [[HIDDEN if pair is None else _between(intervals[k, pair[0]], intervals[k, pair[1]], pair[2])
             for pair in wanted[k]] for k in range(len(samples))]


def _crowds(
    rows: int, wanted: Sequence[tuple[int, int, float] | None], minimum: int
) -> list[tuple[tuple[int, int], int]]:
    """Return the pair of ranks of each quantile that is shown, and from how many rows on its interval is crowded."""
    pairs = [pair[:2] for pair in wanted if pair is not None]
    rooms = [after - before for before, after in pairwise([0, *(lower for lower, _ in pairs), rows])]
    return [(pair, max(min(room) // CROWD, minimum, 2)) for pair, room in zip(pairs, pairwise(rooms), strict=True)]


def _interval(
    sample: int, rank: int, one: Sample, whole: bool, crowd: int, resolution: float | None
) -> _Interval:
    if whole:
        low = float(math.ceil(one.low))
        below = min(low - 1.0, math.nextafter(low, -math.inf))
        return _Interval(sample, rank, below, float(math.floor(one.high)), 1.0, True, one.rows)
    span = one.high - one.low
    if resolution is not None:
        return _Interval(sample, rank, one.low, one.high, span * resolution, False, one.rows)
    return _Interval(sample, rank, one.low, one.high, span * COARSE, False, one.rows, crowd, floor=span * FLOOR,
                     coarse=span * COARSE)


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
