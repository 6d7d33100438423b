"""Shares of noise: calibrated against colluders, drawn by the rule, and within the room that is kept for them."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from circle import seed_of
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.core.secret import Secret
from sealane.errors import InputError
from sealane.ring.base import ArrayValues
from sealane.secagg.noise import Noised, Share, draw, share_of


def probabilities(sigma: Decimal, upto: int) -> list[Decimal]:
    """Of each magnitude from 0, with 80 digits: the theta function summed until nothing is left."""
    with localcontext() as context:
        context.prec = 80
        weights = [(-Decimal(x * x) / (2 * sigma * sigma)).exp() * (2 if x else 1) for x in range(upto + 200)]
        total = sum(weights)
        return [weight / total for weight in weights[: upto + 1]]


def drawn_by_hand(share: Share, seed: Secret, count: int) -> list[int]:
    values = [0] * count
    for level, thresholds in enumerate(share.levels):
        nonce = bytes(4) + level.to_bytes(12, "little")
        stream = Cipher(algorithms.ChaCha20(seed.reveal(), nonce), mode=None).encryptor().update(bytes(8 * count))
        for i in range(count):
            word = int.from_bytes(stream[8 * i : 8 * i + 8], "little")
            magnitude = sum(word >> 1 >= threshold for threshold in thresholds.tolist())
            values[i] += (-magnitude if word & 1 else magnitude) * 2**level
    return [max(-share.tail, min(share.tail, value)) for value in values]


@pytest.mark.parametrize("sigma", ["0.5", "1", "2.9", "5.999"])
def test_thresholds_hold_every_magnitude_but_zero_in_full(sigma: str) -> None:
    share = share_of(Decimal(sigma), 1, 0)
    (thresholds,) = share.levels
    assert thresholds.size == share.tail
    exact = probabilities(share.sigma, share.tail)
    edges = [0, *thresholds.tolist(), 2**63]
    drawn = [Decimal(high - low) / 2**63 for low, high in pairwise(edges)]
    for x in range(1, share.tail + 1):
        assert 0 <= drawn[x] - exact[x] < Decimal(2) ** -63
    assert exact[0] <= (1 + share.ratio) * drawn[0]
    assert sum(max(d - e, Decimal(0)) for d, e in zip(drawn, exact, strict=True)) <= share.excess
    assert 1 - sum(exact) <= share.deficit


@pytest.mark.parametrize("sigma", ["6.01", "7", "9", "23", "80"])
def test_a_wide_gaussian_from_narrow_ones_is_one(sigma: str) -> None:
    """The exact distribution of Y + 2 Z, with 80 digits, against the discrete Gaussian it stands for."""
    wide = Decimal(sigma)
    reach = int(14 * wide)
    with localcontext() as context:
        context.prec = 80
        narrow = ((wide * wide - 16) / 4).sqrt()
        y, z = probabilities(Decimal(4), 14 * 4), probabilities(narrow, int(14 * narrow))
        exact = probabilities(wide, reach)
        for x in range(0, int(11 * wide), max(1, reach // 60)):
            total = Decimal(0)
            for part in range(-len(z) + 1, len(z)):
                other = abs(x - 2 * part)
                if other < len(y):
                    total += z[abs(part)] / (2 if part else 1) * y[other] / (2 if other else 1)
            # What the tables leave out beyond 14 deviations is far below any probability within 11.
            assert abs(total / (exact[x] / (2 if x else 1)) - 1) < Decimal("4e-19")


@pytest.mark.parametrize(("sigma", "levels"), [("0.7", 1), ("5", 1), ("7", 2), ("30", 4), ("5000", 11)])
def test_values_are_drawn_by_the_rule(sigma: str, levels: int) -> None:
    share = share_of(Decimal(sigma), 1, 0)
    assert len(share.levels) == levels
    assert draw(share, seed_of("d"), 0, 100).tolist() == drawn_by_hand(share, seed_of("d"), 100)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 40_000), st.integers(0, 40_000), st.sampled_from(["3", "40"]))
def test_any_range_draws_the_same_twice(one: int, other: int, sigma: str) -> None:
    share = share_of(Decimal(sigma), 1, 0)
    start, stop = sorted((one, other))
    assert np.array_equal(draw(share, seed_of("x"), start, stop), draw(share, seed_of("x"), 0, 40_000)[start:stop])


@settings(max_examples=60, deadline=None)
@given(st.fractions(2, 1000), st.integers(1, 60), st.integers(0, 20))
def test_those_who_do_not_collude_carry_all_that_was_promised(sigma: Fraction, honest: int, colluding: int) -> None:
    promised = Decimal(sigma.numerator) / Decimal(sigma.denominator)
    if promised * promised / honest < Decimal("0.26"):
        return
    share = share_of(promised, honest + colluding, colluding)
    carried = Fraction(share.sigma) ** 2 * honest
    assert Fraction(promised) ** 2 <= carried <= Fraction(promised) ** 2 * (1 + Fraction(1, 10**40))
    assert share.tail >= 11 * share.sigma


@pytest.mark.parametrize(("sigma", "tail"), [("2.9999", 33), ("2.5", 28), ("99.99999", 1100)])
def test_the_tail_is_part_of_the_room_in_a_slot(sigma: str, tail: int) -> None:
    share = share_of(Decimal(sigma), 1, 0)
    assert share.tail == tail
    assert share.headroom == 2 * tail
    for quantised in (0, 77):
        noised = Noised(ArrayValues(np.full(50_000, quantised, dtype=np.uint32)), share, seed_of("h"))
        assert len(noised) == 50_000
        read = noised.read(10, 49_000)
        assert read.dtype == np.uint32
        assert np.array_equal(read.astype(int) - quantised - tail, draw(share, seed_of("h"), 10, 49_000))
        assert quantised <= read.min()
        assert read.max() <= quantised + share.headroom


def test_values_beyond_the_tail_are_clamped() -> None:
    # Tables of a tail each can add up to more than the whole's: thresholds of zero make every magnitude the largest.
    share = share_of(Decimal(30), 1, 0)
    top = Share(share.sigma, share.tail, tuple(np.zeros_like(t) for t in share.levels), *([Decimal(0)] * 3))
    assert sum(t.size << level for level, t in enumerate(share.levels)) > share.tail
    values = draw(top, seed_of("c"), 0, 300)
    assert set(np.abs(values).tolist()) - {abs(v) for v in drawn_by_hand(top, seed_of("c"), 300)} == set()
    assert values.max() == share.tail
    assert values.min() == -share.tail


@pytest.mark.parametrize(("sigma", "minimum", "colluding", "code"), [
    ("5", 3, 3, "noise.nobody-honest"), ("5", 2, 4, "noise.nobody-honest"), ("5", 3, -1, "noise.nobody-honest"),
    ("0.9", 4, 0, "noise.bad-deviation"), ("0", 1, 0, "noise.bad-deviation"), ("-5", 1, 0, "noise.bad-deviation"),
    ("NaN", 1, 0, "noise.bad-deviation"), ("1e9", 1, 0, "noise.bad-deviation"),
    ("Infinity", 1, 0, "noise.bad-deviation"),
])
def test_noise_that_cannot_be_is_refused(sigma: str, minimum: int, colluding: int, code: str) -> None:
    with pytest.raises(InputError) as caught:
        share_of(Decimal(sigma), minimum, colluding)
    assert caught.value.code == code
