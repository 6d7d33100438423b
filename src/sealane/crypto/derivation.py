"""HKDF-SHA-256 with labels, so that a key serves one purpose in one transcript.

Source: RFC 5869.
"""

from __future__ import annotations

import hmac

from sealane.core.secret import Secret


def derive(secret: Secret, label: str, *context: bytes) -> Secret:
    """Derive 32 bytes from a secret for one label and context.

    Each part of the context is preceded by its length, so that no two contexts share an encoding.
    """
    info = bytearray(label.encode("ascii") + b"\x00")
    for part in context:
        info += len(part).to_bytes(4, "big") + part
    # Both steps by hand, one block of output: a node derives ten keys a round, and HKDF objects take ten times this.
    extracted = hmac.digest(b"sealane v1", secret.reveal(), "sha256")
    return Secret(hmac.digest(extracted, bytes(info) + b"\x01", "sha256"))
