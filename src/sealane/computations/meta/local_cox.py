"""One institution's own Cox model: Efron's ties, on its own times, none of which leave the node.

No grid is needed: nothing is opened per time, and only sums over the institutions of what follows from a fit are.
Source: Cox (1972), J. R. Stat. Soc. B 34; Efron (1977), J. Am. Stat. Assoc. 72(359).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealane.computations.design.variables import Array
from sealane.computations.meta.local import HALVINGS, ITERATIONS, LAST_STEP, SMALLEST_PIVOT, LocalFit
from sealane.computations.survival.ties import RiskSums, event_means, outer_means, tie_weights

FARTHEST = 30.0
"""Largest change of a log hazard by a natural unit of a column; past it hazards drift apart without end."""


class OwnTimes:
    """A node's rows, sorted by time, with what sums over its risk sets need."""

    def __init__(self, x: Array, time: Array, dead: Array) -> None:
        order = np.argsort(time, kind="stable")
        self._x, self._dead = x[order], dead[order] > 0
        times = np.unique(time[dead > 0])
        self._size = len(times)
        # A row is at risk at the event times up to its own.
        self._high = np.searchsorted(times, time[order], side="right")
        self._events = np.bincount(self._high[self._dead] - 1, minlength=self._size)

    def at(self, beta: Array) -> tuple[float, Array, Array] | None:
        """Return minus twice the log partial likelihood, score and information; None far out of reach."""
        predictor = self._x @ beta
        if float(np.ptp(predictor)) > 10.0 * FARTHEST:
            return None
        predictor = predictor - predictor.max()
        weight = np.exp(predictor)
        both = np.column_stack([weight, self._x * weight[:, None]])
        risk = _sums(self._high, both, self._size + 1)[::-1].cumsum(axis=0)[::-1][1:]
        ties = _sums(self._high[self._dead] - 1, both[self._dead], self._size)
        sums = RiskSums(risk[:, 0], risk[:, 1:], ties[:, 0], ties[:, 1:])
        weights = tie_weights(sums, self._events, "efron")
        cumulated = np.concatenate([[0.0], np.cumsum(weights.inverse)])
        factor = cumulated[self._high]
        factor[self._dead] -= weights.share[self._high[self._dead] - 1]
        information = (self._x * (weight * factor)[:, None]).T @ self._x - outer_means(sums, weights)
        score = self._x[self._dead].sum(axis=0) - event_means(sums, weights).sum(axis=0)
        return -2.0 * float(predictor[self._dead].sum() - weights.logarithm.sum()), score, information



def fit_cox(x: Array, time: Array, dead: Array) -> LocalFit | None:
    """Fit by Newton's method; None where there is no finite answer, or the columns determine each other."""
    own = OwnTimes(x, time, dead)
    beta = np.zeros(x.shape[1])
    point = own.at(beta)
    for _ in range(ITERATIONS):
        if point is None:
            return None
        deviance, score, information = point
        diagonal = np.diag(information)
        if not bool((diagonal > 0.0).all()):
            return None
        spread = np.sqrt(diagonal)
        unit = information / np.outer(spread, spread)
        if not np.isfinite(unit).all() or np.linalg.eigvalsh(unit)[0] < SMALLEST_PIVOT:
            return None
        step = np.linalg.solve(unit, score / spread) / spread
        if float(np.abs(step).max()) <= LAST_STEP * (1.0 + float(np.abs(beta).max())):
            return LocalFit(beta + step, np.linalg.inv(unit) / np.outer(spread, spread))
        if float(np.abs(beta).max()) > FARTHEST:
            return None
        beta, point = _advance(own, beta, step, deviance)
    return None


def _sums(at: NDArray[np.int64], values: Array, size: int) -> Array:
    """Add rows of values up by place, shape ``(size, n_columns)``."""
    return np.stack([np.bincount(at, values[:, j], size) for j in range(values.shape[1])], axis=1)


def _advance(
    own: OwnTimes, beta: Array, step: Array, deviance: float
) -> tuple[Array, tuple[float, Array, Array] | None]:
    for halving in range(HALVINGS):
        candidate = beta + step * 0.5**halving
        point = own.at(candidate)
        if point is not None and point[0] <= deviance + 1e-10 * (abs(deviance) + 0.1):
            return candidate, point
    return beta, None
