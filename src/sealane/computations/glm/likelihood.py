"""One secure sum per step: information matrix, score and deviance at coefficients that all nodes have agreed on.

Every bound follows from the contract's ranges, the opened row count and the agreed coefficients, so no row can cross
it. A Poisson mean has no such bound: there each node checks its own means against a public total, contributes zeros if
they exceed it, and says so in the same sum. Bounds are rounded up to powers of two: they are part of what all nodes
hold a sum against, and must not hang on the last bit of a float.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort, Term, count, real
from sealane.computations.design.layout import SLACK, Column, Design
from sealane.computations.glm.families import Family, Reach
from sealane.computations.newton import Array, Point
from sealane.errors import RefusedError

WIDEST_SUM = 2.0**68
"""Largest bound times cohort that leaves 56 fractional bits in a ring of 128."""
HEADROOM = 64.0
"""How far the means of a step may sum beyond the outcomes (or rows) before it is called a runaway."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Opened constants of the model: deviance of the null model, log-likelihood of the saturated one."""

    null_deviance: float
    saturated: float


class Likelihood:
    """A node's rows, ready to be evaluated with the cohort's."""

    def __init__(
        self, cohort: Cohort, design: Design, outcome: Column, family: Family, x: Array, y: Array, rows: int,
    ) -> None:
        self.design, self.outcome, self.rows = design, outcome, rows
        self._cohort, self._family, self._x, self._y = cohort, family, x, y
        mean = outcome.place.mean
        self._mean_total = HEADROOM * max(rows * mean, float(rows)) if family.name == "poisson" else 0.0

    async def start(self, beta: Array, null_predictor: float) -> tuple[Point, Baseline]:
        """Evaluate the first coefficients together with the constants of the model: one sum."""
        null = np.full_like(self._y, null_predictor)
        fits = self._family.within(null, self._mean_total)
        caps = self._family.caps(self._reach(null_predictor, null_predictor))
        bound = self._bound(caps.deviance)
        constants = {
            "null": real([self._family.contribute(self._y, null).deviance if fits else 0.0], bound),
            "saturated": real([self._family.saturated(self._y)], bound),
        }
        point, opened = await self._sum(beta, constants)
        return point, Baseline(opened["null"], opened["saturated"])

    async def at(self, beta: Array) -> Point:
        """Evaluate agreed coefficients: one sum."""
        return (await self._sum(beta, {}))[0]

    async def _sum(self, beta: Array, constants: dict[str, Term]) -> tuple[Point, dict[str, float]]:
        size = len(beta)
        rows, columns = np.triu_indices(size)
        predictor = self._x @ beta
        information, score, deviance = np.zeros(len(rows)), np.zeros(size), 0.0
        fits = self._family.within(predictor, self._mean_total)
        if fits:
            own = self._family.contribute(self._y, predictor)
            information = ((self._x * own.weights[:, None]).T @ self._x)[rows, columns]
            score, deviance = self._x.T @ own.residuals, own.deviance
        caps = self._family.caps(self._reach(*_span(self.design, beta)))
        reach = max(column.reach for column in self.design.columns)
        opened = await self._cohort.sum({
            "information": real(information, self._bound(caps.weights * reach * reach)),
            "score": real(score, self._bound(caps.residuals * reach)),
            "deviance": real([deviance], self._bound(caps.deviance)),
            "runaway": count([0 if fits else 1], 1),
            **constants,
        })
        full = np.zeros((size, size), dtype=np.float64)
        full[rows, columns] = opened["information"]
        full[columns, rows] = opened["information"]
        point = Point(beta, full, opened["score"], float(opened["deviance"][0]), int(opened["runaway"][0]) > 0)
        return point, {name: float(opened[name][0]) for name in constants}

    def _reach(self, low: float, high: float) -> Reach:
        return Reach(self.rows, (self.outcome.low, self.outcome.high), (low, high), self._mean_total)

    def _bound(self, bound: float) -> float:
        # A model without intercept on all-zero ranges would have a bound of zero, which is none.
        rounded = 2.0 ** math.frexp(max(bound, 2.0**-20) * SLACK)[1] if math.isfinite(bound) else math.inf
        if rounded * self._cohort.size > WIDEST_SUM:
            widest = max(self.design.columns, key=lambda column: column.reach)
            raise RefusedError("glm.range-too-wide", "the contract's ranges are too wide for an exact sum",
                               got=f"{widest.name!r} may lie {widest.reach:.3g} spreads from its mean",
                               hint="narrow the range in the contract, or take a logarithm")
        return rounded


def _span(design: Design, beta: Array) -> tuple[float, float]:
    """Return the range of the linear predictor over every row that the contract allows; exactly rounded sums."""
    pairs: Sequence[tuple[float, float]] = [
        (b * column.low, b * column.high) for b, column in zip(beta.tolist(), design.columns, strict=True)
    ]
    return math.fsum(min(pair) for pair in pairs), math.fsum(max(pair) for pair in pairs)
