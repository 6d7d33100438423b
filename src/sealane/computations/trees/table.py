"""A node's own rows as numbers of bins, and which of them a split sends left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.trees.calls import Split

Rows = NDArray[np.int32]
_EVERY = np.arange(256, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Table:
    """Own rows: private.

    Attributes:
        codes: numbers of bins, shape ``(n_rows, features)``.
        missing: of each feature the bin of missing values; None for a category, and where none is missing.
    """

    codes: NDArray[np.uint8]
    missing: tuple[int | None, ...]

    def parts(self, rows: Rows, split: Split) -> tuple[Rows, Rows]:
        """Return those of some rows that go left and right."""
        from sealane.computations.trees.kernels import divide  # numba takes a while to load

        place = split.feature - 1
        left, right = np.empty_like(rows), np.empty_like(rows)
        number = divide(self.codes, rows, place, goes_left(_EVERY, split, self.missing[place]), left, right)
        return left[:number], right[: len(rows) - number]


def goes_left(column: NDArray[np.uint8], split: Split, missing: int | None) -> NDArray[np.bool_]:
    """Return which bins of the split's feature go left; ``missing`` as in :class:`Table`."""
    if split.levels:
        return np.isin(column, split.levels)
    left = np.asarray(column <= split.threshold, np.bool_)
    return left if missing is None else np.where(column == missing, split.default_left, left)
