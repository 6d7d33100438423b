"""Estimates for a logistic model whose outcome is separated: Firth's, or a ridge, each named as such in the result.

Firth's adds half the log determinant of the information to the log-likelihood, which removes the leading bias and is
finite always. Source: Firth (1993), Biometrika 80(1); Heinze and Schemper (2002), Statist. Med. 21(16), equation (2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from sealane.computations.cholesky import factor
from sealane.computations.glm.likelihood import Likelihood
from sealane.computations.glm.opening import open_sums
from sealane.computations.newton import Array, Point

RIDGE = 1.0
"""Penalty on the squared coefficients of standardised columns, in units of one row's log-likelihood: as C = 1 in
scikit-learn's LogisticRegression."""


@dataclass(slots=True)
class Firth:
    """The penalised likelihood: two sums at each step, since a row's leverage needs the whole information."""

    likelihood: Likelihood
    deviance: float = field(default=0.0)
    """Without the penalty, at the point evaluated last."""

    async def at(self, beta: Array) -> Point:
        """Evaluate agreed coefficients."""
        point = await self.likelihood.at(beta)
        factored = None if point.runaway else factor(point.information)
        if factored is None:
            return Point(beta, point.information, point.score, point.deviance, runaway=True)
        determinant = math.fsum(math.log(p) for p in factored.pivots.tolist()) + 2.0 * math.fsum(
            math.log(s) for s in factored.spread.tolist())
        settled = float((await self.likelihood.cohort.agree(np.array([determinant])))[0])
        opened = await open_sums(self.likelihood.cohort, self._score(beta, factored.inverse()), {"score": beta.shape})
        self.deviance = point.deviance
        return Point(beta, point.information, opened.sums["score"], point.deviance - settled, opened.runaway)

    def _score(self, beta: Array, inverse: Array) -> dict[str, Array] | None:
        own = self.likelihood.own
        worked = self.likelihood.work(beta)
        if worked is None:
            return None
        mean = self.likelihood.kind.link.evaluate(own.predictor(beta))
        # The leverage of a row that stands for several is that of each of them.
        leverage = mean.slope * ((own.x @ inverse) * own.x).sum(axis=1)
        adjusted = leverage * (mean.other - mean.value) / 2.0
        return {"score": own.x.T @ (worked.scores + (adjusted if own.weights is None else adjusted * own.weights))}


@dataclass(slots=True)
class Ridge:
    """The likelihood with a penalty on every coefficient but the intercept."""

    likelihood: Likelihood
    penalties: Array
    deviance: float = field(default=0.0)
    """Without the penalty, at the point evaluated last."""

    async def at(self, beta: Array) -> Point:
        """Evaluate agreed coefficients: one sum."""
        point = await self.likelihood.at(beta)
        self.deviance = point.deviance
        pull = self.penalties * beta
        return Point(beta, point.information + np.diag(self.penalties), point.score - pull,
                     point.deviance + math.fsum((pull * beta).tolist()), point.runaway)
