"""Logistic regression of the event on weights of evidence: one secure sum for each step of each model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort, count, real
from sealane.computations.few_rows import rests_on_few
from sealane.computations.glm.links import LINKS, Mean
from sealane.computations.newton import Array, Point, Slope, Solution, climb
from sealane.computations.scorecard.collinear import power_of_two

WIDEST_SUM = 2.0**68
"""Largest bound times cohort that leaves 56 fractional bits in a ring of 128."""
CERTAIN = 1e-5
"""Deviance per row under which every row's outcome is known without doubt."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model at its maximum.

    Attributes:
        columns: places of its features.
        beta: agreed coefficients, intercept first.
        solution: the way there.
    """

    columns: tuple[int, ...]
    beta: Array
    solution: Solution

    @property
    def deviance(self) -> float:
        """Minus twice the log-likelihood."""
        return self.solution.point.deviance

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self.deviance + 2.0 * len(self.beta)


class Likelihood:
    """A node's own rows as weights of evidence: private.

    Attributes:
        names: of the features.
    """

    def __init__(self, x: Array, y: Array, names: Sequence[str], reach: Sequence[float], rows: int) -> None:
        """Take own rows, and what is public: each feature's largest absolute weight of evidence, and all rows."""
        self.names, self._reach, self._rows = list(names), [1.0, *reach], rows
        self._x, self._y = np.column_stack([np.ones(len(y)), x]), y

    async def fit(
        self, cohort: Cohort, columns: Sequence[int], start: Array, iterations: int, tolerance: float
    ) -> Fitted:
        """Fit the model of some features from a start, intercept first.

        Raises:
            RefusedError: ``model.collinear``, ``model.separation`` or ``model.not-converged``.
        """
        at = _At(cohort, self._x[:, [0, *(k + 1 for k in columns)]], self._y,
                 [self._reach[0], *(self._reach[k + 1] for k in columns)], self._rows)
        slope = Slope(at, ["Intercept", *(self.names[k] for k in columns)], np.ones(len(columns) + 1),
                      CERTAIN * self._rows)
        first = await at(await cohort.agree(start))
        solution = await climb(slope, cohort, first, iterations=iterations, tolerance=tolerance)
        return Fitted(tuple(columns), await cohort.agree(solution.point.beta + solution.step), solution)


    async def around(self, cohort: Cohort, beta: Array) -> tuple[Array, Array]:
        """Open information and score of all features, those out of the model too, at public coefficients: one sum."""
        mean = LINKS["logit"].evaluate(self._x @ beta)
        scaled = self._x * np.sqrt(mean.slope)[:, None]
        upper = np.triu_indices(len(beta))
        widest = max(self._reach)
        opened = await cohort.sum({
            "information": real((scaled.T @ scaled)[upper], power_of_two(0.25 * self._rows * widest * widest)),
            "score": real(self._x.T @ _residuals(self._y, mean), power_of_two(self._rows * widest))})
        return _symmetric(opened["information"], len(beta)), opened["score"]

    async def at_each(self, cohort: Cohort, betas: Array) -> tuple[Array, Array]:
        """Open the scores, shape as ``betas``, and deviances of several public coefficients: one sum.

        Args:
            cohort: of the run.
            betas: one column for each, 0 where a feature is not in the model; shape ``(features + 1, models)``.
        """
        predictor = self._x @ betas
        residuals = _residuals(self._y[:, None], LINKS["logit"].evaluate(predictor))
        steepest = max(math.fsum(abs(b) * reach for b, reach in zip(beta, self._reach, strict=True))
                       for beta in betas.T.tolist())
        opened = await cohort.sum({
            "score": real(self._x.T @ residuals, power_of_two(self._rows * max(self._reach))),
            "deviance": real(_deviances(self._y[:, None], predictor).sum(axis=0), _widest(self._rows, steepest))})
        return opened["score"], opened["deviance"]


@dataclass(frozen=True, slots=True)
class _At:
    """Evaluates agreed coefficients."""

    cohort: Cohort
    x: Array
    y: Array
    reach: list[float]
    rows: int

    async def __call__(self, beta: Array) -> Point:
        size, widest = len(beta), max(self.reach)
        steepest = math.fsum(abs(b) * reach for b, reach in zip(beta.tolist(), self.reach, strict=True))
        bounds = [power_of_two(0.25 * self.rows * widest * widest), power_of_two(self.rows * widest),
                  _widest(self.rows, steepest)]
        if max(bounds) * self.cohort.size > WIDEST_SUM:  # a step that no maximum is at: it is halved
            return Point(beta, np.eye(size), np.zeros(size), 0.0, runaway=True)
        predictor = self.x @ beta
        mean = LINKS["logit"].evaluate(predictor)
        scaled = self.x * np.sqrt(mean.slope)[:, None]
        fits = not rests_on_few(mean.slope, len(self.y), self.cohort.minimum_count)
        opened = await self.cohort.sum({
            "information": real((scaled.T @ scaled)[np.triu_indices(size)], bounds[0], void=not fits),
            "score": real(self.x.T @ _residuals(self.y, mean), bounds[1], void=not fits),
            "deviance": real([_deviances(self.y, predictor).sum()], bounds[2], void=not fits),
            "runaway": count([0 if fits else 1], 1)})
        return Point(beta, _symmetric(opened["information"], size), opened["score"], float(opened["deviance"][0]),
                     int(opened["runaway"][0]) > 0)


def _residuals(y: Array, mean: Mean) -> Array:
    return np.asarray(np.where(y > 0, mean.other, -mean.value), dtype=np.float64)


def _deviances(y: Array, predictor: Array) -> Array:
    """Return 2 log(1 + exp(-s)), s with the sign of what happened: steep predictors lose no digits."""
    return np.asarray(2.0 * np.logaddexp(0.0, np.where(y > 0, -predictor, predictor)), dtype=np.float64)


def _widest(rows: int, steepest: float) -> float:
    """Bound the deviance by log(1 + e^|t|) <= 1 + |t|."""
    return power_of_two(2.0 * rows * (1.0 + steepest))


def _symmetric(upper: Array, size: int) -> Array:
    full = np.zeros((size, size))
    full[np.triu_indices(size)] = upper
    return np.asarray(np.triu(full) + np.triu(full, 1).T, dtype=np.float64)
