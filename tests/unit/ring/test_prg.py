"""The stream is AES-256-CTR from a counter of zero, and looks like nothing."""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sealane.core.secret import Secret
from sealane.ring.prg import SEED_BYTES, expand


def test_the_published_vector_of_aes_256() -> None:
    # The encryption of the zero block under the zero key: the starting point of the tables in NIST's AESAVS.
    stream = expand(Secret(bytes(32)), 2)
    assert stream.tobytes().hex() == "dc95c078a2408989ad48a21492842087"


def test_blocks_count_up_big_endian() -> None:
    key = bytes(range(32))
    blocks = Cipher(algorithms.AES256(key), modes.ECB()).encryptor()
    expected = b"".join(blocks.update(counter.to_bytes(16, "big")) for counter in range(300))
    assert expand(Secret(key), 600).tobytes() == expected


def test_a_shorter_stream_is_a_prefix_and_none_is_empty() -> None:
    seed = Secret(b"\x07" * SEED_BYTES)
    assert np.array_equal(expand(seed, 5), expand(seed, 50)[:5])
    assert expand(seed, 0).size == 0


def test_bits_are_balanced() -> None:
    bits = np.unpackbits(expand(Secret(b"\x01" * 32), 1 << 14).view(np.uint8))
    # 2^20 fair bits: six standard deviations are 3072; a biased or constant stream is far outside.
    assert abs(int(bits.sum()) - bits.size // 2) < 3072
