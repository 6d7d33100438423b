"""Fixed point against fractions and integers, at the edges where a float or a limb ends."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from circle import integers

from sealane.ring.words import WIDTHS, Width, add
from sealane.secagg.fixed_point import decode_integers, decode_reals, encode_integers, encode_reals

HARD = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1 / 3, -1 / 3, math.pi, 1e-9, -1e-9, 2.0**-56, -(2.0**-56), 2.0**-57,
        -(2.0**-57), 2.0**-60 * 1.5, 5e-324, -5e-324, 2.2250738585072014e-308, 1 - 2.0**-53, -(1 - 2.0**-53),
        1 + 2.0**-52, -(1 + 2.0**-52)]


def exact(value: float, fraction: int) -> int:
    return int(Fraction(value) * 2**fraction)  # int() cuts towards zero


@pytest.mark.parametrize(("width", "fraction"), [(64, 56), (64, 62), (96, 56), (96, 90), (128, 56), (128, 100)])
def test_reals_are_cut_towards_zero_exactly(width: Width, fraction: int) -> None:
    top = 2.0 ** (width - 2 - fraction)
    values = [*HARD, top, -top, math.nextafter(top, 0), -math.nextafter(top, 0), top / 3, -top / 3]
    values = [value for value in values if abs(value) <= top]
    encoded = integers(encode_reals(np.array(values), fraction, width), width)
    assert encoded == [exact(value, fraction) % 2**width for value in values]


@pytest.mark.parametrize("width", WIDTHS)
def test_integers_are_sign_extended(width: Width) -> None:
    values = [0, 1, -1, 2**31, -(2**31), 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
    encoded = encode_integers(np.array(values, dtype=np.int64), width)
    assert integers(encoded, width) == [value % 2**width for value in values]
    assert decode_integers(encoded, width).tolist() == values


@pytest.mark.parametrize(("width", "fraction"), [(64, 60), (96, 70), (128, 100)])
def test_a_sum_reads_back_to_the_last_place(width: Width, fraction: int) -> None:
    rng = np.random.default_rng(3)
    columns = [rng.normal(size=50) * 2.0 ** rng.integers(-30, 1, size=50) for _ in range(5)]
    total = encode_reals(columns[0], fraction, width)
    for column in columns[1:]:
        add(total, encode_reals(column, fraction, width), width)
    whole = [Fraction(sum(exact(v, fraction) for v in row), 2**fraction) for row in zip(*columns, strict=True)]
    for read, expected in zip(decode_reals(total, fraction, width).tolist(), whole, strict=True):
        assert abs(Fraction(read) - expected) <= abs(expected) * Fraction(2**-52)


@pytest.mark.parametrize("width", [96, 128])
def test_a_small_negative_total_is_not_the_difference_of_two_large_floats(width: Width) -> None:
    total = encode_reals(np.array([-(2.0**-50), -1.0, -(2.0**20) - 2.0**-20]), 60, width)
    assert decode_reals(total, 60, width).tolist() == [-(2.0**-50), -1.0, -(2.0**20) - 2.0**-20]


def test_reading_back_leaves_the_total_alone() -> None:
    total = encode_reals(np.array([-1.5, 2.5]), 60, 96)
    before = total.copy()
    decode_reals(total, 60, 96)
    assert np.array_equal(total, before)
