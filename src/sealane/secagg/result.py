"""What binds a result: its hash, which every node endorses, and the label it is sealed under."""

from __future__ import annotations

import hashlib

MAXIMUM_RESULT = 64 << 20


def result_hash(result: bytes) -> bytes:
    """Return SHA-256 over a result's canonical bytes (32 bytes)."""
    return hashlib.sha256(result).digest()


def result_info(study_hash: str, run_id: str) -> bytes:
    """Return the HPKE ``info`` of a sealed result."""
    return b"sealane result v1\x00" + bytes.fromhex(study_hash) + run_id.encode()
