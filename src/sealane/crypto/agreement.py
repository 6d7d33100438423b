"""X25519 key agreement: one key pair per run and node."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from sealane.core.secret import Secret
from sealane.errors import ProtocolError

PUBLIC_KEY_BYTES = 32


class AgreementKey:
    """An X25519 private key (RFC 7748)."""

    def __init__(self, seed: Secret) -> None:
        self._key = X25519PrivateKey.from_private_bytes(seed.reveal())
        self.public_key: bytes = self._key.public_key().public_bytes_raw()

    def shared(self, peer_public_key: bytes) -> Secret:
        """Return the 32-byte shared secret with a peer.

        Raises:
            ProtocolError: the key is malformed or of low order.
        """
        try:
            return Secret(self._key.exchange(X25519PublicKey.from_public_bytes(peer_public_key)))
        except ValueError as error:
            raise ProtocolError("agreement.bad-key", "peer's agreement key is unusable",
                                got=f"{len(peer_public_key)} bytes",
                                expected="a 32-byte point, not of low order") from error

    def __repr__(self) -> str:
        return "AgreementKey(…)"
