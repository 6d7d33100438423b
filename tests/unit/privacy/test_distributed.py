"""The bound against exact divergences at small sizes, and against the Gaussian where it must meet it."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal, localcontext
from functools import cache

import pytest
from dp_accounting import GaussianDpEvent, SelfComposedDpEvent
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.errors import InputError
from sealane.privacy.distributed import DistributedGaussian

DELTA = Decimal("1e-6")


@cache
def sum_of_shares(sigma: Decimal, honest: int) -> dict[int, Decimal]:
    """The exact distribution of the sum of shares, with 60 digits and nothing of weight cut off."""
    with localcontext() as context:
        context.prec = 60
        reach = int(sigma * 18) + 2
        weights = {x: (-Decimal(x * x) / (2 * sigma * sigma)).exp() for x in range(-reach, reach + 1)}
        total = sum(weights.values())
        one = {x: w / total for x, w in weights.items()}
        result = {0: Decimal(1)}
        for _ in range(honest):
            grown: dict[int, Decimal] = {}
            for (x, p), (y, q) in itertools.product(result.items(), one.items()):
                grown[x + y] = grown.get(x + y, Decimal(0)) + p * q
            result = {x: p for x, p in grown.items() if p > Decimal("1e-55")}
        return result


def exact_renyi(law: dict[int, Decimal], shift: int, order: Decimal) -> Decimal:
    """For one entry: the divergence of the law from itself moved by ``shift``, which is the same both ways."""
    with localcontext() as context:
        context.prec = 60
        total = Decimal(0)
        for x, p in law.items():
            q = law.get(x - shift)
            if q is not None:
                total += q * ((p / q).ln() * order).exp()
        return total.ln() / (order - 1)


def exact_delta(law: dict[int, Decimal], shift: int, epsilon: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        factor = epsilon.exp()
        return sum((max(p - factor * law.get(x - shift, Decimal(0)), Decimal(0)) for x, p in law.items()), Decimal(0))


@pytest.mark.parametrize("sigma", ["0.5", "0.6", "0.8", "1", "2"])
@pytest.mark.parametrize("honest", [1, 2, 3])
@pytest.mark.parametrize("shift", [1, 2])
def test_exact_divergences_are_below_the_bound(sigma: str, honest: int, shift: int) -> None:
    law = sum_of_shares(Decimal(sigma), honest)
    bound = DistributedGaussian(Decimal(sigma), honest, 1, shift * shift)
    for order in map(Decimal, ("1.001", "1.5", "2", "4", "7.5")):
        exact = exact_renyi(law, shift, order)
        assert exact <= bound.renyi(order)
        assert exact <= bound.rho() * order
        if Decimal(sigma) >= 1:
            assert bound.renyi(order) < exact * Decimal("1.01")  # and it is not far above


@pytest.mark.parametrize(("sigma", "honest"), [("0.7", 2), ("1", 3), ("2", 2)])
def test_exact_deltas_are_below_the_promised_one(sigma: str, honest: int) -> None:
    law = sum_of_shares(Decimal(sigma), honest)
    for shift, delta in itertools.product((1, 2), (Decimal("1e-3"), Decimal("1e-6"))):
        epsilon = DistributedGaussian(Decimal(sigma), honest, 1, shift * shift).epsilon(delta)
        assert exact_delta(law, shift, epsilon) <= delta
        assert exact_delta(law, shift, epsilon / 2) > delta  # a bound on nothing would pass the line above


def test_two_entries_that_both_move() -> None:
    law = sum_of_shares(Decimal("0.6"), 2)
    bound = DistributedGaussian(Decimal("0.6"), 2, 2, 2)
    for order in map(Decimal, ("1.01", "2", "5")):
        assert 2 * exact_renyi(law, 1, order) <= bound.renyi(order)


@pytest.mark.parametrize(("sigma", "honest"), [("0.5", 2), ("0.5", 5), ("0.9", 40), ("1.3", 3)])
def test_tau_by_its_formula(sigma: str, honest: int) -> None:
    expected = 10 * sum(math.exp(-2 * math.pi**2 * float(sigma) ** 2 * k / (k + 1)) for k in range(1, honest))
    tau = DistributedGaussian(Decimal(sigma), honest, 1, 1).tau()
    assert float(tau) == pytest.approx(expected, rel=1e-12)


def test_tau_of_very_many_shares_is_not_below_the_sum() -> None:
    few, many = (DistributedGaussian(Decimal("0.5"), honest, 1, 1).tau() for honest in (4097, 10_000))
    last = 10 * math.exp(-2 * math.pi**2 / 4)
    assert float(many - few) >= 5903 * last
    assert float(many) == pytest.approx(float(few) + 5903 * last, rel=1e-3)


@pytest.mark.parametrize("rounds", [1, 10, 200])
def test_with_wide_noise_it_is_the_gaussian_mechanism(rounds: int) -> None:
    # Sixteen shares of deviation 25 carry 100 steps against a norm of 50: a noise multiplier of 2.
    bound = DistributedGaussian(Decimal(25), 16, 10**6, 2500)
    assert float(bound.rho()) == pytest.approx(1 / 8, rel=1e-15)
    event = SelfComposedDpEvent(GaussianDpEvent(2.0), rounds)
    orders = [1 + x / 20 for x in range(1, 2000)]
    by_renyi = RdpAccountant(orders).compose(event).get_epsilon(float(DELTA))
    tight = PLDAccountant().compose(event).get_epsilon(float(DELTA))
    ours = float(bound.epsilon(DELTA, rounds))
    assert tight < ours <= by_renyi * (1 + 1e-9)
    assert ours > by_renyi * 0.999


@pytest.mark.parametrize(("sigma", "honest", "entries", "norm", "smaller"), [
    ("1", 4, 1000, 1, 1), ("0.6", 3, 1, 400, 0), ("0.8", 10, 50, 10**6, 0), ("0.7", 2, 10**5, 30, 1),
])
def test_both_bounds_by_their_formulas(sigma: str, honest: int, entries: int, norm: int, smaller: int) -> None:
    bound = DistributedGaussian(Decimal(sigma), honest, entries, norm)
    tau, deviation = float(bound.tau()), math.sqrt(honest) * float(sigma)
    one = min(math.sqrt(entries * norm), norm)
    rho = [norm / deviation**2 / 2 + tau * entries,
           (norm / deviation**2 + 2 * one / deviation * tau + tau**2 * entries) / 2]
    assert rho.index(min(rho)) == smaller
    assert float(bound.rho()) == pytest.approx(min(rho), rel=1e-12)
    at_three = [3 * norm / deviation**2 / 2 + tau * entries, 3 * rho[1]]
    assert float(bound.renyi(Decimal(3))) == pytest.approx(min(at_three), rel=1e-12)


def test_every_figure_is_rounded_up() -> None:
    bound = DistributedGaussian(Decimal(3), 1, 1, 1)
    assert bound.rho() >= Decimal(1) / 18
    assert bound.rho() - Decimal(1) / 18 < Decimal("1e-19")
    assert len(bound.rho().as_tuple().digits) <= 20


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 10**7), st.integers(1, 10**6), st.integers(50, 5000))
def test_more_of_what_costs_costs_more(honest: int, entries: int, norm: int, percent: int) -> None:
    one = DistributedGaussian(Decimal(percent) / 100, honest, entries, norm)
    assert DistributedGaussian(one.sigma, honest, entries, norm + 1).rho() >= one.rho()
    assert DistributedGaussian(one.sigma, honest, entries + 1, norm).rho() >= one.rho()
    assert DistributedGaussian(one.sigma * 2, honest, entries, norm).rho() <= one.rho()
    assert one.rho() >= Decimal(norm) / (2 * honest * one.sigma**2)
    if one.rho() < 5:
        assert one.epsilon(DELTA, 2) > one.epsilon(DELTA) > one.epsilon(2 * DELTA)


def test_an_inexact_sampler_is_charged() -> None:
    exact = DistributedGaussian(Decimal(10), 2, 1000, 100)
    figures = {"ratio": Decimal("1e-9"), "excess": Decimal("1e-10"), "deficit": Decimal("1e-14")}
    real = DistributedGaussian(Decimal(10), 2, 1000, 100, **figures)
    number = 3 * 2 * 1000
    epsilon = real.epsilon(DELTA, 3)
    # Backwards: what is left of delta for exact noise gives that epsilon less twice the ratio of every draw.
    shift = 2 * number * Decimal("1e-9")
    left = (DELTA - epsilon.exp() * number * Decimal("1e-14")) / (shift / 2).exp() - number * Decimal("1e-10")
    assert 0 < left < DELTA
    assert float(epsilon) == pytest.approx(float(exact.epsilon(left, 3) + shift), rel=1e-9)
    assert epsilon > exact.epsilon(DELTA, 3)
    with pytest.raises(InputError) as caught:
        DistributedGaussian(Decimal(10), 2, 1000, 100, deficit=Decimal("1e-9")).epsilon(DELTA, 1)
    assert caught.value.code == "privacy.delta-too-small"


def test_a_wrong_sampler_may_spoil_what_exact_noise_promised() -> None:
    """One draw that is never -3 and lower: the figures that say so keep the promise, exact ones do not."""
    law = sum_of_shares(Decimal(1), 1)
    cut = {x: p for x, p in law.items() if x > -4}
    missing = 1 - sum(cut.values())
    cut[0] += missing
    exact = DistributedGaussian(Decimal(1), 1, 1, 1)
    delta = Decimal("1e-4")
    assert max(exact_delta(cut, shift, exact.epsilon(delta)) for shift in (1, -1)) > delta
    charged = DistributedGaussian(Decimal(1), 1, 1, 1, excess=missing, deficit=missing)
    delta = Decimal("1e-2")
    assert max(exact_delta(cut, shift, charged.epsilon(delta)) for shift in (1, -1)) <= delta


def test_a_contribution_of_nothing_costs_nothing() -> None:
    free = DistributedGaussian(Decimal(10), 3, 100, 0)
    assert free.rho() == 0
    assert free.epsilon(DELTA, 50) == 0


@pytest.mark.parametrize("changed", [
    {"sigma": Decimal("0.49")}, {"sigma": Decimal("NaN")}, {"sigma": Decimal("Infinity")}, {"honest": 0},
    {"entries": 0}, {"norm_squared": -1}, {"deficit": Decimal(-1)}, {"ratio": Decimal("NaN")}, {"excess": Decimal(1)},
])
def test_numbers_outside_the_proof_are_refused(changed: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        DistributedGaussian(**({"sigma": Decimal(1), "honest": 2, "entries": 5, "norm_squared": 4} | changed))
    assert caught.value.code == ("privacy.bad-sigma" if "sigma" in changed else "privacy.bad-mechanism")


@pytest.mark.parametrize(("delta", "rounds"), [("0", 1), ("1", 1), ("-1", 1), ("NaN", 1), ("1e-6", 0)])
def test_deltas_and_rounds_that_cannot_be_are_refused(delta: str, rounds: int) -> None:
    with pytest.raises(InputError) as caught:
        DistributedGaussian(Decimal(1), 2, 5, 4).epsilon(Decimal(delta), rounds)
    assert caught.value.code == "privacy.bad-delta"
