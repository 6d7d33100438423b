"""The table against exact arithmetic, and draws against the distribution: the true one passes, a wrong one does not."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
import rlwe_reference as reference

from sealane.ring.cpu import warm_up
from sealane.ring.cpu_encrypt import draw
from sealane.ring.gaussian import SIGMA_ERROR, SIGMA_SECRET, gaussian

DRAWS = 1 << 18


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    warm_up()


def drawn(sigma: Decimal, seed: int, count: int = DRAWS) -> np.ndarray:
    words = np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)
    out = np.empty(count, dtype=np.int32)
    draw(words, gaussian(sigma).thresholds, out)
    return out


def fits(values: np.ndarray, sigma: float) -> bool:
    """Pearson's chi-square over the integers within 3 sigma and the two tails, and the variance, at six deviations."""
    edge = math.ceil(3 * sigma)
    weights = [math.exp(-x * x / (2 * sigma * sigma)) for x in range(-12 * edge, 12 * edge + 1)]
    shares = {x: w / sum(weights) for x, w in zip(range(-12 * edge, 12 * edge + 1), weights, strict=True)}
    tail = sum(share for x, share in shares.items() if x > edge)
    expected = np.array([tail, *(shares[x] for x in range(-edge, edge + 1)), tail]) * values.size
    found = np.bincount(np.clip(values, -edge - 1, edge + 1) + edge + 1, minlength=2 * edge + 3)
    statistic, freedom = float(((found - expected) ** 2 / expected).sum()), expected.size - 1
    variance = sum(x * x * share for x, share in shares.items())
    spread = math.sqrt(2 / values.size) * variance  # a Gaussian's fourth moment is three squared variances
    return (statistic < freedom + 6 * math.sqrt(2 * freedom)
            and abs(float((values.astype(np.int64) ** 2).mean()) - variance) < 6 * spread)


@pytest.mark.parametrize("sigma", [SIGMA_ERROR, SIGMA_SECRET])
def test_thresholds_are_exact(sigma: Decimal) -> None:
    table = gaussian(sigma)
    assert tuple(table.thresholds.tolist()) == reference.thresholds(str(sigma))
    assert table.tail == math.ceil(9.5 * float(sigma)) == table.thresholds.size
    assert table.thresholds.tolist() == sorted(table.thresholds.tolist())
    assert int(table.thresholds[-1]) < 2**63


@pytest.mark.parametrize("sigma", [SIGMA_ERROR, SIGMA_SECRET])
def test_a_word_gives_the_value_of_the_exact_comparison(sigma: Decimal) -> None:
    thresholds = reference.thresholds(str(sigma))
    near = [max(0, t + d) for t in thresholds for d in (-1, 0, 1)] + [0, 1, 2**63 - 1]
    words = [(min(t, 2**63 - 1) << 1) | sign for t in near for sign in (0, 1)]
    words += [0] * (-len(words) % 32)
    out = np.empty(len(words), dtype=np.int32)
    draw(np.array(words, dtype=np.uint64), gaussian(sigma).thresholds, out)
    assert out.tolist() == [reference.gaussian_value(word, thresholds) for word in words]


@pytest.mark.parametrize("sigma", [SIGMA_ERROR, SIGMA_SECRET])
def test_draws_follow_the_distribution(sigma: Decimal) -> None:
    assert fits(drawn(sigma, seed=1), float(sigma))


@pytest.mark.parametrize("factor", ["0.7", "0.97", "1.03", "1.3"])
@pytest.mark.parametrize("sigma", [SIGMA_ERROR, SIGMA_SECRET])
def test_draws_of_another_deviation_do_not(sigma: Decimal, factor: str) -> None:
    assert not fits(drawn(sigma * Decimal(factor), seed=2), float(sigma))


def test_signs_are_even() -> None:
    values = drawn(SIGMA_ERROR, seed=3)
    positive, negative = int((values > 0).sum()), int((values < 0).sum())
    assert abs(positive - negative) < 6 * math.sqrt(positive + negative)
    assert not fits(np.abs(values), float(SIGMA_ERROR))
    flipped = np.empty_like(values)
    words = np.random.default_rng(3).integers(0, 2**64, DRAWS, dtype=np.uint64)
    draw(words ^ np.uint64(1), gaussian(SIGMA_ERROR).thresholds, flipped)
    assert np.array_equal(flipped, -values)
