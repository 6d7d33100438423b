"""Real numbers as 64-bit integers on a public grid, so that a sum over the cohort is exact.

A histogram's entry is the sum of at most N rows' gradients, and both N and the bound of a gradient are public. So the
grid is the finest power of two on which no total can leave 64 bits: with 200,000 rows and gradients up to 1 a step is
2^-40. Halves the bytes of ``real``, which would take 96 bits, and the rounding stays far under that of the single
precision in which LightGBM holds gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Term, count

PARTS = 3
"""Integers to a finely summed number: some 170 bits, enough for whatever single precision holds, beside its largest."""


def reach(cohort: int) -> float:
    """Return the largest integer that one node's entry may be, so that the cohort's sum fits 64 bits."""
    return 2.0 ** (61 - cohort.bit_length())


def above(value: float) -> float:
    """Return the least power of two that is not under ``value``."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(1.0, exponent - 1 if mantissa == 0.5 else exponent)


@dataclass(frozen=True, slots=True)
class Grid:
    """A public grid.

    Attributes:
        scale: steps to a unit, a power of two.
        bound: the largest number of steps of one node's entry.
    """

    scale: float
    bound: float

    def steps(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the nearest integers of steps."""
        return np.rint(values * self.scale).astype(np.int64)

    def term(self, values: NDArray[np.float64]) -> Term:
        """Return what is summed."""
        return count(self.steps(values), self.bound, signed=True)

    def fine_term(self, values: NDArray[np.float64]) -> Term:
        """Return what is summed where a step may be too coarse: ``PARTS`` integers for each number, in the first axis.

        Each holds what the one before leaves over, in steps so much finer as an entry has room for.
        """
        parts, rest = [], values * self.scale
        for _ in range(PARTS):
            parts.append(np.rint(rest))
            rest = (rest - parts[-1]) * self.bound  # exact: the bound is a power of two
        return count(np.array(parts).astype(np.int64), self.bound, signed=True)

    def fine_values(self, total: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the numbers that the opened integers of :meth:`fine_term` stand for."""
        found = np.zeros(total.shape[1:])
        for part in total[::-1]:
            found = part + found / self.bound
        return np.asarray(found / self.scale, np.float64)

    def values(self, total: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the numbers that opened integers stand for."""
        return np.asarray(total / self.scale, np.float64)


def grid(rows: int, largest: float, cohort: int) -> Grid:
    """Return the grid for sums over at most ``rows`` rows of numbers up to ``largest``."""
    bound = reach(cohort)
    return Grid(bound / (above(float(max(rows, 1))) * above(largest)) / 2.0, bound)
