"""``survival.fine_gray``: covariates' effects on the cumulative incidence of one cause, where others compete with it.

Counts decide first; the grid is merged as for cumulative incidence, the other causes as one; then each Newton step
takes two sums, and the variance two more. Source: Fine and Gray (1999), J. Am. Stat. Assoc. 94(446).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.design.layout import Design, lay_out, matrix, original_units
from sealane.computations.design.parameters import FeatureParameters
from sealane.computations.design.rebuild import describe
from sealane.computations.design.screening import Counts, screen, take_counts
from sealane.computations.design.variables import Rows, Variables, read_rows, read_variables
from sealane.computations.disclosure import check_contributors, check_events_per_parameter, hidden_under
from sealane.computations.newton import Point, Slope, climb
from sealane.computations.survival.bounds import Reach, reach_of
from sealane.computations.survival.causes import Causes, read_causes
from sealane.computations.survival.fine_gray_result import FineGrayResult
from sealane.computations.survival.grid import fine_grid
from sealane.computations.survival.influence import meat, sandwich
from sealane.computations.survival.kaplan_meier import merging
from sealane.computations.survival.rows import LEFT, TimeParameters, Times, check_ends, place, read_ends
from sealane.computations.survival.settling import Integers, OwnRows, settle
from sealane.computations.survival.subdistribution import (
    COMPETING,
    INTEREST,
    Array,
    OwnSets,
    Staying,
    SubdistributionLikelihood,
    lay_out_sets,
    staying,
)
from sealane.errors import InputError, RefusedError

KINDS = 3
"""Ways to leave: without an event, by the cause of interest, by another."""
RUNAWAYS = 8
"""Steps past the public bound of e^η after which there is no maximum to be expected: hazards a million-fold apart."""


class FineGrayParameters(FeatureParameters, TimeParameters):
    """Parameters of ``survival.fine_gray``; features as in every regression, times and grid as in
    :class:`TimeParameters`, without late entries.

    Attributes:
        event: column whose levels are the causes, and one of them no event.
        cause: level of ``event`` that is of interest; all others but ``censored`` compete with it.
        censored: level of ``event`` that is no event; of a boolean or integer the first if not given.
        confidence: level of the intervals.
        maximum_iterations: most Newton steps.
        tolerance: largest relative gain in the log-likelihood still promised at the end.
    """

    cause: Annotated[str, Field(min_length=1, max_length=128)]
    confidence: Annotated[float, Field(gt=0.5, le=0.9999)] = 0.95
    maximum_iterations: Annotated[int, Field(ge=1, le=100)] = 25
    tolerance: Annotated[float, Field(gt=0.0, le=1e-4)] = 1e-10

    @model_validator(mode="after")
    def _coherent(self) -> FineGrayParameters:
        if self.begin is not None:
            raise ValueError("this model knows no late entries: name duration and event only")
        if self.model.outcome is not None:
            raise ValueError("a formula for times has no left side: name duration and event")
        if set(self.time_columns) & set(self.model.variables):
            raise ValueError("times, event and features are columns of their own")
        return self


class FineGray:
    """Fine and Gray's model of the subdistribution hazard."""

    outputs = ("model",)
    individual_level = False  # sums and coefficients over the cohort
    opens = "events and leavings per grid time, and risk-set sums on merged times at each step"

    @property
    def name(self) -> str:
        """Return ``survival.fine_gray``."""
        return "survival.fine_gray"

    @property
    def parameters(self) -> type[FineGrayParameters]:
        """Return the model of its parameters."""
        return FineGrayParameters

    def columns(self, params: FineGrayParameters) -> list[str]:
        """Return times, event and features."""
        return [*params.time_columns, *params.model.variables]

    async def run(self, data: Dataset, cohort: Cohort, params: FineGrayParameters) -> Payload:
        """Fit the model.

        Raises:
            InputError: a column that cannot play its part, or rows outside the contract.
            RefusedError: too few rows or events of a kind, or a model without an answer.
        """
        fine = fine_grid(check_ends(data.contract, params), params.resolution, params.horizon)
        causes = read_causes(data.contract.field(params.event), params.censored)
        interest = _interest(causes, params.cause)
        variables = read_variables(data.contract, params.model)
        frame = data.frame(self.columns(params))
        told = causes.kinds(frame[params.event])
        kind = np.where(told > LEFT, np.where(told == interest, INTEREST, COMPETING), told)
        times = Times(*read_ends(frame, data.contract, params), kind)
        rows = read_rows(frame, variables, params.missing)
        placed = place(times, fine, times.known & rows.kept)
        kept = np.zeros(len(frame), dtype=np.bool_)
        kept[placed.rows] = True
        rows = replace(rows, kept=kept)
        counts, basis = await _count(cohort, placed.kind, times, variables, rows, params)
        design = await lay_out(cohort, rows, variables, counts, intercept=False, centred=True)
        events = counts.others["kind 1"]
        check_events_per_parameter(events, len(design.columns))
        groups, own = await settle(cohort, OwnRows(placed, np.zeros(len(placed.rows), dtype=np.int64)), fine,
                                   kinds=KINDS, sharing=[(0,)])
        curve = staying(groups[0])
        sets = lay_out_sets(groups[0], curve, own, matrix(design, rows))
        reach = reach_of(cohort, design, counts.kept, events)
        found = await _estimate(cohort, sets, curve, design, params, reach)
        return {
            "computation": self.name, "duration": params.end, "event": params.event, "cause": params.cause,
            "competing": [name for name in causes.names if name != params.cause], "confidence": params.confidence,
            "basis": basis, "minimum_count": cohort.minimum_count, "nobs": counts.kept, "events": events,
            "dropped": hidden_under(counts.rows - counts.kept, cohort.minimum_count),
            "grid": {**fine.describe(), **merging(groups.values()),
                     "events": groups[0].events[INTEREST - 1].times(fine),
                     "competing": groups[0].events[COMPETING - 1].times(fine),
                     "leavings": groups[0].leavings.times(fine)},
            "design": describe(design, filled=params.missing == "mean"), "columns": design.names, **found,
        }

    def present(self, payload: Payload) -> FineGrayResult:
        """Return the result with lifelines' names."""
        return FineGrayResult(payload)


def _interest(causes: Causes, cause: str) -> int:
    if cause not in causes.names:
        raise InputError("fine-gray.unknown-cause", f"{causes.column!r} has no such cause", got=repr(cause[:80]),
                         expected=f"one of {', '.join(causes.names)}")
    return causes.names.index(cause) + 1


async def _count(
    cohort: Cohort, kinds: Integers, times: Times, variables: Variables, rows: Rows, params: FineGrayParameters
) -> tuple[Counts, dict[str, Any]]:
    """Open the counts, one sum, and hold them against the rules."""
    ways = {f"kind {kind}": int((kinds == kind).sum()) for kind in range(KINDS)}
    everywhere = {name: int(len(where) > 0 and bool(where.all())) for name, where in times.missing(params).items()}
    counts = await take_counts(cohort, rows, variables, {**ways, **everywhere})
    told = {name: counts.others[name] for name in everywhere}
    check_contributors(counts.contributors, cohort, counts.missing_everywhere | told)
    basis = screen(counts, variables, cohort)
    m = cohort.minimum_count
    if counts.others["kind 1"] < m:
        raise RefusedError("fine-gray.too-few-events", f"too few rows have an event of cause {params.cause!r}",
                           got=f"under {m}", expected=f"at least {m}", hint="ask for a longer period, or merge causes")
    for kind, what in ((COMPETING, "another cause"), (LEFT, "no event")):
        if 0 < counts.others[f"kind {kind}"] < m:
            raise RefusedError("fine-gray.rare-kind", f"too few rows leave with {what}", got=f"under {m}",
                               expected=f"none, or at least {m}", hint="set a horizon, at which who is there leaves")
    return counts, basis


async def _estimate(
    cohort: Cohort, own: OwnSets, curve: Staying, design: Design, params: FineGrayParameters, reach: Reach
) -> dict[str, Any]:
    size, events = len(design.columns), float(own.events.sum())
    likelihood = SubdistributionLikelihood(cohort, own, reach)
    await likelihood.start()
    runaways = 0

    async def at(beta: Array) -> Point:
        nonlocal runaways
        point = await likelihood.at(beta)
        runaways += point.runaway
        if runaways == RUNAWAYS:
            raise RefusedError("fine-gray.monotone", "the partial likelihood rises without end: hazards drift apart",
                               got=slope.named(slope.effects(beta)), expected="coefficients with finite estimates",
                               hint="leave out what tells who has the event next")
        return point

    slope = Slope(at, design.names, design.units)
    start = await at(np.zeros(size))
    solution = await climb(slope, cohort, start, iterations=params.maximum_iterations, tolerance=params.tolerance)
    upper = np.triu_indices(size)
    ends = np.array([solution.point.deviance, start.deviance]) / (-2.0 * events)
    settled = await cohort.agree(np.concatenate([
        solution.point.beta + solution.step, solution.inverse[upper] * events, ends]))
    inverse = np.zeros((size, size))
    inverse[upper] = settled[size:-2] / events
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    squares = await meat(cohort, own, curve, likelihood, solution.point.beta, weight=reach.weight,
                         reach=max(column.reach for column in design.columns))
    covariance = sandwich(inverse, squares)
    coefficients, released = original_units(design, settled[:size], covariance)
    return {
        "params": coefficients, "covariance": released,
        "naive_covariance": original_units(design, settled[:size], inverse)[1],
        "log_likelihood": float(settled[-2]) * events, "null_log_likelihood": float(settled[-1]) * events,
        # x β of the row at which the baseline is.
        "centre": math.fsum(b * column.place.centre for b, column in zip(coefficients, design.columns, strict=True)),
        "baseline": np.cumsum(likelihood.hazard).tolist(), "iterations": solution.iterations,
    }
