"""One institution's own model: Newton's method on its own rows, and whether they are enough for it.

Nothing here leaves the node: only sums over the institutions of what follows from it do. So floats are free. Links are
canonical; the covariance is the inverse information, times the residual variance (divisor n - p) in a gaussian model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sealane.computations.design.variables import Array

OwnFamily = Literal["gaussian", "binomial", "poisson"]
"""Of the models that an institution fits by itself, beside Cox's."""
ITERATIONS = 100
SMALLEST_PIVOT = 1e-10
"""Least share of a column that the others may leave unexplained, as in a model over all rows."""
LAST_STEP = 1e-10
HALVINGS = 30
LARGEST_PREDICTOR = 300.0
"""Where exponentials are still far from overflow."""


@dataclass(frozen=True, slots=True)
class LocalFit:
    """An institution's coefficients and their covariance, in standardised units."""

    beta: Array
    covariance: Array


def enough(y: Array, family: OwnFamily, minimum_count: int) -> bool:
    """Say whether a node's rows, and the rarer outcome among them, suffice for a model of its own."""
    events = int((y > 0).sum())
    rarer = {"gaussian": len(y), "binomial": min(events, len(y) - events), "poisson": events}[family]
    return min(rarer, len(y)) >= minimum_count


def fit(x: Array, y: Array, family: OwnFamily) -> LocalFit | None:
    """Fit by Newton's method; None where there is no finite answer, or the columns determine each other."""
    beta = np.zeros(x.shape[1])
    point = _at(x, y, family, beta)
    for _ in range(ITERATIONS):
        if point is None:
            return None
        deviance, score, information = point
        spread = np.sqrt(np.maximum(np.diag(information), np.finfo(np.float64).tiny))
        unit = information / np.outer(spread, spread)
        if not np.isfinite(unit).all() or np.linalg.eigvalsh(unit)[0] < SMALLEST_PIVOT:
            return None
        step = np.linalg.solve(unit, score / spread) / spread
        if float(np.abs(step).max()) <= LAST_STEP * (1.0 + float(np.abs(beta).max())):
            return _finish(x, y, family, beta + step, np.linalg.inv(unit) / np.outer(spread, spread))
        beta, point = _advance(x, y, family, beta, step, deviance)
    return None


def _advance(
    x: Array, y: Array, family: OwnFamily, beta: Array, step: Array, deviance: float
) -> tuple[Array, tuple[float, Array, Array] | None]:
    for halving in range(HALVINGS):
        candidate = beta + step * 0.5**halving
        point = _at(x, y, family, candidate)
        if point is not None and point[0] <= deviance + 1e-10 * (abs(deviance) + 0.1):
            return candidate, point
    return beta, None


def _at(x: Array, y: Array, family: OwnFamily, beta: Array) -> tuple[float, Array, Array] | None:
    """Return minus twice the log-likelihood up to a constant, score and information; None far out of reach."""
    predictor = x @ beta
    if float(np.abs(predictor).max()) > LARGEST_PREDICTOR:
        return None
    if family == "gaussian":
        mean, weights = predictor, np.ones_like(y)
        deviance = float(((y - predictor) ** 2).sum())
    elif family == "binomial":
        mean = 1.0 / (1.0 + np.exp(-predictor))
        weights = mean / (1.0 + np.exp(predictor))
        deviance = 2.0 * float((np.logaddexp(0.0, predictor) - y * predictor).sum())
    else:
        mean = weights = np.exp(predictor)
        deviance = 2.0 * float((mean - y * predictor).sum())
    return deviance, x.T @ (y - mean), (x * weights[:, None]).T @ x


def _finish(x: Array, y: Array, family: OwnFamily, beta: Array, inverse: Array) -> LocalFit | None:
    if family != "gaussian":
        return LocalFit(beta, inverse)
    residuals = y - x @ beta
    scale = float(residuals @ residuals) / (len(y) - x.shape[1])
    return LocalFit(beta, scale * inverse) if scale > 0.0 else None
