"""What a node's rows contribute at one linear predictor: the terms of Fisher scoring, row by row.

With a canonical link this is Newton's method too. Source: Green (1984), Iteratively reweighted least squares, J. R.
Stat. Soc. B 46(2); McCullagh and Nelder (1989), section 2.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sealane.computations.glm.families import CANONICAL, Family
from sealane.computations.glm.links import Link
from sealane.computations.newton import Array

_CHUNK = 16_384
"""Rows worked on at a time: the weighted copy stays small, and BLAS has enough to do between its barriers."""


@dataclass(frozen=True, slots=True)
class Own:
    """A node's own rows: private.

    Attributes:
        x: the standardised design, shape ``(n_kept, n_columns)``.
        y: outcomes in the units in which they are fitted.
        offset: a known part of the predictor in the same units; None for none.
        weights: how often each row counts; None for once.
    """

    x: Array
    y: Array
    offset: Array | None
    weights: Array | None

    def predictor(self, beta: Array) -> Array:
        """Return the linear predictor of each row."""
        predictor = np.asarray(self.x @ beta, dtype=np.float64)
        return predictor if self.offset is None else predictor + self.offset

    def total(self, values: Array) -> float:
        """Return the weighted sum of a value per row."""
        return float(values.sum() if self.weights is None else self.weights @ values)


@dataclass(frozen=True, slots=True)
class Working:
    """Rows at one predictor, weights of rows included: ``weights`` and ``scores`` by row, and two sums."""

    weights: Array
    scores: Array
    deviance: float
    pearson: float


@dataclass(frozen=True, slots=True)
class Kind:
    """A family with a link."""

    family: Family
    link: Link

    @property
    def canonical(self) -> bool:
        """Whether the score is the residual itself."""
        return (self.family.name, self.link.name) in CANONICAL

    def work(self, own: Own, predictor: Array) -> Working | None:
        """Evaluate a node's rows; None where a row's mean is none that the family can have, or is past all floats."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
            return self._work(own, predictor)

    def even_weights(self, own: Own) -> Array:
        """Return the weights of a node's rows at coefficients of 0; how often rows count where that is no place."""
        worked = self.work(own, np.zeros_like(own.y) if own.offset is None else own.offset)
        plain = np.ones_like(own.y) if own.weights is None else own.weights
        return plain if worked is None else worked.weights

    def _work(self, own: Own, predictor: Array) -> Working | None:
        mean = self.link.evaluate(predictor)
        if not self.family.inside(mean):
            return None
        variance = self.family.variance(mean)
        residuals = np.where(own.y > 0.0, mean.other, -mean.value) if self.family.name == "binomial" else (
            own.y - mean.value)
        if self.canonical:
            weights, scores = variance, residuals
        else:
            leverage = mean.slope / variance
            weights, scores = mean.slope * leverage, residuals * leverage
        pearson = own.total(residuals * residuals / variance)
        if own.weights is not None:
            weights, scores = weights * own.weights, scores * own.weights
        deviance = own.total(self.family.deviances(own.y, mean))
        finite = math.isfinite(deviance) and bool(np.isfinite(weights).all() and np.isfinite(scores).all())
        return Working(weights, scores, deviance, pearson) if finite else None

    def curvature(self, own: Own, predictor: Array) -> Array:
        """Return minus the second derivative of each row's log-likelihood by its predictor, dispersion left out."""
        mean = self.link.evaluate(predictor)
        variance = self.family.variance(mean)
        if self.canonical:
            curvature = variance
        else:
            bend = self.link.bend(predictor, mean) - mean.slope**2 * self.family.variance_slope(mean) / variance
            curvature = (mean.slope**2 - (own.y - mean.value) * bend) / variance
        return np.asarray(curvature if own.weights is None else curvature * own.weights, dtype=np.float64)


def gram(x: Array, weights: Array) -> Array:
    """Return X'WX, shape ``(n_columns, n_columns)``, symmetric; weights may be negative."""
    size = x.shape[1]
    total = np.zeros((size, size), dtype=np.float64)
    positive = bool((weights >= 0.0).all())
    roots = np.sqrt(weights) if positive else weights
    for low in range(0, len(weights), _CHUNK):
        piece = x[low : low + _CHUNK]
        scaled = piece * roots[low : low + _CHUNK, None]
        # A product of a matrix with its own transpose costs half of a general one, which NumPy notices.
        total += scaled.T @ (scaled if positive else piece)
    return (total + total.T) / 2.0
