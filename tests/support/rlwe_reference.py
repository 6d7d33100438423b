"""A second, slow writing of the rlwe arithmetic: Python integers, sums over all roots, no butterfly.

Nothing here imports Sealane or NumPy. What the tests expect of every backend comes from here; use it with N up to 64
or so. A scheme is a `Scheme`; seeds are bytes, values lists of integers, payloads bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

LANES, EXTRA = 4, 1024


def is_prime(number: int) -> bool:
    """By trial division: slow and plain."""
    return number > 1 and all(number % divisor for divisor in range(2, math.isqrt(number) + 1))


@cache
def primes_below(bits: int, degree: int, count: int) -> tuple[int, ...]:
    """The largest `count` primes below 2^bits that are 1 modulo 2N, descending."""
    found: list[int] = []
    candidate = 2**bits - 1
    while candidate % (2 * degree) != 1:
        candidate -= 1
    while len(found) < count:
        if is_prime(candidate):
            found.append(candidate)
        candidate -= 2 * degree
    return tuple(found)


@cache
def psi(prime: int, degree: int) -> int:
    for g in range(2, prime):
        root = pow(g, (prime - 1) // (2 * degree), prime)
        if pow(root, degree, prime) == prime - 1:
            return root
    raise AssertionError


def reversed_bits(index: int, degree: int) -> int:
    result = 0
    for _ in range(degree.bit_length() - 1):
        result, index = 2 * result + index % 2, index // 2
    return result


def evaluation_points(prime: int, degree: int) -> list[int]:
    """The roots of X^N + 1 in the order of the forward transform's output."""
    return [pow(psi(prime, degree), 2 * reversed_bits(j, degree) + 1, prime) for j in range(degree)]


def forward(polynomial: list[int], prime: int) -> list[int]:
    points = evaluation_points(prime, len(polynomial))
    return [sum(c * pow(x, n, prime) for n, c in enumerate(polynomial)) % prime for x in points]


@lru_cache(maxsize=4096)
def _inverse_cached(values: tuple[int, ...], prime: int) -> list[int]:
    degree = len(values)
    powers = _inverse_powers(prime, degree)
    return [sum(v * powers[j][n] for j, v in enumerate(values)) % prime for n in range(degree)]


@cache
def _inverse_powers(prime: int, degree: int) -> list[list[int]]:
    inverses = [pow(x, -1, prime) for x in evaluation_points(prime, degree)]
    return [[pow(y, n, prime) for n in range(degree)] for y in inverses]


def inverse_unscaled(values: list[int], prime: int) -> list[int]:
    """N times the polynomial that takes these values at the evaluation points."""
    return _inverse_cached(tuple(values), prime)


def product(left: list[int], right: list[int], prime: int) -> list[int]:
    """Modulo X^N + 1, term by term."""
    degree = len(left)
    result = [0] * degree
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            if i + j < degree:
                result[i + j] += a * b
            else:
                result[i + j - degree] -= a * b
    return [c % prime for c in result]


def aes_words(key: bytes, block: bytes, count: int) -> list[int]:
    data = Cipher(algorithms.AES256(key), modes.CTR(block)).encryptor().update(bytes(4 * count))
    return [int.from_bytes(data[4 * i : 4 * i + 4], "little") for i in range(count)]


def chacha_words(key: bytes, nonce: bytes, count: int) -> list[int]:
    data = Cipher(algorithms.ChaCha20(key, bytes(4) + nonce), None).encryptor().update(bytes(8 * count))
    return [int.from_bytes(data[8 * i : 8 * i + 8], "little") for i in range(count)]


def accepted(words: list[int], extra: list[int], bits: int, prime: int) -> list[int]:
    """Rejection: each candidate that is not below the prime takes the next accepted extra word."""
    spare = (w % 2**bits for w in extra if w % 2**bits < prime)
    return [w % 2**bits if w % 2**bits < prime else next(spare) for w in words]


def exp_of_minus(x: Fraction) -> Fraction:
    """exp(-x) within 2^-300, by the series of exp(-x/m)^m with m a power of two."""
    halvings = math.ceil(x).bit_length() + 4
    small, one = x / 2**halvings, 1 << 400
    term, total, k = one, one, 0
    while term:
        k += 1
        term = term * small.numerator // (small.denominator * k)
        total += -term if k % 2 else term
    for _ in range(halvings):
        total = total * total >> 400
    return Fraction(total, one)


@cache
def thresholds(sigma: str) -> tuple[int, ...]:
    exact = Fraction(sigma)
    tail = math.ceil(Fraction("9.5") * exact)
    weights = [exp_of_minus(Fraction(x * x) / (2 * exact * exact)) * (2 if x else 1) for x in range(tail + 1)]
    return tuple(math.floor(2**63 * sum(weights[: x + 1]) / sum(weights)) for x in range(tail))


def gaussian_value(word: int, table: tuple[int, ...]) -> int:
    magnitude = sum(1 for threshold in table if threshold <= word >> 1)
    return -magnitude if word & 1 else magnitude


@dataclass(frozen=True)
class Scheme:
    degree: int
    bits: int
    primes: tuple[int, ...]
    base: int
    noise: int
    sigma_secret: str = "6.36396"
    sigma_error: str = "9"

    @property
    def q(self) -> int:
        return math.prod(self.primes)

    @property
    def slots(self) -> int:
        k = 0
        while (2 * self.noise + 1) * self.base ** (k + 1) <= self.q:
            k += 1
        return k

    @property
    def step(self) -> int:
        step = self.q // self.base**self.slots
        return step if step < 2**32 else 2**32 - 1

    def groups(self, length: int) -> list[tuple[int, int, int]]:
        """(start, stop, used positions) of each group."""
        full = self.degree * LANES
        found = []
        for start in range(0, length, self.slots * full):
            stop = min(length, start + self.slots * full)
            needed = math.ceil(Fraction(stop - start, self.slots))
            found.append((start, stop, math.ceil(Fraction(needed, 32)) * 32))
        return found

    def secret_key(self, seed: bytes) -> list[int]:
        table = thresholds(self.sigma_secret)
        return [gaussian_value(w, table) for w in chacha_words(seed, bytes(12), self.degree)]

    def mask(self, public_seed: bytes, key: list[int], group: int, index: int) -> list[int]:
        """a s for one group and prime, at every position."""
        prime, count = self.primes[index], self.degree * LANES
        words = aes_words(public_seed, bytes([1, index]) + group.to_bytes(4, "little") + bytes(10), count + EXTRA)
        public = accepted(words[:count], words[count:], self.bits, prime)
        lanes = [product(inverse_unscaled(public[b::LANES], prime), key, prime) for b in range(LANES)]
        return [lanes[b][n] for n in range(self.degree) for b in range(LANES)]

    def messages(self, values: list[int], used: int) -> list[int]:
        padded = values + [0] * (self.slots * used - len(values))
        return [sum(padded[v * used + c] * self.base**v for v in range(self.slots)) for c in range(used)]

    def residues(
        self, values: list[int], public_seed: bytes, key: list[int], error_seed: bytes
    ) -> Iterator[list[list[int]]]:
        """The residues of each group, by prime and used position."""
        table = thresholds(self.sigma_error)
        for group, (start, stop, used) in enumerate(self.groups(len(values))):
            nonce = group.to_bytes(4, "little") + bytes(8)
            errors = [gaussian_value(w, table) for w in chacha_words(error_seed, nonce, used)]
            packed = self.messages(values[start:stop], used)
            yield [
                [(m + e + self.step * message) % prime
                 for m, e, message in zip(self.mask(public_seed, key, group, index), errors, packed, strict=False)]
                for index, prime in enumerate(self.primes)
            ]

    def encrypt(self, values: list[int], public_seed: bytes, key: list[int], error_seed: bytes) -> bytes:
        return b"".join(map(self.write, self.residues(values, public_seed, key, error_seed)))

    def write(self, rows: list[list[int]]) -> bytes:
        """One group on the wire: each row as one long integer, first residue lowest."""
        return b"".join(
            sum(r << (self.bits * c) for c, r in enumerate(row)).to_bytes(len(row) * self.bits // 8, "little")
            for row in rows
        )

    def read(self, payload: bytes, length: int) -> list[list[list[int]]]:
        """Residues by group, prime and position."""
        groups, at = [], 0
        for _, _, used in self.groups(length):
            rows = []
            for _ in self.primes:
                row = int.from_bytes(payload[at : at + used * self.bits // 8], "little")
                rows.append([(row >> (self.bits * c)) % 2**self.bits for c in range(used)])
                at += used * self.bits // 8
            groups.append(rows)
        assert at == len(payload)
        return groups

    def add(self, payloads: list[bytes], length: int) -> bytes:
        read = [self.read(payload, length) for payload in payloads]
        return b"".join(
            self.write([
                [sum(column) % prime for column in zip(*(groups[g][index] for groups in read), strict=True)]
                for index, prime in enumerate(self.primes)
            ])
            for g in range(len(self.groups(length)))
        )

    def crt(self, residues: list[int]) -> int:
        """The integer in [0, q) with these residues."""
        total = 0
        for residue, prime in zip(residues, self.primes, strict=True):
            rest = self.q // prime
            total += residue * rest * pow(rest, -1, prime)
        return total % self.q

    def open(self, payload: bytes, length: int, public_seed: bytes, key_sum: list[int]) -> list[int]:
        """The sums; AssertionError where the noise or a message is out of range."""
        values: list[int] = []
        for group, rows in enumerate(self.read(payload, length)):
            start, stop, used = self.groups(length)[group]
            masks = [self.mask(public_seed, key_sum, group, index) for index in range(len(self.primes))]
            columns: list[list[int]] = []
            for c in range(used):
                integer = self.crt([row[c] - mask[c] for row, mask in zip(rows, masks, strict=True)])
                message, rest = divmod((integer + self.noise) % self.q, self.step)
                assert rest <= 2 * self.noise
                assert message < self.base**self.slots
                columns.append([message // self.base**v % self.base for v in range(self.slots)])
            values += [columns[c][v] for v in range(self.slots) for c in range(used)][: stop - start]
        return values
