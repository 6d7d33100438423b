"""Expansion of a 32-byte seed into a long pseudorandom stream.

Source: NIST SP 800-38A, AES-256 in counter mode; the counter starts at zero, so a seed serves one stream only.
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from sealane.core.secret import Secret

SEED_BYTES = 32
_FROM_ZERO = modes.CTR(bytes(16))
_ZEROS = memoryview(bytes(1 << 16))


def expand(seed: Secret, words: int) -> NDArray[np.uint64]:
    """Return ``words`` pseudorandom 64-bit words, little-endian, shape ``(words,)``."""
    stream = np.empty(words, dtype="<u8")
    fill(seed, stream)
    return stream


def fill(seed: Secret, stream: NDArray[np.uint64]) -> None:
    """Write the stream over an array of its own memory, in its order."""
    encryptor = Cipher(algorithms.AES256(seed.reveal()), _FROM_ZERO).encryptor()
    out = memoryview(stream.reshape(-1).data).cast("B")
    for start in range(0, len(out), len(_ZEROS)):
        part = out[start : start + len(_ZEROS)]
        encryptor.update_into(_ZEROS[: len(part)], part)
