"""``glm.fit``: linear, logistic and Poisson regression over the rows of all institutions, equal to a pooled fit.

Two sums set the model up (counts; moments) and each Newton step is one more. The released coefficients and their
covariance are what a pooled fit would publish; the covariance of a linear model gives back X'X, so a study that holds
two categories also shows how many rows share a level of each.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.design.layout import Column, Design, Measured, Placement, lay_out, matrix, original_units
from sealane.computations.design.rebuild import describe
from sealane.computations.design.screening import Counts, screen, take_counts
from sealane.computations.design.variables import read_rows, read_variables
from sealane.computations.disclosure import hidden_under
from sealane.computations.glm.families import FAMILIES, Family
from sealane.computations.glm.likelihood import Baseline, Likelihood
from sealane.computations.glm.outcome import Outcome, read_outcome, read_values, screen_events
from sealane.computations.glm.parameters import GlmParameters
from sealane.computations.glm.result import GlmResult
from sealane.computations.newton import Array, Slope, Solution, climb
from sealane.errors import RefusedError

PERFECT = 1e-18
"""Share of the outcome's variance left unexplained that is nothing but rounding."""
CERTAIN = 1e-5
"""Deviance per row under which a binomial model predicts every row without doubt."""


class GlmFit:
    """Generalised linear model with the canonical link."""

    outputs = ("model",)
    individual_level = False  # sums and coefficients over the cohort

    @property
    def name(self) -> str:
        """Return ``glm.fit``."""
        return "glm.fit"

    @property
    def parameters(self) -> type[GlmParameters]:
        """Return the model of its parameters."""
        return GlmParameters

    def columns(self, params: GlmParameters) -> list[str]:
        """Return outcome and features."""
        return [params.outcome_column, *params.model.variables]

    async def run(self, data: Dataset, cohort: Cohort, params: GlmParameters) -> Payload:
        """Fit the model.

        Raises:
            InputError: a column that cannot play its part, or rows outside the contract.
            RefusedError: too few rows, levels or events (``model.too-few-rows``, ``model.rare-level`` …), or a model
                without an answer (``model.collinear``, ``model.separation``, ``model.not-converged``).
        """
        family = FAMILIES[params.family]
        outcome = read_outcome(data.contract, params)
        variables = read_variables(data.contract, params.model)
        frame = data.frame(self.columns(params))
        rows = read_rows(frame, variables, params.missing)
        y = read_values(frame, outcome, family.name)
        rows = replace(rows, kept=rows.kept & ~np.isnan(y))
        counts = await take_counts(cohort, rows, variables, {"events": int((y[rows.kept] > 0).sum())})
        basis = screen(counts, variables, cohort)
        screen_events(counts.kept, counts.others["events"], family.name, cohort.minimum_count)
        measured = Measured(outcome.name, outcome.low, outcome.high, y[rows.kept])
        design = await lay_out(cohort, rows, variables, counts, intercept=params.has_intercept, beside=[measured])
        target = _target(outcome, design, family)
        likelihood = Likelihood(cohort, design, target, family, matrix(design, rows),
                                (y[rows.kept] - target.place.centre) / target.place.scale, counts.kept)
        # Logarithms may differ in the last bit between machines, so the start is settled too.
        beta, null_predictor = await _start(cohort, design, target, family)
        first, baseline = await likelihood.start(beta, null_predictor)
        slope = Slope(likelihood.at, design.names, design.units,
                      CERTAIN * counts.kept if family.name == "binomial" else 0.0)
        solution = await climb(slope, cohort, first, iterations=params.maximum_iterations, tolerance=params.tolerance)
        return await _release(cohort, params, family, design, target, counts, baseline, solution) | {"basis": basis}

    def present(self, payload: Payload) -> GlmResult:
        """Return the result with statsmodels' names."""
        return GlmResult(payload)


def _target(outcome: Outcome, design: Design, family: Family) -> Column:
    """Return the outcome as a column: standardised in a gaussian model, else as it is."""
    place = design.measured[outcome.name]
    if family.name != "gaussian":
        place = Placement(place.mean)
    low, high = ((bound - place.centre) / place.scale for bound in (outcome.low, outcome.high))
    return Column(outcome.name, (), place, low, high)


async def _start(cohort: Cohort, design: Design, target: Column, family: Family) -> tuple[Array, float]:
    """Start at the null model where there is an intercept, else at zero."""
    place = target.place
    null = family.predictor((place.mean - place.centre) / place.scale)
    beta = np.zeros(len(design.columns) + 1)
    beta[-1] = null
    if design.intercept:
        beta[0] = null
    settled = await cohort.agree(beta)
    return settled[:-1], float(settled[-1])


async def _release(
    cohort: Cohort, params: GlmParameters, family: Family, design: Design, target: Column, counts: Counts,
    baseline: Baseline, solution: Solution,
) -> Payload:
    n, size = counts.kept, len(design.columns)
    point = solution.point
    gaussian = family.name == "gaussian"
    dispersion = point.deviance / (n - size) if gaussian else 1.0
    unit = target.place.scale ** 2 if gaussian else 1.0
    deviance = point.deviance * unit
    if gaussian:
        # Scale at its maximum-likelihood value, as in statsmodels. Source: Venables and Ripley, section 7.
        if point.deviance < PERFECT * n:
            raise RefusedError("glm.perfect-fit", f"the features determine {params.outcome_column!r} exactly",
                               got="no residual variation", expected="some", hint="leave out what it was computed from")
        likelihood = -0.5 * n * (math.log(2.0 * math.pi * deviance / n) + 1.0)
    else:
        likelihood = baseline.saturated - 0.5 * point.deviance
    # All of the same order, so that agreement within 1e-9 means the same for each.
    upper = np.triu_indices(size)
    derived = np.concatenate([
        point.beta + solution.step, (dispersion * solution.inverse)[upper] * n, [likelihood / n]
    ])
    settled = await cohort.agree(derived)
    covariance = np.zeros((size, size))
    covariance[upper] = settled[size:-1] / n
    covariance = np.triu(covariance) + np.triu(covariance, 1).T
    coefficients, cov = original_units(design, settled[:size], covariance, target.place)
    likelihood = float(settled[-1]) * n
    return {
        "computation": "glm.fit",
        "family": family.name,
        "link": family.link,
        "outcome": params.outcome_column,
        "design": describe(design, filled=params.missing == "mean"),
        "intercept": params.has_intercept,
        "confidence": params.confidence,
        "columns": design.names,
        "params": coefficients,
        "covariance": cov,
        "scale": dispersion * unit,
        "deviance": deviance,
        "null_deviance": baseline.null_deviance * unit,
        "llf": likelihood,
        "aic": -2.0 * likelihood + 2.0 * size,
        "nobs": n,
        "dropped": hidden_under(counts.rows - n, cohort.minimum_count),
        "df_model": size - 1,
        "df_resid": n - size,
        "iterations": solution.iterations,
    }

