"""A second, slow writing of the masking protocol from its description: hashlib, hmac, AES-CTR and Python integers.

Nothing here imports Sealane. What the tests expect comes from here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def hash_parts(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


def hkdf(secret: bytes, label: str, *context: bytes) -> bytes:
    """RFC 5869 with SHA-256 for 32 bytes: one block of expansion."""
    info = label.encode() + b"\x00" + b"".join(len(part).to_bytes(4, "big") + part for part in context)
    extracted = hmac.new(b"sealane v1", secret, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def fingerprint_of(public_key: bytes) -> str:
    digest = hashlib.sha256(b"sealane fingerprint v1\x00" + public_key).digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()


def stream(key: bytes, limbs: int, entries: int) -> list[int]:
    """AES-256-CTR from zero, read as 64-bit little-endian limbs: all low ones, then all high ones."""
    data = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor().update(bytes(8 * limbs * entries))
    words = [int.from_bytes(data[8 * k : 8 * k + 8], "little") for k in range(limbs * entries)]
    return [sum(words[limb * entries + k] << (64 * limb) for limb in range(limbs)) for k in range(entries)]


def poly1305(r: bytes, data: bytes) -> int:
    """RFC 8439, section 2.5.1, before the addition of s."""
    clamped = int.from_bytes(r, "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    accumulator = 0
    for at in range(0, len(data), 16):
        block = data[at : at + 16] + b"\x01"
        accumulator = (accumulator + int.from_bytes(block, "little")) * clamped % (2**130 - 5)
    return accumulator


def wire(values: list[int], width: int) -> bytes:
    """Low limbs first, each 8 bytes; then the high limbs, 4 bytes each at 96 bits and 8 at 128."""
    out = b"".join((value % 2**64).to_bytes(8, "little") for value in values)
    if width > 64:
        out += b"".join((value >> 64).to_bytes((width - 64) // 8, "little") for value in values)
    return out


def encode_real(value: float, fraction: int) -> int:
    """Cut towards zero, exactly."""
    return int(Fraction(value) * 2**fraction)


def signed(value: int, width: int) -> int:
    return value - 2**width if value >= 2 ** (width - 1) else value


@dataclass(frozen=True)
class Party:
    signing_seed: bytes
    agreement_seed: bytes
    mask_seed: bytes

    @property
    def signing_key(self) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.signing_seed).public_key().public_bytes_raw()

    @property
    def point_key(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(hkdf(self.agreement_seed, "x25519 seed"))

    @cached_property
    def agreement_key(self) -> bytes:
        """The X25519 point, then the key of ML-KEM-768 that follows from d and z."""
        point = self.point_key.public_key().public_bytes_raw()
        halves = b"".join(hkdf(self.agreement_seed, "ml-kem seed", part) for part in (b"d", b"z"))
        return point + MLKEM768PrivateKey.from_seed_bytes(halves).public_key().public_bytes_raw()

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.signing_key)

    def shared(self, other: Party) -> bytes:
        """The secret of a pair: X25519, then what ML-KEM gave, which in a script follows from both seeds."""
        point = self.point_key.exchange(X25519PublicKey.from_public_bytes(other.agreement_key[:32]))
        low, high = sorted((self, other), key=lambda party: party.fingerprint)
        introduced = hashlib.sha256(low.agreement_seed + high.agreement_seed).digest()
        return hkdf(point + introduced, "pair secret", *sorted((self.agreement_key, other.agreement_key)))


def pair_mask(own: Party, other: Party, transcript: bytes, width: int, entries: int) -> list[int]:
    """What the member of the lower fingerprint adds and the other takes off."""
    low, high = sorted((own.fingerprint, other.fingerprint))
    key = hkdf(own.shared(other), "pair mask", transcript, low.encode(), high.encode())
    return stream(key, 1 if width == 64 else 2, entries)


@dataclass(frozen=True)
class Sum:
    """One sum of one attempt: facts that everybody knows."""

    study_hash: bytes
    run_id: str
    attempt: int
    exchange: int
    parties: tuple[Party, ...]
    description: dict[str, Any]

    def __post_init__(self) -> None:
        assert [p.fingerprint for p in self.parties] == sorted(p.fingerprint for p in self.parties)

    @property
    def width(self) -> int:
        return int(self.description["width"])

    @property
    def description_hash(self) -> bytes:
        return hashlib.sha256(json.dumps(self.description, sort_keys=True, separators=(",", ":")).encode()).digest()

    @property
    def transcript(self) -> bytes:
        keys = [key for p in self.parties for key in (p.signing_key, p.agreement_key)]
        start = hash_parts(b"sealane transcript v1", self.study_hash, self.run_id.encode(), str(self.attempt).encode(),
                           b"masking", *keys)
        return hash_parts(b"sealane absorb v1", start, b"sum", str(self.exchange).encode(), self.description_hash)

    def self_mask(self, of: Party, entries: int) -> list[int]:
        key = hkdf(of.mask_seed, "self mask", self.transcript, of.fingerprint.encode())
        return stream(key, 1 if self.width == 64 else 2, entries)

    def pair_mask(self, own: Party, other: Party, entries: int) -> list[int]:
        return pair_mask(own, other, self.transcript, self.width, entries)

    def tagged(self, own: Party, values: list[int], common: bytes) -> list[int]:
        """The values with their tag behind them: of the values made non-negative, under a key of this sum."""
        shift = 2 ** (self.width - 1) // len(self.parties)
        size = 8 if self.width == 64 else 16
        data = b"".join(((value + shift) % 2**self.width).to_bytes(size, "little") for value in values)
        tag = poly1305(hkdf(common, "sum tag", self.transcript)[:16], data + bytes(-len(data) % 16))
        for other in self.parties:
            if other is not own:
                low, high = sorted((own.fingerprint, other.fingerprint))
                blind = hkdf(own.shared(other), "tag blind", self.transcript, low.encode(), high.encode())
                tag += int.from_bytes(blind, "little") * (1 if own.fingerprint == low else -1)
        return [*values, *(tag % (2**130 - 5) >> (33 * place) & 2**33 - 1 for place in range(4))]

    def protect(self, own: Party, values: list[int], common: bytes = b"") -> list[int]:
        """Where a seed is common to all, its mask is put on by the first member alone, and the values are tagged."""
        values = self.tagged(own, values, common) if common else values
        out = list(values)
        if not common or own is self.parties[0]:
            out = [value + mask for value, mask in zip(values, self.self_mask(own, len(values)), strict=True)]
        for other in self.parties:
            if other is not own:
                sign = 1 if own.fingerprint < other.fingerprint else -1
                out = [v + sign * m for v, m in zip(out, self.pair_mask(own, other, len(values)), strict=True)]
        return [value % 2**self.width for value in out]
