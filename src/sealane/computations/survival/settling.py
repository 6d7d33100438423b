"""How the cohort comes to its merged grid: counts per fine grid time are opened, and the rest follows from them.

Events are first merged over the groups that are compared, then within these intervals for each group by itself; so
curves are as fine as their own group allows, and tests compare counts on times that all groups share. Leavings are
merged for each group; so are late entries, which go to an earlier time, at the last to the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.survival.grid import FineGrid, Merged, merge, merge_earlier, refine
from sealane.computations.survival.rows import LEFT, Placed
from sealane.errors import InputError, RefusedError

MAXIMUM_ENTRIES = 200_000
"""Largest number of counts in one sum: kinds times groups times grid times."""

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OwnRows:
    """A node's rows on the grid, and the group of each: private."""

    placed: Placed
    group: Integers


@dataclass(frozen=True, slots=True)
class Ladder:
    """What happens at the merged times of one count: numbers of the grid times, ascending, and how many rows at each.

    Attributes:
        places: shape ``(n_steps,)``.
        numbers: the same.
        occupied: how many fine grid times held any.
    """

    places: Integers
    numbers: Integers
    occupied: int

    def before(self, places: Integers) -> Integers:
        """Return how many rows come before each place."""
        total = np.concatenate([[0], np.cumsum(self.numbers)])
        return np.asarray(total[np.searchsorted(self.places, places, side="left")], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Group:
    """The opened counts of one group.

    Attributes:
        leavings: without an event.
        events: of each kind.
        entries: of rows that enter late.
        shared: numbers of the grid times, by kind, on which events are compared with those of other groups.
    """

    leavings: Ladder
    events: tuple[Ladder, ...]
    entries: Ladder
    shared: tuple[Integers, ...]

    @property
    def rows(self) -> int:
        """Rows that are ever at risk."""
        return int(self.leavings.numbers.sum() + sum(one.numbers.sum() for one in self.events))

    @property
    def places(self) -> Integers:
        """All merged grid times at which anything happens, ascending."""
        return np.unique(np.concatenate([one.places for one in (self.leavings, *self.events, self.entries)]))

    @property
    def merged(self) -> int:
        """How many grid times became part of a later one, over all counts."""
        return sum(one.occupied - len(one.places) for one in (self.leavings, *self.events, self.entries))

    def at_risk(self, places: Integers) -> Integers:
        """Return the rows at risk at places; who enters at a place is at risk after it."""
        gone = self.leavings.before(places) + sum(one.before(places) for one in self.events)
        there = self.rows - int(self.entries.numbers.sum()) + self.entries.before(places)
        return np.asarray(there - gone, dtype=np.int64)


async def settle(
    cohort: Cohort, own: OwnRows, fine: FineGrid, *, kinds: int, sharing: Sequence[tuple[int, ...]],
    merging: bool = True,
) -> tuple[dict[int, Group], OwnRows]:
    """Open the counts and merge the grids.

    Args:
        cohort: of the run.
        own: rows on the fine grid; those of groups that are in none of ``sharing`` are left out.
        fine: the grid.
        kinds: number of ways to leave, leaving without an event included.
        sharing: groups that are compared with each other, one tuple for each set of them.
        merging: whether to merge; without it nothing may be opened or released per time but these counts at the nodes.

    Returns:
        The counts by group, and own rows on the merged grid times.

    Raises:
        InputError: more counts than a sum may hold.
        RefusedError: no merging satisfies the minimum count.
    """
    shown = [number for together in sharing for number in together]
    if (kinds + 1) * len(shown) * fine.size > MAXIMUM_ENTRIES:
        raise InputError("survival.too-many-counts", "groups and grid times make too many counts",
                         got=(kinds + 1) * len(shown) * fine.size, expected=f"at most {MAXIMUM_ENTRIES}",
                         hint="ask for a coarser resolution, a horizon or fewer groups")
    counts = (await cohort.sum({"counts": count(tally(own, kinds, shown, fine.size), MAXIMUM_ROWS)}))["counts"]
    shared, merged = _merge(counts, shown, sharing, cohort.minimum_count if merging else 1)
    ladders = [[_ladder(numbers, one) for numbers, one in zip(*pair, strict=True)]
               for pair in zip(counts, merged, strict=True)]
    groups = {number: Group(ladders[LEFT][j], tuple(kind[j] for kind in ladders[LEFT + 1 : -1]), ladders[-1][j],
                            shared[number]) for j, number in enumerate(shown)}
    return groups, _move(own, shown, merged)


def tally(own: OwnRows, kinds: int, groups: Sequence[int], places: int) -> Integers:
    """Count own rows by how they leave and when, and late entries: shape ``(kinds + 1, n_groups, places)``."""
    place_of = np.full(max(groups) + 2, -1, dtype=np.int64)
    place_of[list(groups)] = np.arange(len(groups))
    group = place_of[np.minimum(own.group, len(place_of) - 1)]
    there = group >= 0
    placed, group = own.placed, group[there]
    leaving = (placed.kind[there] * len(groups) + group) * places + placed.stop[there]
    entering = (group * places + placed.start[there])[placed.start[there] >= 0]
    return np.concatenate([
        np.bincount(leaving, minlength=kinds * len(groups) * places).reshape(kinds, len(groups), places),
        np.bincount(entering, minlength=len(groups) * places).reshape(1, len(groups), places)])


def _merge(
    counts: Integers, shown: Sequence[int], sharing: Sequence[tuple[int, ...]], minimum_count: int
) -> tuple[dict[int, tuple[Integers, ...]], list[list[Merged]]]:
    """Return the shared times of events by group, and the merged times of every count."""
    merged = [[_found(merge(counts[kind, [j]], minimum_count), minimum_count) for j in range(len(shown))]
              for kind in range(len(counts) - 1)]
    late = counts[-1]
    early = counts[:-1].sum(axis=(0, 2)) - late.sum(axis=1)
    from_the_beginning = np.concatenate([early[:, None], late], axis=1)
    merged.append([_shifted(_found(merge_earlier(from_the_beginning[[j]], minimum_count), minimum_count))
                   for j in range(len(shown))])
    shared: dict[int, tuple[Integers, ...]] = dict.fromkeys(shown, ())
    for together in sharing:
        columns = [shown.index(number) for number in together]
        for kind in range(LEFT + 1, len(counts) - 1):
            coarse = _found(merge(counts[kind, columns], minimum_count), minimum_count)
            for j in columns:
                merged[kind][j] = refine(counts[kind, j], coarse, minimum_count)
                shared[shown[j]] += (np.array(coarse.edges, dtype=np.int64),)
    return shared, merged


def _found(merged: Merged | None, minimum_count: int) -> Merged:
    if merged is None:
        raise RefusedError("survival.no-grid", "no grid leaves the minimum count at every time",
                           got="fewer events, leavings or late entries over all times", expected="none, or at least "
                           f"{minimum_count}", hint="set a horizon, at which who is still there leaves; or leave out "
                           "the entry, group or stratum")
    return merged


def _shifted(merged: Merged) -> Merged:
    """Number grid times from 0 again where the first stands for the beginning."""
    return Merged(tuple(edge - 1 for edge in merged.edges), merged.occupied - 1)


def _move(own: OwnRows, shown: Sequence[int], merged: list[list[Merged]]) -> OwnRows:
    """Put own rows on the merged grid times; those of no such group are left out."""
    start, stop = own.placed.start.copy(), own.placed.stop.copy()
    for j, number in enumerate(shown):
        here = own.group == number
        for kind in range(len(merged) - 1):
            chosen = here & (own.placed.kind == kind)
            stop[chosen] = merged[kind][j].later(stop[chosen])
        start[here] = merged[-1][j].earlier(start[here])
    known = np.isin(own.group, list(shown))
    return OwnRows(Placed(start[known], stop[known], own.placed.kind[known], own.placed.rows[known]), own.group[known])


def _ladder(counts: Integers, merged: Merged) -> Ladder:
    """Add counts up to merged grid times; entries that went to the beginning, place -1, are no longer late."""
    occupied = int(np.count_nonzero(counts))
    if merged.edges and merged.edges[0] == -1:
        places = np.array(merged.edges[1:], dtype=np.int64)
        numbers = np.add.reduceat(counts, places) if len(places) else places
    else:
        places = np.array(merged.edges, dtype=np.int64)
        numbers = np.add.reduceat(counts, [0, *(places[:-1] + 1).tolist()]) if len(places) else places
    return Ladder(places, numbers.astype(np.int64), occupied)
