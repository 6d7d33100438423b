"""What a node adds to its mask: errors drawn from the discrete Gaussian, and its values folded into messages.

Values are folded twice. As many slots as fit a 32-bit word become one *digit*, once for all primes; then every prime
takes the digits times powers of the base. No branch and no address depends on a value.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils
from numpy.typing import NDArray

from sealane.ring.cpu_kernel import READ_32, READ_64, kernel
from sealane.ring.cpu_vectors import WIDTH, WORD, Vectors, vector_code

Row = NDArray[np.uint32]
Rows = NDArray[np.uint32]
_CHUNK = 512  # positions that take all their digits before the next do
_LONGS, _SHORTS = ir.VectorType(ir.IntType(64), 8), ir.VectorType(WORD, 8)
_DRAWN = 32  # words that are compared with the table together


@kernel(f"void(uint64[::1], {READ_64}, int32[::1])")
def draw(words: NDArray[np.uint64], thresholds: NDArray[np.uint64], out: NDArray[np.int32]) -> None:
    """Turn random words into draws from the table, ``(n,)`` each with n a multiple of 32."""
    for at in range(0, words.size, _DRAWN):
        _draw(words, at, thresholds, thresholds.size, out)


@vector_code
def _draw(do: Vectors, words: Any, at: Any, thresholds: Any, count: Any, out: Any) -> None:
    """Draw 32 values: each word without its sign bit is compared with every threshold, as signed numbers below 2^63."""
    build, code = do.build, cast(Any, cgutils)
    one, zero = ir.Constant(_LONGS, [1] * 8), ir.Constant(_LONGS, [0] * 8)
    places = [do.plus(at, 8 * part) for part in range(_DRAWN // 8)]
    drawn = [build.load(build.bitcast(build.gep(words, [place]), _LONGS.as_pointer()), align=8) for place in places]
    magnitudes = [code.alloca_once_value(build, zero) for _ in places]
    with code.for_range(build, count) as loop:
        threshold = build.load(build.gep(thresholds, [loop.index]))
        first = build.insert_element(ir.Constant(_LONGS, ir.Undefined), threshold, WORD(0))
        everywhere = build.shuffle_vector(first, first, do.constants([0] * 8))
        for word, magnitude in zip(drawn, magnitudes, strict=True):
            reached = build.icmp_signed("<=", everywhere, build.lshr(word, one))
            build.store(build.add(build.load(magnitude), build.zext(reached, _LONGS)), magnitude)
    for place, word, magnitude in zip(places, drawn, magnitudes, strict=True):
        sign = build.sub(zero, build.and_(word, one))
        value = build.trunc(build.sub(build.xor(build.load(magnitude), sign), sign), _SHORTS)
        build.store(value, build.bitcast(build.gep(out, [place]), _SHORTS.as_pointer()), align=4)


@kernel(f"uint32({READ_32}, int64, int64, uint32, uint32[:, ::1])")
def fold(values: Row, slots: int, together: int, base: np.uint32, digits: Rows) -> np.uint32:
    """Fold a group's values into digits of ``together`` slots each, ``(ceil(slots / together), U)``.

    Returns:
        The largest value: where it is not below the base, the digits mean nothing.
    """
    used = digits.shape[1]
    largest = np.uint32(0)
    for row in range(digits.shape[0]):
        digit = digits[row]
        top = min(slots, (row + 1) * together) - 1
        for slot in range(top, row * together - 1, -1):
            there = values[min(slot * used, values.size) : min((slot + 1) * used, values.size)]
            if slot == top:
                digit[: there.size] = there
                digit[there.size :] = 0
            else:
                for j in range(there.size):
                    digit[j] = np.uint32(np.uint32(digit[j] * base) + there[j])
            for j in range(there.size):
                largest = max(largest, there[j])
    return largest


@kernel(f"void(uint32[::1], int32[::1], uint32[::1], {READ_32}, {READ_32}, uint32)")
def hide(
    row: Row, errors: NDArray[np.int32], digits: Row, weights: Row, quotients: Row, prime: np.uint32
) -> None:
    """Add errors and digits times their weights to a mask, ``(U,)``, modulo one prime.

    ``digits`` are one row after the other; ``weights`` are step * base^(slots before the digit) mod p, with their
    quotients floor(w * 2^32 / p).
    """
    for start in range(0, row.size, _CHUNK):
        stop = min(start + _CHUNK, row.size)
        for at in range(start, stop, WIDTH):
            _add_errors(row, at, errors, prime)
        for index in range(weights.size):
            for at in range(start, stop, WIDTH):
                _add_product(row, at, digits, index * row.size + at, weights[index], quotients[index], prime)


@vector_code
def _add_errors(do: Vectors, row: Any, at: Any, errors: Any, prime: Any) -> None:
    """Add 16 errors, each of a magnitude below the prime."""
    modulus = do.repeat(prime)
    do.store(do.add(do.load(row, at), do.lifted(do.load(errors, at), modulus), modulus), row, at)


@vector_code
def _add_product(
    do: Vectors, row: Any, at: Any, digits: Any, there: Any, weight: Any, quotient: Any, prime: Any
) -> None:
    """Add 16 digits times a weight."""
    modulus = do.repeat(prime)
    product = do.mul(do.load(digits, there), (do.repeat(weight), do.repeat(quotient)), modulus)
    do.store(do.add(do.load(row, at), product, modulus), row, at)
