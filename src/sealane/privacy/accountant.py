"""What a list of mechanisms costs together: one epsilon for a delta, over all studies, users and computations.

Three bounds are true at once, and the smallest counts; of rows that were drawn by secret coins only the second:

    zcdp   Rényi divergences that are lines in their order add up, and are turned into epsilon in 50 decimal digits
           (``distributed.py``). For everything but Laplace noise.
    rdp    dp-accounting's Rényi accountant, over a grid of orders. For every mechanism but sums of drawn rows, which
           are added up over whole orders here, with whatever else there is (``sampled.py``).
    pld    dp-accounting's privacy loss distributions, composed by FFT and rounded pessimistically. For Laplace noise
           and for Gaussian noise on integers of which a neighbour changes one by one: there a vector's shift is one
           step in one entry, so one entry's loss is all of it. Up to an epsilon of 20.

A sum of many nodes' discrete Gaussians is within a factor exp(tau) of one discrete Gaussian, entry by entry, in both
directions; under ``pld`` this costs 2 tau of epsilon and a factor exp(tau) of delta each. Whatever enters a float is
rounded against the spender, and so is what comes out.

Source: Mironov, "Rényi Differential Privacy" (2017); Bun and Steinke, "Concentrated Differential Privacy" (2016);
Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (2020), theorem 4 and proposition 12;
Koskela, Jälkö and Honkela, "Computing Tight Differential Privacy Guarantees Using FFT" (2020); Kairouz, Liu and
Steinke (2021), corollary 12 (the factor exp(tau)).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from sealane.errors import InputError
from sealane.privacy.amounts import up
from sealane.privacy.distributed import DistributedGaussian, Slip, converted, drawn_inexactly
from sealane.privacy.mechanism import Concentrated, DiscreteGaussian, Laplace, Mechanism
from sealane.privacy.sampled import ORDERS, SampledGaussian, least_epsilon

Way = Literal["zcdp", "rdp", "pld"]
Counts = tuple[tuple[Mechanism, int], ...]
Line = tuple[Decimal, Decimal]
INFINITE = Decimal("Infinity")
_DIGITS = 50
_FLOAT_SLACK = Decimal("1e-9")
"""Relative, and far above what a thousand compositions lose in floats."""
_MOST_DISTRIBUTIONS = 12
_MOST_CONVOLVED = 20
_WIDEST = Decimal(2000)
_ORDERS = tuple(sorted({*(1 + x / 20 for x in range(1, 200)), *(float(x) for x in range(11, 65)),
                        *(1.02 + 0.002 * x for x in range(15)), *(64 * 1.15**x for x in range(1, 90))}))


@dataclass(frozen=True, slots=True)
class Spent:
    """An epsilon, and the bound that gave it."""

    epsilon: Decimal
    way: Way


def compose(mechanisms: Iterable[tuple[Mechanism, int]], delta: Decimal) -> Spent:
    """Return the smallest known epsilon for which all of these together are (epsilon, delta)-private.

    It is infinite where delta is below what the sampler's inexactness alone costs.

    Args:
        mechanisms: each with how often it was released.
        delta: between 0 and 1.

    Raises:
        InputError: delta is not between 0 and 1.
    """
    if not (delta.is_finite() and 0 < delta < 1):
        raise InputError("privacy.bad-delta", "delta is between 0 and 1", got=delta)
    counts: Counter[Mechanism] = Counter()
    for mechanism, count in mechanisms:
        counts[mechanism] += count
    return _compose(tuple(sorted(((m, n) for m, n in counts.items() if n > 0), key=repr)), delta)


@lru_cache(maxsize=512)
def _compose(counts: Counts, delta: Decimal) -> Spent:
    if not counts:
        return Spent(Decimal(0), "zcdp")
    slip = _slip(counts)
    sampled = any(isinstance(mechanism, SampledGaussian) for mechanism, _ in counts)
    best = Spent(_or_infinite(_by_orders if sampled else _by_rdp, counts, delta, slip), "rdp")
    if all(_lines(mechanism) for mechanism, _ in counts):
        best = min(best, Spent(_or_infinite(_by_lines, counts, delta, slip), "zcdp"), key=_epsilon)
    # The grid of losses grows with epsilon, and nobody is helped by knowing that it is 19 and not 20.
    if (best.epsilon <= _MOST_CONVOLVED and len(counts) <= _MOST_DISTRIBUTIONS
            and all(_has_distribution(mechanism) for mechanism, _ in counts)):
        best = min(best, Spent(_or_infinite(_by_distributions, counts, delta, slip), "pld"), key=_epsilon)
    return best


def _epsilon(spent: Spent) -> Decimal:
    return spent.epsilon


def _or_infinite(bound: Callable[[Counts, Decimal, Slip], Decimal], counts: Counts, delta: Decimal,
                 slip: Slip) -> Decimal:
    try:
        return bound(counts, delta, slip)
    except InputError as error:
        if error.code != "privacy.delta-too-small":
            raise
        return INFINITE


def _by_lines(counts: Counts, delta: Decimal, slip: Slip) -> Decimal:
    with localcontext() as context:
        context.prec = _DIGITS
        sums = [(sum((count * _lines(m)[which][0] for m, count in counts), Decimal(0)),
                 sum((count * _lines(m)[which][1] for m, count in counts), Decimal(0))) for which in (0, -1)]
        return drawn_inexactly(lambda left: min(converted(slope, constant, left) for slope, constant in sums), delta,
                               slip)


def _by_rdp(counts: Counts, delta: Decimal, slip: Slip) -> Decimal:
    from dp_accounting import LaplaceDpEvent, ZCDpEvent
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant(_ORDERS)
    for mechanism, count in counts:
        if isinstance(mechanism, Laplace):
            if mechanism.sensitivity:
                accountant.compose(LaplaceDpEvent(_low(mechanism.scale / mechanism.sensitivity)), count)
        else:
            slope, constant = min(_lines(mechanism), key=lambda line: line[0] * 8 + line[1])
            accountant.compose(ZCDpEvent(_high(slope), _high(constant)), count)
    return drawn_inexactly(lambda left: _from_float(accountant.get_epsilon(_low(left))), delta, slip)


def _by_orders(counts: Counts, delta: Decimal, slip: Slip) -> Decimal:
    orders = np.array(ORDERS, dtype=np.float64)
    total = np.zeros(len(ORDERS))
    for mechanism, count in counts:
        match mechanism:
            case SampledGaussian():
                one = mechanism.divergences()
            case Laplace(scale, sensitivity):
                pure = _high(sensitivity / scale)
                one = np.minimum(pure, pure * pure / 2 * orders)  # an epsilon is (epsilon^2 / 2)-zCDP
            case _:
                one = np.min([_high(slope) * orders + _high(constant) for slope, constant in _lines(mechanism)], axis=0)
        total = total + count * one
    return drawn_inexactly(lambda left: least_epsilon(total, left), delta, slip)


def _by_distributions(counts: Counts, delta: Decimal, slip: Slip) -> Decimal:
    from dp_accounting.pld import privacy_loss_distribution as losses

    composed: Any = losses.identity()
    tau = Decimal(0)
    for mechanism, count in counts:
        match mechanism:
            case Laplace(scale, sensitivity):
                one = losses.from_laplace_mechanism(_low(scale), sensitivity=_high(sensitivity))
            case DistributedGaussian():
                with localcontext() as context:
                    context.prec = _DIGITS
                    sigma = (mechanism.honest * mechanism.sigma * mechanism.sigma).sqrt()
                    tau += count * mechanism.tau()
                one = losses.from_discrete_gaussian_mechanism(_low(sigma), sensitivity=1)
            case DiscreteGaussian(sigma):
                one = losses.from_discrete_gaussian_mechanism(_low(sigma), sensitivity=1)
            case Concentrated() | SampledGaussian():
                raise AssertionError("a curve of divergences is no distribution")
        composed = composed.compose(one.self_compose(count) if count > 1 else one)

    def exact(left: Decimal) -> Decimal:
        shrunk = left / tau.exp()
        return _from_float(composed.get_epsilon_for_delta(_low(shrunk))) + 2 * tau

    return drawn_inexactly(exact, delta, slip)


def _has_distribution(mechanism: Mechanism) -> bool:
    match mechanism:
        case Laplace():
            return mechanism.sensitivity > 0
        case DistributedGaussian():
            return mechanism.norm_squared == 1 and mechanism.honest * mechanism.sigma**2 <= _WIDEST**2
        case DiscreteGaussian(sigma, norm_squared):
            return norm_squared == 1 and sigma <= _WIDEST
        case Concentrated() | SampledGaussian():
            return False


def _lines(mechanism: Mechanism) -> list[Line]:
    """Return bounds on the divergence of order a as (slope, constant); the last is the one without a constant."""
    with localcontext() as context:
        context.prec = _DIGITS
        match mechanism:
            case DistributedGaussian() | SampledGaussian():
                return mechanism.lines()
            case DiscreteGaussian(sigma, norm_squared):
                return [(Decimal(norm_squared) / (2 * sigma * sigma) * (1 + Decimal("1e-40")), Decimal(0))]
            case Concentrated(rho):
                return [(rho, Decimal(0))]
            case Laplace():
                return []


def _slip(counts: Counts) -> Slip:
    total = Slip()
    for mechanism, count in counts:
        if isinstance(mechanism, (DistributedGaussian, SampledGaussian)):
            total += mechanism.slip(count)
    return total


def _from_float(epsilon: float) -> Decimal:
    return INFINITE if math.isinf(epsilon) else up(Decimal(epsilon) * (1 + _FLOAT_SLACK), 15)


def _high(value: Decimal) -> float:
    return math.nextafter(float(value), math.inf) if value else 0.0


def _low(value: Decimal) -> float:
    return math.nextafter(float(value), 0.0)
