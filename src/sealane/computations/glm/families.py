"""Distributions of the outcome: variance, deviance, and what their likelihood needs beside it.

Source: McCullagh and Nelder (1989), Generalized Linear Models, 2nd ed., table 2.1; the negative binomial in the form
with variance mu + alpha mu² is that of Hilbe (2011), Negative Binomial Regression, 2nd ed., section 8.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sealane.computations.glm.links import Mean
from sealane.computations.newton import Array

_TINY = 1e-300
"""Stands in for a probability that has underflown, so that its logarithm is finite."""


class Family(Protocol):
    """A distribution of the outcome."""

    @property
    def name(self) -> str:
        """Name in parameters."""

    @property
    def dispersed(self) -> bool:
        """Whether its dispersion is estimated; else it is 1."""

    def variance(self, mean: Mean) -> Array:
        """Return the variance that belongs to each mean, for a dispersion of 1."""

    def variance_slope(self, mean: Mean) -> Array:
        """Return its derivative by the mean."""

    def inside(self, mean: Mean) -> bool:
        """Say whether every mean is one that the distribution can have."""

    def deviances(self, y: Array, mean: Mean) -> Array:
        """Return the unit deviance of each row: twice what its log-likelihood lacks of the best."""

    def saturated(self, y: Array) -> Array:
        """Return each row's log-likelihood where its mean is the outcome, less what depends on the dispersion."""

    def likelihood(self, deviance: float, saturated: float, total: float, scale: float) -> float:
        """Return the log-likelihood.

        Args:
            deviance: over the cohort, in the outcome's units.
            saturated: the sum of ``saturated``.
            total: rows, or the sum of their weights.
            scale: the dispersion.
        """


class Gaussian:
    """Normal errors."""

    name, dispersed = "gaussian", True

    def variance(self, mean: Mean) -> Array:
        """Return 1."""
        return np.ones_like(mean.value)

    def variance_slope(self, mean: Mean) -> Array:
        """Return 0."""
        return np.zeros_like(mean.value)

    def inside(self, mean: Mean) -> bool:
        """Take every finite mean."""
        return bool(np.isfinite(mean.value).all())

    def deviances(self, y: Array, mean: Mean) -> Array:
        """Return squared residuals."""
        return np.asarray((y - mean.value) ** 2, dtype=np.float64)

    def saturated(self, y: Array) -> Array:
        """Return 0."""
        return np.zeros_like(y)

    def likelihood(self, deviance: float, saturated: float, total: float, scale: float) -> float:
        """Return it at the given variance."""
        return -0.5 * (total * math.log(2.0 * math.pi * scale) + deviance / scale)


class Binomial:
    """One trial per row."""

    name, dispersed = "binomial", False

    def variance(self, mean: Mean) -> Array:
        """Return p (1 - p)."""
        return mean.value * mean.other

    def variance_slope(self, mean: Mean) -> Array:
        """Return 1 - 2p."""
        return mean.other - mean.value

    def inside(self, mean: Mean) -> bool:
        """Take probabilities; 0 and 1 only where the link rounds to them."""
        return bool((mean.value >= 0.0).all() and (mean.other >= 0.0).all())

    def deviances(self, y: Array, mean: Mean) -> Array:
        """Return -2 log of the probability of what happened."""
        return -2.0 * np.log(np.maximum(np.where(y > 0.0, mean.value, mean.other), _TINY))

    def saturated(self, y: Array) -> Array:
        """Return 0: each row would be certain."""
        return np.zeros_like(y)

    def likelihood(self, deviance: float, saturated: float, total: float, scale: float) -> float:
        """Return half the deviance, negative."""
        return saturated - 0.5 * deviance


class Poisson:
    """Counts (or any amounts that are not negative)."""

    name, dispersed = "poisson", False

    def variance(self, mean: Mean) -> Array:
        """Return the mean."""
        return mean.value

    def variance_slope(self, mean: Mean) -> Array:
        """Return 1."""
        return np.ones_like(mean.value)

    def inside(self, mean: Mean) -> bool:
        """Take means above 0."""
        return bool((mean.value > 0.0).all())

    def deviances(self, y: Array, mean: Mean) -> Array:
        """Return 2 (y log(y / mean) - (y - mean))."""
        return 2.0 * (_times_log(y, mean.value) - (y - mean.value))

    def saturated(self, y: Array) -> Array:
        """Return y log y - y - log y!."""
        return np.asarray(_times_log(y, np.ones_like(y)) - y - _log_gamma(y + 1.0), dtype=np.float64)

    def likelihood(self, deviance: float, saturated: float, total: float, scale: float) -> float:
        """Return what the deviance leaves of the saturated one."""
        return saturated - 0.5 * deviance


class Gamma:
    """Amounts above 0 whose deviation grows with their mean."""

    name, dispersed = "gamma", True

    def variance(self, mean: Mean) -> Array:
        """Return the mean's square."""
        return mean.value * mean.value

    def variance_slope(self, mean: Mean) -> Array:
        """Return twice the mean."""
        return 2.0 * mean.value

    def inside(self, mean: Mean) -> bool:
        """Take finite means above 0."""
        return bool((mean.value > 0.0).all() and np.isfinite(mean.value).all())

    def deviances(self, y: Array, mean: Mean) -> Array:
        """Return 2 ((y - mean) / mean - log(y / mean))."""
        ratio = y / mean.value
        return 2.0 * (ratio - 1.0 - np.log(np.maximum(ratio, _TINY)))

    def saturated(self, y: Array) -> Array:
        """Return -log y."""
        return -np.log(y)

    def likelihood(self, deviance: float, saturated: float, total: float, scale: float) -> float:
        """Return it at a shape of 1 / scale."""
        shape = 1.0 / scale
        return (total * (shape * math.log(shape) - math.lgamma(shape) - shape) - 0.5 * shape * deviance + saturated)


@dataclass(frozen=True, slots=True)
class NegativeBinomial:
    """Counts that vary more than a Poisson's: variance mu + alpha mu²."""

    alpha: float
    name = "negative-binomial"
    dispersed = False

    def variance(self, mean: Mean) -> Array:
        """Return mu + alpha mu²."""
        return mean.value * (1.0 + self.alpha * mean.value)

    def variance_slope(self, mean: Mean) -> Array:
        """Return 1 + 2 alpha mu."""
        return 1.0 + 2.0 * self.alpha * mean.value

    def inside(self, mean: Mean) -> bool:
        """Take means above 0."""
        return bool((mean.value > 0.0).all())

    def deviances(self, y: Array, mean: Mean) -> Array:
        """Return 2 (y log(y / mu) - (y + 1/alpha) log((1 + alpha y) / (1 + alpha mu)))."""
        a = self.alpha
        spread = (y + 1.0 / a) * (np.log1p(a * y) - np.log1p(a * mean.value))
        return np.asarray(2.0 * (_times_log(y, mean.value) - spread), dtype=np.float64)

    def saturated(self, y: Array) -> Array:
        """Return the log-likelihood at a mean of y."""
        size = 1.0 / self.alpha
        constant = _log_gamma(y + size) - _log_gamma(np.full_like(y, size)) - _log_gamma(y + 1.0)
        grown = self.alpha * y
        return np.asarray(constant + _times_log(grown, np.ones_like(y)) / self.alpha - (y + size) * np.log1p(grown),
                          dtype=np.float64)

    def likelihood(self, deviance: float, saturated: float, total: float, scale: float) -> float:
        """Return what the deviance leaves of the saturated one."""
        return saturated - 0.5 * deviance


ALLOWED: dict[str, tuple[str, ...]] = {
    "gaussian": ("identity", "log", "inverse"),
    "binomial": ("logit", "probit", "cloglog", "log", "identity"),
    "poisson": ("log", "identity"),
    "gamma": ("inverse", "log", "identity"),
    "negative-binomial": ("log", "identity"),
}
"""Links of each family, its default first: those of statsmodels."""

CANONICAL = {("gaussian", "identity"), ("binomial", "logit"), ("poisson", "log")}
"""Where the score is the residual itself and the weight the variance, so that no digit is lost in a quotient."""


def family_of(name: str, alpha: float | None = None) -> Family:
    """Return the family of that name; ``alpha`` only for the negative binomial."""
    if name == "negative-binomial":
        return NegativeBinomial(1.0 if alpha is None else alpha)
    plain: dict[str, Family] = {one.name: one for one in (Gaussian(), Binomial(), Poisson(), Gamma())}
    return plain[name]


def _times_log(y: Array, by: Array) -> Array:
    """Return y log(y / by), 0 where y is 0."""
    return np.asarray(y * np.log(np.where(y > 0.0, y, 1.0) / np.where(y > 0.0, by, 1.0)), dtype=np.float64)


def _log_gamma(values: Array) -> Array:
    from scipy.special import gammaln  # late: few models need it

    return np.asarray(gammaln(values), dtype=np.float64)
