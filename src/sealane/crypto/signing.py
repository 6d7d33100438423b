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
from sealane.errors import InputError, ProtocolError

SIGNATURE_BYTES = 64
PUBLIC_KEY_BYTES = 32


_PAE_HEAD = b"DSSEv1 "


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

    def sign_note(self, text: bytes) -> bytes:
        """Sign the text of a C2SP note, which that format signs as it is; 64 bytes.

        A note's text begins with a log's origin or with ``cosignature/v1``, never with the head of the encoding that
        every other signature covers, so neither is ever taken for the other.
        """
        if text.startswith(_PAE_HEAD):
            raise InputError("signature.ambiguous", "a note may not begin like a typed signature")
        return self._key.sign(text)

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
    _verify(public_key, f"signature over {kind}", pre_authentication_encoding(kind, body), signature)


def verify_note(public_key: bytes, text: bytes, signature: bytes) -> None:
    """Check the signature of :meth:`SigningKey.sign_note`.

    Raises:
        ProtocolError: it does not verify, a length is wrong, or the text begins like a typed signature.
    """
    if text.startswith(_PAE_HEAD) or len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        raise ProtocolError("signature.malformed", "key, text or signature of a note is malformed",
                            got=f"{len(public_key)} and {len(signature)} bytes", expected="32 and 64 bytes")
    _verify(public_key, "signature on a note", text, signature)


def _verify(public_key: bytes, what: str, signed: bytes, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except (InvalidSignature, ValueError) as error:
        raise ProtocolError("signature.invalid", f"{what} does not verify",
                            got=f"key {fingerprint(public_key)}",
                            hint="the bytes were changed on the way, or the wrong party signed them") from error
