"""The cohort's middle, opened without anybody's own: of numbers the median of medians, of codes the usual levels.

Each institution has one vote, however many rows it has: a large one in the wrong unit does not outvote the others.
The cell in which the median of the institutions' medians lies is found by halving: each sum tells only how many of
them lie at or under a public cell. No sum says where the odd one out is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sealane.computations.base import Cohort, count
from sealane.computations.harmonise.columns import Own


async def middle_cells(
    cohort: Cohort, own: Sequence[int | None], able: Sequence[int], cells: Sequence[int]
) -> list[int]:
    """Return, by column, the least cell at or under which half of the institutions' medians lie; a tie goes low.

    Args:
        cohort: of the run.
        own: the cell of the own median, None where this institution does not vote.
        able: how many institutions vote.
        cells: how many cells the column has.
    """
    low, high = [0] * len(own), [number - 1 for number in cells]
    while any(a < b for a, b in zip(low, high, strict=True)):
        middle = [(a + b) // 2 for a, b in zip(low, high, strict=True)]
        votes = [int(place is not None and place <= at) for place, at in zip(own, middle, strict=True)]
        under = (await cohort.sum({"under": count(votes, 1)}))["under"].tolist()
        for j, number in enumerate(under):
            if low[j] == high[j]:
                continue
            low[j], high[j] = (low[j], middle[j]) if 2 * number >= able[j] else (middle[j] + 1, high[j])
    return low


def used_levels(own: Own, levels: int, minimum_count: int) -> list[int]:
    """Return 1 for each level that an institution uses in as many rows as the minimum count, else 0."""
    return [int(number >= minimum_count) for number in own.histogram(levels)]


async def usual_levels(
    cohort: Cohort, used: Sequence[Sequence[int]], users: Sequence[Sequence[int]]
) -> list[list[bool]]:
    """Return, by column, which levels more than half of those institutions use that use the most widespread level.

    Args:
        cohort: of the run.
        used: by column, 1 for each level that this institution uses.
        users: by column, how many institutions use each level.
    """
    widest = [int(np.argmax(numbers)) for numbers in users]
    votes = [level * mine[top] for mine, top in zip(used, widest, strict=True) for level in mine]
    shared = iter((await cohort.sum({"shared": count(votes, 1)}))["shared"].tolist())
    out = []
    for numbers, top in zip(users, widest, strict=True):
        mine = [next(shared) for _ in numbers]
        out.append([2 * number > numbers[top] > 0 for number in mine])
    return out
