"""A public grid over a range, and the ranks of what lies in its cells: how rank statistics are made of sums."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.columns import limits
from sealane.governance import contract as governed


@dataclass(frozen=True, slots=True)
class Grid:
    """Equal cells over the contract's range; the last one holds the largest value too.

    Attributes:
        low: where the first cell begins.
        width: of a cell; values nearer than that may share a rank. 0 where every integer has a cell of its own.
        cells: how many.
        high: where the last cell ends.
    """

    low: float
    width: float
    cells: int
    high: float

    def places(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the cell of each value, shape ``(n,)``."""
        if self.width == 0.0:
            return np.rint(values - self.low).astype(np.int64)
        part = (values - self.low) / max(self.high - self.low, 2.0**-500) * self.cells
        return np.clip(np.floor(part), 0, self.cells - 1).astype(np.int64)


def grid_of(field: governed.Field, cells: int) -> Grid:
    """Return the grid of at most ``cells`` cells for a field.

    Raises:
        InputError: the contract gives no range.
    """
    low, high = limits(field)
    if field.type in ("integer", "boolean"):
        first, last = math.ceil(low), math.floor(high)
        if last - first < cells:
            return Grid(float(first), 0.0, max(last - first + 1, 1), float(last))
    return Grid(low, (high - low) / cells, cells, high)


def mid_ranks(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return twice the mean rank of the rows in each cell, ranks counted from 1: whole numbers, ties exact."""
    upto = np.cumsum(counts)
    return 2 * (upto - counts) + counts + 1
