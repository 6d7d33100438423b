"""The partial likelihood with a baseline for each institution: every node's risk sets are its own.

Only the score, the information and the log-likelihood are summed, one sum a step; nothing is opened per event time, so
event times stay on the fine grid. A node scales its own e^η as it likes, since a baseline takes that up, so no
bound is passed.
"""

from __future__ import annotations

import math

import numpy as np

from sealane.computations.base import Cohort, count, real
from sealane.computations.design.layout import Design
from sealane.computations.few_rows import rests_on_few
from sealane.computations.newton import Point
from sealane.computations.survival.bounds import Reach, power_above
from sealane.computations.survival.risk_sets import Array, RiskSets
from sealane.computations.survival.ties import RiskSums, Ties, event_means, outer_means, tie_weights


class OwnLikelihood:
    """A node's rows, ready to be evaluated by themselves and added to the cohort's.

    Attributes:
        residuals: own sums of Schoenfeld residuals at each slot at the coefficients last evaluated: private.
    """

    def __init__(self, cohort: Cohort, own: RiskSets, reach: Reach, ties: Ties, design: Design, rows: int) -> None:
        self._cohort, self._own, self._reach, self._ties = cohort, own, reach, ties
        self._design, self._rows = design, rows
        self._events = np.bincount(own.high[own.dead] - 1, minlength=own.slots.size)
        self._event_x = own.last_sums(own.x[own.dead], own.dead)
        self.residuals: Array = np.zeros_like(self._event_x)

    async def start(self) -> None:
        """Do nothing: there is no constant to open."""

    async def at(self, beta: Array) -> Point:
        """Evaluate agreed coefficients: one sum."""
        own = self._own
        predictor = own.x @ beta
        predictor -= predictor.max(initial=-math.inf) if len(predictor) else 0.0
        weight = np.exp(np.maximum(predictor, -600.0))
        weighted = own.x * weight[:, None]
        sums = RiskSums(own.over_risk_sets(weight), own.over_risk_sets(weighted),
                        own.last_sums(weight[own.dead], own.dead), own.last_sums(weighted[own.dead], own.dead))
        weights = tie_weights(sums, self._events, self._ties)
        cumulated = np.concatenate([[0.0], np.cumsum(weights.inverse)])
        factor = cumulated[own.high] - cumulated[own.low]
        factor[own.dead] -= weights.share[own.high[own.dead] - 1]
        self.residuals = self._event_x - event_means(sums, weights)
        information = (own.x * (weight * factor)[:, None]).T @ own.x - outer_means(sums, weights)
        likelihood = float(predictor[own.dead].sum() - weights.logarithm.sum())
        rows, columns = np.triu_indices(len(beta))
        fits = not rests_on_few(weight, len(weight), self._cohort.minimum_count)
        opened = await self._cohort.sum({
            "information": real(information[rows, columns], self._reach.information, void=not fits),
            "score": real(self.residuals.sum(axis=0), self._reach.score, void=not fits),
            "likelihood": real([likelihood], self._most(beta), void=not fits),
            "runaway": count([0 if fits else 1], 1),
        })
        full = np.zeros_like(information)
        full[rows, columns] = full[columns, rows] = opened["information"]
        return Point(beta, full, opened["score"], -2.0 * float(opened["likelihood"][0]), int(opened["runaway"][0]) > 0)

    def _most(self, beta: Array) -> float:
        """Bound the log-likelihood: of each event it is the logarithm of a share of at most all rows."""
        pairs = [(b * c.low, b * c.high) for b, c in zip(beta.tolist(), self._design.columns, strict=True)]
        span = math.fsum(max(pair) for pair in pairs) - math.fsum(min(pair) for pair in pairs)
        return power_above(self._own.slots.total * (math.frexp(self._rows)[1] + span + 1.0))
