"""Sums of rows drawn by secret coins: against published accountants, and against distributions worked out in full."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from expected_error import raises

from sealane.computations.noise import least_sigma, sampled_mechanism
from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.errors import InputError, RefusedError
from sealane.privacy.accountant import compose
from sealane.privacy.distributed import DistributedGaussian
from sealane.privacy.mechanism import Concentrated, Laplace, describe, read_mechanism
from sealane.privacy.sampled import ORDERS, SampledGaussian

STEPS = 4096
"""Steps of the grid in one norm: so fine that the discrete Gaussian is as good as a continuous one."""
DELTA = Decimal("1e-5")


def sampled(rate: float | str, multiplier: float | str, norm: int = STEPS, honest: int = 1) -> SampledGaussian:
    share = Decimal(str(multiplier)) * norm / Decimal(honest).sqrt()
    return SampledGaussian(share, honest, 10, norm * norm, Decimal(str(rate)))


@pytest.mark.parametrize(("rate", "multiplier", "sums"), [(0.01, 1.1, 1000), (0.05, 1.0, 200), (0.01, 0.8, 10_000)])
def test_against_dp_accounting(rate: float, multiplier: float, sums: int) -> None:
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant([float(order) for order in ORDERS])
    accountant.compose(PoissonSampledDpEvent(rate, GaussianDpEvent(multiplier)), sums)
    expected = accountant.get_epsilon(float(DELTA))
    found = compose([(sampled(rate, multiplier), sums)], DELTA)
    assert found.way == "rdp"
    assert expected <= float(found.epsilon) <= expected * (1 + 1e-6)


@pytest.mark.parametrize(("rate", "multiplier", "sums"), [(0.01, 1.1, 1000), (0.2, 2.0, 50)])
def test_never_below_opacus_nor_far_above(rate: float, multiplier: float, sums: int) -> None:
    accountants = pytest.importorskip("opacus.accountants")
    tight, usual = accountants.PRVAccountant(), accountants.RDPAccountant()
    tight.history = usual.history = [(multiplier, rate, sums)]
    found = float(compose([(sampled(rate, multiplier), sums)], DELTA).epsilon)
    assert tight.get_epsilon(1e-5) <= found <= 1.01 * usual.get_epsilon(1e-5)


def test_a_published_value() -> None:
    """TensorFlow Privacy's tutorial: 60,000 images, batches of 256, noise 1.1, 60 epochs: epsilon 3.01 at 1e-5.

    It turns divergences into epsilon by Mironov's (2017) proposition 3, as was usual then.
    """
    steps = 60 * 60_000 // 256
    orders = np.array(ORDERS)
    found = (steps * sampled(256 / 60_000, 1.1).divergences() + math.log(1e5) / (orders - 1)).min()
    assert found == pytest.approx(3.01, abs=0.01)
    assert compose([(sampled(256 / 60_000, 1.1), steps)], DELTA).epsilon < Decimal("3.01")


@pytest.mark.parametrize("order", [2, 3, 8, 32])
@pytest.mark.parametrize(("rate", "sigma", "shift"), [(0.3, 1.0, 2), (0.05, 3.0, 4), (0.9, 0.7, 1)])
def test_divergences_of_discrete_noise_worked_out_both_ways_round(order: int, rate: float, sigma: float,
                                                                  shift: int) -> None:
    x = np.arange(-200, 201)
    logs = -(x**2) / (2 * sigma**2)
    logs = logs - np.logaddexp.reduce(logs)
    moved = np.roll(logs, shift)
    keep = slice(shift, None)
    away, there = logs[keep], moved[keep]
    mixed = np.logaddexp(math.log1p(-rate) + away, math.log(rate) + there)
    bound = SampledGaussian(Decimal(str(sigma)), 1, 1, shift * shift, Decimal(str(rate))).divergences()
    for p, q in ((mixed, away), (away, mixed)):
        found = np.logaddexp.reduce(order * p + (1 - order) * q) / (order - 1)
        assert found <= bound[ORDERS.index(order)] * (1 + 1e-9)
    found = np.logaddexp.reduce(order * mixed + (1 - order) * away) / (order - 1)
    if order <= 8:  # beyond, the ends of this line of integers are missed
        assert found == pytest.approx(bound[ORDERS.index(order)], rel=2e-2)


def test_coins_never_cost_more_than_none() -> None:
    for sums in (1, 100):
        without = compose([(DistributedGaussian(Decimal(9000), 2, 10, STEPS**2), sums)], DELTA).epsilon
        nearly = compose([(SampledGaussian(Decimal(9000), 2, 10, STEPS**2, Decimal("0.999")), sums)], DELTA).epsilon
        tenth = compose([(SampledGaussian(Decimal(9000), 2, 10, STEPS**2, Decimal("0.1")), sums)], DELTA).epsilon
        assert tenth < Decimal("0.4") * without
        assert nearly <= without * Decimal("1.02")  # whole orders only


def test_what_else_was_released_is_added() -> None:
    one = (sampled("0.05", 1), 100)
    alone = compose([one], DELTA).epsilon
    for other in (Concentrated(Decimal("0.1")), Laplace(Decimal(2), Decimal(1)),
                  DistributedGaussian(Decimal(9000), 2, 10, STEPS**2)):
        both = compose([one, (other, 1)], DELTA).epsilon
        assert alone < both < alone + compose([(other, 1)], DELTA).epsilon + Decimal("0.6")


@pytest.mark.parametrize("rate", ["1", "0.1"])
def test_the_least_noise_keeps_the_promise_and_hardly_more(rate: str) -> None:
    asked = {"honest": 2, "entries": 100, "norm_squared": STEPS**2, "rate": Decimal(rate)}
    sigma = least_sigma(Decimal(3), DELTA, sums=50, **asked)
    assert compose([(sampled_mechanism(sigma, **asked), 50)], DELTA).epsilon <= 3
    assert compose([(sampled_mechanism(sigma * Decimal("0.998"), **asked), 50)], DELTA).epsilon > 3


def test_it_is_written_and_read_and_refused() -> None:
    one = sampled("0.05", "1.3", honest=3)
    assert read_mechanism(parse_canonical(canonical_bytes(describe(one)))) == one
    for rate in ("1", "2", "NaN"):
        with raises("privacy.bad-mechanism", InputError):
            sampled(rate, 1)


def test_a_refusal_says_how_many_sums_fit() -> None:
    from sealane.privacy.acts import Request, Reserve
    from sealane.privacy.ledger import Ledger, make_cap
    from sealane.privacy.mechanism import Price

    ledger = Ledger()
    ledger.apply(make_cap("d", "dataset", "", "", Decimal(2), DELTA, None))
    price = Price(sampled("0.1", 1), 100)
    with raises("ledger.cap-exceeded", RefusedError) as caught:
        ledger.check(Reserve(Request("r", "d", "00", "11", (), "neural.train", price)))
    said = str(caught.value.hint)
    fit = int(said.split()[0])
    assert said.startswith(f"{fit} of its 100 noised sums fit")
    assert compose([(price.mechanism, fit)], DELTA).epsilon <= 2 < compose([(price.mechanism, fit + 1)], DELTA).epsilon
