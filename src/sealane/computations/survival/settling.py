"""How the cohort comes to its merged grid: counts per fine grid time are opened, and the rest follows from them.

Events are first merged over the groups that are compared, then within these intervals for each group by itself; so
curves are as fine as their own group allows, and tests compare counts on times that all groups share. Leavings are
merged for each group; so are late entries, which go to an earlier time, at the last to the beginning. With late entries
in any of the groups compared everything happens at the end of its interval, not where half of it has: else a row
might leave before it enters, and a test would hold events at one part of an interval against leavings at another.
Where rows of one subject may follow one another, see :mod:`.turns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.survival.grid import FineGrid, Merged, merge, merge_earlier, refine
from sealane.computations.survival.rows import LEFT, Placed
from sealane.computations.survival.turns import Turns, check_added, lasting, net, up_to
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
        until: grid times at which the intervals end, the same shape; each begins where the one before ends.
    """

    places: Integers
    numbers: Integers
    occupied: int
    until: Integers

    def times(self, fine: FineGrid) -> dict[str, list[float]]:
        """Return where rows are, and the ends of the intervals they come from: whoever knows both can move rows."""
        return {"times": fine.times(self.places), "until": fine.times(self.until)}

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
        shared: by kind, the merged grid times on which events are compared with those of other groups.
    """

    leavings: Ladder
    events: tuple[Ladder, ...]
    entries: Ladder
    shared: tuple[Merged, ...]

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
        """How many grid times became part of another, over all counts."""
        return sum(one.occupied - len(one.places) for one in (self.leavings, *self.events, self.entries))

    def at_risk(self, places: Integers) -> Integers:
        """Return the rows at risk at places; who enters at a place is at risk after it."""
        gone = self.leavings.before(places) + sum(one.before(places) for one in self.events)
        there = self.rows - int(self.entries.numbers.sum()) + self.entries.before(places)
        return np.asarray(there - gone, dtype=np.int64)


async def settle(
    cohort: Cohort, own: OwnRows, fine: FineGrid, *, kinds: int, sharing: Sequence[tuple[int, ...]],
    merging: bool = True, turns: Turns = "none",
) -> tuple[dict[int, Group], OwnRows]:
    """Open the counts and merge the grids.

    Args:
        cohort: of the run.
        own: rows on the fine grid; those of groups that are in none of ``sharing`` are left out.
        fine: the grid.
        kinds: number of ways to leave, leaving without an event included.
        sharing: groups that are compared with each other, one tuple for each set of them.
        merging: whether to merge; without it nothing may be opened or released per time but these counts at the nodes.
        turns: what to do where rows end and others start. Netted, the counts are not those of the rows returned; kept,
            they may not be released, and groups are not compared.

    Returns:
        The counts by group, and own rows on the merged grid times.

    Raises:
        InputError: more counts than a sum may hold.
        RefusedError: no merging satisfies the minimum count, or only one that has subjects at risk twice.
    """
    shown = [number for together in sharing for number in together]
    if (kinds + 1) * len(shown) * fine.size > MAXIMUM_ENTRIES:
        raise InputError("survival.too-many-counts", "groups and grid times make too many counts",
                         got=(kinds + 1) * len(shown) * fine.size, expected=f"at most {MAXIMUM_ENTRIES}",
                         hint="ask for a coarser resolution, a horizon or fewer groups")
    counts = (await cohort.sum({"counts": count(tally(own, kinds, shown, fine.size), MAXIMUM_ROWS)}))["counts"]
    minimum = cohort.minimum_count if merging else 1
    kept: list[tuple[int, ...]] = [()] * len(shown)
    for j in range(len(shown)):
        if turns == "netted":
            counts[LEFT, j], counts[-1, j] = net(counts[LEFT, j], counts[-1, j], minimum)
        elif turns == "kept":
            beginning = int(counts[:-1, j].sum() - counts[-1, j].sum())
            kept[j] = lasting(counts[LEFT, j], counts[-1, j], beginning, minimum)
    merged = [[_merge_within(counts[kind, j], kept[j], minimum) for j in range(len(shown))] for kind in range(kinds)]
    shared = _share(counts, shown, sharing, merged, kept, minimum)
    groups, entries = dict[int, Group](), list[tuple[int, ...]]()
    for j, number in enumerate(shown):
        ladders = [_ladder(counts[kind, j], merged[kind][j]) for kind in range(kinds)]
        entries.append(_merge_entries(counts[-1, j], ladders, kept[j], minimum))
        groups[number] = Group(ladders[LEFT], tuple(ladders[LEFT + 1 :]), _entry_ladder(counts[-1, j], entries[j]),
                               tuple(shared[number]))
        if turns != "none":
            for one in groups[number].events:
                check_added(counts[LEFT].sum(axis=0), counts[-1, j], entries[j], one.places, one.numbers)
    return groups, _move(own, shown, merged, entries)


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


def _merged(counts: Integers, minimum_count: int) -> Merged:
    """Merge counts that share their intervals, shape ``(n_counts, places)``."""
    found = merge(counts, minimum_count)
    if found is None:
        raise RefusedError("survival.no-grid", "no grid leaves the minimum count at every time",
                           got="fewer events or leavings over all times", expected=f"none, or at least {minimum_count}",
                           hint="set a horizon, at which who is still there leaves; or leave out the group or stratum")
    return found


def _merge_within(counts: Integers, kept: tuple[int, ...], minimum_count: int) -> Merged:
    """Merge one count, shape ``(places,)``, not over the times that are kept, as far as it has enough between them."""
    return refine(counts, _merged(up_to(counts[None], kept), minimum_count), minimum_count)


def _share(
    counts: Integers, shown: Sequence[int], sharing: Sequence[tuple[int, ...]], merged: list[list[Merged]],
    kept: list[tuple[int, ...]], minimum_count: int,
) -> dict[int, list[Merged]]:
    """Merge events over the groups that are compared, put each group's own within, and return the former by group.

    Where none of the groups compared has late entries, all that they share and have is centred.
    """
    shared: dict[int, list[Merged]] = {number: [] for number in shown}
    for together in sharing:
        columns = [shown.index(number) for number in together]
        early = not counts[-1, columns].any()
        for kind in range(LEFT + 1, len(merged)):
            coarse = _merged(up_to(counts[kind, columns], kept[columns[0]]), minimum_count)
            for j in columns:
                merged[kind][j] = refine(counts[kind, j], coarse, minimum_count)
                shared[shown[j]].append(coarse.centred(counts[kind, columns].sum(axis=0)) if early else coarse)
        for kind, j in product(range(len(merged)), columns if early else ()):
            merged[kind][j] = merged[kind][j].centred(counts[kind, j])
    return shared


def _merge_entries(
    late: Integers, ladders: Sequence[Ladder], kept: tuple[int, ...], minimum_count: int
) -> tuple[int, ...]:
    """Return the grid times at which rows of one group enter late, -1 among them where some are there from the start.

    Besides their own counts the rows at risk must not fall under the minimum count without being none, neither at a
    time nor between who leaves at it and who enters at it: where leavings would let them, the next entries join those
    before. At times that are kept a few may stay: sums over who leaves, and over who enters, are both of many rows, and
    neither is opened nor its number released.

    Args:
        late: entries by grid time, shape ``(places,)``.
        ladders: who leaves and when, after merging.
        kept: grid times of entries that do not join those before.
        minimum_count: as ever.
    """
    leaving = np.zeros(len(late), dtype=np.int64)
    for one in ladders:
        leaving[one.places] += one.numbers
    numbers = np.concatenate([[leaving.sum() - late.sum()], late])  # place -1, the beginning, comes first
    begins = [0, *(place + 1 for place in kept), len(numbers)]
    edges = list[int]()
    for first, last in pairwise(begins):
        found = merge_earlier(numbers[None, first:last], minimum_count)
        if found is None:
            return (-1,)
        edges += [first + edge - 1 for edge in found.edges]
    to_leave = leaving[::-1].cumsum()[::-1]
    while edges != [-1]:
        entering = np.zeros(len(late), dtype=np.int64)
        chosen = np.array([edge for edge in edges if edge >= 0], dtype=np.int64)
        entering[chosen] = np.add.reduceat(late, chosen)
        at_risk = to_leave - entering[::-1].cumsum()[::-1]
        staying = at_risk - leaving  # released counts tell these too: rows from before that outlast the time
        staying[[place for place in kept if place in edges]] = 0
        thin = np.flatnonzero(((at_risk > 0) & (at_risk < minimum_count)) | ((staying > 0) & (staying < minimum_count)))
        if not len(thin):
            break
        place = next(j for j, edge in enumerate(edges) if edge >= thin[0])
        edges = [-1, *edges[1:]] if place == 0 else [*edges[:place], *edges[place + 1 :]]
    return tuple(edges)


def _move(own: OwnRows, shown: Sequence[int], merged: list[list[Merged]], entries: list[tuple[int, ...]]) -> OwnRows:
    """Put own rows on the merged grid times; those of no such group are left out."""
    start, stop = own.placed.start.copy(), own.placed.stop.copy()
    for j, number in enumerate(shown):
        here = own.group == number
        for kind, one in enumerate(merged):
            chosen = here & (own.placed.kind == kind)
            stop[chosen] = one[j].move(stop[chosen])
        edges = np.array(entries[j], dtype=np.int64)
        start[here] = edges[np.searchsorted(edges, start[here], side="right") - 1]
    known = np.isin(own.group, list(shown))
    return OwnRows(Placed(start[known], stop[known], own.placed.kind[known], own.placed.rows[known]), own.group[known])


def _ladder(counts: Integers, merged: Merged) -> Ladder:
    """Add counts up over the intervals that were merged."""
    places, edges = merged.places, merged.edges
    numbers = np.add.reduceat(counts, [0, *(edge + 1 for edge in edges[:-1])]) if len(places) else places
    return Ladder(places, numbers.astype(np.int64), int(np.count_nonzero(counts)), np.array(edges, dtype=np.int64))


def _entry_ladder(counts: Integers, edges: tuple[int, ...]) -> Ladder:
    """Add late entries up; those that went to the beginning are no longer late."""
    places = np.array([edge for edge in edges if edge >= 0], dtype=np.int64)
    numbers = np.add.reduceat(counts, places) if len(places) else places
    return Ladder(places, numbers.astype(np.int64), int(np.count_nonzero(counts)), places)
