"""The numbers that the CPU kernels need beside a packing, worked out once in Python's exact integers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sealane.ring.packing import Packing
from sealane.ring.primes import quotients

_WORD = 2**32


@dataclass(frozen=True, eq=False)
class Plan:
    """How one packing is folded and read back; a *digit* is the slots that fit a 32-bit word together.

    Args:
        primes: uint32 ``(L,)``.
        together: slots in a digit.
        digits: digits in a message.
        weights: step * base^(slots before the digit) mod p, uint32 ``(L, digits)``.
        weight_quotients: floor(weight * 2^32 / p), likewise.
        inverses: the inverse of prime j modulo prime i at ``[i, j]`` for j < i, uint32 ``(L, L)``.
        inverse_quotients: floor(inverse * 2^32 / prime i), likewise.
        limit: step * base^slots in the words that q takes, lowest first, uint32.
        divisor: base^together, or 0 where that is 2^32.
        lengths: the words of the dividend for each division by it, int64 ``(digits - 1,)``.
    """

    primes: NDArray[np.uint32]
    together: int
    digits: int
    weights: NDArray[np.uint32]
    weight_quotients: NDArray[np.uint32]
    inverses: NDArray[np.uint32]
    inverse_quotients: NDArray[np.uint32]
    limit: NDArray[np.uint32]
    divisor: np.uint32
    lengths: NDArray[np.int64]


@lru_cache(maxsize=16)
def plan_for(packing: Packing) -> Plan:
    """Return the numbers for a packing."""
    ring, base, slots = packing.ring, packing.base, packing.slots
    together = next(count for count in range(min(slots, 32), 0, -1) if base**count <= _WORD)
    digits = -(-slots // together)
    powers = [packing.step * base ** (together * digit) for digit in range(digits)]
    weights = np.array([[power % prime for power in powers] for prime in ring.primes], dtype=np.uint32)
    inverses = np.zeros((len(ring.primes), len(ring.primes)), dtype=np.uint32)
    for i, prime in enumerate(ring.primes):
        inverses[i, :i] = [pow(other, -1, prime) for other in ring.primes[:i]]
    return Plan(
        primes=np.array(ring.primes, dtype=np.uint32),
        together=together,
        digits=digits,
        weights=weights,
        weight_quotients=_quotients(weights, ring.primes),
        inverses=inverses,
        inverse_quotients=_quotients(inverses, ring.primes),
        limit=_words(packing.step * base**slots, _length(ring.modulus - 1)),
        divisor=np.uint32(base**together % _WORD),
        lengths=np.array([_length(base ** (slots - together * digit) - 1) for digit in range(digits - 1)],
                         dtype=np.int64),
    )


def _length(number: int) -> int:
    """Return how many 32-bit words a number takes."""
    return -(-number.bit_length() // 32)


def _words(number: int, count: int) -> NDArray[np.uint32]:
    return np.array([number >> (32 * word) & (_WORD - 1) for word in range(count)], dtype=np.uint32)


def _quotients(factors: NDArray[np.uint32], primes: tuple[int, ...]) -> NDArray[np.uint32]:
    return np.stack([quotients(row, prime) for row, prime in zip(factors, primes, strict=True)])
