"""What a noised sum costs whose rows were each drawn by a secret coin: Poisson sampling makes it cheaper.

Every row of a dataset takes part with probability q, by coins of its own that only its node knows, fresh for each sum.
Taking one row away then compares P0, the sum without it, with (1 - q) P0 + q P1, the sum with it. For whole orders a,
and e(k) a bound on the Rényi divergence of order k between P1 and P0,

    exp((a - 1) D_a) <= 1 + sum_{k=2}^{a} C(a, k) (1 - q)^(a-k) q^k (exp((k - 1) e(k)) - 1)

which is the binomial theorem on the density ratio. This is the divergence of the mixture from P0; the other way round
it is no larger, since x -> v - x turns P0 and P1 into each other (the noise is symmetric, and v is what the row adds).
All terms are positive, so that floats lose some 1e-12 relative here, and the accountant adds 1e-9.

Nothing is claimed where coins are not secret: not for institutions left out of a cohort, not for rows by a public or a
derived order.

Source: Zhu and Wang, "Poisson Subsampled Rényi Differential Privacy" (2019), section 3 (the binomial form for any
mechanism); Mironov, Talwar and Zhang, "Rényi Differential Privacy of the Sampled Gaussian Mechanism" (2019), theorem 5
(both ways round) and section 3.3 (the same form for the Gaussian).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sealane.errors import InputError
from sealane.privacy.distributed import DistributedGaussian, Slip

ORDERS = (*range(2, 65), 72, 80, 96, 112, 128, 160, 192, 256, 320, 384, 512, 768, 1024)
_DIGITS = 50


@dataclass(frozen=True, slots=True)
class SampledGaussian:
    """One noised sum of rows that were drawn by secret coins.

    Attributes:
        sigma: as of :class:`DistributedGaussian`, and so are all but ``rate``.
        honest: see there.
        entries: see there.
        norm_squared: square of the norm by which one row, if drawn, changes the sum.
        rate: probability with which a row is drawn; below 1.
        ratio: see there.
        excess: see there.
        deficit: see there.

    Raises:
        InputError: a number is outside what the bound is proven for.
    """

    sigma: Decimal
    honest: int
    entries: int
    norm_squared: int
    rate: Decimal
    ratio: Decimal = Decimal(0)
    excess: Decimal = Decimal(0)
    deficit: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if not (self.rate.is_finite() and 0 < self.rate < 1):
            raise InputError("privacy.bad-mechanism", "rows are drawn with a probability between 0 and 1",
                             got=self.rate)
        self.unsampled  # noqa: B018  (checks the rest)

    @property
    def unsampled(self) -> DistributedGaussian:
        """The same sum of all rows."""
        return DistributedGaussian(self.sigma, self.honest, self.entries, self.norm_squared, self.ratio, self.excess,
                                   self.deficit)

    def lines(self) -> list[tuple[Decimal, Decimal]]:
        """Return bounds that hold without the coins: a divergence is convex in its arguments."""
        return self.unsampled.lines()

    def slip(self, rounds: int = 1) -> Slip:
        """Return what the sampler of the noise adds up to; see :class:`DistributedGaussian`."""
        return self.unsampled.slip(rounds)

    def divergences(self) -> NDArray[np.float64]:
        """Return a bound on the Rényi divergence for each of :data:`ORDERS`."""
        return _divergences(self)


@lru_cache(maxsize=256)
def _divergences(mechanism: SampledGaussian) -> NDArray[np.float64]:
    most = ORDERS[-1]
    lines = [(math.nextafter(float(slope), math.inf), math.nextafter(float(constant), math.inf))
             for slope, constant in mechanism.lines()]
    powers = np.arange(2, most + 1, dtype=np.float64)
    grown = (powers - 1.0) * np.min([slope * powers + constant for slope, constant in lines], axis=0)
    with np.errstate(divide="ignore"):
        grown = grown + np.log(-np.expm1(-grown))  # log(exp(x) - 1)
    rate = math.nextafter(float(mechanism.rate), 1.0)
    drawn, left = math.log(rate), math.log1p(-rate)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])
    out = np.empty(len(ORDERS))
    for place, order in enumerate(ORDERS):
        k = np.arange(2, order + 1)
        terms = (factorials[order] - factorials[k] - factorials[order - k] + (order - k) * left + k * drawn
                 + grown[: order - 1])
        out[place] = np.logaddexp(0.0, np.logaddexp.reduce(terms)) / (order - 1.0)
    unsampled = np.min([slope * np.array(ORDERS) + constant for slope, constant in lines], axis=0)
    found: NDArray[np.float64] = np.minimum(out, unsampled)
    found.setflags(write=False)
    return found


def least_epsilon(divergences: NDArray[np.float64], delta: Decimal) -> Decimal:
    """Return the least epsilon for delta over :data:`ORDERS`, of divergences that are bounded at each.

    Source: Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (2020), proposition 12.
    """
    log = float(delta.ln())
    orders = np.array(ORDERS, dtype=np.float64)
    found = divergences + np.log1p(-1.0 / orders) - (log + np.log(orders)) / (orders - 1.0)
    best = int(np.argmin(found))
    if not math.isfinite(found[best]):
        return Decimal("Infinity")
    order = Decimal(ORDERS[best])
    with localcontext() as context:
        context.prec, context.rounding = _DIGITS, ROUND_CEILING
        exact = Decimal(float(divergences[best])) + (1 - 1 / order).ln() - (delta.ln() + order.ln()) / (order - 1)
        return max(exact, Decimal(0)) * (1 + Decimal("1e-9"))
