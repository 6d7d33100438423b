"""What a sum with noise from many nodes costs: sums of discrete Gaussians are not discrete Gaussians, but nearly.

All numbers are agreed ones, in steps of the integer grid: the deviation of one node's share, how many shares no
colluder knows, the entries, the norm that a rounded contribution was checked against. Nothing drawn, nothing observed
and no chance of being left out of a cohort enters: the coordinator chooses cohorts, so they amplify nothing.

With h honest shares of deviation s on vectors of d integers that differ by at most D_2 in Euclidean norm, the Rényi
divergence of order a >= 1 is at most the smaller of

    a D_2^2 / (2 h s^2) + tau d
    a (D_2^2 / (h s^2) + 2 D_1 tau / (sqrt(h) s) + tau^2 d) / 2        D_1 = min(sqrt(d) D_2, D_2^2)

    tau = 10 sum_{k=1}^{h-1} exp(-2 pi^2 s^2 k / (k + 1))              s >= 1/2

Noise is drawn by a sampler that is close to exact, not exact. Let p be the probability of a value and p' that with
which it is drawn; then p <= (1 + ratio) p' but for a total of ``deficit``, and p' <= (1 + ratio) p but for a total of
``excess``. Changing exact draws for real ones, one after the other, N = h d rounds in all, shows that (e, f)-privacy
of exact noise is (e', f')-privacy of real noise with

    e' = e + 2 N ratio
    f' = exp(N ratio) (f + N excess) + exp(e') N deficit

All arithmetic is decimal with 50 digits, and every result is rounded up.

Source: Kairouz, Liu and Steinke, "The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure
Aggregation" (2021), proposition 14 (the divergences; its third form is never below the second with this D_1);
Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (2020), proposition 12 (from Rényi
divergence to epsilon and delta).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext

from sealane.errors import InputError

_DIGITS = 50
_REPORTED_DIGITS = 20
_SLACK = Decimal(10) ** -40
"""Far above what 50 digits lose on the way, far below what anybody reports."""
_PI_SQUARED = Decimal("9.86960440108935861883449099987615113531369940724079062641")  # cut off: tau grows
_NARROWEST = Decimal("0.5")
_TERMS = 4096
_HUGE = Decimal(10**5)
"""An epsilon whose exponential nothing outweighs."""


@dataclass(frozen=True, slots=True)
class Slip:
    """How far drawn noise is from what it should be, over all values drawn: N ratio, N excess, N deficit above."""

    ratio: Decimal = Decimal(0)
    excess: Decimal = Decimal(0)
    deficit: Decimal = Decimal(0)

    def __add__(self, other: Slip) -> Slip:
        with localcontext() as context:
            context.prec, context.rounding = _DIGITS, ROUND_CEILING
            return Slip(self.ratio + other.ratio, self.excess + other.excess, self.deficit + other.deficit)


@dataclass(frozen=True, slots=True)
class DistributedGaussian:
    """One release of a sum to which honest nodes added discrete Gaussian noise.

    Attributes:
        sigma: deviation of one node's share, in steps; at least 1/2.
        honest: shares that carry the promise: the agreed minimum of survivors, less the colluding ones.
        entries: length of the vector.
        norm_squared: square of the largest Euclidean norm that one institution's contribution can have, in steps, as
            it was checked after rounding. With it two worlds are compared, one with that contribution, one with zeros
            in its place; where any other may take its place, the norm is twice, and its square four times, as large.
        ratio: see above; of one drawn value, and so are the next two.
        excess: probability by which values are drawn too often.
        deficit: probability by which values are drawn too seldom.

    Raises:
        InputError: a number is outside what the bound is proven for.
    """

    sigma: Decimal
    honest: int
    entries: int
    norm_squared: int
    ratio: Decimal = Decimal(0)
    excess: Decimal = Decimal(0)
    deficit: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if not (self.sigma.is_finite() and self.sigma >= _NARROWEST):
            raise InputError("privacy.bad-sigma", "a share of noise is too narrow for the bound", got=self.sigma,
                             expected=f"at least {_NARROWEST} steps")
        if (self.honest < 1 or self.entries < 1 or self.norm_squared < 0
                or not all(f.is_finite() and 0 <= f < 1 for f in (self.ratio, self.excess, self.deficit))):
            raise InputError("privacy.bad-mechanism", "a noised sum is described by impossible numbers",
                             got=f"{self.honest} shares, {self.entries} entries, squared norm {self.norm_squared}")

    def tau(self) -> Decimal:
        """Return how far the sum of the shares is from one discrete Gaussian, per entry."""
        with localcontext() as context:
            context.prec = _DIGITS
            exponent = -2 * _PI_SQUARED * self.sigma * self.sigma
            total = Decimal(0)
            for k in range(1, self.honest):
                # From k to the end no term is larger than this one: past some thousand shares it stands for the rest.
                term = (exponent * k / (k + 1)).exp()
                if k == _TERMS:
                    total += term * (self.honest - k)
                    break
                total += term
            return _up(10 * total)

    def renyi(self, order: Decimal) -> Decimal:
        """Bound the Rényi divergence of an order of at least 1."""
        with localcontext() as context:
            context.prec = _DIGITS
            return _up(min(order * slope + constant for slope, constant in self.lines()))

    def rho(self) -> Decimal:
        """Return the rho for which one release is rho-zCDP: the divergence is at most rho times its order."""
        with localcontext() as context:
            context.prec = _DIGITS
            return _up(min(slope + constant for slope, constant in self.lines()))

    def epsilon(self, delta: Decimal, rounds: int = 1) -> Decimal:
        """Return an epsilon for which ``rounds`` such releases are (epsilon, delta)-differentially private.

        Raises:
            InputError: delta is not between 0 and 1, or so small that the sampler's inexactness alone costs it.
        """
        if not (delta.is_finite() and 0 < delta < 1) or rounds < 1:
            raise InputError("privacy.bad-delta", "delta is between 0 and 1, and rounds are counted from 1",
                             got=f"delta {delta}, {rounds} rounds")
        with localcontext() as context:
            context.prec = _DIGITS
            lines = [(rounds * slope, rounds * constant) for slope, constant in self.lines()]
            return drawn_inexactly(lambda left: min(converted(slope, constant, left) for slope, constant in lines),
                                   delta, self.slip(rounds))

    def slip(self, rounds: int = 1) -> Slip:
        """Return what the sampler's inexactness adds up to over ``rounds`` releases."""
        with localcontext() as context:
            context.prec, context.rounding = _DIGITS, ROUND_CEILING
            drawn = rounds * self.honest * self.entries
            return Slip(drawn * self.ratio, drawn * self.excess, drawn * self.deficit)

    def lines(self) -> list[tuple[Decimal, Decimal]]:
        """Return the bounds as (slope, constant): the divergence of order a is at most slope a + constant."""
        if not self.norm_squared:
            return [(Decimal(0), Decimal(0))]
        tau, entries = self.tau(), Decimal(self.entries)
        two = Decimal(self.norm_squared) / (self.honest * self.sigma * self.sigma)
        one = min((entries * self.norm_squared).sqrt(), Decimal(self.norm_squared)) / (
            Decimal(self.honest).sqrt() * self.sigma)
        return [
            (two / 2, tau * entries),
            ((two + 2 * one * tau + tau * tau * entries) / 2, Decimal(0)),
        ]


def drawn_inexactly(exact: Callable[[Decimal], Decimal], delta: Decimal, slip: Slip) -> Decimal:
    """Return the epsilon for delta of noise that was drawn nearly as it should be.

    Args:
        exact: gives the epsilon for a delta if the noise were drawn exactly.
        delta: between 0 and 1.
        slip: how far the drawn noise is from that.

    Raises:
        InputError: delta is so small that the sampler's inexactness alone costs it.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        left, epsilon = delta, Decimal(-1)
        while True:
            needed = exact(left) + 2 * slip.ratio
            if needed.is_infinite() or needed <= epsilon:
                return _up(max(epsilon, needed)) if needed.is_finite() else needed
            epsilon = needed * (1 + Decimal("1e-12"))
            rare = epsilon.exp() * slip.deficit if slip.deficit and epsilon < _HUGE else _HUGE * slip.deficit
            left = (delta - rare) / slip.ratio.exp() - slip.excess
            if left <= 0 or (slip.deficit and epsilon >= _HUGE):
                raise InputError("privacy.delta-too-small", "delta is below what the sampler's inexactness costs",
                                 got=delta, hint="fewer rounds or entries, more noise, or a larger delta")


def converted(slope: Decimal, constant: Decimal, delta: Decimal) -> Decimal:
    """Return the epsilon for delta where the divergence of order a is at most slope a + constant, for some good a.

    Any order gives a true bound, so the search for it may be done in floats.
    """
    if slope == 0 and constant == 0:
        return Decimal(0)
    log_delta = delta.ln()
    a, b, log = float(slope), float(constant), float(log_delta)

    def guess(power: float) -> float:
        order = 1.0 + math.exp(power)
        return order * a + b + math.log1p(-1.0 / order) - (log + math.log(order)) / (order - 1.0)

    centre = 0.5 * math.log(max(-log, 1e-3) / max(a, 1e-300))
    low, high = centre - 6.0, centre + 3.0
    for _ in range(100):
        third = (high - low) / 3.0
        if guess(low + third) < guess(high - third):
            high -= third
        else:
            low += third
    order = 1 + Decimal(math.exp(low))
    epsilon = order * slope + constant + (1 - 1 / order).ln() - (log_delta + order.ln()) / (order - 1)
    return max(epsilon, Decimal(0))


def _up(value: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = _DIGITS
        context.rounding = ROUND_CEILING
        raised = value * (1 + _SLACK)
        context.prec = _REPORTED_DIGITS
        return +raised
