"""Residues on the wire against one long Python integer, at every width and at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.ring.cpu import warm_up
from sealane.ring.cpu_bits import add_residues, add_row, largest_residue, write_row
from sealane.ring.primes import WIDTHS

PRIME = np.uint32(2**31 - 1)


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    warm_up()


def integer_of(residues: np.ndarray, bits: int) -> bytes:
    return sum(r << (bits * i) for i, r in enumerate(residues.tolist())).to_bytes(residues.size * bits // 8, "little")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(WIDTHS), st.integers(1, 70), st.integers(0, 2**32), st.booleans())
def test_writing_and_reading_are_those_of_one_long_integer(bits: int, blocks: int, seed: int, edges: bool) -> None:
    random = np.random.default_rng(seed)
    choice = np.array([0, 1, 2 ** (bits - 1), 2**bits - 2, 2**bits - 1], dtype=np.uint32)
    size = 32 * blocks
    residues = random.choice(choice, size) if edges else random.integers(0, 2**bits, size, dtype=np.uint32)
    words = np.full(blocks * bits + 1, 0xABCDEF01, dtype=np.uint32)
    write_row(residues, bits, words[:-1])
    assert words[:-1].tobytes() == integer_of(residues, bits)
    assert words[-1] == 0xABCDEF01  # nothing was written beyond the row
    assert largest_residue(words[:-1], bits) == residues.max()
    total = np.zeros(size + 32, dtype=np.uint32)
    add_row(words[:-1], bits, total[:size], np.uint32(2**31))
    assert np.array_equal(total[:size], residues)
    assert not total[size:].any()


@pytest.mark.parametrize("bits", WIDTHS)
def test_each_bit_goes_to_its_place(bits: int) -> None:
    for place in range(32 * bits):
        residues = np.zeros(32, dtype=np.uint32)
        residues[place // bits] = 1 << (place % bits)
        words = np.empty(bits, dtype=np.uint32)
        write_row(residues, bits, words)
        assert int.from_bytes(words.tobytes(), "little") == 1 << place
        assert largest_residue(words, bits) == 1 << (place % bits)


def test_sums_wrap_at_the_prime() -> None:
    edge = np.array([0, 1, 2**30, PRIME - 2, PRIME - 1], dtype=np.uint32)
    left, right = (side.reshape(-1)[:25].astype(np.uint32) for side in np.meshgrid(edge, edge))
    left, right = np.resize(left, 32), np.resize(right, 32)
    expected = [(a + b) % int(PRIME) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    summed = left.copy()
    add_residues(summed, right, PRIME)
    assert summed.tolist() == expected
    words = np.empty(31, dtype=np.uint32)
    write_row(right, 31, words)
    summed = left.copy()
    add_row(words, 31, summed, PRIME)
    assert summed.tolist() == expected
