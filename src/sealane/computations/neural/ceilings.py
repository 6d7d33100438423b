"""The bound of an update's entries: a power of two that no institution's crosses, found without showing whose is what.

Each institution counts, at each power of two, whether its largest entry lies above. The sum over the cohort is opened:
how many lie above each power, not which. The lowest power with none above bounds this round's sum. Where a study
clips updates to a norm, that norm is the bound and nothing is counted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Term, count
from sealane.computations.neural.vector import Vector

POWERS = range(-30, 21)
HIGHEST = 2.0**POWERS[-1]
"""A larger entry counts as an exploded update."""


def above(update: Vector) -> Term:
    """Return for each power whether this node's largest entry lies above."""
    largest = float(np.abs(update).max(initial=0.0))
    return count([int(largest > 2.0**power) for power in POWERS], 1)


def ceiling(opened: NDArray[np.int64]) -> float:
    """Return the lowest power of two that bounds every institution's entries."""
    return 2.0 ** POWERS[int(np.argmax(opened == 0))]


def exploded(update: Vector) -> bool:
    """Return whether an entry lies above every power, or is no number."""
    return not bool((np.abs(update) <= HIGHEST).all())
