"""Hybrid key agreement between two nodes of a run: X25519 and ML-KEM-768.

Each node has one key pair of both kinds per run. The secret of a pair needs both halves: the X25519 secret, and one
that the node with the lower fingerprint encapsulates to the other at the start of an attempt. Whoever breaks one of the
two problems, now or later from recorded traffic, learns nothing.

Source: RFC 7748 (X25519); FIPS 203 (ML-KEM); the combiner is HKDF over both secrets with both public keys, after
Giacon, Heuer and Poettering, "KEM Combiners" (PKC 2018).
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from sealane.core.secret import Secret
from sealane.crypto.derivation import derive
from sealane.errors import ProtocolError

POINT_BYTES = 32
PUBLIC_KEY_BYTES = POINT_BYTES + 1184
"""An X25519 point, then an ML-KEM-768 encapsulation key (FIPS 203, table 3)."""
CIPHERTEXT_BYTES = 1088


class AgreementKey:
    """A private key of both kinds, from a seed of 32 bytes."""

    def __init__(self, seed: Secret) -> None:
        # From the seed by one-way functions both: who finds one key's secret must not learn the seed, and so the other.
        self._point_key = X25519PrivateKey.from_private_bytes(derive(seed, "x25519 seed").reveal())
        # d || z of FIPS 203, algorithm 16
        halves = b"".join(derive(seed, "ml-kem seed", part).reveal() for part in (b"d", b"z"))
        self._kem_key = MLKEM768PrivateKey.from_seed_bytes(halves)
        self.public_key: bytes = (self._point_key.public_key().public_bytes_raw()
                                  + self._kem_key.public_key().public_bytes_raw())

    def introduce(self, peer_public_key: bytes) -> tuple[bytes, Secret]:
        """Encapsulate a fresh secret to a peer: 1088 bytes for it, and the 32 bytes that both will hold.

        Raises:
            ProtocolError: the key is malformed.
        """
        try:
            secret, ciphertext = MLKEM768PublicKey.from_public_bytes(peer_public_key[POINT_BYTES:]).encapsulate()
        except ValueError as error:
            raise _bad_key(peer_public_key) from error
        return ciphertext, Secret(secret)

    def accept(self, ciphertext: bytes) -> Secret:
        """Return the secret that a peer encapsulated; of a ciphertext that was changed, one that nobody else holds.

        Raises:
            ProtocolError: the ciphertext has the wrong length.
        """
        try:
            return Secret(self._kem_key.decapsulate(ciphertext))
        except ValueError as error:
            raise ProtocolError("agreement.bad-ciphertext", "an encapsulated secret has the wrong length",
                                got=f"{len(ciphertext)} bytes", expected=f"{CIPHERTEXT_BYTES} bytes") from error

    def shared(self, peer_public_key: bytes, introduced: Secret) -> Secret:
        """Return the 32-byte secret of this pair.

        Args:
            peer_public_key: 1216 bytes.
            introduced: what one of the two encapsulated to the other.

        Raises:
            ProtocolError: the key is malformed, or its point is of low order.
        """
        if len(peer_public_key) != PUBLIC_KEY_BYTES:
            raise _bad_key(peer_public_key)
        try:
            point = self._point_key.exchange(X25519PublicKey.from_public_bytes(peer_public_key[:POINT_BYTES]))
        except ValueError as error:
            raise _bad_key(peer_public_key) from error
        return derive(Secret(point + introduced.reveal()), "pair secret",
                      *sorted((self.public_key, peer_public_key)))

    def __repr__(self) -> str:
        return "AgreementKey(…)"


def _bad_key(key: bytes) -> ProtocolError:
    return ProtocolError("agreement.bad-key", "peer's agreement key is unusable", got=f"{len(key)} bytes",
                         expected=f"{PUBLIC_KEY_BYTES} bytes: a point not of low order, and an ML-KEM-768 key")
