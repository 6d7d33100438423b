"""The streams against a second writing of their counters, and the odds of running out of words."""

from __future__ import annotations

import math

import numpy as np
import rlwe_reference as reference

from sealane.core.secret import Secret
from sealane.ring.packing import LANES
from sealane.ring.primes import WIDTHS, largest_ring
from sealane.ring.streams import EXTRA, error_words, key_words, public_words

SEED = bytes(range(32))


def test_public_words_are_aes_from_a_block_that_names_prime_and_group() -> None:
    for index, group in ((0, 0), (6, 1), (3, 0x01020304)):
        out = np.empty(40_000, dtype=np.uint32)
        public_words(SEED, index, group, out)
        block = bytes([1, index]) + group.to_bytes(4, "little") + bytes(10)
        assert out.tolist() == reference.aes_words(SEED, block, 40_000)


def test_secret_words_are_chacha20() -> None:
    assert key_words(Secret(SEED), 9000).tolist() == reference.chacha_words(SEED, bytes(12), 9000)
    nonce = (513).to_bytes(4, "little") + bytes(8)
    assert error_words(Secret(SEED), 513, 9000).tolist() == reference.chacha_words(SEED, nonce, 9000)


def test_chacha20_is_that_of_rfc_8439() -> None:
    # Section A.1, test vector 1: zero key, zero nonce, counter 0.
    stream = key_words(Secret(bytes(32)), 8).tobytes()
    assert stream.hex() == (
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
    )


def test_streams_of_groups_and_primes_do_not_overlap() -> None:
    found = set()
    for index in range(3):
        for group in range(3):
            out = np.empty(4096, dtype=np.uint32)
            public_words(SEED, index, group, out)
            found.add(out.tobytes())
    found |= {error_words(Secret(SEED), group, 2048).tobytes() for group in range(3)}
    assert len(found) == 12


def test_words_run_out_with_a_probability_below_2_to_the_minus_100() -> None:
    # Too few where more than EXTRA of all N * LANES + EXTRA words are rejected: the binomial tail, by Chernoff's bound
    # exp(-n D(x || r)).
    words = 8192 * LANES + EXTRA
    for bits in WIDTHS:
        rate = max(1 - prime / 2**bits for prime in largest_ring(8192, bits, 7).primes)
        share = EXTRA / words
        assert rate < share / 8
        divergence = share * math.log(share / rate) + (1 - share) * math.log((1 - share) / (1 - rate))
        assert words * divergence > 100 * math.log(2)
