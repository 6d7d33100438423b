"""Packed Shamir sharing of short integers over a prime field: ``packed`` secrets to a polynomial, two bytes to a share.

A polynomial of degree below privacy + packed takes the secrets at the points -1 .. -packed and uniform elements at the
next ``privacy`` points below; share j is its value at j. Any ``privacy`` shares are uniform whatever the secrets are,
any privacy + packed shares give them back, and in between a ramp leaks: count on ``privacy`` alone. Shares add, so the
sum of the nodes' shares at one point is a share of the sum of their secrets.

Source: Blakley and Meadows, "Security of ramp schemes" (1984); Franklin and Yung, "Communication complexity of secure
computation" (1992), section 3; for the sum of the keys of a secure sum as here: Bell et al., "ACORN: Input Validation
for Secure Aggregation" (2023).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from numpy.typing import NDArray

from sealane.core.secret import Secret
from sealane.errors import InputError, ProtocolError, RefusedError

PRIME = 65521
"""The largest prime below 2^16: an element takes two bytes, and one word in 4369 is rejected."""

ELEMENT_BYTES = 2
SEED_BYTES = 32
_FROM_ZERO = bytes(16)  # counter and nonce of ChaCha20 as cryptography takes them: a seed serves one sharing only

Share = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Sharing:
    """One way to share: among whom, what may leak, and how large a sum may come back.

    Attributes:
        parties: holders of shares; their points are 1 .. parties.
        privacy: so many shares reveal nothing, t.
        packed: secrets to a polynomial, l; t + l shares recover.
        most: the largest magnitude of a recovered value, so the bound of one secret times the number of addends.
        prime: the field; another one only to test exhaustively.

    Raises:
        RefusedError: the points do not fit, no secret would be hidden, or a sum could wrap around the field.
    """

    parties: int
    privacy: int
    packed: int
    most: int = (PRIME - 1) // 2
    prime: int = PRIME

    def __post_init__(self) -> None:
        if self.privacy < 1 or self.packed < 1 or self.threshold > self.parties:
            raise RefusedError("sharing.bad-threshold", "no such sharing keeps and recovers a secret",
                               got=f"privacy {self.privacy}, packed {self.packed}, parties {self.parties}",
                               expected="both at least 1, together at most the parties")
        if self.parties + self.threshold >= self.prime or self.prime > PRIME:
            raise RefusedError("sharing.too-many-parties", "the field has no point for every party",
                               got=self.parties, expected=f"fewer than {self.prime - self.threshold}")
        if not 0 < self.most <= (self.prime - 1) // 2:
            raise RefusedError("sharing.sum-too-large", "a sum of the secrets could wrap around the field",
                               got=self.most, expected=f"1 to {(self.prime - 1) // 2}",
                               hint="fewer addends, or smaller secrets")

    @property
    def threshold(self) -> int:
        """How many shares recover the secrets; one more lets a wrong share be seen for certain."""
        return self.privacy + self.packed

    def elements(self, length: int) -> int:
        """Return the field elements in one share of ``length`` values."""
        return -(-length // self.packed)

    def share_bytes(self, length: int) -> int:
        """Return the bytes of one share of ``length`` values."""
        return ELEMENT_BYTES * self.elements(length)

    def share(self, values: NDArray[np.int32], seed: Secret) -> Share:
        """Share integers: row j - 1 of the result, ``(parties, elements)``, belongs to the party at point j.

        Value i is secret i % packed of polynomial i // packed; missing ones are 0. The uniform elements are the
        little-endian 16-bit words of ChaCha20 under ``seed``, those not below the prime left out, taken polynomial by
        polynomial. The same seed gives the same shares, and must serve nothing else.

        Raises:
            InputError: the seed has another length, or a value is beyond ``most``.
        """
        if values.dtype != np.int32 or values.ndim != 1 or (
                values.size and max(int(values.max()), -int(values.min())) > self.most):
            raise InputError("sharing.out-of-range", "the secrets are no vector of small integers",
                             got=f"{values.dtype}, shape {values.shape}",
                             expected=f"int32, one axis, magnitudes up to {self.most}")
        count = self.elements(values.size)
        known = np.zeros((count, self.threshold), dtype=np.float64)
        own = np.zeros(count * self.packed, dtype=np.int64)
        own[: values.size] = values
        known[:, : self.packed] = np.where(own < 0, own + self.prime, own).reshape(count, self.packed)
        known[:, self.packed :] = _uniform(seed, count * self.privacy, self.prime).reshape(count, self.privacy)
        shares = _apply(_to_parties(self), known, self.prime)
        known.fill(0)
        own.fill(0)
        return np.ascontiguousarray(shares.T, dtype=np.uint16)

    def add(self, shares: Iterable[Share]) -> Share:
        """Return the share of the sum from shares of the addends at one point."""
        total = np.sum(np.stack(list(shares)), axis=0, dtype=np.int64)
        return cast("Share", (total % self.prime).astype(np.uint16))

    def recover(self, shares: Mapping[int, Share], length: int) -> NDArray[np.int32]:
        """Return the values from shares by point, int32 ``(length,)`` within ±most.

        Every share beyond the first ``threshold`` must lie on the same polynomials; the values must keep to ``most``
        and the padding be 0, which shows most errors even without a share to spare.

        Raises:
            ProtocolError: too few shares, a share that is malformed or at no party's point, or shares that are not
                those of one sum.
        """
        points = tuple(sorted(shares))
        if points and not 1 <= points[0] <= points[-1] <= self.parties:
            raise ProtocolError("rlwe.share-outsider", "a share is at the point of nobody who holds any",
                                got=f"{points[0]} to {points[-1]}", expected=f"1 to {self.parties}")
        if len(points) < self.threshold:
            raise ProtocolError("rlwe.shares-missing", "so few shares recover nothing",
                                got=len(points), expected=f"at least {self.threshold}", hint="wait for more replies")
        count = self.elements(length)
        for share in shares.values():
            self._check(share, count)
        known = np.stack([shares[point] for point in points[: self.threshold]], axis=1).astype(np.float64)
        found = _apply(_from_points(self, points), known, self.prime)  # the secrets, then the shares to spare
        secrets = found[:, : self.packed].astype(np.int32).reshape(-1)
        values = np.where(secrets > self.prime // 2, secrets - self.prime, secrets)
        wrong = int((np.abs(values) > self.most).sum() + np.count_nonzero(values[length:]))
        for column, point in enumerate(points[self.threshold :], start=self.packed):
            wrong += int(np.count_nonzero(found[:, column] != shares[point]))
        if wrong:
            raise ProtocolError("rlwe.shares-inconsistent", "the shares are not those of one sum",
                                got=f"{wrong} places of {length} values in {len(points)} shares",
                                hint="a node sent a wrong share: the run cannot be trusted")
        return values[:length].astype(np.int32)

    def write_share(self, share: Share) -> bytes:
        """Return a share as little-endian 16-bit words."""
        return share.astype("<u2").tobytes()

    def read_share(self, data: bytes, length: int) -> Share:
        """Read a share of ``length`` values that another party wrote.

        Raises:
            ProtocolError: another length, or a word that is no field element.
        """
        if len(data) != self.share_bytes(length):
            raise ProtocolError("rlwe.share-malformed", "a share of a key is malformed",
                                got=f"{len(data)} bytes", expected=f"{self.share_bytes(length)} bytes")
        share = np.frombuffer(data, dtype="<u2").astype(np.uint16)
        self._check(share, share.size)
        return share

    def _check(self, share: Share, count: int) -> None:
        if share.dtype != np.uint16 or share.shape != (count,) or (count and int(share.max()) >= self.prime):
            raise ProtocolError("rlwe.share-malformed", "a share of a key is malformed",
                                got=f"{share.dtype}, shape {share.shape}",
                                expected=f"{count} field elements of 16 bits below {self.prime}")


def _uniform(seed: Secret, count: int, prime: int) -> NDArray[np.uint16]:
    """Return uniform field elements by rejection; which words are rejected says nothing about those that are not."""
    if len(seed) != SEED_BYTES:
        raise InputError("sharing.bad-seed", "the seed of a sharing has the wrong length",
                         got=f"{len(seed)} bytes", expected=f"{SEED_BYTES} bytes")
    stream = Cipher(algorithms.ChaCha20(seed.reveal(), _FROM_ZERO), mode=None).encryptor()
    bound = (1 << 16) // prime * prime
    out = np.empty(0, dtype=np.uint16)
    while out.size < count:
        words = np.frombuffer(stream.update(bytes(ELEMENT_BYTES * (count - out.size + 64))), dtype="<u2")
        out = np.concatenate([out, (words[words < bound] % prime).astype(np.uint16)])
    return out[:count]


def _apply(matrix: NDArray[np.float64], known: NDArray[np.float64], prime: int) -> NDArray[np.float64]:
    """Return known @ matrix modulo the prime, exact: every sum of products is below 2^49, so a float64 holds it.

    Reduced by a product with 1/prime, since integer division takes a time that its operands tell. Its error is below
    1/prime, so the quotient is right or, at a multiple of the prime, one too small.
    """
    product = known @ matrix
    product -= np.floor(product * (1.0 / prime)) * prime
    product -= prime * (product >= prime)
    return product


@lru_cache(maxsize=16)
def _to_parties(sharing: Sharing) -> NDArray[np.float64]:
    """Return the matrix from values at the secrets' and the random points to the parties' shares."""
    return lagrange(range(-1, -sharing.threshold - 1, -1), range(1, sharing.parties + 1), sharing.prime)


@lru_cache(maxsize=64)
def _from_points(sharing: Sharing, points: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the matrix from the first shares to the secrets and to the shares that are to spare."""
    basis, spare = points[: sharing.threshold], points[sharing.threshold :]
    return lagrange(basis, (*range(-1, -sharing.packed - 1, -1), *spare), sharing.prime)


def lagrange(sources: Iterable[int], targets: Iterable[int], prime: int) -> NDArray[np.float64]:
    """Return the matrix that carries values at ``sources`` to values at ``targets``, ``(sources, targets)``.

    It holds for polynomials of degree below the number of sources; no target may be a source.
    """
    from_points = np.array(list(sources), dtype=np.int64)
    to_points = np.array(list(targets), dtype=np.int64)
    between = (from_points[:, None] - from_points[None, :]) % prime
    np.fill_diagonal(between, 1)
    reach = (to_points[None, :] - from_points[:, None]) % prime
    under = _product(between.T, prime)[:, None] * reach % prime  # from this source to the others, and to the target
    weights = _product(reach, prime)[None, :] * _inverse(under, prime) % prime
    return cast("NDArray[np.float64]", weights.astype(np.float64))


def _product(rows: NDArray[np.int64], prime: int) -> NDArray[np.int64]:
    """Return the product over the first axis."""
    out = np.ones(rows.shape[1], dtype=np.int64)
    for row in rows:
        out = out * row % prime
    return out


def _inverse(elements: NDArray[np.int64], prime: int) -> NDArray[np.int64]:
    """Return inverses by Fermat's little theorem."""
    out, power, exponent = np.ones_like(elements), elements, prime - 2
    while exponent:
        if exponent & 1:
            out = out * power % prime
        power, exponent = power * power % prime, exponent >> 1
    return out
