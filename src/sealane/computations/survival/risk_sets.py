"""A node's rows laid out for sums over risk sets: sorted once, then each sum is one pass.

A slot is an event time of a stratum; slots are numbered through all strata in order of time. A row is at risk at the
slots from ``low`` to before ``high``. So a sum over every risk set is a sum per ``high`` from behind, less the same per
``low`` of rows that enter late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sealane.computations.survival.rows import LEFT
from sealane.computations.survival.settling import Group, Integers, OwnRows

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Slots:
    """The public event times of all strata.

    Attributes:
        strata: numbers of the strata that have events, in order.
        first: number of the first slot of each, and the number of all slots.
        places: grid time of each slot, shape ``(n_slots,)``.
        events: events at each over the cohort.
    """

    strata: tuple[int, ...]
    first: tuple[int, ...]
    places: Integers
    events: Integers

    @property
    def size(self) -> int:
        """Number of slots."""
        return len(self.places)

    @property
    def total(self) -> int:
        """Events over the cohort."""
        return int(self.events.sum())


def slots_of(groups: Mapping[int, Group]) -> Slots:
    """Return the slots of settled strata."""
    strata = tuple(number for number, group in groups.items() if len(group.events[0].places))
    places = [groups[number].events[0].places for number in strata]
    ends = np.cumsum([0, *(len(one) for one in places)])
    return Slots(strata, tuple(int(end) for end in ends), np.concatenate(places),
                 np.concatenate([groups[number].events[0].numbers for number in strata]))


@dataclass(frozen=True, slots=True)
class RiskSets:
    """A node's rows that are ever at risk when an event happens, sorted by their last slot: private.

    Attributes:
        slots: of the cohort.
        x: standardised covariates, shape ``(n_rows, p)``.
        low: first slot of each row.
        high: last slot of each row, plus 1.
        dead: numbers of the rows that end in the event, at their last slot.
        late: numbers of the rows that enter late, by their first slot.
        rows: which of the rows given these are.
    """

    slots: Slots
    x: Array
    low: Integers
    high: Integers
    dead: Integers
    late: Integers
    rows: Integers

    def last_sums(self, values: Array, chosen: Integers | None = None) -> Array:
        """Return sums of values, shape ``(n,)`` or ``(n, p)``, by last slot; rows may be chosen, ascending."""
        at = self.high - 1 if chosen is None else self.high[chosen] - 1
        return _sums(at, values, self.slots.size)

    def over_risk_sets(self, values: Array) -> Array:
        """Return sums of values, shape ``(n,)`` or ``(n, p)``, over the rows at risk at each slot."""
        total = self.last_sums(values)
        if len(self.late):
            total = total - _sums(self.low[self.late] - 1, values[self.late], self.slots.size)
        for a, b in pairwise(self.slots.first):  # stratum by stratum, so that none rounds into another
            total[a:b] = total[a:b][::-1].cumsum(axis=0)[::-1]
        return total


def lay_out_rows(slots: Slots, own: OwnRows, x: Array) -> RiskSets:
    """Sort a node's rows, whose covariates ``x`` are in the order of ``own``."""
    placed = own.placed
    low, high = np.zeros(len(x), dtype=np.int64), np.zeros(len(x), dtype=np.int64)
    begun = np.zeros(len(x), dtype=np.int64)
    for number, a, b in zip(slots.strata, slots.first[:-1], slots.first[1:], strict=True):
        here = own.group == number
        times = slots.places[a:b]
        low[here] = a + np.searchsorted(times, placed.start[here], side="right")
        high[here] = a + np.searchsorted(times, placed.stop[here], side="right")
        begun[here] = a
    there = np.flatnonzero(high > low)
    order = there[np.argsort(high[there], kind="stable")]
    late = np.flatnonzero(low[order] > begun[order])
    late = late[np.argsort(low[order][late], kind="stable")]
    return RiskSets(slots, np.ascontiguousarray(x[order]), low[order], high[order],
                    np.flatnonzero(placed.kind[order] > LEFT), late, order)


def _sums(at: Integers, values: Array, size: int) -> Array:
    """Add values up by ascending places."""
    if values.ndim == 1:
        return np.bincount(at, values, size).astype(np.float64)
    out = np.zeros((size, values.shape[1]))
    if len(at):
        starts = np.flatnonzero(np.diff(at, prepend=-1))
        out[at[starts]] = np.add.reduceat(values, starts, axis=0)
    return out
