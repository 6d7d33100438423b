"""Means, variances and third moments of several samples at once: first the means, then powers about them.

In units u = (x - middle) / half of the contract's range. Sums about the mean lose no digits to cancellation (the
two-pass form; Chan, Golub and LeVeque (1983), The American Statistician 37(3)).

A contract's range may be so much wider than its values that their powers are lost below the last digit of a sum. Where
the sum of squares is that small, every value lies within its root of the mean: the moments are taken again in that
range, until they keep their digits or nothing is left to tell values apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, real
from sealane.computations.disclosure import effective_rows

SLACK = 1.0 + 2.0**-20
WIDEST = 67
"""Bits before the point of a sum that a ring of 128 holds beside 56 fractional bits, with some to spare."""
NARROW = 2.0**-48
"""Of the squared half range: a variance below it is taken again in a narrower range."""
_SAME = 2.0**-96
"""Of the largest number that the contract allows: values nearer together than that count as one."""
_ROUNDING = 2.0**-50
"""More than what rounding moves a number by on its way into units and back, as a part of it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One node's part of a sample, and what is public of it.

    Attributes:
        values: this node's, none missing. Private.
        rows: over the cohort, at least 1.
        low: smallest value that the contract allows.
        high: largest value.
    """

    values: NDArray[np.float64] = field(repr=False)
    rows: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Moments:
    """What is opened of a sample.

    Attributes:
        rows: over the cohort.
        mean: in the contract's units.
        variance: divisor n - 1; None for a single row.
        skewness: adjusted for bias as pandas has it; 0 where nothing varies, None under three rows.
    """

    rows: int
    mean: float
    variance: float | None
    skewness: float | None

    @property
    def deviation(self) -> float | None:
        """Root of the variance."""
        return None if self.variance is None else math.sqrt(self.variance)

    def effective(self) -> float:
        """Return how many equal amounts would make the same sums of x and of x squared."""
        squares = (self.rows - 1) * (self.variance or 0.0) + self.rows * self.mean * self.mean
        return effective_rows(self.rows * self.mean, squares)

    def dominated(self, minimum: int, low: float) -> bool:
        """Return whether so few rows make most of a sum of amounts that their values would follow from it.

        Amounts are columns whose contract allows nothing negative. A sum of zeros is nobody's.
        """
        return low >= 0.0 and self.mean != 0.0 and self.effective() < minimum


async def moments(cohort: Cohort, samples: Sequence[Sample]) -> list[Moments]:
    """Open the moments of each sample: two sums, and two more each time that some need a narrower range."""
    found: dict[int, Moments] = {}
    ranges = {j: ((one.low + one.high) / 2, max((one.high - one.low) / 2, 2.0**-500)) for j, one in enumerate(samples)}
    same = {j: _SAME * (abs(middle) + half) for j, (middle, half) in ranges.items()}
    while ranges:
        taken = await _take(cohort, [samples[j] for j in ranges], list(ranges.values()))
        narrower = {}
        for (j, (middle, half)), (centre, squares, cubes, reach) in zip(ranges.items(), taken, strict=True):
            rows = samples[j].rows
            mean, spread = middle + half * centre, math.sqrt(max(squares, 0.0) / rows)
            within = half * reach + _ROUNDING * (abs(middle) + half)
            if spread * spread < NARROW and half * max(spread, _ROUNDING) > same[j] and within < half / 2:
                narrower[j] = mean, within
            else:
                constant = half * spread <= same[j]
                found[j] = _moments(rows, mean, half, 0.0 if constant else squares, 0.0 if constant else cubes)
        ranges = narrower
    return [found[j] for j in range(len(samples))]


async def _take(
    cohort: Cohort, samples: Sequence[Sample], ranges: Sequence[tuple[float, float]]
) -> list[tuple[float, float, float, float]]:
    """Return mean, squares and cubes of each sample in units of its range, and how far from the mean a value may be."""
    rows = np.array([one.rows for one in samples], dtype=np.float64)
    units = [(one.values - m) / h for one, (m, h) in zip(samples, ranges, strict=True)]
    bound = float(rows.max()) * SLACK
    totals = await cohort.sum({"means": real([unit.sum() for unit in units], bound)})
    centre = await cohort.agree(totals["means"] / rows)
    # A spread far under the range squares to almost nothing: use the whole ring (a power of two is exact).
    finer = 2.0 ** (WIDEST - math.frexp(8.0 * bound * cohort.size)[1])
    powers = [finer * float(((unit - c) ** power).sum())
              for power in (2, 3) for unit, c in zip(units, centre, strict=True)]
    opened = (await cohort.sum({"powers": real(powers, finer * 8.0 * bound)}))["powers"] / finer
    lost = cohort.size * 2.0**-56 / finer
    reach = SLACK * np.sqrt(np.maximum(opened[: len(samples)], 0.0) + lost)
    return list(zip(centre.tolist(), opened[: len(samples)].tolist(), opened[len(samples) :].tolist(), reach.tolist(),
                    strict=True))


def _moments(rows: int, mean: float, half: float, squares: float, cubes: float) -> Moments:
    variance = squares / (rows - 1) * half * half if rows > 1 else None
    skewness: float | None = None
    if rows > 2:
        second, third = squares / rows, cubes / rows
        # Joanes and Gill (1998), The Statistician 47(1): G1.
        skewness = (math.sqrt(rows * (rows - 1.0)) / (rows - 2.0) * third / (second * math.sqrt(second))
                    if second > 0.0 else 0.0)
    return Moments(rows, mean, variance, skewness)
