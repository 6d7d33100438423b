"""From residues back to sums: the integer behind them, its message, and the message's digits.

All of it is exact. Residues become digits in the mixed radix of the primes (Garner), these the 32-bit words of an
integer below q, and the words are divided by the step and then, again and again, by the largest power of the base
that fits a word. A short stretch of positions goes through all of it at a time, so that what it needs stays near the
processor.

Source: Garner, "The residue number system" (1959).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.ring.cpu_divide import divide
from sealane.ring.cpu_kernel import READ_2, READ_32, inlined, kernel
from sealane.ring.cpu_vectors import WIDTH, Vectors, vector_code

Row = NDArray[np.uint32]
Rows = NDArray[np.uint32]
_CHUNK = 256


@kernel(f"void({READ_32}, {READ_32}, uint32, uint32, uint32[::1])")
def difference(total: Row, mask: Row, noise: np.uint32, prime: np.uint32, out: Row) -> None:
    """Write total - mask + noise modulo a prime, ``(U,)``, for three operands below it."""
    for j in range(total.size):
        less = np.uint32(mask[j] - noise)
        less = min(less, np.uint32(less + prime))  # one of the two wraps
        less = np.uint32(total[j] - less)
        out[j] = min(less, np.uint32(less + prime))


@kernel(
    f"int64(uint32[::1], int64, int64, {READ_32}, {READ_2}, {READ_2}, {READ_32}, uint32, uint32, uint32, "
    "Array(int64, 1, 'C', readonly=True), uint32, int64, uint32[:, ::1])"
)
def decode(
    residues: Row, first: int, last: int, primes: Row, inverses: Rows, quotients: Rows, limit: Row, step: np.uint32,
    most: np.uint32, divisor: np.uint32, lengths: NDArray[np.int64], base: np.uint32, together: int, sums: Rows,
) -> int:
    """Read positions ``first`` to ``last`` of a group into its sums, ``(slots, U)``.

    Args:
        residues: of step * M + noise with 0 <= noise <= ``most``, a row of U for each prime; what is in them is lost.
        first: the first position to read, a multiple of 32.
        last: the one after the last to read, likewise.
        primes: the primes, ``(L,)``.
        inverses: the inverse of prime j modulo prime i at ``[i, j]``, for j < i.
        quotients: floor(inverse * 2^32 / prime i) at the same place.
        limit: step * base^slots, which no integer may reach, in as many 32-bit words as q has, lowest first.
        step: the distance between two messages.
        most: twice the bound of the noise.
        divisor: base^together, or 0 where that is 2^32.
        lengths: for each division by it, how many words of the dividend matter.
        base: the base of the packing.
        together: slots in a digit.
        sums: where the sums go.

    Returns:
        How many positions hold a message or a noise out of range.
    """
    slots, used = sums.shape
    words = np.zeros((limit.size + 1) * _CHUNK, dtype=np.uint32)  # word after word of the stretch; then zeros
    rest, bad = np.empty(_CHUNK, dtype=np.uint32), np.empty(_CHUNK, dtype=np.uint32)
    wrong = 0
    for start in range(first, last, _CHUNK):
        count = min(_CHUNK, last - start)
        _garner(residues, used, start, count, primes, inverses, quotients)
        _integer(residues, used, start, count, primes, words, limit.size, rest)
        _not_below(words, limit, count, bad)
        divide(words, limit.size, _CHUNK, count, step, rest)
        for c in range(count):
            bad[c] |= np.uint32(rest[c] > most)
            wrong += int(bad[c])
        for digit in range(lengths.size):
            if divisor == 0:
                rest[:] = words[:_CHUNK]
                words[: limit.size * _CHUNK] = words[_CHUNK:].copy()
            else:
                divide(words, lengths[digit], _CHUNK, count, divisor, rest)
            _split(rest, count, start, base, digit * together, (digit + 1) * together, sums)
        _split(words, count, start, base, lengths.size * together, slots, sums)
    return wrong


@inlined
def _garner(
    residues: Row, used: int, start: int, count: int, primes: Row, inverses: Rows, quotients: Rows
) -> None:
    """Turn residues into digits v in place: the integer is v_0 + p_0 (v_1 + p_1 (v_2 + ...))."""
    for i in range(1, primes.size):
        for j in range(i):
            for at in range(start, start + count, WIDTH):
                _eliminate(residues, i * used + at, j * used + at, inverses[i, j], quotients[i, j], primes[i])


@vector_code
def _eliminate(do: Vectors, rows: Any, at: Any, earlier: Any, inverse: Any, quotient: Any, prime: Any) -> None:
    """Take earlier digits off 16 residues and divide by their prime, which is below twice that of the residues."""
    modulus = do.repeat(prime)
    difference = do.sub(do.load(rows, at), do.lowered(do.load(rows, earlier), modulus), modulus)
    do.store(do.mul(difference, (do.repeat(inverse), do.repeat(quotient)), modulus), rows, at)


@inlined
def _integer(
    digits: Row, used: int, start: int, count: int, primes: Row, words: Row, length: int, carry: Row
) -> None:
    """Write the integer that mixed-radix digits stand for in 32-bit words, lowest first, by Horner's rule."""
    top = primes.size - 1
    words[:] = 0
    words[:count] = digits[top * used + start : top * used + start + count]
    for i in range(top - 1, -1, -1):
        carry[:count] = digits[i * used + start : i * used + start + count]
        for word in range(min(top - i + 1, length)):
            for at in range(0, count, WIDTH):
                _multiply_add(words, word * _CHUNK + at, carry, at, primes[i])


@vector_code
def _multiply_add(do: Vectors, words: Any, at: Any, carry: Any, there: Any, factor: Any) -> None:
    """Multiply 16 words by a factor and add carries; the upper words of the results are the next carries."""
    added = do.load(carry, there)
    low, high = do.product(do.load(words, at), do.repeat(factor))
    low = do.build.add(low, added)
    do.store(low, words, at)
    do.store(do.build.add(high, do.below(low, added)), carry, there)


@inlined
def _not_below(words: Row, limit: Row, count: int, bad: Row) -> None:
    """Set ``bad`` to 1 where an integer is not below the limit: where taking the limit off borrows nothing."""
    bad[:] = 0
    for w in range(limit.size):
        word, taken = words[w * _CHUNK : w * _CHUNK + count], np.uint64(limit[w])
        for c in range(count):
            bad[c] = np.uint32((np.uint64(word[c]) - taken - np.uint64(bad[c])) >> np.uint64(63))
    for c in range(count):
        bad[c] ^= np.uint32(1)


@inlined
def _split(digits: Row, count: int, start: int, base: np.uint32, slot: int, end: int, sums: Rows) -> None:
    """Write the slots of digits, lowest first; the digits are used up."""
    divisor = np.uint64(base)
    reciprocal = (np.uint64(1) << np.uint64(32)) // divisor
    for index in range(slot, end):
        out = sums[index, start : start + count]
        if index == end - 1:
            out[:] = digits[:count]
        else:
            for c in range(count):
                value = np.uint64(digits[c])
                quotient = (value * reciprocal) >> np.uint64(32)  # at most one too low
                part = np.uint32(value - quotient * divisor)
                out[c] = min(part, np.uint32(part - base))
                digits[c] = np.uint32(quotient) + np.uint32(part >= base)
