"""The dispersion of a negative binomial, fitted together with the coefficients by maximum likelihood.

The parameter climbed is log alpha, so that alpha stays above 0. Far from the maximum the joint observed information
may have no direction upwards; the block without cross terms, which is the expected one, then takes its place. Source:
Hilbe (2011), Negative Binomial Regression, 2nd ed., section 8.2; Lawless (1987), Can. J. Statist. 15(3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort
from sealane.computations.cholesky import factor
from sealane.computations.few_rows import own_effective, rests_on_few
from sealane.computations.glm.families import NegativeBinomial, Poisson
from sealane.computations.glm.intercepts import own_intercept
from sealane.computations.glm.likelihood import Likelihood
from sealane.computations.glm.links import LINKS
from sealane.computations.glm.opening import open_sums, packed, unpacked
from sealane.computations.glm.working import Kind, Own, gram
from sealane.computations.newton import Array, Point
from sealane.errors import RefusedError

SMALLEST = 1e-5
"""Below it the likelihood cannot be told from a Poisson's in float64."""
_LARGEST = 1e6


@dataclass(frozen=True, slots=True)
class Joint:
    """A node's rows, evaluated at coefficients and log alpha together."""

    cohort: Cohort
    own: Own
    profiled: bool

    async def start(self, beta: Array) -> Array:
        """Return coefficients of a Poisson model with a first log alpha, by moments: one sum.

        Raises:
            RefusedError: ``glm.no-overdispersion``: the likelihood falls as alpha leaves 0.
        """
        poisson = Likelihood(self.cohort, Kind(Poisson(), LINKS["log"]), self.own, profiled=self.profiled)
        predictor = poisson.predictor(beta)
        own = None
        if predictor is not None:
            mean = np.exp(predictor)
            squares = (self.own.y - mean) ** 2
            own = {"moments": np.array([self.own.total(squares - self.own.y), self.own.total(squares - mean),
                                        self.own.total(mean * mean)])}
        opened = await open_sums(self.cohort, own, {"moments": (3,)})
        slope, excess, squared = opened.sums["moments"].tolist()
        # The score for alpha at 0 is half of this. Source: Dean and Lawless (1989), J. Am. Stat. Assoc. 84(406).
        if opened.runaway or slope <= 0.0:
            raise _none()
        first = math.log(min(max(excess / squared, 0.01), 100.0))
        return await self.cohort.agree(np.append(beta, first))

    async def at(self, theta: Array) -> Point:
        """Evaluate agreed coefficients and log alpha: one sum.

        Raises:
            RefusedError: ``glm.no-overdispersion``.
        """
        if theta[-1] < math.log(SMALLEST):
            raise _none()
        size = len(theta)
        own = self._parts(theta) if theta[-1] < math.log(_LARGEST) else None
        opened = await open_sums(self.cohort, own, {"information": (size * (size + 1) // 2,), "score": (size,),
                                                    "deviance": (1,)})
        information = unpacked(opened.sums["information"], size)
        if factor(information) is None:
            information[-1, :-1] = information[:-1, -1] = 0.0
            information[-1, -1] = max(abs(information[-1, -1]), 1.0)
        return Point(theta, information, opened.sums["score"], opened.one("deviance"), opened.runaway)

    def kind(self, theta: Array) -> Kind:
        """Return the negative binomial of this alpha."""
        return Kind(NegativeBinomial(math.exp(theta[-1])), LINKS["log"])

    def _parts(self, theta: Array) -> dict[str, Array] | None:
        own, size = self.own, math.exp(-theta[-1])
        predictor = own.predictor(theta[:-1])
        if self.profiled and len(predictor):
            intercept = own_intercept(self.kind(theta), own, predictor)
            if intercept is None:
                return None
            predictor = predictor + intercept
        with np.errstate(over="ignore", invalid="ignore"):
            rows = _rows(own.y, np.exp(np.minimum(predictor, 700.0)), size)
        if own.weights is not None:
            rows = rows * own.weights
        likelihood, score, weight, by_alpha, mixed, bent = rows
        if rests_on_few(weight, own_effective(self.kind(theta).even_weights(own)), self.cohort.minimum_count):
            return None
        n = len(theta)
        information = np.zeros((n, n))
        information[:-1, :-1] = gram(own.x, weight)
        information[-1, :-1] = information[:-1, -1] = own.x.T @ mixed
        information[-1, -1] = bent.sum()
        if self.profiled and len(predictor):
            cross = np.append(own.x.T @ weight, mixed.sum())
            information -= np.outer(cross, cross) / float(weight.sum())  # the Schur complement of the intercept
        return {"information": packed(information), "score": np.append(own.x.T @ score, by_alpha.sum()),
                "deviance": np.array([-2.0 * likelihood.sum()])}


def _rows(y: Array, mean: Array, size: float) -> Array:
    """Return by row, shape ``(6, n_kept)``: log-likelihood, its derivatives by predictor and log alpha, and minus the
    second ones (predictor twice, both, log alpha twice). ``size`` is 1 / alpha.
    """
    from scipy.special import digamma, gammaln, polygamma  # late: few models need them

    both = size + mean
    likelihood = (gammaln(y + size) - math.lgamma(size) - gammaln(y + 1.0) - size * np.log1p(mean / size)
                  + np.where(y > 0.0, y * np.log(np.where(y > 0.0, mean, 1.0) / both), 0.0))
    by_size = digamma(y + size) - digamma(size) - np.log1p(mean / size) + (mean - y) / both
    twice = polygamma(1, y + size) - polygamma(1, size) + 1.0 / size - 2.0 / both + (size + y) / both**2
    return np.stack([
        likelihood, size * (y - mean) / both, mean * size * (size + y) / both**2, -size * by_size,
        size * (y - mean) * mean / both**2, -(size * by_size + size * size * twice)])


def _none() -> RefusedError:
    return RefusedError("glm.no-overdispersion", "the counts vary no more than a Poisson's: alpha has no estimate",
                        got="alpha at 0", expected="variance above the mean", hint="use family = \"poisson\"")
