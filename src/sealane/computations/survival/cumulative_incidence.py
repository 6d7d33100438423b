"""``survival.cumulative_incidence``: the probability of each cause over time, where others compete with it.

Two sums, as for Kaplan-Meier: totals by group and cause, which decide what may be told; then counts per grid time, from
which the grid is merged, for each cause by itself. Everything in the result follows from the merged counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.disclosure import hidden_under
from sealane.computations.survival.causes import Causes, read_causes
from sealane.computations.survival.grid import FineGrid, fine_grid
from sealane.computations.survival.groups import INSTITUTION, check_bins, group
from sealane.computations.survival.incidence_result import IncidenceResult
from sealane.computations.survival.kaplan_meier import merging
from sealane.computations.survival.rows import LEFT, Name, TimeParameters, Times, check_ends, place, read_ends
from sealane.computations.survival.screening import check_events, count_totals, hide_groups
from sealane.computations.survival.settling import Group, Integers, Ladder, OwnRows, settle
from sealane.errors import RefusedError


class IncidenceParameters(TimeParameters):
    """Parameters of ``survival.cumulative_incidence``; times and grid as in :class:`TimeParameters`.

    Attributes:
        event: column whose levels are the causes, and one of them no event.
        censored: level of ``event`` that is no event; of a boolean or integer the first if not given.
        by: column by whose levels curves are drawn, or ``institution``.
        bins: for a number in ``by`` the edges between its bins, ascending; an edge belongs to the bin above it.
        confidence: of the bands at each single time.
    """

    by: Name | None = None
    bins: Annotated[tuple[float, ...], Field(max_length=63)] = ()
    confidence: Annotated[float, Field(gt=0.0, le=0.9999)] = 0.95

    @model_validator(mode="after")
    def _coherent(self) -> IncidenceParameters:
        check_bins(self.bins, self.by)
        if self.by in self.time_columns:
            raise ValueError("by is a column of its own")
        return self


class CumulativeIncidence:
    """Aalen-Johansen curves of competing causes."""

    outputs = ("statistics",)
    individual_level = False  # counts over the cohort
    opens = "events and leavings per grid time, and totals of hidden groups"

    @property
    def name(self) -> str:
        """Return ``survival.cumulative_incidence``."""
        return "survival.cumulative_incidence"

    @property
    def parameters(self) -> type[IncidenceParameters]:
        """Return the model of its parameters."""
        return IncidenceParameters

    def columns(self, params: IncidenceParameters) -> list[str]:
        """Return times, event and the column of the groups."""
        return [*params.time_columns, *([] if params.by in (None, INSTITUTION) else [str(params.by)])]

    async def run(self, data: Dataset, cohort: Cohort, params: IncidenceParameters) -> Payload:
        """Count, and merge.

        Raises:
            InputError: a column that cannot play its part, or rows outside the contract.
            RefusedError: too few rows or events, a rare cause (``incidence.rare-cause``), groups that may not be shown.
        """
        fine = fine_grid(check_ends(data.contract, params), params.resolution, params.horizon)
        causes = read_causes(data.contract.field(params.event), params.censored)
        frame = data.frame(self.columns(params))
        times = Times(*read_ends(frame, data.contract, params), causes.kinds(frame[params.event]))
        groups = group(frame, data.contract, cohort, params.by, params.bins)
        placed = place(times, fine, times.known & (groups.place >= 0),
                       several=params.several)
        own = OwnRows(placed, groups.place[placed.rows])
        missing = times.missing(params)
        if params.by not in (None, INSTITUTION):
            missing[str(params.by)] = groups.place < 0
        kinds = len(causes.names) + 1
        totals = await count_totals(cohort, own, missing, len(frame), kinds=kinds, groups=len(groups.names))
        check_events(totals, cohort.minimum_count)
        found = _found_causes(causes, totals.ways, cohort.minimum_count)
        hidden = hide_groups(groups.names, totals, cohort)
        shown = tuple(j for j, name in enumerate(groups.names) if name not in hidden and totals.ways[:, j].any())
        own = _renumber(own, [causes.names.index(name) + LEFT + 1 for name in found])
        settled, _ = await settle(cohort, own, fine, kinds=len(found) + 1, sharing=[shown],
                                  turns="netted" if params.several else "none")
        return {
            "computation": self.name, "duration": params.end, "event": params.event, "entry": params.begin,
            "by": params.by, "confidence": params.confidence, "minimum_count": cohort.minimum_count,
            "censored": causes.censored, "causes": found, "basis": totals.basis,
            "grid": {**fine.describe(), **merging(settled.values())},
            "groups": {groups.names[number]: _describe(one, found, fine) for number, one in settled.items()},
            "hidden": hidden,
            "dropped": None if hidden else hidden_under(totals.rows - totals.used, cohort.minimum_count),
        }

    def present(self, payload: Payload) -> IncidenceResult:
        """Return the curves with lifelines' names."""
        return IncidenceResult(payload)


def _found_causes(causes: Causes, ways: Integers, minimum_count: int) -> list[str]:
    """Return the causes that any row has; refuse one that so few have that no group could show it."""
    numbers = np.asarray(ways).sum(axis=1)[LEFT + 1 :].tolist()
    rare = [name for name, number in zip(causes.names, numbers, strict=True) if 0 < number < minimum_count]
    if rare:
        raise RefusedError("incidence.rare-cause", "causes that too few rows have", got=", ".join(rare),
                           expected=f"at least {minimum_count} events of a cause, or none", hint="merge causes")
    return [name for name, number in zip(causes.names, numbers, strict=True) if number]


def _renumber(own: OwnRows, kinds: list[int]) -> OwnRows:
    """Number the causes that are found from 1 on: no count is summed for those that no row has."""
    number_of = np.zeros(max(kinds) + 1, dtype=np.int64)
    number_of[kinds] = np.arange(1, len(kinds) + 1)
    return replace(own, placed=replace(own.placed, kind=number_of[own.placed.kind]))


def _describe(group: Group, causes: list[str], fine: FineGrid) -> dict[str, Any]:
    def steps(ladder: Ladder) -> dict[str, Any]:
        return {**ladder.times(fine), "numbers": ladder.numbers.tolist()}

    return {"rows": group.rows, "leavings": steps(group.leavings),
            "entries": {"times": fine.times(group.entries.places), "numbers": group.entries.numbers.tolist()},
            "events": {name: steps(ladder) for name, ladder in zip(causes, group.events, strict=True)}}
