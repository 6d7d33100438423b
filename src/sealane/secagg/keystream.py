"""ChaCha20 as a stream of little-endian words that can be read from any position, twice with the same result.

Source: RFC 8439, section 2.3: a 32-bit block counter and a 96-bit nonce, blocks of 64 bytes.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms
from numpy.typing import NDArray

from sealane.core.secret import Secret

_BLOCK = 64
_ZEROS = memoryview(bytes(1 << 18))


class Keystream:
    """The stream of one seed and nonce, from byte ``start`` on; every fill goes on where the last one ended."""

    def __init__(self, seed: Secret, *, nonce: int = 0, start: int = 0) -> None:
        counter = (start // _BLOCK).to_bytes(4, "little")
        cipher = Cipher(algorithms.ChaCha20(seed.reveal(), counter + nonce.to_bytes(12, "little")), mode=None)
        self._encryptor: CipherContext = cipher.encryptor()
        self._encryptor.update(bytes(start % _BLOCK))

    def fill(self, out: NDArray[Any]) -> None:
        """Overwrite a contiguous array of at most 2^18 bytes with the next words of the stream."""
        if out.size:
            self._encryptor.update_into(_ZEROS[: out.nbytes], memoryview(out.data).cast("B"))
