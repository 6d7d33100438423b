"""The population stability index of two lists of counts: pure functions of opened whole numbers.

PSI = Σ (a − r) ln(a / r) over cells, a the shares of the rows at hand and r those of the reference. It is the symmetric
divergence J of Kullback and Leibler (1951), Ann. Math. Stat. 22:79-86; as a measure of a scorecard's population:
Siddiqi (2006), Credit Risk Scorecards, chapter 9, whose rule of thumb calls 0.1 to 0.25 a change, and more a large one.

A cell of fewer rows than the minimum count is made one with its neighbour in both lists, so that an index never tells
of few rows; by that it can only become smaller.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Cells = list[tuple[float, float]]


def joined(now: Sequence[int], then: Sequence[float], minimum: int, *, counted: bool) -> Cells:
    """Return pairs of cells in which none of the rows at hand, nor of a counted reference, are few.

    Args:
        now: rows by cell.
        then: of the reference: rows if ``counted``, else shares.
        minimum: the minimum count.
        counted: whether the reference's rows are protected too.
    """
    cells: Cells = list(zip(map(float, now), map(float, then), strict=True))

    def few(pair: tuple[float, float]) -> bool:
        return any(0 < number < minimum for number in (pair if counted else pair[:1]))

    while len(cells) > 1:
        place = next((k for k, pair in enumerate(cells) if few(pair)), None)
        if place is None:
            break
        first = min(place, len(cells) - 2)
        (a, b), (c, d) = cells[first : first + 2]
        cells[first : first + 2] = [(a + c, b + d)]
    return cells


def stability(cells: Cells, adjustment: float, *, counted: bool) -> float:
    """Return the index.

    Args:
        cells: rows at hand and of the reference, or its shares.
        adjustment: rows added to each cell; to a reference of shares as to as many rows as are at hand.
        counted: whether the reference is of rows.
    """
    rows = math.fsum(a for a, _ in cells)
    scale = 1.0 if counted else rows
    then = math.fsum(b * scale for _, b in cells)
    added = adjustment * len(cells)
    parts = list[float]()
    for a, b in cells:
        at_hand, reference = (a + adjustment) / (rows + added), (b * scale + adjustment) / (then + added)
        parts.append((at_hand - reference) * math.log(at_hand / reference))
    return math.fsum(parts)
