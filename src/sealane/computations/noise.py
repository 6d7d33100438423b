"""How much noise a promise takes: the least deviation of a sum whose price is at most an epsilon at a delta.

The answer is a function of agreed numbers, computed in decimals and rounded up to four digits, so that every node
arrives at the same. It is worked out for the shares that no colluder knows; more survivors only add noise.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal, localcontext
from functools import lru_cache

from sealane.errors import InputError
from sealane.privacy.accountant import compose
from sealane.privacy.distributed import DistributedGaussian
from sealane.privacy.sampled import SampledGaussian
from sealane.secagg.noise import NARROWEST, WIDEST, share_of

_STEPS = 9000
"""Deviations of four digits in one power of ten, 1.000 to 9.999."""


def mechanism_of(sigma: Decimal, *, honest: int, entries: int, norm_squared: int) -> DistributedGaussian:
    """Return one noised sum of ``secagg/noise.py`` as the accountant sees it.

    Args:
        sigma: deviation of the noise on the sum over the honest nodes, in ones.
        honest: how many of them there are at least.
        entries: length of the sum.
        norm_squared: square of the norm by which two neighbours' contributions differ at most.
    """
    share = share_of(sigma, honest, 0)
    return DistributedGaussian(share.sigma, honest, entries, norm_squared, share.ratio, share.excess, share.deficit)


def sampled_mechanism(
    sigma: Decimal, *, honest: int, entries: int, norm_squared: int, rate: Decimal
) -> DistributedGaussian | SampledGaussian:
    """Return one noised sum of rows that each node draws by secret coins; of all rows where the rate is 1.

    Arguments as for :func:`mechanism_of`.
    """
    one = mechanism_of(sigma, honest=honest, entries=entries, norm_squared=norm_squared)
    if rate >= 1:
        return one
    return SampledGaussian(one.sigma, honest, entries, norm_squared, rate, one.ratio, one.excess, one.deficit)


@lru_cache(maxsize=64)
def least_sigma(epsilon: Decimal, delta: Decimal, *, honest: int, entries: int, norm_squared: int, sums: int = 1,
                rate: Decimal = Decimal(1)) -> Decimal:
    """Return the least deviation of a sum that keeps a promise, of four digits.

    Args:
        epsilon: the promise.
        delta: the promise.
        honest: as for :func:`mechanism_of`, and so are the next two.
        entries: length of the sum.
        norm_squared: square of the norm by which two neighbours' contributions differ at most.
        sums: how many such sums the promise is for.
        rate: probability with which a node draws a row for each, by secret coins.

    Raises:
        InputError: noise of no usable width keeps it.
    """
    def kept(place: int) -> bool:
        found = sampled_mechanism(_deviation(place), honest=honest, entries=entries, norm_squared=norm_squared,
                                  rate=rate)
        try:
            if isinstance(found, SampledGaussian):
                return compose([(found, sums)], delta).epsilon <= epsilon
            return found.epsilon(delta, sums) <= epsilon
        except InputError as error:
            if error.code != "privacy.delta-too-small":
                raise
            return False  # so little noise that what the sampler rounds off costs more than delta

    with localcontext() as context:
        context.prec, context.rounding = 50, ROUND_CEILING
        root = Decimal(honest).sqrt()
        low, high = _place_above(NARROWEST * root), _place_above(WIDEST * root) - 1
    if not kept(high):
        raise InputError("noise.promise-too-strong", "no usable noise is wide enough for this promise",
                         got=f"epsilon {epsilon}, delta {delta}", hint="ask for a larger epsilon or delta")
    if kept(low):
        return _deviation(low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if kept(middle) else (middle, high)
    return _deviation(high)


def _deviation(place: int) -> Decimal:
    power, step = divmod(place, _STEPS)
    return Decimal(1000 + step).scaleb(power - 6)


def _place_above(sigma: Decimal) -> int:
    """Return the first place whose deviation is at least ``sigma``; of 0.001 and more."""
    power = sigma.adjusted()
    step = int(sigma.scaleb(3 - power).to_integral_value(ROUND_CEILING)) - 1000
    return (power + 3) * _STEPS + step
