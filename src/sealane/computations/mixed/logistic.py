"""A logistic model with a random intercept per institution: one secure sum per Newton step.

Each institution's integral is over its own rows, so it is computed at its node; log-likelihoods, scores and
informations are added. Sums at many (β, σ) could be solved for single institutions', so all have to have waived that.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sealane.computations.base import Cohort, count, real
from sealane.computations.cholesky import factor
from sealane.computations.design.layout import Design, original_units
from sealane.computations.design.variables import Array
from sealane.computations.few_rows import rests_on_few
from sealane.computations.mixed.quadrature import integrate, row_weights
from sealane.computations.newton import Point, Slope, climb
from sealane.errors import RefusedError

LARGEST = 2.0**12
"""How far a term may sum beyond the rows, in squared reaches of covariates, before it is called a runaway."""
WIDEST_SUM = 2.0**68
"""Largest bound times cohort that leaves 56 fractional bits in a ring of 128."""
START = 0.5
"""Deviation of the intercepts to start at; at 0, where the likelihood is flat, no step would lead away."""
NOTHING = 1e-4
"""Deviation of the intercepts under which it is 0."""
CERTAIN = 1e-5
"""Deviance per row under which every row counts as predicted without doubt."""


class Marginal:
    """A node's rows, ready to be evaluated with the cohort's."""

    def __init__(self, cohort: Cohort, design: Design, x: Array, y: Array, *, rows: int, points: int) -> None:
        self._cohort, self._x, self._y, self._rows, self._points = cohort, x, y, rows, points
        reach = max(column.reach for column in design.columns)
        self._most = 2.0 ** math.frexp(LARGEST * rows * reach * reach)[1]
        if self._most * cohort.size > WIDEST_SUM:
            raise RefusedError("mixed.range-too-wide", "the contract's ranges are too wide for an exact sum",
                               got=f"a column that reaches {reach:.3g} spreads from its mean",
                               hint="narrow the range in the contract, or take a logarithm")

    async def at(self, parameters: Array) -> Point:
        """Evaluate agreed (β, σ): one sum."""
        sigma, size = float(parameters[-1]), len(parameters)
        # With σ = 0 the integrands are polynomials in u of at most the second degree: three points are exact.
        own = integrate(self._x, self._y, parameters[:-1], sigma, self._points if sigma else 3)
        rows, columns = np.triu_indices(size)
        local = np.concatenate([[own.value], own.score, own.information[rows, columns]])
        fits = bool(np.isfinite(local).all() and (np.abs(local) <= self._most).all()) and not rests_on_few(
            row_weights(self._x @ parameters[:-1] + sigma * own.mean), len(self._y), self._cohort.minimum_count)
        opened = await self._cohort.sum({
            "terms": real(local, self._most, void=not fits),
            "runaway": count([0 if fits else 1], 1)})
        value, score, upper = np.split(opened["terms"], [1, 1 + size])
        information = _square(upper, size)
        if factor(information) is None:
            information = self._uphill(information, sigma)
        return Point(parameters, information, score, -2.0 * float(value[0]), int(opened["runaway"][0]) > 0)

    def _uphill(self, information: Array, sigma: float) -> Array:
        """Return a matrix whose steps lead uphill where the likelihood is not concave.

        In β alone it always is, as an integral over a log-concave function. In σ it need not be above the maximum:
        there the information of k known intercepts, 2 k / σ², stands in.
        """
        out = information.copy()
        out[-1, :] = out[:, -1] = 0.0
        out[-1, -1] = 2.0 * self._cohort.size / (sigma * sigma) if sigma else 1.0
        return out

    async def at_fixed(self, beta: Array) -> Point:
        """Evaluate agreed β of the model without random intercepts: one sum."""
        point = await self.at(np.append(beta, 0.0))
        return Point(beta, point.information[:-1, :-1], point.score[:-1], point.deviance, point.runaway)

    async def intercepts(self, parameters: Array) -> tuple[list[int], Array, Array]:
        """Open rows, and mean and variance of u, of every institution: one sum."""
        own = integrate(self._x, self._y, parameters[:-1], float(parameters[-1]), self._points)
        slots = np.zeros((2, self._cohort.size))
        slots[:, self._cohort.place] = own.mean, own.variance
        rows = np.zeros(self._cohort.size, dtype=np.int64)
        rows[self._cohort.place] = len(self._y)
        opened = await self._cohort.sum({"intercepts": real(slots, self._most), "rows": count(rows, self._rows)})
        return opened["rows"].tolist(), opened["intercepts"][0], opened["intercepts"][1]


async def fit_logistic(
    cohort: Cohort, design: Design, x: Array, y: Array, *, rows: int, points: int, iterations: int, tolerance: float
) -> dict[str, Any]:
    """Fit, and return what is released.

    Raises:
        RefusedError: a model without an answer (``model.collinear``, ``model.separation``, ``model.not-converged``).
    """
    size = len(design.columns)
    marginal = Marginal(cohort, design, x, y, rows=rows, points=points)
    options: dict[str, Any] = {"iterations": iterations, "tolerance": tolerance}
    plain = Slope(marginal.at_fixed, design.names, design.units, CERTAIN * rows)
    pooled = await climb(plain, cohort, await marginal.at_fixed(np.zeros(size)), **options)
    slope = Slope(marginal.at, [*design.names, "deviation of intercepts"], np.append(design.units, 1.0))
    first = await marginal.at(await cohort.agree(np.append(pooled.point.beta + pooled.step, START)))
    found = await climb(slope, cohort, first, **options)
    upper = np.triu_indices(size + 1)
    settled = await cohort.agree(np.concatenate([
        found.point.beta + found.step, found.inverse[upper] * rows,
        [found.point.deviance / rows, pooled.point.deviance / rows]]))
    parameters, covariance = settled[: size + 1], _square(settled[size + 1 : -2] / rows, size + 1)
    likelihoods = [-0.5 * float(one) * rows for one in settled[-2:]]
    nothing = abs(float(parameters[-1])) < NOTHING
    if nothing:
        parameters, covariance = await _without(cohort, pooled.point.beta + pooled.step, pooled.inverse, rows)
        likelihoods[0] = likelihoods[1]
    sigma = abs(float(parameters[-1]))
    numbers, means, variances = await marginal.intercepts(np.append(parameters[:-1], sigma))
    coefficients, released = original_units(design, parameters, covariance)
    return {
        "columns": design.names, "fe_params": coefficients[:size],
        "covariance": [row[:size] for row in released[:size]],
        "errors": "conditional on the variances" if nothing else "observed information",
        "cov_re": sigma * sigma, "scale": 1.0, "reml": False, "llf": likelihoods,
        "rows": numbers, "iterations": found.iterations + pooled.iterations,
        "intercepts": (sigma * means).tolist(), "intercept_variances": (sigma * sigma * variances).tolist(),
    }


async def _without(cohort: Cohort, beta: Array, inverse: Array, rows: int) -> tuple[Array, Array]:
    """Settle the model without random intercepts, in the shape of the one with them."""
    size = len(beta)
    upper = np.triu_indices(size)
    settled = await cohort.agree(np.concatenate([beta, inverse[upper] * rows]))
    covariance = np.zeros((size + 1, size + 1))
    covariance[:size, :size] = _square(settled[size:] / rows, size)
    return np.append(settled[:size], 0.0), covariance


def _square(upper: Array, size: int) -> Array:
    out = np.zeros((size, size))
    rows, columns = np.triu_indices(size)
    out[rows, columns] = out[columns, rows] = upper
    return out
