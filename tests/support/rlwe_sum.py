"""A second writing of a whole sum under rlwe from its description: what every node sends, byte by byte.

Nothing here imports Sealane. Members are numbered in order of fingerprint; their points in the sharing are one more.
What is not a secret or a choice of a node follows from `Facts`; a lie is told by handing a step what is not honest.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray
from reference import Party, hash_parts, hkdf, pair_mask
from rlwe_at_size import AtSize
from rlwe_reference import primes_below

DEGREE, PRIMES, FIELD = 8192, 7, 65521
KEY_TAIL, ERROR_TAIL = 61, 86  # ceil(9.5 sigma) of 6.36396 and of 9
SHARE_BUDGET = 110_000


@dataclass(frozen=True)
class Sent:
    """One contribution: the payload, what is sealed to each other holder, and the signature over both."""

    payload: bytes
    sealed: Mapping[int, bytes]
    signature: bytes


@dataclass(frozen=True)
class Facts:
    """What everybody knows of one sum, for a cohort of at most 100. ``before`` is T where something opened before."""

    study_hash: bytes
    run_id: str
    attempt: int
    exchange: int
    parties: tuple[Party, ...]
    description: Mapping[str, Any]
    colluding: int
    smallest: int
    before: bytes | None = None

    @cached_property
    def names(self) -> list[str]:
        names = [party.fingerprint for party in self.parties]
        assert names == sorted(names)
        return names

    @cached_property
    def description_hash(self) -> bytes:
        return canonical_hash(self.description)

    @cached_property
    def transcript(self) -> bytes:
        keys = [key for p in self.parties for key in (p.signing_key, p.agreement_key)]
        start = self.before or hash_parts(b"sealane transcript v1", self.study_hash, self.run_id.encode(),
                                          str(self.attempt).encode(), b"rlwe", *keys)
        return absorb(start, b"sum", str(self.exchange).encode(), self.description_hash)

    @property
    def update_bits(self) -> int:
        """Bits of the widest update; 0 for statistics."""
        return max(int(term["bits"]) for term in self.description["terms"])

    @property
    def most(self) -> int:
        """The largest sum of one slot: of entries up to 2^b - 2, or of digits."""
        return len(self.parties) * (2**self.update_bits - 2 if self.update_bits else 2**16 - 1)

    @cached_property
    def scheme(self) -> AtSize:
        return self.scheme_of(30 if len(self.parties) <= 50 else 28)

    def scheme_of(self, bits: int) -> AtSize:
        """The packing of this cohort over primes of so many bits, as far as the vector of this sum reaches."""
        noise = len(self.parties) * ERROR_TAIL
        found = AtSize(DEGREE, bits, primes_below(bits, DEGREE, PRIMES), self.most + 1, noise, reach=DEGREE)
        entries = sum(term["shape"][0] for term in self.description["terms"])
        [(_, _, used)] = found.groups(entries if self.update_bits else entries * self.description["width"] // 16)
        return replace(found, reach=used)

    @cached_property
    def thresholds(self) -> tuple[int, int]:
        """t and l, by the section "Thresholds" of docs/parameters.md."""
        n = len(self.parties)
        assert n <= 100
        privacy = (n + self.colluding) // 2
        room = n - privacy
        packed = half = room - room // 2
        spared = min(room - half, max(2, n // 25))
        while packed < room - spared and 2 * (n - 1) * 2 * -(-DEGREE // packed) > SHARE_BUDGET:
            packed += 1
        return privacy, packed

    @property
    def replies(self) -> int:
        return sum(self.thresholds)

    @cached_property
    def parameters(self) -> dict[str, Any]:
        n, (privacy, packed), scheme = len(self.parties), self.thresholds, self.scheme
        return {
            "cohort": n, "colluding": self.colluding, "minimum_survivors": max(self.colluding + 2, self.smallest),
            "degree": DEGREE, "bits": scheme.bits, "primes": list(scheme.primes),
            "secret_sigma": scheme.sigma_secret, "error_sigma": scheme.sigma_error,
            "base": scheme.base, "slots": scheme.slots, "step": scheme.step, "noise": scheme.noise,
            "holders": n, "colluding_holders": self.colluding,
            "privacy": privacy, "packed": packed, "drop_outs": n - privacy - packed, "field": FIELD,
        }

    @cached_property
    def public_seed(self) -> bytes:
        return hash_parts(b"sealane rlwe public polynomial v1", self.transcript, canonical_hash(self.parameters))

    def derived(self, k: int, label: str) -> bytes:
        return hkdf(self.parties[k].mask_seed, label, self.transcript)

    def masked(self, k: int, numbers: list[int]) -> list[int]:
        """Statistics of one member under the masks that it shares with each other one, in [0, 2^width)."""
        width, own = int(self.description["width"]), self.parties[k]
        out = list(numbers)
        for other in self.parties:
            if other is not own:
                sign = 1 if own.fingerprint < other.fingerprint else -1
                masks = pair_mask(own, other, self.transcript, width, len(numbers))
                out = [value + sign * mask for value, mask in zip(out, masks, strict=True)]
        return [value % 2**width for value in out]

    def key(self, k: int) -> list[int]:
        return drawn_key(self.scheme, self.derived(k, "rlwe key"))

    def payload(
        self, k: int, values: list[int], *, public_seed: bytes | None = None, key: list[int] | None = None,
        bits: int | None = None,
    ) -> bytes:
        scheme = self.scheme_of(bits) if bits else self.scheme
        return scheme.encrypt(values, public_seed or self.public_seed, key or self.key(k),
                              self.derived(k, "rlwe errors"))

    def key_shares(self, k: int) -> list[bytes]:
        """Member k's key, shared: one share for each member, itself included."""
        return dealt(self.scheme, self.derived(k, "rlwe key"), self.derived(k, "rlwe sharing"), len(self.parties),
                     *self.thresholds)

    def sealed_key(self, sender: int, receiver: int, payload: bytes, share: bytes) -> bytes:
        return self._sealed("key share", hash_parts(payload), sender, receiver, share)

    def sealed_share(self, sender: int, receiver: int, digest: bytes, share: bytes) -> bytes:
        return self._sealed("sealed share", digest, sender, receiver, share)

    def _sealed(self, label: str, bound: bytes, sender: int, receiver: int, plain: bytes) -> bytes:
        key = hkdf(shared(self.parties[sender], self.parties[receiver]), label, self.transcript, bound,
                   self.names[sender].encode(), self.names[receiver].encode())
        return AESGCM(key).encrypt(bytes(12), plain, bound)

    def sent(self, k: int, payload: bytes, shares: list[bytes] | None = None) -> Sent:
        """Member k's contribution, around a payload."""
        shares = shares or self.key_shares(k)
        sealed = {j: self.sealed_key(k, j, payload, shares[j]) for j in range(len(self.parties)) if j != k}
        body = hash_parts(self.transcript, hash_parts(payload), self.shares_hash(sealed))
        return Sent(payload, sealed, sign(self.parties[k], b"application/vnd.sealane.contribution", body))

    def shares_hash(self, sealed: Mapping[int, bytes]) -> bytes:
        return hash_parts(b"sealane shares v1",
                          *(part for j in sorted(sealed) for part in (self.names[j].encode(), sealed[j])))

    def digest(self, survivors: Mapping[int, Sent]) -> bytes:
        """Delta."""
        return hash_parts(self.transcript, *(part for k in sorted(survivors) for part in (
            self.names[k].encode(), hash_parts(survivors[k].payload))))

    def share_of_sum(self, holder: int, survivors: Sequence[int]) -> bytes:
        shares = [np.frombuffer(self.key_shares(k)[holder], "<u2").astype(np.int64) for k in survivors]
        return (np.sum(shares, axis=0) % FIELD).astype("<u2").tobytes()

    def key_sum(self, survivors: Sequence[int]) -> list[int]:
        return [sum(column) for column in zip(*(self.key(k) for k in survivors), strict=True)]

    def recovered(self, shares: Mapping[int, bytes]) -> list[int]:
        """The key that shares of the sum give, by holder; of Q of them."""
        points = [k + 1 for k in shares]
        weights = np.array([lagrange(points, -1 - m) for m in range(self.thresholds[1])])
        known = np.array([np.frombuffer(share, "<u2") for share in shares.values()], dtype=np.int64)
        found = (weights @ known % FIELD).T.reshape(-1)[:DEGREE]
        return [int(value) - FIELD * (value > FIELD // 2) for value in found]

    def binder(self, survivors: Sequence[int]) -> bytes:
        return hash_parts(b"sealane binder v1", written_key(self.key_sum(survivors)))

    def after(self, survivors: Mapping[int, Sent], written: bytes) -> bytes:
        """The transcript once the sum is open."""
        return absorb(self.transcript, b"opened", self.digest(survivors), hash_parts(written),
                      self.binder(list(survivors)))


def absorb(transcript: bytes, label: bytes, *parts: bytes) -> bytes:
    return hash_parts(b"sealane absorb v1", transcript, label, *parts)


def canonical_hash(value: Mapping[str, Any]) -> bytes:
    """Of JSON in RFC 8785's form, for strings of ASCII, integers, and floats that Python writes the same way."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).digest()


def sign(party: Party, kind: bytes, body: bytes) -> bytes:
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
    return Ed25519PrivateKey.from_private_bytes(party.signing_seed).sign(encoded)


def written_key(key: list[int]) -> bytes:
    return struct.pack(f"<{len(key)}i", *key)


@cache
def shared(own: Party, other: Party) -> bytes:
    return own.shared(other)


@cache
def drawn_key(scheme: AtSize, seed: bytes) -> list[int]:
    return scheme.secret_key(seed)


def lagrange(points: Sequence[int], at: int) -> list[int]:
    """Weights of values at the points in the value at another, for polynomials of degree below their number."""
    weights = []
    for i in points:
        above, below = 1, 1
        for j in points:
            if j != i:
                above, below = above * (at - j) % FIELD, below * (i - j) % FIELD
        weights.append(above * pow(below, -1, FIELD) % FIELD)
    return weights


@cache
def dealt(scheme: AtSize, key_seed: bytes, seed: bytes, parties: int, privacy: int, packed: int) -> list[bytes]:
    """Shares of a key by party: a polynomial has the next coefficients at -1 .. -packed, uniform elements below."""
    count = -(-DEGREE // packed)
    data = Cipher(algorithms.ChaCha20(seed, bytes(16)), None).encryptor().update(bytes(4 * count * privacy + 1024))
    words = np.frombuffer(data, "<u2").astype(np.int64)
    uniform = words[words < FIELD][: count * privacy].reshape(count, privacy)
    padded = [*drawn_key(scheme, key_seed), *[0] * (count * packed - DEGREE)]
    secrets = np.array(padded, dtype=np.int64).reshape(count, packed) % FIELD
    shares = weights_at_parties(parties, privacy + packed) @ np.hstack([secrets, uniform]).T % FIELD  # below 2^39
    return [share.astype("<u2").tobytes() for share in shares]


@cache
def weights_at_parties(parties: int, points: int) -> NDArray[np.int64]:
    return np.array([lagrange(range(-1, -points - 1, -1), party) for party in range(1, parties + 1)])


def digits(numbers: list[int], width: int) -> list[int]:
    """Statistics in [0, 2^width) as digits of 16 bits: the lowest of all, then the next of all."""
    return [number % 2**width >> low & 0xFFFF for low in range(0, width, 16) for number in numbers]


def quantized(values: list[float], clip: float, bits: int, rounding_seed: bytes, name: str) -> list[int]:
    """The rule of `secagg/quantize.py` for float64, in Python's floats and integers."""
    half, f = 2 ** (bits - 1) - 1, min(16, 32 - bits)
    scale = struct.unpack("<f", struct.pack("<f", 2**f * half / clip))[0]
    seed = hkdf(rounding_seed, "rounding of a term", name.encode())
    stream = Cipher(algorithms.ChaCha20(seed, bytes(16)), None).encryptor().update(bytes(2 * len(values)))
    edge = float(2**f * half)
    out = []
    for i, x in enumerate(values):
        random = int.from_bytes(stream[2 * i : 2 * i + 2], "little") >> (16 - f)
        out.append(int(min(max(x * scale, -edge), edge)) + 2**f * half + random >> f)
    return out
