"""What LightGBM is told of the data: rows invented from the public bins, and none of the node's own.

LightGBM splits the search among machines by counting bins. It is told of two machines, itself being the second, and of
a first column with more bins than all features together: the first machine gets that column and nothing else, so this
instance searches every feature itself. The column takes one value only, is never split on, and is struck from the
model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.trees.bins import Bins


@dataclass(frozen=True, slots=True)
class Reference:
    """Invented rows that give LightGBM the agreed bins.

    Attributes:
        rows: one column of padding, then one for each useful feature, holding numbers of bins.
        most: bins allowed by column, as ``max_bin_by_feature`` takes them.
        categorical: columns that are categories.
        expected: bins that each column must come to have.
        padding: entries of the first column in LightGBM's histograms, which leave out bin 0 of every column.
        length: entries of all other columns in them.
    """

    rows: NDArray[np.float64]
    most: list[int]
    categorical: list[int]
    expected: list[int]
    padding: int
    length: int


def invent(bins: Sequence[Bins]) -> Reference:
    """Return the rows for these features, all of them useful."""
    width = sum(one.number for one in bins) + 2
    longest = max([width, *(_needed(one) for one in bins)])
    rows = np.zeros((longest, len(bins) + 1))
    place = np.arange(longest)
    # Bin 0 must be the most frequent, so that it is left out: LightGBM leaves out another that holds 0.7 of the rows.
    rows[:, 0] = np.where(place < width, place, 0)
    for column, one in enumerate(bins, start=1):
        rows[:, column] = _category(one, longest) if one.categorical else _number(one, place)
    return Reference(
        rows, [width, *(max(one.number + 1, 2) for one in bins)],
        [column for column, one in enumerate(bins, start=1) if one.categorical], [width, *(one.number for one in bins)],
        width - 1, sum(one.number - 1 for one in bins))


def _number(one: Bins, place: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each bin's number in turn; LightGBM puts a border between neighbours, and NaN into a bin of its own."""
    values = (place % one.number).astype(np.float64)
    if one.missing:
        values[values == one.number - 1] = np.nan
    return values


def _needed(one: Bins) -> int:
    # Most rows of a category are missing, so that bin 0 is the most frequent and is left out like that of a number.
    return 2 * len(one.levels) * (len(one.levels) + 3) + 1 if one.categorical else one.number


def _category(one: Bins, longest: int) -> NDArray[np.float64]:
    """Return levels from the most frequent to the least, for LightGBM numbers a category's bins in that order."""
    times = np.arange(len(one.levels) + 1, 1, -1)
    values = np.full(longest, np.nan)
    values[: int(times.sum())] = np.repeat(np.asarray(one.levels, np.float64) + one.feature.zero, times)
    return values
