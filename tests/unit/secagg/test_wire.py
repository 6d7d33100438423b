"""Words on the wire against whole integers of Python."""

from __future__ import annotations

import numpy as np
import pytest
from circle import planed, unplaned
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.errors import InputError, ProtocolError
from sealane.secagg.masking.wire import BLOCK, WORD_BITS, Wire, words_in

WORDS = st.integers(0, 2**64 - 1)


def written(words: np.ndarray, bits: int) -> bytes:
    wire = Wire(words.size, bits)
    out = np.full(wire.size, 0xAA, dtype=np.uint8)
    for place, where in wire.blocks():
        wire.write(words[place], out[where])
    return out.tobytes()


def added(total: np.ndarray, payload: bytes, bits: int) -> None:
    wire = Wire(total.size, bits)
    for place, where in wire.blocks():
        wire.add(total[place], np.frombuffer(payload, dtype=np.uint8)[where])


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(WORD_BITS), st.lists(WORDS, min_size=1, max_size=40), WORDS)
def test_words_are_written_and_added_as_described(bits: int, words: list[int], start: int) -> None:
    vector = np.array(words, dtype=np.uint64)
    payload = written(vector, bits)
    assert payload == planed(words, bits)
    assert unplaned(payload, bits) == [word % 2**bits for word in words]
    total = np.full(len(words), start, dtype=np.uint64)
    added(total, payload, bits)
    assert [word % 2**bits for word in total.tolist()] == [(start + word) % 2**bits for word in words]


@pytest.mark.parametrize("bits", [33, 47, 54, 64])
def test_a_block_is_written_by_itself(bits: int) -> None:
    words = np.random.default_rng(bits).integers(0, 2**64, BLOCK + 77, dtype=np.uint64)
    payload = written(words, bits)
    full = BLOCK * bits // 8
    assert payload[:full] == planed(words[:BLOCK].tolist(), bits)
    assert payload[full:] == planed(words[BLOCK:].tolist(), bits)
    total = np.zeros_like(words)
    added(total, payload, bits)
    assert np.array_equal(total, words & np.uint64(2**bits - 1))


@pytest.mark.parametrize("bits", WORD_BITS)
def test_a_size_tells_the_number_of_words(bits: int) -> None:
    sizes = {Wire(words, bits).size: words for words in [*range(60), *range(BLOCK - 5, BLOCK + 9), 3 * BLOCK + 1]}
    for size in range(max(Wire(59, bits).size, 1)):
        if size in sizes:
            assert words_in(size, bits) == sizes[size]
        else:
            with pytest.raises(ProtocolError) as caught:
                words_in(size, bits)
            assert caught.value.code == "masking.wrong-length"
    for size, words in sizes.items():
        assert words_in(size, bits) == words


@pytest.mark.parametrize("bits", [33, 34, 37, 46, 63])
def test_bits_of_no_word_are_refused(bits: int) -> None:
    payload = bytearray(written(np.zeros(5, dtype=np.uint64), bits))
    legal = {bit for k in range(5) for one in [[0] * k + [2**bits - 1] + [0] * (4 - k)]
             for bit in range(8 * len(payload)) if planed(one, bits)[bit // 8] >> (bit % 8) & 1}
    assert len(legal) == 5 * bits
    for bit in set(range(8 * len(payload))) - legal:
        payload[bit // 8] ^= 1 << (bit % 8)
        total = np.zeros(5, dtype=np.uint64)
        with pytest.raises(ProtocolError) as caught:
            added(total, bytes(payload), bits)
        assert caught.value.code == "masking.stray-bits"
        assert not total.any()
        payload[bit // 8] ^= 1 << (bit % 8)


@pytest.mark.parametrize("bits", [0, 32, 65, -1])
def test_words_have_33_to_64_bits(bits: int) -> None:
    with pytest.raises(InputError) as caught:
        Wire(5, bits)
    assert caught.value.code == "masking.bad-words"
    with pytest.raises(ProtocolError) as refused:
        words_in(40, bits)
    assert refused.value.code == "masking.bad-word"
