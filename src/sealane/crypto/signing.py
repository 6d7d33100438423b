"""Ed25519 signatures over typed bytes.

Every signature covers the DSSE pre-authentication encoding of (type, body), so that a signature made for one
purpose never verifies for another.

Source: RFC 8032 (Ed25519); DSSE v1 protocol, "PAE".
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sealane.core.ids import Fingerprint, fingerprint
from sealane.core.secret import Secret
from sealane.errors import ProtocolError

SIGNATURE_BYTES = 64
PUBLIC_KEY_BYTES = 32


def pre_authentication_encoding(kind: str, body: bytes) -> bytes:
    """Return DSSE's PAE of a type and a body."""
    name = kind.encode("ascii")
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(body), body)


class SigningKey:
    """A party's Ed25519 private key."""

    def __init__(self, seed: Secret) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed.reveal())
        self.public_key: bytes = self._key.public_key().public_bytes_raw()
        self.fingerprint: Fingerprint = fingerprint(self.public_key)

    def sign(self, kind: str, body: bytes) -> bytes:
        """Sign ``body`` as a ``kind``; 64 bytes, deterministic."""
        return self._key.sign(pre_authentication_encoding(kind, body))

    def __repr__(self) -> str:
        return f"SigningKey({self.fingerprint[:8]}…)"


def verify(public_key: bytes, kind: str, body: bytes, signature: bytes) -> None:
    """Check a signature.

    Raises:
        ProtocolError: it does not verify, or a length is wrong.
    """
    if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        raise ProtocolError("signature.malformed", "key or signature has the wrong length",
                            got=f"{len(public_key)} and {len(signature)} bytes", expected="32 and 64 bytes")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, pre_authentication_encoding(kind, body))
    except (InvalidSignature, ValueError) as error:
        raise ProtocolError("signature.invalid", f"signature over {kind} does not verify",
                            got=f"key {fingerprint(public_key)}",
                            hint="the bytes were changed on the way, or the wrong party signed them") from error
