"""Distributions with their canonical links: what one row contributes, and how much a node's rows ever can.

With a canonical link Newton's method, Fisher scoring and iteratively reweighted least squares are one and the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sealane.computations.newton import Array


@dataclass(frozen=True, slots=True)
class Contribution:
    """A node's rows at one linear predictor: weights and residuals ``(n_kept,)``, and the sum of unit deviances."""

    weights: Array
    residuals: Array
    deviance: float


@dataclass(frozen=True, slots=True)
class Reach:
    """Public facts that bound a contribution: rows over the cohort, ranges, and the most that means may sum to."""

    rows: int
    outcome: tuple[float, float]
    predictor: tuple[float, float]
    mean_total: float

    @property
    def steepest(self) -> float:
        """Largest absolute value of the linear predictor."""
        return max(abs(self.predictor[0]), abs(self.predictor[1]))


@dataclass(frozen=True, slots=True)
class Caps:
    """Bounds at one node on the sum of weights, the sum of absolute residuals, and the deviance."""

    weights: float
    residuals: float
    deviance: float


class Family(Protocol):
    """A distribution of the outcome with its canonical link."""

    @property
    def name(self) -> str:
        """Name in parameters."""

    @property
    def link(self) -> str:
        """Name of the link."""

    def predictor(self, mean: float) -> float:
        """Return the linear predictor of a mean."""

    def mean(self, predictor: Array) -> Array:
        """Return the means of linear predictors."""

    def within(self, predictor: Array, mean_total: float) -> bool:
        """Say whether a node's means stay under the total that its bounds are built on."""

    def contribute(self, y: Array, predictor: Array) -> Contribution:
        """Evaluate a node's rows."""

    def caps(self, reach: Reach) -> Caps:
        """Bound what any node's rows can come to, with operations that give the same bits on every machine."""

    def saturated(self, y: Array) -> float:
        """Return the log-likelihood of a model that fits every row exactly, over a node's rows."""


class Gaussian:
    """Normal errors, identity link; the outcome is standardised."""

    name, link = "gaussian", "identity"

    def predictor(self, mean: float) -> float:
        """Return the mean itself."""
        return mean

    def mean(self, predictor: Array) -> Array:
        """Return the predictors themselves."""
        return predictor

    def within(self, predictor: Array, mean_total: float) -> bool:
        """Return True: the bounds need no such total."""
        return True

    def contribute(self, y: Array, predictor: Array) -> Contribution:
        """Evaluate residuals and their squares."""
        residuals = y - predictor
        return Contribution(np.ones_like(y), residuals, float(residuals @ residuals))

    def caps(self, reach: Reach) -> Caps:
        """Take the largest residual that the two ranges allow."""
        widest = max(reach.outcome[1] - reach.predictor[0], reach.predictor[1] - reach.outcome[0])
        return Caps(float(reach.rows), reach.rows * widest, reach.rows * widest * widest)

    def saturated(self, y: Array) -> float:
        """Return 0: the log-likelihood is taken from the deviance alone."""
        return 0.0


class Binomial:
    """One trial per row, logit link."""

    name, link = "binomial", "logit"

    def predictor(self, mean: float) -> float:
        """Return the log odds."""
        return math.log(mean / (1.0 - mean))

    def mean(self, predictor: Array) -> Array:
        """Return probabilities, without overflow on either side."""
        small = np.exp(-np.abs(predictor))
        return np.asarray(np.where(predictor >= 0, 1.0, small) / (1.0 + small), dtype=np.float64)

    def within(self, predictor: Array, mean_total: float) -> bool:
        """Return True: the bounds need no such total."""
        return True

    def contribute(self, y: Array, predictor: Array) -> Contribution:
        """Evaluate from log-sum-exp, so that steep predictors lose no digits."""
        mean = self.mean(predictor)
        other = self.mean(-predictor)
        deviance = 2.0 * float((np.logaddexp(0.0, predictor) - y * predictor).sum())
        return Contribution(mean * other, np.where(y > 0, other, -mean), deviance)

    def caps(self, reach: Reach) -> Caps:
        """Use p(1 - p) <= 1/4 and log(1 + e^|t|) <= 1 + |t|."""
        return Caps(0.25 * reach.rows, float(reach.rows), 2.0 * reach.rows * (1.0 + reach.steepest))

    def saturated(self, y: Array) -> float:
        """Return 0: each row would be certain."""
        return 0.0


class Poisson:
    """Counts (or any amounts that are not negative), log link."""

    name, link = "poisson", "log"

    def predictor(self, mean: float) -> float:
        """Return the logarithm."""
        return math.log(mean)

    def mean(self, predictor: Array) -> Array:
        """Return the exponentials."""
        return np.exp(predictor)

    def within(self, predictor: Array, mean_total: float) -> bool:
        """Add the means up, far from overflow."""
        return float(np.exp(np.minimum(predictor, 700.0)).sum()) <= mean_total

    def contribute(self, y: Array, predictor: Array) -> Contribution:
        """Evaluate; the caller has made sure that the means stay under their total."""
        mean = self.mean(predictor)
        residuals = y - mean
        deviance = 2.0 * float((_times_log(y) - y * predictor - residuals).sum())
        return Contribution(mean, residuals, deviance)

    def caps(self, reach: Reach) -> Caps:
        """Use |y log y| <= y * bits(y) + 1, and that a node's means sum to at most ``mean_total``."""
        largest = reach.outcome[1]
        per_row = largest * (max(math.frexp(largest)[1], 0) + 2.0 + reach.steepest) + 1.0
        amount = reach.rows * largest + reach.mean_total
        return Caps(reach.mean_total, amount, 2.0 * (reach.rows * per_row + reach.mean_total))

    def saturated(self, y: Array) -> float:
        """Return the sum of y log y - y - log y!."""
        log_factorials = math.fsum(math.lgamma(value + 1.0) for value in y.tolist())
        return float((_times_log(y) - y).sum()) - log_factorials


FAMILIES: dict[str, Family] = {family.name: family for family in (Gaussian(), Binomial(), Poisson())}


def _times_log(y: NDArray[np.float64]) -> Array:
    return np.asarray(y * np.log(np.where(y > 0, y, 1.0)), dtype=np.float64)
