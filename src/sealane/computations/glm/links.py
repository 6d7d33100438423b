"""Links: from the linear predictor to the mean, with its first two derivatives.

Source: McCullagh and Nelder (1989), Generalized Linear Models, 2nd ed., sections 2.2 and 4.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from sealane.computations.newton import Array

_LARGEST = 700.0
"""Exponents are cut here: their exponential is still finite, and far past every public bound."""


@dataclass(frozen=True, slots=True)
class Mean:
    """Means of rows, shape ``(n_kept,)``.

    Attributes:
        value: the mean.
        other: one less the mean, without the digits that a subtraction would lose; for probabilities only.
        slope: derivative of the mean by the predictor.
    """

    value: Array
    other: Array
    slope: Array


@dataclass(frozen=True, slots=True)
class Link:
    """One link.

    Attributes:
        name: in parameters and results.
        predictor: of one mean.
        evaluate: means of predictors.
        bend: second derivative of the mean by the predictor, from predictors and means.
    """

    name: str
    predictor: Callable[[float], float]
    evaluate: Callable[[Array], Mean]
    bend: Callable[[Array, Mean], Array]

    def mean(self, predictor: Array) -> Array:
        """Return the means alone."""
        return self.evaluate(predictor).value


def _identity(predictor: Array) -> Mean:
    return Mean(predictor, 1.0 - predictor, np.ones_like(predictor))


def _log(predictor: Array) -> Mean:
    value = np.exp(np.minimum(predictor, _LARGEST))
    return Mean(value, -np.expm1(np.minimum(predictor, _LARGEST)), value)


def _logit(predictor: Array) -> Mean:
    small = np.exp(-np.abs(predictor))
    below = small / (1.0 + small)
    above = 1.0 / (1.0 + small)
    positive = predictor >= 0.0
    value, other = np.where(positive, above, below), np.where(positive, below, above)
    return Mean(value, other, below * above)


def _probit(predictor: Array) -> Mean:
    from scipy.special import ndtr  # late: few models need it

    return Mean(ndtr(predictor), ndtr(-predictor), np.exp(-0.5 * predictor * predictor) / math.sqrt(2.0 * math.pi))


def _cloglog(predictor: Array) -> Mean:
    hazard = np.exp(np.minimum(predictor, _LARGEST))
    other = np.exp(-hazard)
    return Mean(-np.expm1(-hazard), other, hazard * other)


def _inverse(predictor: Array) -> Mean:
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        value = 1.0 / predictor
        return Mean(value, 1.0 - value, -value * value)


LINKS: dict[str, Link] = {link.name: link for link in (
    Link("identity", lambda mean: mean, _identity, lambda predictor, mean: np.zeros_like(predictor)),
    Link("log", math.log, _log, lambda predictor, mean: mean.value),
    Link("logit", lambda mean: math.log(mean / (1.0 - mean)), _logit,
         lambda predictor, mean: mean.slope * (mean.other - mean.value)),
    Link("probit", lambda mean: NormalDist().inv_cdf(mean), _probit, lambda predictor, mean: -predictor * mean.slope),
    Link("cloglog", lambda mean: math.log(-math.log1p(-mean)), _cloglog,
         lambda predictor, mean: mean.slope * -np.expm1(np.minimum(predictor, _LARGEST))),
    Link("inverse", lambda mean: 1.0 / mean, _inverse, lambda predictor, mean: 2.0 * mean.value**3),
)}
