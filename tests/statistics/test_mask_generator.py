"""A mask must depend on all 256 bits of its key; the tests are shown to catch generators that fold it to 32."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from sealane.core.secret import Secret
from sealane.ring.prg import expand
from sealane.secagg.masking.slots import MaskedTotal, mask

Generator = Callable[[bytes], bytes]
KEYS = 1 << 17


def words(key: bytes) -> bytes:
    return expand(Secret(key), 2).tobytes()


def packed(key: bytes) -> bytes:
    from sealane.ring.base import ArrayValues

    return mask(ArrayValues(np.zeros(6, dtype=np.uint32)), 18, [(Secret(key), True)])


def folded(key: bytes) -> bytes:
    """What some frameworks do: xor the key's 32-bit words and seed a generator with what is left."""
    seed = np.bitwise_xor.reduce(np.frombuffer(key, "<u4"))
    return hashlib.blake2b(seed.tobytes(), digest_size=16).digest()


def hashed_to_32_bits(key: bytes) -> bytes:
    """A better fold, and no better a generator: two keys in 2^16 share a mask by chance."""
    return hashlib.blake2b(hashlib.blake2b(key, digest_size=4).digest(), digest_size=16).digest()


def pairs_of_bits_that_cancel(generate: Generator) -> int:
    """Count pairs of key bits that change nothing when both are flipped."""
    base = bytes(range(32))
    plain, found = generate(base), 0
    for one, other in combinations(range(0, 256, 4), 2):
        key = bytearray(base)
        key[one // 8] ^= 1 << one % 8
        key[other // 8] ^= 1 << other % 8
        found += generate(bytes(key)) == plain
    return found


def collisions(generate: Generator, keys: int) -> int:
    """Count keys of many whose mask another key has too."""
    made = {generate(hashlib.sha256(number.to_bytes(4, "big")).digest()) for number in range(keys)}
    return keys - len(made)


@pytest.mark.parametrize("generate", [words, packed])
def test_every_bit_of_a_key_counts(generate: Generator) -> None:
    base = bytes(32)
    flipped = {generate((1 << bit).to_bytes(32, "big")) for bit in range(256)}
    assert len(flipped | {generate(base)}) == 257
    assert pairs_of_bits_that_cancel(generate) == 0


def test_no_two_of_many_keys_share_a_mask() -> None:
    assert collisions(words, KEYS) == 0


def test_a_fold_to_32_bits_is_caught() -> None:
    """With 2^17 keys some two share one of 2^32 masks: 2 are expected, and these keys hold some."""
    assert pairs_of_bits_that_cancel(folded) > 0
    assert collisions(folded, KEYS) > 0
    assert pairs_of_bits_that_cancel(hashed_to_32_bits) == 0  # only the second test sees this one
    assert collisions(hashed_to_32_bits, 2 * KEYS) > 0


def test_flowers_generator_is_caught() -> None:
    """Source: flwrlabs/flower issue 7522."""
    utils = pytest.importorskip("flwr.common.secure_aggregation.secaggplus_utils", reason="needs 'sealane[flower]'")

    def flower(key: bytes) -> bytes:
        made: bytes = utils.pseudo_rand_gen(key, 1 << 32, [(4,)])[0].astype("<u8").tobytes()
        return made

    assert pairs_of_bits_that_cancel(flower) > 0


def test_masks_look_uniform_and_the_test_sees_a_bias() -> None:
    """2^22 fair bits scatter by 1024: one octet of ones in a hundred is some twenty times as far off."""
    total = MaskedTotal(1 << 16, 64)
    total.add(mask_of_words(1 << 16))
    raw = np.frombuffer(total.write(), dtype=np.uint8)

    def excess(data: np.ndarray) -> float:
        bits = int(np.unpackbits(data).sum())
        return abs(bits - data.size * 4) / (0.5 * np.sqrt(data.size * 8))

    def chi(data: np.ndarray) -> float:
        counts = np.bincount(data, minlength=256)
        expected = data.size / 256
        return float(((counts - expected) ** 2 / expected).sum())

    assert excess(raw) < 5
    assert 150 < chi(raw) < 400  # 255 degrees of freedom: a deviation of 22.6
    biased = raw.copy()
    biased[::100] |= 0xFF
    assert excess(biased) > 10
    assert chi(biased) > 400


def mask_of_words(count: int) -> bytes:
    from sealane.ring.base import ArrayValues

    return mask(ArrayValues(np.zeros(4 * count, dtype=np.uint32)), 16, [(Secret(b"k" * 32), True)])
