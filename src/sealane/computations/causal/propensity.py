"""The propensity score: a logistic regression of the treatment on the features, over the rows of all institutions.

Source: Rosenbaum and Rubin (1983), Biometrika 70:41-55.
"""

from __future__ import annotations

import math

import numpy as np

from sealane.computations.base import Cohort, count, real
from sealane.computations.causal.parameters import IpwParameters
from sealane.computations.design.layout import SLACK, Design
from sealane.computations.few_rows import rests_on_few
from sealane.computations.newton import Array, Point, Slope, Solution, climb
from sealane.errors import RefusedError

WIDEST_SUM = 2.0**68
"""Largest bound times cohort that leaves 56 fractional bits in a ring of 128."""
CERTAIN = 1e-5
"""Deviance per row under which every row's arm is known without doubt."""


class Propensity:
    """A node's rows as the propensity score sees them: private."""

    def __init__(self, cohort: Cohort, design: Design, x: Array, treated: Array, rows: int) -> None:
        self.design, self.rows = design, rows
        self.reach = max(column.reach for column in design.columns)
        self._cohort, self._x, self._treated = cohort, x, treated

    async def fit(self, params: IpwParameters, share: float) -> tuple[Array, Solution]:
        """Return the agreed coefficients of the standardised columns, and the way there.

        Args:
            params: of the study.
            share: of rows that are treated, by which the climb begins.

        Raises:
            RefusedError: ``model.collinear``, ``model.separation`` or ``model.not-converged``.
        """
        beta = np.zeros(len(self.design.columns))
        beta[0] = math.log(share / (1.0 - share))
        start = await self.at(await self._cohort.agree(beta))
        slope = Slope(self.at, self.design.names, self.design.units, CERTAIN * self.rows)
        solution = await climb(slope, self._cohort, start, iterations=params.maximum_iterations,
                               tolerance=params.tolerance)
        return await self._cohort.agree(solution.point.beta + solution.step), solution

    async def at(self, beta: Array) -> Point:
        """Evaluate agreed coefficients: one sum."""
        predictor = self._x @ beta
        score = scores(predictor)
        upper = np.triu_indices(len(beta))
        weights = score * (1.0 - score)
        information = (self._x * weights[:, None]).T @ self._x
        fits = not rests_on_few(weights, len(weights), self._cohort.minimum_count)
        # log(1 + exp(-s)) of the predictor, with the sign of a row's own arm.
        deviance = 2.0 * float(np.logaddexp(0.0, np.where(self._treated > 0, -predictor, predictor)).sum())
        furthest = math.fsum(abs(b) * c.reach for b, c in zip(beta.tolist(), self.design.columns, strict=True))
        opened = await self._cohort.sum({
            "information": real(information[upper], self.bound(self.reach * self.reach), void=not fits),
            "score": real(self._x.T @ (self._treated - score), self.bound(self.reach), void=not fits),
            "deviance": real([deviance], self.bound(2.0 * (furthest + 1.0)), void=not fits),
            "runaway": count([0 if fits else 1], 1),
        })
        full = np.zeros((len(beta), len(beta)))
        full[upper] = opened["information"]
        full = np.triu(full) + np.triu(full, 1).T
        return Point(beta, full, opened["score"], float(opened["deviance"][0]), int(opened["runaway"][0]) > 0)

    def bound(self, largest: float) -> float:
        """Return the bound of a sum over rows of which none adds more than this: a power of two, public.

        Raises:
            RefusedError: ``ipw.range-too-wide``.
        """
        whole = self.rows * max(largest, 2.0**-20) * SLACK
        rounded = 2.0 ** math.frexp(whole)[1] if whole <= WIDEST_SUM else math.inf
        if rounded * self._cohort.size > WIDEST_SUM:
            widest = max(self.design.columns, key=lambda column: column.reach)
            raise RefusedError("ipw.range-too-wide", "the contract's ranges are too wide for an exact sum",
                               got=f"{widest.name!r} may lie {widest.reach:.3g} spreads from its mean",
                               hint="narrow ranges in the contract, take a logarithm, or truncate sooner")
        return rounded


def scores(predictor: Array) -> Array:
    """Return the probabilities that a linear predictor stands for, same shape."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(predictor, -700.0, 700.0))), dtype=np.float64)
