"""A public grid over a range, finer where rows crowd, and the ranks of what lies in its cells.

Rows are counted in equal cells of the contract's range; a cell that holds too many is divided, and its parts are
counted. So cells follow the values of the cohort, and no value is ever sent. A cell that stays full may hold one value
many times: the decimal with the fewest digits gets a cell of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.columns import limits
from sealane.computations.statistics.counted import check_parts
from sealane.computations.statistics.quantile_search import shortest
from sealane.governance.contract import Field

FINER, DENSE = 16, 64
"""Into how many equal cells a full one is divided; and for the rows of how many that stay whole, to tell rows apart."""
MOST_COUNTS = 4_000_000
"""Counts that one sum of ranks' grids may have, for the first cells and for new ones."""
CROWD = 4.0
"""A cell whose rows share a rank may hold so many times the mean of the first cells."""
TURNS = 12
"""At most so many sums: the finest cell is then a 16^11th of the first."""

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(slots=True)
class Grid:
    """Cells of a range while rows are counted in them: a value up to ``tops[k]`` and above the one before is in cell k.

    Attributes:
        low: lowest value there may be.
        high: highest.
        whole: whether all values are integers, which are never told apart finer than one from the next.
        tops: ascending; the last is infinite.
        counts: rows of the cohort by cell.
        fresh: places of the cells that have not been counted.
        known: tops of the cells as they were counted last, and the rows up to each; at first of all rows, or of none.
    """

    low: float
    high: float
    whole: bool
    tops: Array
    counts: Counts = field(init=False)
    fresh: Counts = field(init=False)
    known: tuple[Array, Counts] = field(init=False)

    def __post_init__(self) -> None:
        self.counts, self.fresh = np.zeros(len(self.tops), np.int64), np.arange(len(self.tops))
        self.known = np.zeros(0), np.zeros(0, np.int64)

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self.tops)

    @property
    def width(self) -> float:
        """Return how far apart values may be that share one of equal cells; 0 where every integer has its own."""
        return 0.0 if self.whole and self.cells > self.high - self.low else (self.high - self.low) / self.cells

    def anew(self) -> Grid:
        """Return one of the same cells that has counted nothing."""
        return Grid(self.low, self.high, self.whole, self.tops)

    def counted(self, ordered: Array) -> Counts:
        """Return how many of ascending values are in each cell; missing ones are behind all others, and in none."""
        return np.asarray(np.diff(np.searchsorted(ordered, self.tops, side="right"), prepend=0), np.int64)

    def count(self, opened: Counts) -> None:
        """Take the rows of the cells that have not been counted.

        Raises:
            ProtocolError: ``statistics.counts-contradict``: parts of a cell hold other rows than it did.
        """
        self.counts[self.fresh] = opened
        check_parts(self.known[1], np.cumsum(self.counts)[np.searchsorted(self.tops, self.known[0])])
        self.known = self.tops, np.cumsum(self.counts)

    def places(self, values: Array) -> Counts:
        """Return the cell of each value, shape ``(n,)``."""
        return np.asarray(np.searchsorted(self.tops, values, side="left"), np.int64)

    def divide(self, target: float, *, single: bool, dense: bool = False) -> None:
        """Divide the cells of more than ``target`` rows; what is counted already stays.

        Args:
            target: most rows of a cell that stays whole.
            single: whether one may hold a single value, which gets a cell of its own.
            dense: into so many cells that few rows are likely to share one; else into 16.
        """
        full = np.flatnonzero(self.counts > target)
        first = float(np.nextafter(self.low, -np.inf)) if single else self.low  # which may be the single value
        lows = np.append(first, self.tops)[full]
        highs = np.minimum(self.tops[full], self.high)
        parts = np.ceil(DENSE * self.counts[full] / target).astype(np.int64) if dense else np.full(len(full), FINER)
        each = np.repeat(np.arange(len(full)), parts - 1)
        part = np.arange(len(each)) - (np.cumsum(parts - 1) - parts)[each]
        cuts = lows[each] + (highs - lows)[each] * (part / parts[each])
        if self.whole:
            cuts = np.floor(cuts) + 0.5
        elif single:
            short = np.array([shortest(low, high) for low, high in zip(lows.tolist(), highs.tolist(), strict=True)])
            each = np.concatenate([each, np.tile(np.arange(len(full)), 2)])
            cuts = np.concatenate([cuts, short, np.nextafter(short, -np.inf)])
        new = np.unique(cuts[(lows[each] < cuts) & (cuts < highs[each])])
        places = np.searchsorted(self.tops, new)
        counts, fresh = self.counts.copy(), np.zeros(self.cells, np.bool_)
        counts[places], fresh[places] = 0, True
        self.tops, self.counts = np.insert(self.tops, places, new), np.insert(counts, places, 0)
        self.fresh = np.flatnonzero(np.insert(fresh, places, np.ones(len(new), np.bool_)))


def equal_cells(low: float, high: float, cells: int, *, whole: bool) -> Grid:
    """Return a grid of at most ``cells`` equal cells; integers that fit it have one each."""
    if whole:
        first, last = math.ceil(low), math.floor(high)
        steps = max(1, -(-(last - first + 1) // cells))
        tops = np.unique(first + np.arange(0, last - first, steps, dtype=np.float64) + (steps - 1) + 0.5)
        tops = tops[tops < last]
    else:
        tops = low + (high - low) * (np.arange(1, cells) / cells)
        tops = np.unique(tops[(tops > low) & (tops < high)])
    return Grid(low, high, whole, np.append(tops, np.inf))


async def follow(
    cohort: Cohort, grids: Sequence[Grid], ordered: Sequence[Array], targets: Sequence[float], rows: Sequence[int], *,
    equal: int = 1, dense: bool = False,
) -> None:
    """Count every grid's rows, and divide its cells until none holds more rows than its target: at most 12 sums.

    Args:
        cohort: of the run.
        grids: which are changed.
        ordered: own values for each, ascending, missing ones last.
        targets: of each.
        rows: of the cohort, for each: those with a value.
        equal: number of sums before single values are looked for; from then on no target is under the minimum count.
        dense: whether a full cell is divided into so many that few rows are likely to share one.

    Raises:
        ProtocolError: ``statistics.counts-contradict``: counts that these rows cannot have.
    """
    most = max(rows, default=1)
    for grid, number in zip(grids, rows, strict=True):
        grid.known = np.array([np.inf]), np.array([number], np.int64)
    for turn in range(TURNS):
        if turn:
            single = turn >= equal
            for grid, target in zip(grids, targets, strict=True):
                grid.divide(max(target, cohort.minimum_count * single), single=single, dense=dense)
        asking = [(grid, values) for grid, values in zip(grids, ordered, strict=True) if len(grid.fresh)]
        if not asking:
            break
        own = [grid.counted(values)[grid.fresh] for grid, values in asking]
        opened = (await cohort.sum({"cells": count(np.concatenate(own), max(most, 1))}))["cells"]
        for (grid, _), counts in zip(asking, np.split(opened, np.cumsum([len(one) for one in own])[:-1]), strict=True):
            grid.count(counts)


def rank_grid(of: Field, cells: int) -> Grid:
    """Return the first grid on which ranks of a field are taken.

    Raises:
        InputError: the contract gives no range.
    """
    low, high = limits(of)
    return equal_cells(low, high, cells, whole=of.type != "number")


async def follow_ranks(
    cohort: Cohort, grids: Sequence[Grid], values: Sequence[Array], rows: Sequence[int]
) -> None:
    """Count every grid's rows, and divide its cells until few rows whose values may differ share a rank.

    Those are the minimum count, or four times the mean of the first cells where that is more; where grids are many,
    what keeps one sum to 4,000,000 new counts.

    Args:
        cohort: of the run.
        grids: which are changed.
        values: own, for each.
        rows: of the cohort, for each.
    """
    share = max(DENSE * len(grids) / MOST_COUNTS, *(CROWD / grid.cells for grid in grids))
    targets = [max(share * number, cohort.minimum_count) for number in rows]
    await follow(cohort, grids, [np.sort(one) for one in values], targets, rows, dense=True)


def mid_ranks(counts: Counts) -> Counts:
    """Return twice the mean rank of the rows in each cell, ranks counted from 1: whole numbers, ties exact."""
    upto = np.cumsum(counts)
    return 2 * (upto - counts) + counts + 1
