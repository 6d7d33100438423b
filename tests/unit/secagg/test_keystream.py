"""The stream is ChaCha20 as published, and reads the same from anywhere."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from sealane.core.secret import Secret
from sealane.secagg.keystream import Keystream


def test_the_published_vector() -> None:
    # RFC 8439, appendix A.1, test vector 1: the zero key, nonce and counter.
    out = np.zeros(16, dtype=np.uint8)
    Keystream(Secret(bytes(32))).fill(out)
    assert out.tobytes().hex() == "76b8e0ada0f13d90405d6ae55386bd28"


@pytest.mark.parametrize("start", [0, 1, 63, 64, 65, 1000, 64 * 300 + 2])
def test_any_start_and_any_pieces_give_the_same_stream(start: int) -> None:
    key = bytes(range(32))
    whole = Cipher(algorithms.ChaCha20(key, bytes(4) + (7).to_bytes(12, "little")), mode=None).encryptor()
    expected = whole.update(bytes(30_000))
    stream = Keystream(Secret(key), nonce=7, start=start)
    found = b""
    for words in (1, 3, 0, 500):
        piece = np.empty(words, dtype="<u8")
        stream.fill(piece)
        found += piece.tobytes()
    assert found == expected[start : start + len(found)]
