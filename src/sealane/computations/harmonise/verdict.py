"""What an institution concludes about its own column, alone, once the cohort's middle is known. Private until agreed.

An institution's median is known to lie between two of its own values (order statistics: 4 standard deviations of a
binomial to either side of the half). A unit explains the column if this interval, converted, comes within a tolerance
of the cohort's middle. The tolerance leaves room for other patients: a third, or half the own interquartile range
where values scatter more. Source: David and Nagaraja, Order Statistics, 3rd ed., section 7.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.harmonise.factors import Conversion
from sealane.computations.harmonise.grid import Grid

AGREES = "agrees"
CANNOT_TELL = "cannot tell"
ALL_MISSING = "all missing"
SHIFTED = "shifted"
MOSTLY_ZERO = "mostly zero"
OTHER_CODES = "other codes"
PLAIN = (AGREES, CANNOT_TELL, ALL_MISSING, SHIFTED, MOSTLY_ZERO, OTHER_CODES)
"""Every verdict but those of the table of factors, which follow them in order."""
LOOKS_LIKE = "looks like "
TOLERANCE = 0.3
"""Of natural logarithms: medians that differ by up to a third are a matter of patients, not of units."""
SIGMAS = 4.0


@dataclass(frozen=True, slots=True)
class Centre:
    """Where an institution's own values lie: its median, what bounds it, and its quartiles. Private."""

    low: float
    median: float
    high: float
    quartiles: tuple[float, float]


def centre_of(known: NDArray[np.float64]) -> Centre:
    """Return the centre of one value or more."""
    values, size = np.sort(known), len(known)
    reach = SIGMAS * math.sqrt(size) / 2.0
    low, high = max(math.floor(size / 2 - reach), 0), min(math.ceil(size / 2 + reach), size - 1)
    return Centre(float(values[low]), float(values[(size - 1) // 2]), float(values[high]),
                  (float(values[(size - 1) // 4]), float(values[(3 * (size - 1)) // 4])))


def verdict_on(own: Centre, grid: Grid, middle: int, candidates: tuple[Conversion, ...]) -> int:
    """Return the verdict on a numeric column: a place in ``PLAIN``, or beyond it a candidate's.

    Args:
        own: where the institution's values lie.
        grid: of the column.
        middle: the cell in which the median of the institutions' medians lies.
        candidates: units that may explain a difference.
    """
    if grid.logarithmic and (own.median <= 0.0 or middle == 0):
        if own.median < grid.edges[0] and middle == 0:
            return PLAIN.index(AGREES)
        return PLAIN.index(SHIFTED if own.median > 0.0 else MOSTLY_ZERO)
    target = grid.middle(middle)
    tolerance = _tolerance(own, grid)
    same, far = _reaches(own, 1.0, 0.0, target, tolerance, grid)
    tried = [_reaches(own, one.factor, one.offset, target, tolerance, grid) for one in candidates]
    best = min(range(len(tried)), key=lambda place: tried[place][1], default=None)
    if same:
        better = best is not None and tried[best][1] < far
        return PLAIN.index(CANNOT_TELL if better else AGREES)
    if best is not None and tried[best][0]:
        return len(PLAIN) + best
    return PLAIN.index(SHIFTED)


def words(verdict: int, candidates: tuple[Conversion, ...]) -> str:
    """Return a verdict in words."""
    return PLAIN[verdict] if verdict < len(PLAIN) else LOOKS_LIKE + candidates[verdict - len(PLAIN)].name


def _tolerance(own: Centre, grid: Grid) -> float:
    first, third = own.quartiles
    if not grid.logarithmic:
        return max((third - first) / 2.0, grid.edges[1] - grid.edges[0])
    if first > 0.0:
        return max(TOLERANCE, math.log(third / first) / 2.0)
    return max(TOLERANCE, math.log(third / own.median))  # over a quarter is zero: the upper half tells the scatter


def _reaches(
    own: Centre, factor: float, offset: float, target: float, tolerance: float, grid: Grid
) -> tuple[bool, float]:
    """Return whether a conversion brings the own median near enough to the target, and how far it stays off.

    One that hardly moves the median (a factor, of values about zero) explains nothing.
    """
    low, median, high = (value * factor + offset for value in (own.low, own.median, own.high))
    still = factor == 1.0 and offset == 0.0
    if not grid.logarithmic:
        if not still and abs(median - own.median) <= tolerance:
            return False, math.inf
        return low - tolerance <= target <= high + tolerance, abs(median - target)
    if median <= 0.0 or (not still and abs(math.log(median / own.median)) <= TOLERANCE):
        return False, math.inf
    aim = math.log(target)
    under = low <= 0.0 or math.log(low) - tolerance <= aim
    return under and aim <= math.log(high) + tolerance, abs(math.log(median) - aim)
