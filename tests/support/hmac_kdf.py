"""HKDF and HPKE from ``hmac`` alone, after RFC 5869 and RFC 9180: what ours is compared with."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def extract(salt: bytes, keying: bytes) -> bytes:
    """RFC 5869, 2.2."""
    return hmac.new(salt or bytes(32), keying, hashlib.sha256).digest()


def expand(key: bytes, context: bytes, length: int) -> bytes:
    """RFC 5869, 2.3."""
    out, block = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.new(key, block + context + bytes([counter]), hashlib.sha256).digest()
        out += block
    return out[:length]


def _labelled_extract(suite: bytes, salt: bytes, label: bytes, keying: bytes) -> bytes:
    return extract(salt, b"HPKE-v1" + suite + label + keying)


def _labelled_expand(suite: bytes, key: bytes, label: bytes, context: bytes, length: int) -> bytes:
    return expand(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context, length)


def key_schedule(private: X25519PrivateKey, peer: bytes, both: bytes, info: bytes, aead: int) -> tuple[bytes, bytes]:
    """Key and first nonce of base mode: RFC 9180, 4.1 (DHKEM(X25519, HKDF-SHA256)) and 5.1.

    ``both`` is the encapsulated key and then the recipient's; ``aead`` 1 is AES-128-GCM, 2 AES-256-GCM.
    """
    kem = b"KEM" + (0x20).to_bytes(2, "big")
    secret = private.exchange(X25519PublicKey.from_public_bytes(peer))
    shared = _labelled_expand(kem, _labelled_extract(kem, b"", b"eae_prk", secret), b"shared_secret", both, 32)
    suite = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x20, 1, aead))
    context = (b"\0" + _labelled_extract(suite, b"", b"psk_id_hash", b"")
               + _labelled_extract(suite, b"", b"info_hash", info))
    key = _labelled_extract(suite, shared, b"secret", b"")
    return (_labelled_expand(suite, key, b"key", context, 16 * aead),
            _labelled_expand(suite, key, b"base_nonce", context, 12))


def hpke_open(seed: bytes, sealed: bytes, info: bytes) -> bytes:
    """Open ``enc || ciphertext`` in base mode with AES-256-GCM."""
    own = X25519PrivateKey.from_private_bytes(seed)
    encapsulated, ciphertext = sealed[:32], sealed[32:]
    key, nonce = key_schedule(own, encapsulated, encapsulated + own.public_key().public_bytes_raw(), info, 2)
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


def hpke_seal(ephemeral: bytes, recipient: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seal in base mode with AES-256-GCM under a given ephemeral key."""
    own = X25519PrivateKey.from_private_bytes(ephemeral)
    encapsulated = own.public_key().public_bytes_raw()
    key, nonce = key_schedule(own, recipient, encapsulated + recipient, info, 2)
    return encapsulated + AESGCM(key).encrypt(nonce, plaintext, b"")
