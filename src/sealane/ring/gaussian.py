"""The discrete Gaussian over the integers as a table of thresholds, read in full for every draw.

One 64-bit word of the stream gives one value: its lowest bit is the sign, the other 63 are compared with every
threshold, and the magnitude is the number of thresholds that do not exceed them. No branch and no address depends
on a value, so neither time nor cache tells it.

Source: Micciancio and Walter, "Gaussian Sampling over the Integers" (2017), section 2 (inversion); the full scan is
that of Bos, Costello, Naehrig and Stebila, "Post-quantum key exchange for the TLS protocol" (2015), section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SIGMA_SECRET = Decimal("6.36396")
SIGMA_ERROR = Decimal(9)
_TAIL_SIGMAS = Decimal("9.5")  # what is cut off weighs less than 2^-64
_DIGITS = 60
_SCALE = 2**63


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A discrete Gaussian: its deviation, the largest magnitude it takes, and its thresholds, uint64 ``(tail,)``."""

    sigma: Decimal
    tail: int
    thresholds: NDArray[np.uint64]


@lru_cache(maxsize=8)
def gaussian(sigma: Decimal) -> Gaussian:
    """Return the table of a deviation.

    Threshold x is floor(2^63 P(-x <= X <= x)) for X with P(X = x) proportional to exp(-x^2 / 2 sigma^2) over
    [-tail, tail]; every rounding is below 10^-57, so each threshold is exact but where 2^63 P comes that near to an
    integer.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        tail = int((_TAIL_SIGMAS * sigma).to_integral_value(ROUND_CEILING))
        weights = [(-Decimal(x * x) / (2 * sigma * sigma)).exp() * (2 if x else 1) for x in range(tail + 1)]
        total = sum(weights)
        below = Decimal(0)
        thresholds = []
        for weight in weights[:tail]:
            below += weight
            thresholds.append(int(below / total * _SCALE))
    table = np.array(thresholds, dtype=np.uint64)
    table.setflags(write=False)
    return Gaussian(sigma, tail, table)
