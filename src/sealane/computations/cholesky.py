"""Solving with a small positive definite matrix, to the same bits on every machine.

LAPACK picks its order of operations by processor, and an ill-conditioned model magnifies the difference past what
``agree`` lets through. Here each operation is elementwise (multiply, subtract, divide, square root), which IEEE 754
rounds in one way only. Source: Golub and Van Loan, Matrix Computations, 4th ed., algorithm 4.2.2 (outer product).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Factor:
    """The factor of a matrix brought to a unit diagonal.

    Attributes:
        lower: L with L L' = D^-1 A D^-1.
        spread: the diagonal of D.
        pivots: what is left of each unit column once those before it are taken out: 1 - R².
    """

    lower: Array
    spread: Array
    pivots: Array

    def solve(self, right: Array) -> Array:
        """Return x with A x = right, shape ``(n,)`` or ``(n, m)``."""
        x = (right.T / self.spread).T.copy()
        size = len(self.spread)
        for j in range(size):
            x[j] = x[j] / self.lower[j, j]
            x[j + 1 :] -= np.multiply.outer(self.lower[j + 1 :, j], x[j])
        for j in range(size - 1, -1, -1):
            x[j] = x[j] / self.lower[j, j]
            x[:j] -= np.multiply.outer(self.lower[j, :j], x[j])
        return np.asarray((x.T / self.spread).T, dtype=np.float64)

    def inverse(self) -> Array:
        """Return the inverse of A, symmetric to the bit."""
        inverse = self.solve(np.eye(len(self.spread)))
        return np.asarray((inverse + inverse.T) / 2.0, dtype=np.float64)


def factor(matrix: Array) -> Factor | None:
    """Factor a symmetric matrix, or return None if it is not positive definite."""
    diagonal = np.diag(matrix)
    if not bool((diagonal > 0.0).all() and np.isfinite(matrix).all()):
        return None
    spread = np.sqrt(diagonal)
    rest = matrix / np.multiply.outer(spread, spread)
    size = len(spread)
    lower, pivots = np.zeros((size, size)), np.zeros(size)
    for j in range(size):
        pivots[j] = rest[j, j]
        if not pivots[j] > 0.0:
            return None
        column = rest[j:, j] / np.sqrt(pivots[j])
        lower[j:, j] = column
        rest[j:, j:] -= np.multiply.outer(column, column)
    return Factor(lower, spread, pivots)
