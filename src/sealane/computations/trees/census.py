"""What is opened of a node beside its histogram: exact rows by bin, and between which bins institutions have any.

From these the verdict on a split of the node is read off, without a round of its own. Of a number it is counted in how
many institutions a bin is the first, or the last, that holds a row of the node: all bins up to a border together then
hold rows of exactly so many institutions as have their first row there. Of a category, and of missing values, it is
counted how many institutions have a row in the bin at all, which bounds how many have one in several bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Term, count
from sealane.computations.disclosure import effective_rows
from sealane.computations.trees.calls import Split
from sealane.computations.trees.fixed_point import Grid
from sealane.computations.trees.permission import Rule, Verdict

Counts = NDArray[np.int64]
WIDEST = 62
"""Bits that the cohort's sum of an entry may take."""


@dataclass(frozen=True, slots=True)
class Census:
    """What is opened of one node; all but ``masses`` added up over the bins before: shape ``(bins + 1,)``, from 0.

    Attributes:
        rows: of the cohort.
        first: institutions whose first row is in a bin; of a category's bins and of missing values, those with any.
        last: institutions whose last row is in a bin; the same of a category's bins and of missing values.
        masses: Σw and Σw² by bin in steps of their grids, ``(2, bins)``, where rows are weighted.
    """

    rows: Counts
    first: Counts
    last: Counts
    masses: Counts | None = None


@dataclass(frozen=True, slots=True)
class Slots:
    """How a bin's numbers share an entry of 64 bits: the sum of each over the cohort fits the bits that it has.

    Attributes:
        rows: bits of the rows.
        mark: bits of a number of institutions.
        marks: how many such numbers a bin has.
        cohort: institutions.
    """

    rows: int
    mark: int
    marks: int
    cohort: int

    @property
    def bits(self) -> int:
        """Bits of a bin."""
        return self.rows + self.mark * self.marks

    @property
    def fit(self) -> bool:
        """Whether a bin fits an entry."""
        return self.bits <= WIDEST - self.cohort.bit_length()

    @property
    def together(self) -> int:
        """Bins to an entry."""
        return max(1, (WIDEST - self.cohort.bit_length()) // self.bits)

    def pack(self, rows: Counts, marks: Counts) -> Term:
        """Describe own rows, shape ``(nodes, bins)``, and marks, shape ``(nodes, marks, bins)``."""
        whole = rows
        for place in range(self.marks):
            whole = (whole << self.mark) + marks[:, place]
        padded = np.zeros((len(whole), -(-whole.shape[1] // self.together) * self.together), np.int64)
        padded[:, : whole.shape[1]] = whole
        apart = padded.reshape(len(whole), -1, self.together)
        return count((apart << (self.bits * np.arange(self.together))).sum(axis=2), 2.0 ** (self.bits * self.together))

    def unpack(self, opened: Counts, bins: int) -> tuple[Counts, Counts]:
        """Return what :meth:`pack` described, summed over the cohort."""
        apart = (opened[:, :, None] >> (self.bits * np.arange(self.together))) & ((1 << self.bits) - 1)
        whole = apart.reshape(len(opened), -1)[:, :bins]
        shifts = self.mark * np.arange(self.marks - 1, -1, -1)
        return whole >> (self.mark * self.marks), (whole[:, None, :] >> shifts[:, None]) & ((1 << self.mark) - 1)


def slots_for(totals: Sequence[int], marks: int, cohort: int) -> Slots:
    """Return the slots for nodes of so many rows of the cohort."""
    return Slots(max(totals).bit_length(), cohort.bit_length(), marks, cohort)


def read_verdict(rule: Rule, census: Census, start: int, number: int, missing: int | None, split: Split,
                 grids: Sequence[Grid] = ()) -> Verdict | None:
    """Return the verdict on a split, or None where the census does not tell.

    Args:
        rule: of the run.
        census: of the node that is split.
        start: where the bins of the split's feature begin.
        number: of these bins.
        missing: which of them holds missing values of a number, if one does.
        split: is judged.
        grids: of Σw and Σw².
    """
    sides = [[(start + low, start + high) for low, high in side] for side in _sides(number, missing, split)]
    left, right = (sum(int(census.rows[high] - census.rows[low]) for low, high in side) for side in sides)
    if min(left, right) < rule.rows:
        return Verdict(left, right, permitted=False)
    if census.masses is not None:
        for side in sides:
            total, squares = (grid.values(np.sum([part[low:high].sum() for low, high in side]))
                              for grid, part in zip(grids, census.masses, strict=True))
            if effective_rows(float(total), float(squares)) < rule.effective:
                return Verdict(left, right, permitted=False)
    # The institutions of a side are at least those of any part of it, and at most all parts' together.
    parts = [[int(ends[high] - ends[low]) for low, high in side if low < high]
             for ends, side in zip((census.first, census.last), sides, strict=True)]
    lowest, highest = min(max(part) for part in parts), min(sum(part) for part in parts)
    if lowest < rule.institutions <= highest:
        return None
    return Verdict(left, right, permitted=lowest >= rule.institutions)


def _sides(number: int, missing: int | None, split: Split) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return runs of a feature's bins that go left and right: of a number all up to the border, and those above."""
    if split.levels:
        apart = [(place, place + 1) for place in range(number)]
        return [one for one in apart if one[0] in split.levels], [one for one in apart if one[0] not in split.levels]
    border, known = split.threshold + 1, number if missing is None else missing
    left, right = [(0, min(border, known))], [(min(border, known), known)]
    if missing is not None:
        (left if split.default_left else right).append((missing, number))
    return left, right
