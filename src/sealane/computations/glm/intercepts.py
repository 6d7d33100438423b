"""An intercept per institution, profiled out at home: a node solves for its own, and only sums over all are opened.

For any coefficients of the features a node's intercept is where its own score for it is zero; what is left is the
profile likelihood, whose score is X's and whose information is the Schur complement of the intercept. Both equal those
of a pooled model with a column per institution. Source: Murphy and van der Vaart (2000), On profile likelihood, J. Am.
Stat. Assoc. 95(450); for the elimination Golub and Van Loan, Matrix Computations, 4th ed., 3.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from sealane.computations.glm.working import Kind, Own
from sealane.computations.newton import Array

PROFILED = {("gaussian", "identity"), ("binomial", "logit"), ("binomial", "probit"), ("binomial", "cloglog"),
            ("poisson", "log"), ("gamma", "log"), ("negative-binomial", "log")}
"""Where the likelihood has one peak in an intercept that may take any value."""
_FARTHEST = 600.0
_EXACT = 1e-15
_STEPS = 200


def own_intercept(kind: Kind, own: Own, predictor: Array) -> float | None:
    """Return the intercept that the node's own rows call for, or None where there is no finite one.

    Args:
        kind: family and link, one of ``PROFILED``.
        own: the node's rows, at least one.
        predictor: of its rows, without it.
    """
    if (kind.family.name, kind.link.name) == ("gaussian", "identity"):
        rows = np.ones_like(own.y)
        return own.total(own.y - predictor) / own.total(rows)

    def slope(intercept: float) -> tuple[float, float]:
        worked = kind.work(own, predictor + intercept)
        if worked is None:
            return math.nan, math.nan
        return float(worked.scores.sum()), float(worked.weights.sum())

    return _root(slope)


def without_own(x: Array, weights: Array) -> Array:
    """Return the columns less their weighted means: X'WX of these is the Schur complement of the intercept."""
    total = float(weights.sum())
    return np.asarray(x - (weights @ x) / total, dtype=np.float64) if total > 0.0 else x


def _root(slope: Callable[[float], tuple[float, float]]) -> float | None:
    """Find where a falling function is zero: Newton's steps, kept inside a bracket that bisection shrinks."""
    low, high, width = -1.0, 1.0, 1.0
    while not slope(low)[0] > 0.0:
        width *= 2.0
        low -= width
        if low < -_FARTHEST:
            return None
    width = 1.0
    while not slope(high)[0] < 0.0:
        width *= 2.0
        high += width
        if high > _FARTHEST:
            return None
    at = (low + high) / 2.0
    for _ in range(_STEPS):
        value, weight = slope(at)
        if value == 0.0:
            return at
        low, high = (at, high) if value > 0.0 else (low, at)
        proposed = at + value / weight if weight > 0.0 and math.isfinite(value / weight) else math.inf
        following = proposed if low < proposed < high else (low + high) / 2.0
        if abs(following - at) <= _EXACT * (1.0 + abs(at)):
            return following
        at = following
    return at
