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


def expand(seed: Secret, words: int) -> NDArray[np.uint64]:
    """Return ``words`` pseudorandom 64-bit words, little-endian, shape ``(words,)``."""
    encryptor = Cipher(algorithms.AES256(seed.reveal()), _FROM_ZERO).encryptor()
    stream = np.empty(words, dtype="<u8")
    encryptor.update_into(bytes(8 * words), memoryview(stream.data).cast("B"))
    return stream
