"""The likelihood of one institution's rows with its random intercept integrated out, and the derivatives of it.

The intercept is σ u with u standard normal. Gauss and Hermite's points are laid around the mode of the integrand and
as far apart as its curvature says, so few are enough. Derivatives are posterior means: the score is E[S(u)], the
information E[I(u)] - Var[S(u)], S and I being those for a known u. Sources: Liu and Pierce (1994), Biometrika 81;
Pinheiro and Bates (1995), J. Comput. Graph. Stat. 4; Louis (1982), J. R. Stat. Soc. B 44.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sealane.computations.design.variables import Array

MODE_STEPS = 100
FARTHEST_STEP = 2.0
"""Longest step towards the mode, in deviations of the intercept: the integrand is concave, but may be steep."""
BLOCK = 1 << 15
"""Rows evaluated at all points at a time: memory stays small however many rows there are."""


@dataclass(frozen=True, slots=True)
class Integral:
    """What an institution contributes at some (β, σ).

    Attributes:
        value: log-likelihood.
        score: by (β, σ), shape ``(p + 1,)``.
        information: shape ``(p + 1, p + 1)``.
        mean: of u, given the rows.
        variance: of u, given the rows.
    """

    value: float
    score: Array
    information: Array
    mean: float
    variance: float


def integrate(x: Array, y: Array, beta: Array, sigma: float, points: int) -> Integral:
    """Integrate a logistic model's likelihood of rows ``x`` ``(n, p)`` and outcomes ``y`` of 0 and 1."""
    fixed = x @ beta
    mode = _mode(fixed, y, sigma)
    spread = 1.0 / math.sqrt(1.0 + sigma * sigma * float(row_weights(fixed + sigma * mode).sum()))
    places, weights = np.polynomial.hermite.hermgauss(points)
    u = mode + math.sqrt(2.0) * spread * places
    blocks = [slice(at, at + BLOCK) for at in range(0, len(y), BLOCK)]
    logs = places * places + np.log(weights) - u * u / 2.0
    for block in blocks:
        predictor = fixed[block, None] + sigma * u
        logs += y[block] @ predictor - np.logaddexp(0.0, predictor).sum(axis=0)
    top = float(logs.max(initial=-math.inf))
    shares = np.exp(logs - top)
    total = float(shares.sum())
    shares /= total
    value = top + math.log(total) + math.log(math.sqrt(2.0) * spread) - 0.5 * math.log(2.0 * math.pi)
    size = x.shape[1]
    scores, complete = np.zeros((size + 1, points)), np.zeros((size + 1, size + 1))
    for block in blocks:
        predictor = fixed[block, None] + sigma * u
        residuals = y[block, None] - _mean(predictor)
        scores[:size] += x[block].T @ residuals
        scores[size] += u * residuals.sum(axis=0)
        complete += _complete(x[block], row_weights(predictor), u, shares)
    score = scores @ shares
    centred = scores - score[:, None]
    mean = float(u @ shares)
    return Integral(value, score, complete - (centred * shares) @ centred.T, mean, float(((u - mean) ** 2) @ shares))


def _complete(x: Array, weights: Array, u: Array, shares: Array) -> Array:
    size = x.shape[1]
    out = np.empty((size + 1, size + 1))
    out[:size, :size] = (x * (weights @ shares)[:, None]).T @ x
    out[:size, size] = out[size, :size] = x.T @ (weights @ (shares * u))
    out[size, size] = float(weights.sum(axis=0) @ (shares * u * u))
    return out


def _mode(fixed: Array, y: Array, sigma: float) -> float:
    u = 0.0
    for _ in range(MODE_STEPS):
        predictor = fixed + sigma * u
        slope = sigma * float((y - _mean(predictor)).sum()) - u
        step = slope / (1.0 + sigma * sigma * float(row_weights(predictor).sum()))
        u += max(-FARTHEST_STEP, min(FARTHEST_STEP, step))
        if abs(step) < 1e-10:
            break
    return u


def _mean(predictor: Array) -> Array:
    small = np.exp(-np.abs(predictor))
    return np.asarray(np.where(predictor >= 0.0, 1.0, small) / (1.0 + small), dtype=np.float64)


def row_weights(predictor: Array) -> Array:
    """Return p (1 - p) of each logit, same shape."""
    small = np.exp(-np.abs(predictor))
    return np.asarray(small / (1.0 + small) ** 2, dtype=np.float64)
