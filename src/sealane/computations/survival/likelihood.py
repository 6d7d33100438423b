"""The partial likelihood over one baseline: two secure sums a step, neither of which holds a matrix per event time.

The first opens, per slot, the sums of e^η and e^η x over the risk set (and over the events, for Efron). From them every
node forms the same weights; a row's part of the information is then e^η times the sum of the weights over the slots at
which it is at risk, and the second sum opens one matrix. Source: Cox (1975), Biometrika 62(2); Lin and others
distribute it likewise.

e^η has no useful bound in the contract's ranges. Each node checks its own total against a public one, contributes
random sums if it exceeds that or rests on few rows, and says so in the same sum; the step is then halved.
"""

from __future__ import annotations

import math

import numpy as np

from sealane.computations.base import Cohort, count, real
from sealane.computations.few_rows import rests_on_few
from sealane.computations.newton import Point
from sealane.computations.survival.bounds import SMALLEST, Reach
from sealane.computations.survival.risk_sets import Array, RiskSets
from sealane.computations.survival.ties import RiskSums, Ties, TieWeights, event_means, outer_means, tie_weights


class PartialLikelihood:
    """A node's rows, ready to be evaluated with the cohort's.

    Attributes:
        sums: opened at the coefficients last evaluated.
        event_x: opened sums of the covariates of the events at each slot, shape ``(n_slots, p)``.
    """

    def __init__(self, cohort: Cohort, own: RiskSets, reach: Reach, ties: Ties) -> None:
        self._cohort, self._own, self._reach, self._ties = cohort, own, reach, ties
        self._slots = own.slots
        size = own.x.shape[1]
        self.sums = RiskSums(*(np.zeros(shape) for shape in ((0,), (0, size), (0,), (0, size))))
        self.event_x = np.zeros((0, size))

    async def start(self) -> None:
        """Open the covariates of the events: one sum."""
        local = self._own.last_sums(self._own.x[self._own.dead], self._own.dead)
        opened = await self._cohort.sum({"events": real(local, self._reach.event_x)})
        self.event_x = opened["events"]

    @property
    def residuals(self) -> Array:
        """Schoenfeld residuals summed over the events at each slot, at the coefficients last evaluated."""
        weights = tie_weights(self.sums, self._slots.events, self._ties)
        return np.asarray(self.event_x - event_means(self.sums, weights), dtype=np.float64)

    async def at(self, beta: Array) -> Point:
        """Evaluate agreed coefficients: two sums, or one where somebody's own rows run away."""
        own, size = self._own, len(beta)
        predictor = own.x @ beta
        weight = np.exp(np.minimum(predictor, 700.0))
        fits = float(weight.sum()) <= self._reach.weight and not rests_on_few(
            weight, len(weight), self._cohort.minimum_count)
        sums, runaway = await self._open_sums(weight if fits else np.zeros_like(weight), fits=fits)
        if runaway:
            return Point(beta, np.eye(size), np.zeros(size), math.inf, runaway=True)
        weights = tie_weights(sums, self._slots.events, self._ties)
        moment = await self._open_moment(weight, weights)
        information = moment - outer_means(sums, weights)
        score = np.cumsum(self.event_x - event_means(sums, weights), axis=0)[-1]
        events_predictor = math.fsum((np.cumsum(self.event_x, axis=0)[-1] * beta).tolist())
        self.sums = sums
        deviance = -2.0 * (events_predictor - float(np.cumsum(weights.logarithm)[-1]))
        return Point(beta, information, score, deviance)

    async def _open_sums(self, weight: Array, *, fits: bool) -> tuple[RiskSums, bool]:
        own, reach = self._own, self._reach
        weighted = own.x * weight[:, None]
        terms = {"s0": real(own.over_risk_sets(weight), reach.sum0, void=not fits),
                 "s1": real(own.over_risk_sets(weighted), reach.sum1, void=not fits),
                 "runaway": count([0 if fits else 1], 1)}
        if self._ties == "efron":
            terms |= {"t0": real(own.last_sums(weight[own.dead], own.dead), reach.sum0, void=not fits),
                      "t1": real(own.last_sums(weighted[own.dead], own.dead), reach.sum1, void=not fits)}
        opened = await self._cohort.sum(terms)
        s0, s1 = opened["s0"], opened["s1"]
        sums = RiskSums(s0, s1, opened.get("t0", np.zeros_like(s0)), opened.get("t1", np.zeros_like(s1)))
        # What the fixed point cannot tell from nothing would divide: as bad as too much.
        return sums, int(opened["runaway"][0]) > 0 or float(s0.min()) < SMALLEST

    async def _open_moment(self, weight: Array, weights: TieWeights) -> Array:
        """Open Σ e^η W x x' over all rows, W being the sum of the weights over the slots of a row."""
        own, size = self._own, self._own.x.shape[1]
        cumulated = np.concatenate([[0.0], np.cumsum(weights.inverse)])
        factor = cumulated[own.high] - cumulated[own.low]
        factor[own.dead] -= weights.share[own.high[own.dead] - 1]
        rows, columns = np.triu_indices(size)
        local = ((own.x * (weight * factor)[:, None]).T @ own.x)[rows, columns]
        opened = (await self._cohort.sum({"moment": real(local, self._reach.moment)}))["moment"]
        moment = np.zeros((size, size))
        moment[rows, columns] = moment[columns, rows] = opened
        return moment
