"""The ring Z_q[X]/(X^N + 1) with q a product of primes, and the roots that its transforms turn on.

Each prime is 1 modulo 2N, so X^N + 1 splits modulo every one of them. The forward transform takes natural order to
bit-reversed order (Cooley-Tukey), the inverse takes it back (Gentleman-Sande) without the factor 1/N: the public
polynomial is uniform and stays so under a unit factor.

Source: Longa and Naehrig, "Speeding up the Number Theoretic Transform for Faster Ideal Lattice-Based Cryptography"
(2016), Algorithms 1 and 2, with the powers of psi merged into the roots.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from sealane.errors import InputError

# Enough to decide every number below 3.3e24. Source: Sorenson and Webster, "Strong pseudoprimes to twelve prime bases".
_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
_SMALLEST_DEGREE = 32
WIDTHS = (28, 30, 31)
"""Widths of a residue on the wire, in bits; the sum of two residues fits a 32-bit word."""


@dataclass(frozen=True)
class Ring:
    """A ring by its degree N, the width of a residue on the wire, and its primes.

    Raises:
        InputError: the degree is no power of two of at least 32, the width none of 28, 30 and 31 bits, or a prime does
            not fit them.
    """

    degree: int
    bits: int
    primes: tuple[int, ...]

    def __post_init__(self) -> None:
        degree, bits = self.degree, self.bits
        shape = degree >= _SMALLEST_DEGREE and degree & (degree - 1) == 0 and bits in WIDTHS
        if not (shape and self.primes and len(set(self.primes)) == len(self.primes) and all(
                2 ** (bits - 1) < prime < 2**bits and prime % (2 * degree) == 1 and is_prime(prime)
                for prime in self.primes)):
            raise InputError("rlwe.bad-ring", "these are not the primes of a ring of this degree",
                             got=f"degree {degree}, {bits} bits, primes {self.primes}",
                             expected="a power of two from 32 on, 28, 30 or 31 bits, distinct primes 1 modulo 2N")

    @cached_property
    def modulus(self) -> int:
        """The product q of the primes."""
        return math.prod(self.primes)

    @property
    def roots(self) -> Roots:
        """The tables of the transforms, made once for equal rings."""
        return _tables(self)


@dataclass(frozen=True, eq=False)
class Roots:
    """Powers of psi in bit-reversed order and their quotients floor(w * 2^32 / p), each uint32 ``(primes, N)``.

    Source: Shoup's product by a known factor, as in Harvey, "Faster arithmetic for number-theoretic transforms" (2014).
    """

    forward: NDArray[np.uint32]
    forward_quotients: NDArray[np.uint32]
    inverse: NDArray[np.uint32]
    inverse_quotients: NDArray[np.uint32]


@lru_cache(maxsize=16)
def largest_ring(degree: int, bits: int, count: int) -> Ring:
    """Return the ring over the ``count`` largest primes below 2^bits that are 1 modulo 2N, descending."""
    primes: list[int] = []
    candidate = (2**bits - 2) // (2 * degree) * (2 * degree) + 1
    while len(primes) < count and candidate > 2 ** (bits - 1):
        if is_prime(candidate):
            primes.append(candidate)
        candidate -= 2 * degree
    if len(primes) < count:
        raise InputError("rlwe.bad-ring", "there are not so many primes of this width",
                         got=count, expected=f"at most {len(primes)} of {bits} bits for degree {degree}")
    return Ring(degree, bits, tuple(primes))


def is_prime(number: int) -> bool:
    """Decide by Miller and Rabin's test with fixed witnesses; exact below 3.3e24."""
    if number < 2 or any(number % witness == 0 for witness in _WITNESSES):
        return number in _WITNESSES
    twos = ((number - 1) & (1 - number)).bit_length() - 1
    for witness in _WITNESSES:
        power = pow(witness, (number - 1) >> twos, number)
        if power not in (1, number - 1) and all(pow(power, 2**i, number) != number - 1 for i in range(1, twos)):
            return False
    return True


def root_of(prime: int, degree: int) -> int:
    """Return psi = g^((p-1)/2N) for the smallest g >= 2 that makes psi^N = -1."""
    return next(psi for g in range(2, prime)
                if pow(psi := pow(g, (prime - 1) // (2 * degree), prime), degree, prime) == prime - 1)


def quotients(factors: NDArray[np.uint32], prime: int) -> NDArray[np.uint32]:
    """Return floor(w * 2^32 / p) for each factor w < p: what Shoup's product needs beside w."""
    return ((factors.astype(np.uint64) << np.uint64(32)) // np.uint64(prime)).astype(np.uint32)


def bit_reversed(index: int, width: int) -> int:
    """Return ``index`` with its ``width`` low bits in the opposite order."""
    return int(format(index, f"0{width}b")[::-1], 2)


@lru_cache(maxsize=16)
def _tables(ring: Ring) -> Roots:
    width = ring.degree.bit_length() - 1
    order = np.array([bit_reversed(index, width) for index in range(ring.degree)])
    forward = np.empty((len(ring.primes), ring.degree), dtype=np.uint32)
    inverse = np.empty_like(forward)
    for row, prime in enumerate(ring.primes):
        psi = root_of(prime, ring.degree)
        forward[row] = _powers(psi, ring.degree, prime)[order]
        inverse[row] = _powers(pow(psi, -1, prime), ring.degree, prime)[order]
    both = [np.stack([quotients(line, prime) for line, prime in zip(table, ring.primes, strict=True)])
            for table in (forward, inverse)]
    tables = Roots(forward, both[0], inverse, both[1])
    for table in (tables.forward, tables.forward_quotients, tables.inverse, tables.inverse_quotients):
        table.setflags(write=False)
    return tables


def _powers(base: int, count: int, prime: int) -> NDArray[np.uint32]:
    powers = [1]
    for _ in range(count - 1):
        powers.append(powers[-1] * base % prime)
    return np.array(powers, dtype=np.uint32)
