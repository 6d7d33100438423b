"""Sealing bytes: to a peer of the same run (AES-256-GCM), or to a recipient's public key (HPKE).

Source: NIST SP 800-38D (GCM); RFC 9180 (HPKE, base mode, X25519 / HKDF-SHA-256 / AES-256-GCM).
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from sealane.core.secret import Secret
from sealane.errors import ProtocolError

OVERHEAD_BYTES = 16
_NONCE = bytes(12)
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def seal(key: Secret, plaintext: bytes, associated: bytes) -> bytes:
    """Seal under a single-use key: the nonce is zero, so a key must never seal two messages."""
    return AESGCM(key.reveal()).encrypt(_NONCE, plaintext, associated)


def unseal(key: Secret, sealed: bytes, associated: bytes) -> bytes:
    """Open what :func:`seal` made.

    Raises:
        ProtocolError: another key, other associated data, or changed bytes.
    """
    try:
        return AESGCM(key.reveal()).decrypt(_NONCE, sealed, associated)
    except (InvalidTag, ValueError) as error:
        raise ProtocolError("sealing.invalid", "sealed bytes do not open",
                            got=f"{len(sealed)} bytes",
                            hint="the two sides hold different transcripts, or the bytes were changed") from error


def sealing_public_key(seed: Secret) -> bytes:
    """Return the 32-byte X25519 public key that belongs to a sealing seed."""
    return X25519PrivateKey.from_private_bytes(seed.reveal()).public_key().public_bytes_raw()


def seal_to(public_key: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seal to a recipient's X25519 public key, bound to ``info``.

    Raises:
        ProtocolError: the key is malformed.
    """
    try:
        return _SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public_key), info=info)
    except ValueError as error:
        raise ProtocolError("sealing.bad-key", "recipient's sealing key is unusable",
                            got=f"{len(public_key)} bytes") from error


def unseal_own(seed: Secret, sealed: bytes, info: bytes) -> bytes:
    """Open what was sealed to one's own sealing key.

    Raises:
        ProtocolError: another key, other ``info``, or changed bytes.
    """
    try:
        return _SUITE.decrypt(sealed, X25519PrivateKey.from_private_bytes(seed.reveal()), info=info)
    except (InvalidTag, ValueError) as error:
        raise ProtocolError("sealing.invalid", "sealed bytes do not open", got=f"{len(sealed)} bytes") from error
