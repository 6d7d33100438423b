"""Turns: grid times at which rows end without an event where others start, as a subject does whose covariates change.

Merged each by itself, such a leaving would move later and such an entry earlier, and between the two the subject would
be at risk twice. Counts alone are netted: who leaves and is back at once has not left. Where rows matter, turns that
are large enough stay where they are. What neither of them saves is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sealane.errors import RefusedError

Turns = Literal["none", "netted", "kept"]
"""What to do of turns: nothing, where each subject has one row; take them out of the counts; or keep their times."""

MOST_ADDED = 0.01
"""Largest share, of the rows that began late and over all events, that merging may have at risk too early."""

Integers = NDArray[np.int64]


def net(leaving: Integers, late: Integers, minimum_count: int) -> tuple[Integers, Integers]:
    """Return leavings and late entries by grid time less those that meet; as they are where under the minimum do.

    Rows less netted counts tell how many met: none, or the minimum count and more.
    """
    met = np.minimum(leaving, late)
    return (leaving, late) if met.sum() < minimum_count else (leaving - met, late - met)


def lasting(leaving: Integers, late: Integers, beginning: int, minimum_count: int) -> tuple[int, ...]:
    """Return the grid times at which enough rows leave, and enough enter, to need no merging with others.

    Those at either end are left out beyond which too few would leave, or before which too few would be there.

    Args:
        leaving: without an event, by grid time, shape ``(places,)``.
        late: entries, the same.
        beginning: rows that are there from the beginning.
        minimum_count: as ever.
    """
    found = np.flatnonzero((leaving >= minimum_count) & (late >= minimum_count)).tolist()
    while found and 0 < leaving[found[-1] + 1 :].sum() < minimum_count:
        found.pop()
    while found and 0 < beginning + late[: found[0]].sum() < minimum_count:
        found.pop(0)
    return tuple(found)


def up_to(counts: Integers, edges: Sequence[int]) -> Integers:
    """Put counts, shape ``(n_counts, places)``, at the next edge that is not before them, or at the last place."""
    if not edges:
        return counts
    ends = sorted({*edges, counts.shape[1] - 1})
    gathered = np.zeros_like(counts)
    gathered[:, ends] = np.add.reduceat(counts, [0, *(edge + 1 for edge in ends[:-1])], axis=1)
    return gathered


def check_added(
    leaving: Integers, late: Integers, begins: Sequence[int], places: Integers, events: Integers
) -> None:
    """Refuse a grid on which many rows that follow others are at risk, when events happen, before they begin.

    Args:
        leaving: without an event, by grid time, shape ``(places,)``, of all groups.
        late: entries, the same, of one group.
        begins: grid times at which entries happen after merging, ascending, -1 among them for the beginning.
        places: at which events happen, shape ``(n_times,)``.
        events: how many, the same.

    Raises:
        RefusedError: ``survival.rows-overlap``.
    """
    met = np.minimum(leaving, late)
    own, moved = np.arange(len(late)), np.array(begins, dtype=np.int64)
    moved = moved[np.searchsorted(moved, own, side="right") - 1]
    added = sum(int(n * met[(moved < place) & (own >= place)].sum()) for place, n in zip(places, events, strict=True))
    there = sum(int(n * late[:place].sum()) for place, n in zip(places, events, strict=True))
    if added > MOST_ADDED * there:
        raise RefusedError("survival.rows-overlap", "merging would count subjects twice whose rows follow one another",
                           got=f"over {MOST_ADDED:.0%} more rows at risk", expected="rows at risk once at a time",
                           hint="let rows change at few times that many share and that are grid times, such as each "
                           "quarter; agree to a smaller minimum count; or name duration and entry where each subject "
                           "has one row")
