"""The arithmetic of `rlwe_reference` at the size that is used, N = 8192: with NumPy, and at few positions.

NumPy's 64-bit integers stand for Python's: a product of residues stays below 2^60, every sum below 2^63. A key is
evaluated by even and odd halves; a coefficient of a product is a sum over all roots of X^N + 1.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray
from rlwe_reference import EXTRA, LANES, Scheme, chacha_words, psi, reversed_bits, thresholds

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class AtSize(Scheme):
    """A scheme whose masks are worked out for the first ``reach`` positions of a group, and no vector goes further."""

    reach: int = 64

    def secret_key(self, seed: bytes) -> list[int]:
        table = thresholds(self.sigma_secret)
        return [(1 - 2 * (word & 1)) * bisect_right(table, word >> 1)
                for word in chacha_words(seed, bytes(12), self.degree)]

    def mask(self, public_seed: bytes, key: list[int], group: int, index: int) -> list[int]:
        prime = self.primes[index]
        public = public_values(public_seed, group, index, prime, self.bits, self.degree)
        values = public * at_roots(tuple(key), prime) % prime
        found = coefficients(values, -(-self.reach // LANES), prime)
        return [int(found[b, n]) for n in range(found.shape[1]) for b in range(LANES)][: self.reach]

    def groups(self, length: int) -> list[tuple[int, int, int]]:
        found = super().groups(length)
        assert len(found) == 1
        assert found[0][2] <= self.reach
        return found


@lru_cache(maxsize=64)
def public_values(seed: bytes, group: int, index: int, prime: int, bits: int, degree: int) -> Integers:
    """The public polynomials' values at psi^1, psi^3, psi^5, ..., one lane to a row."""
    count = degree * LANES
    block = bytes([1, index]) + group.to_bytes(4, "little") + bytes(10)
    data = Cipher(algorithms.AES256(seed), modes.CTR(block)).encryptor().update(bytes(4 * (count + EXTRA)))
    words = np.frombuffer(data, "<u4").astype(np.int64) % 2**bits
    drawn, extra = words[:count], words[count:]
    rejected = drawn >= prime
    drawn[rejected] = extra[extra < prime][: rejected.sum()]
    return drawn.reshape(degree, LANES)[reversal(degree)].T  # drawn in the order of the forward transform's output


@cache
def reversal(degree: int) -> Integers:
    return np.array([reversed_bits(j, degree) for j in range(degree)])


@cache
def powers(prime: int, degree: int) -> Integers:
    """psi^0 .. psi^(2N - 1)."""
    found, root = [1], psi(prime, degree)
    while len(found) < 2 * degree:
        found.append(found[-1] * root % prime)
    return np.array(found, dtype=np.int64)


@lru_cache(maxsize=1024)
def at_roots(polynomial: tuple[int, ...], prime: int) -> Integers:
    """A polynomial's values at psi^1, psi^3, psi^5, ...

    Row r of the table holds the values, at the powers of a root of unity, of the coefficients r, r + rows, r + 2 rows
    and so on, each times its power of psi. Two rows are the even and the odd half of one with twice as many:
    f(x) = even(x^2) + x odd(x^2), and f(-x) = even(x^2) - x odd(x^2).
    """
    degree = len(polynomial)
    power = powers(prime, degree)
    table = (np.array(polynomial, dtype=np.int64) * power[:degree] % prime).reshape(degree, 1)
    while len(table) > 1:
        even, odd = np.split(table, 2)
        odd = odd * power[: degree : degree // even.shape[1]] % prime
        table = np.hstack([even + odd, even - odd]) % prime
    return table[0]


def coefficients(values: Integers, count: int, prime: int) -> Integers:
    """N times the first coefficients of polynomials with these values at psi^1, psi^3, ...: sum v_i psi^-((2i + 1) n).

    The values go in by halves of 15 bits, so that a sum of 8192 products stays below 2^58.
    """
    degree = values.shape[-1]
    back = powers(prime, degree)[-np.outer(2 * np.arange(degree) + 1, np.arange(count)) % (2 * degree)]
    return (((values >> 15) @ back % prime << 15) + (values & 2**15 - 1) @ back) % prime
