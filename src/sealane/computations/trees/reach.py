"""How far outcomes lie from the cohort's mean, and how heavy rows are: bounds that follow the data, not the contract.

A contract may allow far more than any row holds. Sums on a grid for all that it allows would round away what rows
differ by, so the nodes first open in how many institutions any row is beyond each of a row of levels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Term, count

LEVELS, FACTOR = 64, 4.0
"""From a bound in single precision down to what single precision no longer tells apart from nothing."""


def beyond(values: NDArray[np.float64], largest: float) -> Term:
    """Return what is summed: whether any own value is above each level.

    Args:
        values: own ones, 0 or more, up to ``largest``.
        largest: public bound of all.
    """
    farthest = float(values.max(initial=0.0))
    return count([int(farthest > level) for level in _levels(largest)], 1)


def bound_of(opened: NDArray[np.int64], largest: float) -> float:
    """Return a bound of all values that is at most ``FACTOR`` times the largest of them.

    Args:
        opened: the sum of what :func:`beyond` gave.
        largest: the bound that was public before.
    """
    return min((level for level, number in zip(_levels(largest), opened.tolist(), strict=True) if number == 0),
               default=largest)


def _levels(largest: float) -> list[float]:
    return [largest / FACTOR**place for place in range(1, LEVELS + 1)]
