"""Division of long integers against Python's, where the estimate of a quotient is most often off."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from sealane.ring.cpu_divide import divide

COUNT = 64
EDGES = np.array([0, 1, 2, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1], dtype=np.uint32)


@njit
def quotients(words: np.ndarray, length: int, divisor: np.uint32, rest: np.ndarray) -> None:
    divide(words, length, COUNT, COUNT, divisor, rest)


def integers(words: np.ndarray, length: int) -> list[int]:
    columns = words.reshape(-1, COUNT)[:length].T.tolist()
    return [sum(word << (32 * i) for i, word in enumerate(column)) for column in columns]


@pytest.mark.parametrize(
    "divisor", [1, 2, 3, 10, 4088, 65535, 65536, 262141, 2**31 - 1, 2**31, 2**31 + 1, 3 * 2**30, 2**32 - 2, 2**32 - 1]
)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_quotients_and_remainders_are_exact(divisor: int, length: int) -> None:
    random = np.random.default_rng(divisor + length)
    near = np.array([divisor - 1, divisor % 2**32, (divisor + 1) % 2**32], dtype=np.uint32)
    for words in (
        random.integers(0, 2**32, (length + 2, COUNT), dtype=np.uint32),
        random.choice(np.concatenate([EDGES, near]), (length + 2, COUNT)),
    ):
        words[-1] = 0
        words, untouched = words.reshape(-1), words[length].copy()
        before = integers(words, length)
        rest = np.empty(COUNT, dtype=np.uint32)
        quotients(words, length, np.uint32(divisor), rest)
        assert list(zip(integers(words, length), rest.tolist(), strict=True)) == [divmod(v, divisor) for v in before]
        assert np.array_equal(words.reshape(-1, COUNT)[length], untouched)
        assert not words[-COUNT:].any()


# Found by search: the estimate is one too low, and the remainder before the last correction is d, or d and a bit.
@pytest.mark.parametrize(
    ("divisor", "upper", "lower"),
    [(2**31 + 2, 2**31, 2**32 - 4), (2**31 + 4, 2**31 + 1, 2**32 - 15), (2**31 + 3, 2**31 + 1, 2**32 - 1)],
)
def test_the_rare_second_correction_is_made(divisor: int, upper: int, lower: int) -> None:
    words = np.repeat(np.array([lower, upper, 0], dtype=np.uint32), COUNT)
    rest = np.empty(COUNT, dtype=np.uint32)
    quotients(words, 2, np.uint32(divisor), rest)
    expected = divmod((upper << 32) | lower, divisor)
    assert set(zip(integers(words, 2), rest.tolist(), strict=True)) == {expected}
