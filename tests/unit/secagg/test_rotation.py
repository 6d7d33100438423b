"""The rotation against the Hadamard matrix, entry by entry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sealane.errors import InputError
from sealane.secagg.rotation import BLOCK, entry_bound, rotate, rotate_back, rotated_length

SEED = bytes(range(32))


def signs(count: int) -> np.ndarray:
    stream = Cipher(algorithms.AES(SEED), modes.CTR(bytes(16))).encryptor().update(bytes(-(-count // 8)))
    return np.array([-1.0 if stream[i // 8] >> (i % 8) & 1 else 1.0 for i in range(count)])


def hadamard(count: int) -> np.ndarray:
    """Entry (i, j) is -1 to the number of ones that i and j share, over sqrt(d)."""
    return np.array([[(-1) ** (i & j).bit_count() for j in range(count)] for i in range(count)]) / math.sqrt(count)


@pytest.mark.parametrize("length", [1, 2, 3, 8, 13, 16, 100, 511])
def test_a_short_vector_is_one_padded_block(length: int) -> None:
    values = np.random.default_rng(length).normal(size=length)
    padded = 1 << (length - 1).bit_length()
    assert rotated_length(length) == padded
    expected = hadamard(padded) @ (signs(padded) * np.concatenate([values, np.zeros(padded - length)]))
    assert np.allclose(rotate(values, SEED), expected, rtol=0, atol=1e-12)


def test_blocks_of_a_long_vector_are_apart() -> None:
    length = BLOCK + 300
    values = np.zeros(length)
    values[[5, BLOCK + 7]] = 1.0, 2.0
    rotated = rotate(values, SEED)
    assert rotated.size == rotated_length(length) == BLOCK + 4096
    all_signs = signs(rotated.size)
    for i in (0, 1, 2, 777, BLOCK - 1):
        assert rotated[i] == all_signs[5] * (-1) ** (i & 5).bit_count() / 256
    for i in (0, 1, 4095):
        assert rotated[BLOCK + i] == pytest.approx(2 * all_signs[BLOCK + 7] * (-1) ** (i & 7).bit_count() / 64)


@pytest.mark.parametrize(("dtype", "accuracy"), [(np.float32, 2e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("length", [0, 1, 1000, BLOCK, 2 * BLOCK + 5000])
def test_it_turns_back_and_keeps_the_norm(length: int, dtype: type, accuracy: float) -> None:
    values = np.random.default_rng(length).normal(size=length).astype(dtype)
    kept = values.copy()
    rotated = rotate(values, SEED)
    assert rotated.dtype == dtype
    assert np.array_equal(values, kept)
    norm = np.linalg.norm(values.astype(np.float64))
    assert np.linalg.norm(rotated.astype(np.float64)) == pytest.approx(norm, rel=accuracy)
    back = rotate_back(rotated, length, SEED)
    assert back.dtype == dtype
    assert back.size == length
    assert np.abs(back - values).max(initial=0.0) < 5 * accuracy


def test_the_sum_of_rotations_turns_back_to_the_sum() -> None:
    rng = np.random.default_rng(2)
    vectors = [rng.normal(size=777) for _ in range(4)]
    total = np.sum([rotate(vector, SEED) for vector in vectors], axis=0)
    assert np.allclose(rotate_back(total, 777, SEED), np.sum(vectors, axis=0), rtol=0, atol=1e-12)


def test_what_is_large_is_spread() -> None:
    values = np.zeros(BLOCK, dtype=np.float32)
    values[:3] = 100.0, -50.0, 30.0
    rotated = rotate(values, SEED)
    assert np.abs(rotated).max() <= 180.0 / 256 * 1.000001
    other = rotate(values, bytes(32))
    assert not np.array_equal(rotated, other)


def test_entries_exceed_their_bound_as_seldom_as_promised() -> None:
    # 200 seeds at a failure of one half: the bound is loose, but a bound on the wrong quantity would fail here.
    values = np.random.default_rng(3).normal(size=900)
    bound = entry_bound(float(np.linalg.norm(values)), 900, 0.5)
    peaks = [float(np.abs(rotate(values, seed.to_bytes(32, "big"))).max()) for seed in range(200)]
    assert sum(peak > bound for peak in peaks) <= 100
    assert max(peaks) < 1.3 * bound < 3 * min(peaks)
    assert entry_bound(1.0, 1, 1e-9) == 1.0


def test_other_types_and_lengths_are_refused() -> None:
    for call, code in [(lambda: rotate(np.ones(4, dtype=np.int64), SEED), "rotation.bad-values"),
                       (lambda: rotate(np.ones((2, 2)), SEED), "rotation.bad-values"),
                       (lambda: rotate_back(np.ones(8), 9, SEED), "rotation.bad-length"),
                       (lambda: rotate_back(np.ones(8), 4, SEED), "rotation.bad-length")]:
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.code == code
