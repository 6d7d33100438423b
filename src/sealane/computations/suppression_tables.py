"""Which cells and margins of a table of two columns stay hidden, so that no small cell can be had by subtraction.

A reader knows the shown cells, the shown margins and the total, and may know the margins from elsewhere as
``suppression.py`` shows them. So:

1. Margins are hidden as lists of cells, by the rule for those. All cells in the row or column of a hidden margin are
   hidden, and for what follows the rows with a hidden margin count as one row, and so do the columns. Then every margin
   is known, and zero or the minimum count or more.
2. For each cell (i, j) under the minimum count choose other columns Q of row i and other rows P of column j, larger
   cells first and in public order, until each line's chosen cells hold twice the minimum count together with (i, j), or
   all its rows. All cells where i or P meets j or Q are hidden. If that is more than half of the cells that are not
   empty, all are hidden: which few are left would say too much of those that are not.

Then (i, j) can be as large as the minimum count for all that sums tell: what is moved to it from Q within its row, and
from P within its column, is moved back where P meets Q. A cell hidden with its row or column has the reason of that
margin; all others are named ``minimum-count``, large ones too, since naming the small one gave it away in
some of the tables that were tried.

Every table of 2 x 2 cells with minimum counts of 3 and 4, and of 2 x 3 and 3 x 3 cells with 3, was tried up to the
totals named in its test: no hidden cell or margin under the minimum count follows, the rule being known. For larger
tables it is the bounds from sums that are tested, not what the rule itself might tell.

Source: Willenborg and de Waal (2001), Elements of Statistical Disclosure Control, chapters 6 and 7, for secondary
suppression by cycles and the intervals that an intruder can derive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.disclosure import Rule
from sealane.computations.suppression import SMALL, line

Counts = NDArray[np.int64]
Marks = NDArray[np.bool_]
Rules = tuple[Rule | None, ...]


@dataclass(frozen=True, slots=True)
class Hidden:
    """What of a table stays hidden, and by which rule; None where it is shown.

    Attributes:
        cells: by row, then column.
        rows: the rows' margins.
        columns: the columns' margins.
    """

    cells: tuple[Rules, ...]
    rows: Rules
    columns: Rules

    @property
    def number(self) -> int:
        """How many cells are hidden, margins not counted."""
        return sum(rule is not None for row in self.cells for rule in row)


def table_reasons(counts: Counts, minimum_count: int) -> Hidden:
    """Return what to hide of a table.

    Args:
        counts: rows behind each cell, shape ``(rows, columns)``.
        minimum_count: fewest rows that may stand behind a shown cell or margin.
    """
    rows, columns = line(counts.sum(axis=1).tolist(), minimum_count), line(counts.sum(axis=0).tolist(), minimum_count)
    row_groups, column_groups = _groups(rows), _groups(columns)
    merged = np.array([[int(counts[np.ix_(group, other)].sum()) for other in column_groups] for group in row_groups],
                      dtype=np.int64).reshape(len(row_groups), len(column_groups))
    marks = _marks(merged, minimum_count)
    cells: list[list[Rule | None]] = [[None] * counts.shape[1] for _ in range(counts.shape[0])]
    for a, group in enumerate(row_groups):
        for b, other in enumerate(column_groups):
            for i in group:
                for j in other:
                    cells[i][j] = rows[i] or columns[j] or (SMALL if marks[a, b] else None)
    return Hidden(tuple(map(tuple, cells)), tuple(rows), tuple(columns))


def _groups(margins: Sequence[Rule | None]) -> list[list[int]]:
    """Return the places that count as one line: each shown margin by itself, all hidden ones together and last."""
    hidden = [place for place, rule in enumerate(margins) if rule is not None]
    return [*([place] for place, rule in enumerate(margins) if rule is None), *([hidden] if hidden else [])]


def _marks(counts: Counts, minimum: int) -> Marks:
    """Return the cells to hide where all margins are known."""
    marks = np.zeros(counts.shape, dtype=np.bool_)
    for i, j in np.argwhere((counts > 0) & (counts < minimum)).tolist():
        rows, columns = _partners(counts[:, j], i, minimum), _partners(counts[i], j, minimum)
        marks[np.ix_([i, *rows], [j, *columns])] = True
    if 2 * int((marks & (counts > 0)).sum()) > int((counts > 0).sum()):
        marks[:] = True
    return marks


def _partners(numbers: Counts, place: int, minimum: int) -> list[int]:
    """Return the other places of a line that are hidden with a small one: larger first, each in public order."""
    held, chosen = int(numbers[place]), list[int]()
    others = np.flatnonzero((numbers > 0) & (numbers < minimum))
    for k in [*np.flatnonzero(numbers >= minimum).tolist(), *others[others != place].tolist()]:
        if chosen and held >= 2 * minimum:
            break
        chosen.append(k)
        held += int(numbers[k])
    return chosen
