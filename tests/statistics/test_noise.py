"""Drawn noise against exact probabilities: the true deviation passes, one that is off by 30 % does not."""

from __future__ import annotations

import hashlib
import math
from decimal import Decimal

import numpy as np
import pytest
from dp_accounting.pld.privacy_loss_mechanism import DiscreteGaussianPrivacyLoss
from scipy.stats import chi2

from sealane.core.secret import Secret
from sealane.secagg.noise import draw, share_of

DRAWS = 200_000
SIGMAS = ["0.6", "1", "2.5", "5.9", "6.1", "17", "150", "4000"]
REJECTED = 1e-9


def drawn(sigma: Decimal, label: str) -> np.ndarray:
    seed = Secret(hashlib.sha256(label.encode()).digest())
    return draw(share_of(sigma, 1, 0), seed, 0, DRAWS)


def p_value(values: np.ndarray, sigma: float) -> float:
    """Pearson's test over some sixty bins with twenty expected draws or more in each."""
    width = max(1, int(sigma / 6))
    reach = int(8 * sigma) + 2 * width
    integers = np.arange(-reach, reach + 1)
    weights = np.exp(-(integers.astype(float) ** 2) / (2 * sigma * sigma))
    weights /= weights.sum()
    bins = np.floor_divide(integers, width)
    expected = np.bincount(bins - bins[0], weights) * DRAWS
    seen = np.bincount(np.clip(np.floor_divide(values, width), bins[0], bins[-1]) - bins[0], minlength=expected.size)
    edges = np.flatnonzero(expected >= 20)
    low, high = edges[0], edges[-1]
    expected = np.array([expected[: low + 1].sum(), *expected[low + 1 : high], expected[high:].sum()])
    seen = np.array([seen[: low + 1].sum(), *seen[low + 1 : high], seen[high:].sum()])
    return float(chi2.sf(((seen - expected) ** 2 / expected).sum(), expected.size - 1))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_true_deviation_passes_and_others_are_rejected(sigma: str) -> None:
    values = drawn(Decimal(sigma), "draws of " + sigma)
    assert p_value(values, float(sigma)) > 1e-4
    assert p_value(values, 1.3 * float(sigma)) < REJECTED
    assert p_value(values, float(sigma) / 1.3) < REJECTED


@pytest.mark.parametrize("sigma", SIGMAS)
def test_wrong_noise_is_rejected(sigma: str) -> None:
    for wrong in (Decimal("1.3"), 1 / Decimal("1.3")):
        if Decimal(sigma) * wrong < Decimal("0.5"):
            continue
        assert p_value(drawn(Decimal(sigma) * wrong, "wrong " + sigma), float(sigma)) < REJECTED


@pytest.mark.parametrize("sigma", ["1", "3", "50"])
def test_probabilities_are_those_of_another_library(sigma: str) -> None:
    """dp-accounting's discrete Gaussian: its mass up to a point against the share of draws up to there."""
    other = DiscreteGaussianPrivacyLoss(float(sigma))
    values = drawn(Decimal(sigma), "library " + sigma)
    for point in (-2.0, -1.0, -0.4, 0.0, 0.7, 1.5):
        x = round(point * float(sigma))
        mass = float(other.noise_cdf(x))
        assert abs((values <= x).mean() - mass) < 5 * math.sqrt(mass * (1 - mass) / DRAWS)


def test_levels_and_neighbours_are_independent() -> None:
    values = drawn(Decimal(17), "neighbours").astype(float)
    for lag in (1, 2, 8, 16384):
        assert abs(np.corrcoef(values[:-lag], values[lag:])[0, 1]) < 5 / DRAWS**0.5
    assert abs(values.mean()) < 5 * 17 / DRAWS**0.5


def test_a_sum_of_shares_has_the_promised_variance() -> None:
    share = share_of(Decimal(12), 5, 2)
    total = sum(draw(share, Secret(bytes([k]) * 32), 0, DRAWS).astype(float) for k in range(3))
    # The variance of a variance of a Gaussian is 2 sigma^4 / n.
    assert abs(total.var() / 144 - 1) < 5 * math.sqrt(2 / DRAWS)
