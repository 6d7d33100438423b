"""``survival.kaplan_meier``: survival curves over the rows of all institutions, and whether groups differ.

Two sums: totals by group, which decide what may be told; then counts per grid time of the groups that are shown, from
which the grid is merged. Everything in the result follows from the merged counts of events, leavings and late entries.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.disclosure import hidden_under
from sealane.computations.promise import PromisedParameters, bounded, check_unit, price_of_sum, with_unit
from sealane.computations.survival.grid import FineGrid, fine_grid
from sealane.computations.survival.groups import INSTITUTION, check_bins, group, group_names
from sealane.computations.survival.km_result import KaplanMeierResult
from sealane.computations.survival.private_counts import count_privately
from sealane.computations.survival.rows import Name, TimeParameters, check_time, event_level, place, read_times
from sealane.computations.survival.screening import check_events, count_totals, hide_groups
from sealane.computations.survival.settling import Group, Ladder, OwnRows, settle
from sealane.governance.contract import Contract
from sealane.privacy.mechanism import Price

KINDS = 2
"""Ways to leave: without the event, and with it."""


class KaplanMeierParameters(TimeParameters, PromisedParameters):
    """Parameters of ``survival.kaplan_meier``; times and grid as in :class:`TimeParameters`, privacy as in
    :class:`PromisedParameters`.

    Attributes:
        by: column by whose levels curves are drawn, or ``institution``.
        bins: for a number in ``by`` the edges between its bins, ascending; an edge belongs to the bin above it.
        confidence: of the bands at each single time.
    """

    by: Name | None = None
    bins: Annotated[tuple[float, ...], Field(max_length=63)] = ()
    confidence: Annotated[float, Field(gt=0.0, le=0.9999)] = 0.95

    @model_validator(mode="after")
    def _coherent(self) -> KaplanMeierParameters:
        check_bins(self.bins, self.by)
        if self.by in self.time_columns:
            raise ValueError("by is a column of its own")
        if self.promised and (self.begin is not None or self.by == INSTITUTION):
            raise ValueError("a promise goes with neither late entries nor institutions")
        if self.promised and self.resolution is None:
            raise ValueError("a promise needs a resolution: noise on each of many short intervals drowns the curve")
        return self


class KaplanMeier:
    """Kaplan-Meier curves with log-rank test."""

    outputs = ("statistics",)
    individual_level = False  # counts over the cohort
    opens = "events and leavings per grid time, and totals of hidden groups; with noise only noised ones"

    @property
    def name(self) -> str:
        """Return ``survival.kaplan_meier``."""
        return "survival.kaplan_meier"

    @property
    def parameters(self) -> type[KaplanMeierParameters]:
        """Return the model of its parameters."""
        return KaplanMeierParameters

    def columns(self, params: KaplanMeierParameters) -> list[str]:
        """Return times, event and the column of the groups."""
        return with_unit(self._counted(params), params)

    def _counted(self, params: KaplanMeierParameters) -> list[str]:
        return [*params.time_columns, *([] if params.by in (None, INSTITUTION) else [str(params.by)])]

    def price(self, params: KaplanMeierParameters, contract: Contract, honest: int) -> Price | None:
        """Return what private curves cost: one noised sum; None for exact ones."""
        if not params.promised:
            return None
        fine = fine_grid(check_time(contract, params), params.resolution, params.horizon)
        return price_of_sum(params, honest, KINDS * len(group_names(contract, params.by, params.bins)) * fine.size)

    async def run(self, data: Dataset, cohort: Cohort, params: KaplanMeierParameters) -> Payload:
        """Count, and merge.

        Raises:
            InputError: a column that cannot play its part, or rows outside the contract.
            RefusedError: too few rows or events, groups that may not be shown (``survival.all-hidden``), institutions
                that may not (``survival.institutions-not-waived``).
        """
        fine = fine_grid(check_time(data.contract, params), params.resolution, params.horizon)
        check_unit(params, data.contract, self._counted(params))
        frame = bounded(data.frame(self.columns(params)), params)
        times = read_times(frame, data.contract, params)
        groups = group(frame, data.contract, cohort, params.by, params.bins)
        placed = place(times, fine, times.known & (groups.place >= 0),
                       several=params.several)
        own = OwnRows(placed, groups.place[placed.rows])
        told: dict[str, Any] = {
            "computation": self.name, "duration": params.end, "event": params.event,
            "event_level": event_level(data.contract, params), "entry": params.begin,
            "by": params.by, "confidence": params.confidence, "minimum_count": cohort.minimum_count, "promise": None}
        if params.promised:
            grid = {**fine.describe(), **merging(())}
            return {**told, "grid": grid, **await count_privately(cohort, own, fine, groups.names, KINDS, params)}
        missing = times.missing(params)
        if params.by not in (None, INSTITUTION):
            missing[str(params.by)] = groups.place < 0
        totals = await count_totals(cohort, own, missing, len(frame), kinds=KINDS, groups=len(groups.names))
        check_events(totals, cohort.minimum_count)
        hidden = hide_groups(groups.names, totals, cohort)
        shown = tuple(j for j, name in enumerate(groups.names) if name not in hidden and totals.ways[:, j].any())
        settled, _ = await settle(cohort, own, fine, kinds=KINDS, sharing=[shown],
                                  turns="netted" if params.several else "none")
        return {
            **told, "grid": {**fine.describe(), **merging(settled.values())},
            "shared": _shared(settled[shown[0]], fine),
            "groups": {groups.names[number]: describe(one, fine) for number, one in settled.items()}, "hidden": hidden,
            "basis": totals.basis,
            "dropped": None if hidden else hidden_under(totals.rows - totals.used, cohort.minimum_count),
        }

    def present(self, payload: Payload) -> KaplanMeierResult:
        """Return the curves with lifelines' names."""
        return KaplanMeierResult(payload)


def describe(group: Group, fine: FineGrid) -> dict[str, Any]:
    """Return the counts of a group, JSON-ready."""
    events, leavings, entries = group.events[0], group.leavings, group.entries
    return {"rows": group.rows,
            **{name: {**ladder.times(fine), "numbers": ladder.numbers.tolist()}
               for name, ladder in (("events", events), ("leavings", leavings))},
            "entries": {"times": fine.times(entries.places), "numbers": entries.numbers.tolist()},
            "widest": _widest(events, fine)}


def _shared(group: Group, fine: FineGrid) -> dict[str, list[float]]:
    """Return the merged times on which the groups are compared."""
    merged = group.shared[0]
    return {"times": fine.times(merged.places), "until": fine.times(np.array(merged.edges, dtype=np.int64))}


def _widest(events: Ladder, fine: FineGrid) -> list[float] | None:
    """Return beginning and end of the widest interval of events, the first of several; None without events."""
    if not len(events.until):
        return None
    begins = np.concatenate([[0], events.until[:-1]])
    j = int(np.argmax(events.until - begins))
    return fine.times(np.array([begins[j], events.until[j]]))


def merging(groups: Iterable[Group]) -> dict[str, Any]:
    """Return how many grid times were merged, and by which rule."""
    merged = sum(group.merged for group in groups)
    return {"merged": merged, "merged_because": "minimum-count" if merged else None}
