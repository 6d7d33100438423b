"""Packed updates against integer sums; rounding against its expectation."""

from __future__ import annotations

import numpy as np
import pytest
from circle import seed_of

from sealane.ring.words import add
from sealane.secagg.quantize import decode_updates, encode_updates, packed_length, slot_bits, updates_over


def unpacked(words: np.ndarray, entries: int, bits: int, cohort: int) -> list[int]:
    """Entry k lies in slot k // words: read with Python integers."""
    width = (cohort * (2**bits - 1)).bit_length()
    out = [(word >> (slot * width)) % 2**width for slot in range(64 // width) for word in words[0].tolist()]
    return out[:entries]


@pytest.mark.parametrize("bits", [4, 8, 16, 24])
@pytest.mark.parametrize("cohort", [2, 3, 12, 15, 16, 64])
def test_a_whole_cohort_at_the_top_does_not_carry(bits: int, cohort: int) -> None:
    entries = 37
    top = encode_updates(np.full(entries, 2.0), 2.0, bits, cohort, seed_of("r"))
    assert unpacked(top, entries, bits, cohort) == [2**bits - 1] * entries
    total = top.copy()
    for _ in range(cohort - 1):
        add(total, top, 64)
    assert unpacked(total, entries, bits, cohort) == [cohort * (2**bits - 1)] * entries
    assert updates_over(total, bits, cohort) == 0
    assert np.allclose(decode_updates(total, entries, 2.0, bits, cohort), 2.0 * cohort, rtol=1e-12)


@pytest.mark.parametrize(("bits", "cohort"), [(4, 3), (16, 3), (24, 12)])
def test_the_sum_of_packed_words_is_the_packed_sum(bits: int, cohort: int) -> None:
    rng = np.random.default_rng(bits)
    entries = 101
    columns = [encode_updates(rng.normal(size=entries), 1.5, bits, cohort, seed_of(k)) for k in range(cohort)]
    total = columns[0].copy()
    for column in columns[1:]:
        add(total, column, 64)
    whole = [sum(row) for row in zip(*(unpacked(c, entries, bits, cohort) for c in columns), strict=True)]
    assert unpacked(total, entries, bits, cohort) == whole
    expected = [value * 3.0 / (2**bits - 1) - cohort * 1.5 for value in whole]
    assert np.allclose(decode_updates(total, entries, 1.5, bits, cohort), expected, rtol=0, atol=1e-12)


def test_values_are_clipped_and_rounded_to_a_neighbour() -> None:
    step = 2.0 / 255
    values = np.array([-9.0, -1.0, -0.5, 0.0, 0.3, 1.0, 9.0])
    read = decode_updates(encode_updates(values, 1.0, 8, 1, seed_of(1)), 7, 1.0, 8, 1)
    assert (np.abs(read - np.clip(values, -1, 1)) < step * (1 + 1e-9)).all()
    assert read[[0, 1]].tolist() == [-1.0, -1.0]
    assert read[[5, 6]].tolist() == [1.0, 1.0]


def test_rounding_is_unbiased_and_the_same_for_the_same_seed() -> None:
    value, entries, step = 0.123456, 40_000, 2.0 / 15
    encoded = encode_updates(np.full(entries, value), 1.0, 4, 1, seed_of(1))
    read = decode_updates(encoded, entries, 1.0, 4, 1)
    # A rounding has at most half a step of standard deviation; six of the mean's. To the nearest would be off by 0.056.
    assert abs(read.mean() - value) < 6 * step / 2 / entries**0.5
    assert set(np.round((read + 1) / step).astype(int).tolist()) == {8, 9}
    assert np.array_equal(encoded, encode_updates(np.full(entries, value), 1.0, 4, 1, seed_of(1)))
    assert not np.array_equal(encoded, encode_updates(np.full(entries, value), 1.0, 4, 1, seed_of(2)))


def test_slots_are_as_narrow_as_the_cohort_allows() -> None:
    assert [slot_bits(4, 2), slot_bits(16, 3), slot_bits(24, 12)] == [5, 18, 28]
    assert [packed_length(n, 16, 3) for n in (0, 1, 3, 4)] == [0, 1, 1, 2]


def test_a_word_that_no_cohort_can_sum_to_is_counted() -> None:
    bits, cohort = 16, 3  # slots of 18 bits, three to a word, ten bits unused
    legal = np.array([[3 * 65535]], dtype=np.uint64)
    assert updates_over(legal, bits, cohort) == 0
    assert updates_over(legal + np.uint64(1), bits, cohort) == 1
    assert updates_over(np.array([[1 << 54]], dtype=np.uint64), bits, cohort) == 1
