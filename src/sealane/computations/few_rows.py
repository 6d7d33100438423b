"""Whether a node's own sums at some coefficients would stem from few of its rows, though it has more.

A member that lies about its sums leads the others to coefficients of its choice, such as ones that leave weight to a
single row. Whose rows the opened sums rest on nobody can tell; a node can tell of its own. It then contributes
random sums (zeros would leave the other nodes' for all to see) and says that it did, as where its sums pass a public
bound, and the coefficients are stepped back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealane.computations.disclosure import effective_rows

SHARE = 4.0
"""Weights that leave a quarter of the rows are usual; where a node has few, no more is asked."""


def own_effective(weights: NDArray[np.float64]) -> float:
    """Return the effective rows behind weights that are not negative, of any scale; 0 where all are 0."""
    largest = float(weights.max(initial=0.0))
    scaled = weights / largest if largest > 0.0 else weights
    return effective_rows(float(scaled.sum()), float(scaled @ scaled))


def rests_on_few(weights: NDArray[np.float64], even: float, minimum: int) -> bool:
    """Return whether weights leave under the minimum count of effective rows, and under a quarter of all.

    Args:
        weights: of own rows at the coefficients, shape ``(n_rows,)``.
        even: effective own rows before coefficients tell them apart: their number, where rows are not weighted.
        minimum: the minimum count.
    """
    return own_effective(weights) < min(float(minimum), even / SHARE)
