"""``survival.cox``: proportional hazards over the rows of all institutions, equal to a pooled fit on the merged grid.

Counts decide first whether there is enough of everything; then the grid is merged for each stratum, and each Newton
step takes two sums. With a baseline per institution nothing is merged, and a step takes one. What is opened at the
nodes and not released: counts per fine grid time and stratum, sums of e^η and e^η x over risk sets of merged times,
covariates summed over the events of a time, and counts by time and bin of the risk score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.design.layout import lay_out, matrix
from sealane.computations.design.screening import Counts, screen, take_counts
from sealane.computations.design.variables import Rows, Variables, read_rows, read_variables
from sealane.computations.disclosure import check_contributors, check_events_per_parameter, hidden_under
from sealane.computations.survival.cox_estimate import baselines, estimate, released
from sealane.computations.survival.cox_parameters import CoxParameters
from sealane.computations.survival.cox_result import CoxResult
from sealane.computations.survival.grid import FineGrid, fine_grid
from sealane.computations.survival.kaplan_meier import KINDS, merging
from sealane.computations.survival.risk_sets import lay_out_rows, slots_of
from sealane.computations.survival.rows import Times, check_time, event_level, place, read_times
from sealane.computations.survival.screening import Totals, check_events
from sealane.computations.survival.settling import Group, OwnRows, settle, tally
from sealane.computations.survival.strata import Strata, check_strata, strata_of


class Cox:
    """Cox's proportional hazards model."""

    outputs = ("model",)
    individual_level = False  # sums and coefficients over the cohort
    opens = "events and leavings per grid time, and risk-set sums on merged times at each step"

    @property
    def name(self) -> str:
        """Return ``survival.cox``."""
        return "survival.cox"

    @property
    def parameters(self) -> type[CoxParameters]:
        """Return the model of its parameters."""
        return CoxParameters

    def columns(self, params: CoxParameters) -> list[str]:
        """Return times, event, strata and features."""
        return [*params.time_columns, *params.strata, *params.model.variables]

    async def run(self, data: Dataset, cohort: Cohort, params: CoxParameters) -> Payload:
        """Fit the model.

        Raises:
            InputError: a column that cannot play its part, or rows outside the contract.
            RefusedError: too few rows, levels or events, or a model without an answer (``model.collinear``,
                ``model.separation``, ``survival.monotone``, ``model.not-converged``).
        """
        fine = fine_grid(check_time(data.contract, params), params.resolution, params.horizon)
        variables = read_variables(data.contract, params.model)
        frame = data.frame(self.columns(params))
        times = read_times(frame, data.contract, params)
        strata = strata_of(frame, data.contract, params.strata)
        rows = read_rows(frame, variables, params.missing)
        placed = place(times, fine, times.known & (strata.place >= 0) & rows.kept,
                       several=params.several)
        kept = np.zeros(len(frame), dtype=np.bool_)
        kept[placed.rows] = True
        rows = replace(rows, kept=kept)
        own = OwnRows(placed, strata.place[placed.rows])
        counts, totals = await _count(cohort, own, times, strata, variables, rows, params)
        design = await lay_out(cohort, rows, variables, counts, intercept=False, centred=True)
        check_events_per_parameter(int(totals.ways[1:].sum()), len(design.columns))
        shown = [(j,) for j in range(len(strata.names)) if totals.ways[:, j].any()]
        # With a baseline per institution no sum is opened per time, so there is nothing to merge for.
        groups, own = await settle(cohort, own, fine, kinds=KINDS, sharing=shown,
                                   merging=not params.stratify_by_institution,
                                   turns="kept" if params.several else "none")
        slots = slots_of(groups)
        risk_sets = lay_out_rows(slots, own, matrix(design, rows))
        found = await estimate(cohort, risk_sets, design, params, groups, fine.resolution, counts.kept)
        return {
            "computation": self.name, "duration": params.end, "event": params.event,
            "event_level": event_level(data.contract, params), "entry": params.begin,
            "ties": params.ties, "strata": list(params.strata), "institution_baselines": params.stratify_by_institution,
            "penalizer": params.penalizer, "confidence": params.confidence, "basis": totals.basis,
            "minimum_count": cohort.minimum_count, "rows": counts.kept,
            "dropped": hidden_under(counts.rows - counts.kept, cohort.minimum_count),
            "grid": {**fine.describe(), **merging(groups.values()),
                     "strata": None if params.stratify_by_institution else _merged_times(groups, strata, fine)},
            **released(found, design, slots, fine, filled=params.missing == "mean"),
            "baselines": baselines(found, slots, strata.names, fine),
        }

    def present(self, payload: Payload) -> CoxResult:
        """Return the result with lifelines' names."""
        return CoxResult(payload)


def _merged_times(groups: Mapping[int, Group], strata: Strata, fine: FineGrid) -> list[dict[str, Any]]:
    """Return the times that are left of each stratum: whoever knows them can put rows on the same grid."""
    return [{"stratum": list(strata.names[number]), "events": group.events[0].times(fine),
             "leavings": group.leavings.times(fine), "entries": {"times": fine.times(group.entries.places)}}
            for number, group in groups.items()]


async def _count(
    cohort: Cohort, own: OwnRows, times: Times, strata: Strata, variables: Variables, rows: Rows, params: CoxParameters
) -> tuple[Counts, Totals]:
    """Open the counts, one sum, and hold them against the rules.

    Raises:
        RefusedError: too few rows, institutions, levels or events, in all or in a stratum.
    """
    missing = times.missing(params) | ({"/".join(params.strata): strata.place < 0} if params.strata else {})
    last = int(own.placed.stop.max(initial=0)) + 1
    ways = tally(own, KINDS, range(len(strata.names)), last)[:-1].sum(axis=2)
    everywhere = {f"everywhere {name}": int(len(where) > 0 and bool(where.all())) for name, where in missing.items()}
    own_strata = {f"stratum {j}": int(number > 0) for j, number in enumerate(ways.sum(axis=0).tolist())}
    ways_named = {f"ways {j}": int(number) for j, number in enumerate(ways.reshape(-1).tolist())}
    eventless = {"eventless": int(bool(rows.kept.any()) and not ways[1:].any())}
    counts = await take_counts(cohort, rows, variables, {**everywhere, **eventless, **ways_named, **own_strata})
    told = {name: counts.others[f"everywhere {name}"] for name in missing}
    check_contributors(counts.contributors, cohort, counts.missing_everywhere | told)
    basis = screen(counts, variables, cohort)
    basis["missing_everywhere"] += [name for name, number in told.items() if number]
    opened = np.array([counts.others[name] for name in ways_named], dtype=np.int64).reshape(ways.shape)
    behind = np.array([counts.others[name] for name in own_strata], dtype=np.int64)
    totals = Totals(counts.rows, counts.kept, opened, behind, {**basis, "without_events": counts.others["eventless"]})
    check_events(totals, cohort.minimum_count)
    check_strata(strata, totals, cohort)
    return counts, totals
