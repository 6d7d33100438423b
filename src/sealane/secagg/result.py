"""What binds a result: its hash, which every node endorses, and the label it is sealed under.

The hash passes the coordinator, so it is taken over the result behind 32 bytes that only nodes and recipients know:
without them, whoever can list all possible results could tell which one it was.
"""

from __future__ import annotations

import hashlib

from sealane.core.secret import Secret
from sealane.crypto.derivation import derive
from sealane.secagg.transcript import Transcript

SALT_BYTES = 32
MAXIMUM_RESULT = 64 << 20


def salted(result: bytes, transcript: Transcript) -> bytes:
    """Return a result's canonical bytes behind a salt that every node of the run derives alike."""
    return derive(Secret(transcript.value), "result salt").reveal() + result


def unsalted(document: bytes) -> bytes:
    """Return the canonical bytes of a result that was opened."""
    return document[SALT_BYTES:]


def result_hash(document: bytes) -> bytes:
    """Return SHA-256 over a salted result (32 bytes)."""
    return hashlib.sha256(document).digest()


def result_info(study_hash: str, run_id: str) -> bytes:
    """Return the HPKE ``info`` of a sealed result."""
    return b"sealane result v1\x00" + bytes.fromhex(study_hash) + run_id.encode()
