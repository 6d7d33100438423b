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

    @property
    def bound(self) -> float:
        """What no entry of one node reaches."""
        return 2.0 ** (self.bits * self.together)

    def entries(self, bins: int) -> int:
        """Return how many entries so many bins take."""
        return -(-bins // self.together)


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
    left_runs, right_runs = _sides(start, number, missing, split)
    rows = census.rows.item  # numbers of Python: many times faster than those of NumPy, one by one
    left = sum([rows(high) - rows(low) for low, high in left_runs])
    right = sum([rows(high) - rows(low) for low, high in right_runs])
    if min(left, right) < rule.rows:
        return Verdict(left, right, permitted=False)
    if census.masses is not None:
        for side in (left_runs, right_runs):
            total, squares = (grid.values(np.sum([part[low:high].sum() for low, high in side]))
                              for grid, part in zip(grids, census.masses, strict=True))
            if effective_rows(float(total), float(squares)) < rule.effective:
                return Verdict(left, right, permitted=False)
    # The institutions of a side are at least those of any part of it, and at most all parts' together.
    first, last = census.first.item, census.last.item
    on_left = [first(high) - first(low) for low, high in left_runs]
    on_right = [last(high) - last(low) for low, high in right_runs]
    lowest, highest = min(max(on_left), max(on_right)), min(sum(on_left), sum(on_right))
    if lowest < rule.institutions <= highest:
        return None
    return Verdict(left, right, permitted=lowest >= rule.institutions)


def _sides(start: int, number: int, missing: int | None,
           split: Split) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return runs of bins that go left and right: of a number all up to the border, and those above."""
    if split.levels:
        apart = [(start + place, start + place + 1) for place in range(number)]
        return ([one for place, one in enumerate(apart) if place in split.levels],
                [one for place, one in enumerate(apart) if place not in split.levels])
    end = start + number
    known = end if missing is None else start + missing
    border = min(start + split.threshold + 1, known)
    left, right = [(start, border)], [(border, known)]
    if missing is not None:
        (left if split.default_left else right).append((known, end))
    return left, right
