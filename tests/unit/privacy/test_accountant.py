"""Totals against closed forms, exact distributions and what dp-accounting publishes."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import pytest
from dp_accounting import get_epsilon_gaussian
from expected_error import raises
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.errors import InputError
from sealane.privacy.accountant import INFINITE, compose
from sealane.privacy.distributed import DistributedGaussian
from sealane.privacy.mechanism import Concentrated, DiscreteGaussian, Laplace

DELTA = Decimal("1e-6")


def exact_delta(sigma: float, honest: int, epsilon: float) -> float:
    """The delta that one sum of shares has at an epsilon, one entry moving by one: convolved and added up."""
    reach = int(sigma * 14) + 3
    one = [math.exp(-x * x / (2 * sigma * sigma)) for x in range(-reach, reach + 1)]
    one = [weight / sum(one) for weight in one]
    law = [1.0]
    for _ in range(honest):
        grown = [0.0] * (len(law) + len(one) - 1)
        for i, p in enumerate(law):
            for j, q in enumerate(one):
                grown[i + j] += p * q
        law = grown
    return math.fsum(max(p - math.exp(epsilon) * (law[x - 1] if x else 0.0), 0.0) for x, p in enumerate(law))


def test_nothing_costs_nothing() -> None:
    assert compose([], DELTA).epsilon == 0
    assert compose([(Concentrated(Decimal("0.1")), 0)], DELTA).epsilon == 0


@pytest.mark.parametrize(("rho", "count"), [("0.02", 1), ("0.005", 16), ("0.5", 3), ("1e-6", 1), ("40", 1)])
def test_zcdp_by_the_formula_of_bun_and_steinke(rho: str, count: int) -> None:
    # rho + 2 sqrt(rho ln(1 / delta)) is proven; the conversion used here is never above it, and not far below.
    total = count * float(rho)
    proven = total + 2 * math.sqrt(total * math.log(1e6))
    found = float(compose([(Concentrated(Decimal(rho)), count)], DELTA).epsilon)
    assert 0.55 * proven < found <= proven


def test_zcdp_of_different_sizes_adds_up() -> None:
    parts = [(Concentrated(Decimal("0.03")), 2), (DiscreteGaussian(Decimal(5), 4), 1)]  # 0.06 and 4 / 50
    assert float(compose(parts, DELTA).epsilon) == pytest.approx(
        float(compose([(Concentrated(Decimal("0.14")), 1)], DELTA).epsilon), rel=1e-9)


@pytest.mark.parametrize(("sigma", "delta"), [(5, 1e-3), (20, 1e-5), (20, 1e-9), (100, 1e-6)])
def test_wide_discrete_noise_is_the_gaussian_mechanism(sigma: int, delta: float) -> None:
    found = compose([(DiscreteGaussian(Decimal(sigma), 1), 1)], Decimal(str(delta)))
    assert found.way == "pld"
    assert float(found.epsilon) == pytest.approx(get_epsilon_gaussian(sigma, delta), rel=2e-2, abs=1e-4)
    found = compose([(DiscreteGaussian(Decimal(10 * sigma), 1), 100)], Decimal(str(delta)))  # a hundred make one
    assert float(found.epsilon) == pytest.approx(get_epsilon_gaussian(sigma, delta), rel=9e-2, abs=6e-3)


def test_the_gaussian_example_of_dp_accounting() -> None:
    # dp-accounting's own test of its Rényi accountant: a noise multiplier of 4.530877117 is exactly (1, 1e-6).
    rho = 1 / (2 * Decimal("4.530877117") ** 2)
    assert float(compose([(Concentrated(rho), 1)], DELTA).epsilon) == pytest.approx(1, abs=1e-7)
    with localcontext() as context:
        context.prec = 50
        assert float(compose([(Concentrated(rho / 7), 7)], DELTA).epsilon) == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize(("scale", "count", "delta"), [("1", 1, "1e-6"), ("2", 1, "0.05"), ("0.5", 1, "1e-3")])
def test_one_laplace_by_its_formula(scale: str, count: int, delta: str) -> None:
    # delta(epsilon) = 1 - exp((epsilon - 1/b) / 2), solved for epsilon.
    exact = 1 / float(scale) + 2 * math.log1p(-float(delta))
    found = float(compose([(Laplace(Decimal(scale), Decimal(1)), count)], Decimal(delta)).epsilon)
    assert exact - 1e-9 <= found <= exact + 2e-4


def test_the_laplace_example_of_dp_accounting() -> None:
    # Three of multiplier 1 and two of multiplier 2: epsilon 4 at a vanishing delta.
    found = compose([(Laplace(Decimal(1), Decimal(1)), 3), (Laplace(Decimal(4), Decimal(2)), 2)], Decimal("1e-12"))
    assert float(found.epsilon) == pytest.approx(4, abs=1e-3)
    assert float(found.epsilon) >= 4 - 1e-5


@pytest.mark.parametrize(("sigma", "honest"), [("0.7", 1), ("0.7", 2), ("1", 3), ("2", 2), ("3", 4)])
@pytest.mark.parametrize("delta", ["1e-2", "1e-5"])
def test_exact_deltas_of_sums_of_shares_are_below_what_is_said(sigma: str, honest: int, delta: str) -> None:
    found = compose([(DistributedGaussian(Decimal(sigma), honest, 5, 1), 1)], Decimal(delta))
    assert exact_delta(float(sigma), honest, float(found.epsilon)) <= float(delta)
    assert exact_delta(float(sigma), honest, float(found.epsilon) * 0.6) > float(delta)


def test_more_honest_shares_cost_less_and_more_runs_less_than_their_sum() -> None:
    one, two = (compose([(DistributedGaussian(Decimal(8), honest, 9, 1), 1)], DELTA).epsilon for honest in (2, 3))
    ten = compose([(DistributedGaussian(Decimal(8), 2, 9, 1), 10)], DELTA).epsilon
    assert two < one
    assert 3 * one < ten < 4 * one  # about the square root of ten


def test_noise_that_the_sampler_rounds_away_costs_infinity() -> None:
    drawn = DistributedGaussian(Decimal(4), 2, 10, 1, deficit=Decimal("1e-9"))
    assert compose([(drawn, 1)], Decimal("1e-10")).epsilon == INFINITE
    assert compose([(drawn, 1)], Decimal("1e-4")).epsilon < 1


def test_inexact_drawing_costs_more() -> None:
    exact, drawn = (DistributedGaussian(Decimal(4), 2, 10, 1, excess=e) for e in (Decimal(0), Decimal("4e-8")))
    # Twenty values of 4e-8 take 8e-7 of delta: what is left is a fifth.
    assert float(compose([(drawn, 1)], DELTA).epsilon) == pytest.approx(
        float(compose([(exact, 1)], Decimal("2e-7")).epsilon), rel=1e-9)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["2", "5", "40"]), st.integers(1, 4)), min_size=1, max_size=4),
       st.sampled_from([Concentrated(Decimal("0.01")), Laplace(Decimal(9), Decimal(1)),
                        DistributedGaussian(Decimal(6), 2, 4, 1)]))
def test_one_more_never_costs_less(widths: list[tuple[str, int]], more: object) -> None:
    before = [(DiscreteGaussian(Decimal(width), 1), count) for width, count in widths]
    # Different bounds may win before and after; each is a true one, and within their discretisation they agree.
    assert compose([*before, (more, 1)], DELTA).epsilon > compose(before, DELTA).epsilon * Decimal("0.97")


@pytest.mark.parametrize("delta", ["0", "1", "-1e-6", "2", "NaN"])
def test_delta_is_between_zero_and_one(delta: str) -> None:
    with raises("privacy.bad-delta", InputError):
        compose([], Decimal(delta))
