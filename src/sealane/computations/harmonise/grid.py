"""A public grid over a numeric column: quarter octaves of positive ranges, equal steps of others.

It follows from the contract's range and the table of factors, never from rows, and reaches as far beyond the range as
a wrong unit would. Edges are made by multiplication and square roots alone, so they are the same bits everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.columns import limits
from sealane.computations.harmonise.factors import Conversion
from sealane.governance.contract import Field

_ROOT = math.sqrt(2.0)
QUARTERS = (1.0, math.sqrt(_ROOT), _ROOT, _ROOT * math.sqrt(_ROOT))
FINEST = 2.0**-20
"""Where a range begins at zero its grid begins at this share of the maximum."""
STEPS = 64
LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells 0 to ``len(edges)``: the first lies under the first edge, an edge belongs to the cell above.

    Attributes:
        edges: ascending, finite.
        logarithmic: whether distances are ratios; the first cell then holds zero and less.
    """

    edges: tuple[float, ...]
    logarithmic: bool

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.edges) + 1

    def places(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the cell of each value, same shape."""
        return np.searchsorted(np.array(self.edges), values, side="right").astype(np.int64)

    def middle(self, cell: int) -> float:
        """Return the middle of a cell: the geometric one on a logarithmic grid; of an outer cell its edge."""
        low, high = self.edges[max(cell - 1, 0)], self.edges[min(cell, len(self.edges) - 1)]
        return math.sqrt(low * high) if self.logarithmic else (low + high) / 2.0


def grid_of(field: Field, candidates: tuple[Conversion, ...]) -> Grid:
    """Return the grid of a numeric field.

    Raises:
        InputError: the contract leaves its range open.
    """
    low, high = limits(field)
    if low < 0.0 or high <= 0.0:
        width = (high - low) / STEPS or 1.0
        return Grid(tuple(low + width * step for step in range(-STEPS, 2 * STEPS + 1)), logarithmic=False)
    reach = max([2.0, *(max(one.factor, 1.0 / one.factor) for one in candidates)])
    first = math.frexp((low if low > 0.0 else high * FINEST) / reach)[1] - 1
    last = math.frexp(high * reach)[1]
    first = max(first, last - LONGEST // 4, -1000)
    last = min(last, 1000)
    octaves = [math.ldexp(quarter, octave) for octave in range(first, last) for quarter in QUARTERS]
    return Grid((*octaves, math.ldexp(1.0, last)), logarithmic=True)
