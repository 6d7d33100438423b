"""``glm.fit``: linear, logistic and Poisson regression over the rows of all institutions, equal to a pooled fit.

Two sums set the model up (counts; moments) and each Newton step is one more. The released coefficients and their
covariance are what a pooled fit would publish; the covariance of a linear model gives back X'X, so a study that holds
two categories also shows how many rows share a level of each.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.glm.design import Array, Design, lay_out, matrix, original_units
from sealane.computations.glm.families import FAMILIES, Family
from sealane.computations.glm.likelihood import Baseline, Likelihood
from sealane.computations.glm.newton import Solution, maximise
from sealane.computations.glm.parameters import GlmParameters
from sealane.computations.glm.result import GlmResult
from sealane.computations.glm.screening import Counts, screen, take_counts
from sealane.computations.glm.variables import check_binary, read_rows, read_variables
from sealane.errors import RefusedError

PERFECT = 1e-18
"""Share of the outcome's variance left unexplained that is nothing but rounding."""


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
        return [params.outcome, *params.features]

    async def run(self, data: Dataset, cohort: Cohort, params: GlmParameters) -> Payload:
        """Fit the model.

        Raises:
            InputError: a column that cannot play its part, or rows outside the contract.
            RefusedError: too few rows, levels or events (``glm.too-few-rows``, ``glm.rare-level`` …), or a model
                without an answer (``glm.collinear``, ``glm.separation``, ``glm.not-converged``).
        """
        family = FAMILIES[params.family]
        variables = read_variables(data.contract, params)
        rows = read_rows(data, variables, params.missing)
        if params.family == "binomial":
            check_binary(rows.outcome, params.outcome)
        counts = await take_counts(cohort, rows, variables)
        screen(counts, variables, params, cohort.minimum_count)
        design = await lay_out(cohort, rows, variables, counts, family=family.name, intercept=params.intercept)
        x, y = matrix(design, rows)
        likelihood = Likelihood(cohort, design, family, x, y, counts.kept)
        # Logarithms may differ in the last bit between machines, so the start is settled too.
        beta, null_predictor = await _start(cohort, design, family)
        first, baseline = await likelihood.start(beta, null_predictor)
        solution = await maximise(likelihood, cohort, first, iterations=params.maximum_iterations,
                                  tolerance=params.tolerance, binomial=params.family == "binomial")
        return await _release(cohort, params, family, design, counts, baseline, solution)

    def present(self, payload: Payload) -> GlmResult:
        """Return the result with statsmodels' names."""
        return GlmResult(payload)


async def _start(cohort: Cohort, design: Design, family: Family) -> tuple[Array, float]:
    """Start at the null model where there is an intercept, else at zero."""
    place = design.outcome.place
    null = family.predictor((place.mean - place.centre) / place.scale)
    beta = np.zeros(len(design.columns) + 1)
    beta[-1] = null
    if design.intercept:
        beta[0] = null
    settled = await cohort.agree(beta)
    return settled[:-1], float(settled[-1])


async def _release(
    cohort: Cohort, params: GlmParameters, family: Family, design: Design, counts: Counts, baseline: Baseline,
    solution: Solution,
) -> Payload:
    n, size = counts.kept, len(design.columns)
    point = solution.point
    gaussian = family.name == "gaussian"
    dispersion = point.deviance / (n - size) if gaussian else 1.0
    unit = design.outcome.place.scale ** 2 if gaussian else 1.0
    deviance = point.deviance * unit
    if gaussian:
        # Scale at its maximum-likelihood value, as in statsmodels. Source: Venables and Ripley, section 7.
        if point.deviance < PERFECT * n:
            raise RefusedError("glm.perfect-fit", f"the features determine {params.outcome!r} exactly",
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
    coefficients, cov = original_units(design, settled[:size], covariance)
    likelihood = float(settled[-1]) * n
    return {
        "computation": "glm.fit",
        "family": family.name,
        "link": family.link,
        "outcome": params.outcome,
        "terms": _terms(params, design),
        "intercept": params.intercept,
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
        "dropped": _hidden_under(counts.rows - n, cohort.minimum_count),
        "df_model": size - 1,
        "df_resid": n - size,
        "iterations": solution.iterations,
    }


def _terms(params: GlmParameters, design: Design) -> list[dict[str, Any]]:
    """Describe the features well enough to build the same columns from new rows."""
    means = {column.variable: column.place.mean for column in design.columns}
    out: list[dict[str, Any]] = []
    for name in params.features:
        if name in design.levels:
            out.append({"name": name, "levels": list(design.levels[name]), "reference": design.references.get(name)})
        else:
            out.append({"name": name, "fill": means[name] if params.missing == "mean" else None})
    return out


def _hidden_under(number: int, minimum: int) -> int | None:
    """Return a count of rows, or None where so few rows must not be told."""
    return number if number == 0 or number >= minimum else None
