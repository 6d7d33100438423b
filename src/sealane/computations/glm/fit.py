"""``glm.fit``: generalised linear models over the rows of all institutions, equal to a pooled fit.

Counts set the model up, then moments, and each Newton step is one sum more. The released coefficients and their
covariance are what a pooled fit would publish; the covariance of a linear model gives back X'X, so a study that holds
two categories also shows how many rows share a level of each.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.design.layout import Design, Measured, lay_out, matrix
from sealane.computations.design.rare_outcomes import check_events_at_levels, own_events_at_levels
from sealane.computations.design.screening import Counts, screen, take_counts
from sealane.computations.design.variables import Rows, Variables, read_rows, read_variables
from sealane.computations.disclosure import check_events_per_parameter
from sealane.computations.glm.estimate import Task, estimate
from sealane.computations.glm.families import Family, family_of
from sealane.computations.glm.institutions import check_institution_rows, open_intercepts, own_shortfall
from sealane.computations.glm.links import LINKS
from sealane.computations.glm.parameters import GlmParameters
from sealane.computations.glm.path import fit_path
from sealane.computations.glm.path_result import PathResult
from sealane.computations.glm.release import Basis, release
from sealane.computations.glm.result import GlmResult
from sealane.computations.glm.sandwich import check_institutions
from sealane.computations.glm.scaling import choose_scaling
from sealane.computations.glm.weighing import Beside, check_beside, check_offset, read_beside, weigh
from sealane.computations.glm.working import Kind, Own
from sealane.computations.newton import Array
from sealane.computations.outcome import AMOUNTS, Outcome, check_events, read_outcome

OFFSET_POWERS = {"gamma": -1.0, "gaussian": 2.0}
"""Power of its mean with which a row enters the score of a log link, where it is not 1."""


class GlmFit:
    """Generalised linear model, or a path of penalised ones."""

    outputs = ("model",)
    individual_level = False  # sums and coefficients over the cohort
    opens = "counts of levels and combinations, and each step's cross-products, scores and deviance"

    @property
    def name(self) -> str:
        """Return ``glm.fit``."""
        return "glm.fit"

    @property
    def parameters(self) -> type[GlmParameters]:
        """Return the model of its parameters."""
        return GlmParameters

    def columns(self, params: GlmParameters) -> list[str]:
        """Return outcome, features, and what stands beside them."""
        return list(dict.fromkeys([params.outcome_column, *params.model.variables, *params.beside]))

    async def run(self, data: Dataset, cohort: Cohort, params: GlmParameters) -> Payload:
        """Fit the model.

        Raises:
            InputError: a column that cannot play its part, or rows outside the contract.
            RefusedError: too few rows, levels or events (``model.too-few-rows``, ``model.rare-level`` …), or a model
                without an answer (``model.collinear``, ``model.separation``, ``model.not-converged``).
        """
        family = family_of(params.family, params.alpha)
        field = data.contract.field(params.outcome_column)
        outcome = read_outcome(field, params.family, params.reference.get(field.name))
        check_beside(data.contract, params)
        variables = read_variables(data.contract, params.model)
        frame = data.frame(self.columns(params))
        rows = read_rows(frame, variables, params.missing)
        y, beside = outcome.read(frame[outcome.name], params.family), read_beside(frame, data.contract, params)
        missing = {outcome.name: np.isnan(y), **beside.missing}
        rows = replace(rows, kept=rows.kept & ~np.logical_or.reduce(list(missing.values())))
        counts = await _count(cohort, rows, variables, y, missing, params)
        basis = _screen(cohort, counts, variables, family, params)
        task = await _task(cohort, params, (rows, y, beside), variables, counts, outcome, family)
        told = {"basis": basis, "event_level": outcome.levels[1] if outcome.levels else None}
        if params.penalty is not None:
            return await fit_path(task, params.penalty) | told
        likelihood, maximum = await estimate(task)
        payload = await release(cohort, task.basis, maximum)
        if params.fixed_effects:
            payload |= await open_intercepts(cohort, likelihood, maximum.beta, task.basis.scaling.predictor,
                                             task.basis.design)
        return payload | told

    def present(self, payload: Payload) -> GlmResult | PathResult:
        """Return the result with statsmodels' names."""
        return PathResult(payload) if payload["kind"] == "path" else GlmResult(payload)


async def _count(
    cohort: Cohort, rows: Rows, variables: Variables, y: Array, missing: dict[str, Any], params: GlmParameters
) -> Counts:
    """Open all counts at once, those of the outcome and of columns beside it among them."""
    known = y[rows.kept]
    others = {"events": int((known > 0).sum()), "short": own_shortfall(known, params.family, cohort.minimum_count)}
    if params.family not in AMOUNTS:
        others |= own_events_at_levels(rows, variables, known > 0)
    for name, where in missing.items():
        others[f"missing {name}"] = int(where.sum())
        others[f"everywhere {name}"] = int(len(where) > 0 and bool(where.all()))
    counts = await take_counts(cohort, rows, variables, others)
    return replace(
        counts, missing=counts.missing | {name: counts.others[f"missing {name}"] for name in missing},
        missing_everywhere=counts.missing_everywhere | {n: counts.others[f"everywhere {n}"] for n in missing})


def _screen(
    cohort: Cohort, counts: Counts, variables: Variables, family: Family, params: GlmParameters
) -> dict[str, Any]:
    basis = screen(counts, variables, cohort)
    check_events(counts.kept, counts.others["events"], params.family, cohort.minimum_count)
    if params.family not in AMOUNTS:
        check_events_at_levels(counts, cohort.minimum_count, others_too=family.name == "binomial")
    if params.fixed_effects:
        check_institution_rows(counts.others["short"], cohort.minimum_count)
    return basis


async def _task(
    cohort: Cohort, params: GlmParameters, read: tuple[Rows, Array, Beside], variables: Variables, counts: Counts,
    outcome: Outcome, family: Family,
) -> Task:
    """Lay the design out, hold events against it, and put the rows into fitted units."""
    rows, y, beside = read
    kept = rows.kept
    measured = Measured(outcome.name, outcome.low, outcome.high, y[kept])
    design = await lay_out(cohort, rows, variables, counts, intercept=params.has_intercept,
                           centred=params.fixed_effects, beside=[measured])
    _screen_size(cohort, counts, design, params)
    place = design.measured[outcome.name]
    total = await weigh(cohort, counts, rows, y, beside, mean=place.mean, events=family.name not in AMOUNTS,
                        others=family.name == "binomial")
    if params.link_name == "log":
        await check_offset(cohort, counts, rows, beside, total, OFFSET_POWERS.get(family.name, 1.0))
    kind = Kind(family, LINKS[params.link_name])
    scaling = await choose_scaling(cohort, kind, place, total, constant=params.spans_constant)
    own = Own(matrix(design, rows), scaling.fitted(y[kept]),
              None if beside.offset is None else beside.offset[kept] / scaling.predictor.scale,
              None if beside.weights is None else beside.weights[kept])
    saturated = own.total(family.saturated(y[kept]))
    basis = Basis(params, kind, design, scaling, counts, total.weight, cohort.size if params.fixed_effects else 0)
    return Task(cohort, basis, own, saturated, total.offset / scaling.predictor.scale)


def _screen_size(cohort: Cohort, counts: Counts, design: Design, params: GlmParameters) -> None:
    """Hold events and institutions against the number of coefficients."""
    size = len(design.columns) + (cohort.size if params.fixed_effects else 0)
    if params.family not in AMOUNTS:
        events = counts.others["events"]
        rarer = min(events, counts.kept - events) if params.family == "binomial" else events
        check_events_per_parameter(rarer, size)
    if params.covariance == "institution":
        check_institutions(counts.contributors, len(design.columns))
