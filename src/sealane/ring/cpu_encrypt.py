"""What a node adds to its mask: errors drawn from the discrete Gaussian, and its values folded into messages.

Values are folded twice. As many slots as fit a 32-bit word become one *digit*, once for all primes; then every prime
takes the digits times powers of the base. A short stretch of positions goes through both at a time. No branch and no
address depends on a value.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils
from numpy.typing import NDArray

from sealane.ring.cpu_kernel import READ_2, READ_32, READ_64, inlined, kernel
from sealane.ring.cpu_vectors import WIDTH, WORD, Vectors, vector_code

Row = NDArray[np.uint32]
Rows = NDArray[np.uint32]
_CHUNK = 512
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


@kernel(
    f"uint32({READ_32}, int64, int64, int64, int64, uint32, int32[::1], {READ_2}, {READ_2}, {READ_32}, uint32[:, ::1])"
)
def messages(
    values: Row, first: int, last: int, slots: int, together: int, base: np.uint32, errors: NDArray[np.int32],
    weights: Rows, quotients: Rows, primes: Row, out: Rows,
) -> np.uint32:
    """Write error + step * M modulo each prime for positions ``first`` to ``last`` of a group, ``(primes, U)``.

    Args:
        values: the group's values, as many as there are.
        first: the first position, a multiple of 32.
        last: the one after the last position, likewise.
        slots: values to a position.
        together: slots in a digit.
        base: the base of the packing.
        errors: an error for each position.
        weights: step * base^(slots before the digit) mod p, ``(primes, digits)``.
        quotients: floor(weight * 2^32 / p), likewise.
        primes: the primes.
        out: where the residues go.

    Returns:
        The largest value: where it is not below the base, the residues mean nothing.
    """
    used, count = out.shape[1], weights.shape[1]
    digits = np.empty(count * _CHUNK, dtype=np.uint32)
    largest = np.uint32(0)
    for start in range(first, last, _CHUNK):
        size = min(_CHUNK, last - start)
        for index in range(count):
            top = min(slots, (index + 1) * together)
            found = _fold(values, start, size, used, index * together, top, base, digits[index * _CHUNK :])
            largest = max(largest, found)
        for row in range(primes.size):
            residues = out[row, start : start + size]
            for at in range(0, size, WIDTH):
                _begin(residues, at, errors, start + at, primes[row])
            for index in range(count):
                weight, quotient = weights[row, index], quotients[row, index]
                for at in range(0, size, WIDTH):
                    _add_product(residues, at, digits, index * _CHUNK + at, weight, quotient, primes[row])
    digits[:] = 0
    return largest


@inlined
def _fold(
    values: Row, start: int, size: int, used: int, slot: int, top: int, base: np.uint32, digit: Row
) -> np.uint32:
    """Fold some slots of some positions into one digit each, and return the largest value."""
    largest = np.uint32(0)
    digit[:size] = 0
    for index in range(top - 1, slot - 1, -1):
        place = index * used + start
        there = values[min(place, values.size) : min(place + size, values.size)]
        for j in range(there.size):
            largest = max(largest, there[j])
            digit[j] = np.uint32(np.uint32(digit[j] * base) + there[j])
    return largest


@vector_code
def _begin(do: Vectors, residues: Any, at: Any, errors: Any, there: Any, prime: Any) -> None:
    """Write 16 errors, each of a magnitude below the prime, as residues."""
    do.store(do.lifted(do.load(errors, there), do.repeat(prime)), residues, at)


@vector_code
def _add_product(
    do: Vectors, residues: Any, at: Any, digits: Any, there: Any, weight: Any, quotient: Any, prime: Any
) -> None:
    """Add 16 digits times a weight."""
    modulus = do.repeat(prime)
    product = do.mul(do.load(digits, there), (do.repeat(weight), do.repeat(quotient)), modulus)
    do.store(do.add(do.load(residues, at), product, modulus), residues, at)
