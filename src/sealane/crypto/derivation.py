"""HKDF-SHA-256 with labels, so that a key serves one purpose in one transcript.

Source: RFC 5869.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sealane.core.secret import Secret


def derive(secret: Secret, label: str, *context: bytes, length: int = 32) -> Secret:
    """Derive ``length`` bytes from a secret for one label and context.

    Each part of the context is preceded by its length, so that no two contexts share an encoding.
    """
    info = bytearray(label.encode("ascii") + b"\x00")
    for part in context:
        info += len(part).to_bytes(4, "big") + part
    return Secret(HKDF(SHA256(), length, b"sealane v1", bytes(info)).derive(secret.reveal()))
