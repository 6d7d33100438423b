"""The streams that the scheme draws from: AES for what is public, ChaCha20 for what is secret.

AES by tables leaks its key through the cache on hardware without instructions for it, and a GPU has none; ChaCha20
adds, rotates and xors only. The words are the same on every backend.

Source: NIST SP 800-38A (counter mode), RFC 8439 section 2.3 with the 32-bit counter and 96-bit nonce.
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from sealane.core.secret import Secret

EXTRA = 1024
"""Words drawn beyond a group's candidates, to stand in for those that are rejected.

With the rings in use less than one candidate in 500 is rejected, and that more than 1024 are has a probability far
below 2^-100 (the tests work it out)."""
_PUBLIC = 1  # first byte of the counter block
_ZEROS = memoryview(bytes(1 << 16))


def public_words(public_seed: bytes, prime_index: int, group: int, out: NDArray[np.uint32]) -> None:
    """Fill ``out`` with the words that one group's public polynomials are made of, for one prime.

    AES-256 in counter mode from the block (1, prime index, group as 4 bytes little-endian, 10 zero bytes).
    """
    start = bytes([_PUBLIC, prime_index]) + group.to_bytes(4, "little") + bytes(10)
    _fill(Cipher(algorithms.AES256(public_seed), modes.CTR(start)), memoryview(out.data).cast("B"))


def key_words(seed: Secret, count: int) -> NDArray[np.uint64]:
    """Return the words that a secret key is drawn from, uint64 ``(count,)``."""
    return _chacha(seed, bytes(12), count)


def error_words(seed: Secret, group: int, count: int) -> NDArray[np.uint64]:
    """Return the words that the errors of a group are drawn from, uint64 ``(count,)``, in order of position."""
    return _chacha(seed, group.to_bytes(4, "little") + bytes(8), count)


def _chacha(seed: Secret, nonce: bytes, count: int) -> NDArray[np.uint64]:
    words = np.empty(count, dtype="<u8")
    _fill(Cipher(algorithms.ChaCha20(seed.reveal(), bytes(4) + nonce), mode=None), memoryview(words.data).cast("B"))
    return words


def _fill(cipher: Cipher[modes.CTR] | Cipher[None], out: memoryview) -> None:
    encryptor = cipher.encryptor()
    for start in range(0, len(out), len(_ZEROS)):
        piece = out[start : start + len(_ZEROS)]
        encryptor.update_into(_ZEROS[: len(piece)], piece)
