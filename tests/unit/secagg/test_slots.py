"""Masked updates: the stream is AES, sums are exact for any cohort and part of it, and nothing carries over."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from circle import planed, seed_of, unplaned
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.core.secret import Secret
from sealane.errors import InputError, ProtocolError
from sealane.ring.base import ArrayValues
from sealane.secagg.masking.slots import MaskedTotal, mask, slot_width, word_bits, words_for
from sealane.secagg.masking.wire import BLOCK
from sealane.secagg.noise import Noised, share_of
from sealane.secagg.quantize import Quantized, dequantize, largest

Keys = list[tuple[Secret, bool]]


def keys_of(node: int, cohort: int, salt: object) -> Keys:
    """A self mask, and for every peer the mask that both share, added by the one and taken off by the other."""
    pairs = [(seed_of("pair", min(node, peer), max(node, peer), salt), node < peer)
             for peer in range(cohort) if peer != node]
    return [(seed_of("self", node, salt), True), *pairs]


def stream_of(key: Secret, words: int) -> list[int]:
    """AES-256 in counter mode from counter block 2, by single blocks."""
    blocks = Cipher(algorithms.AES256(key.reveal()), modes.ECB()).encryptor()
    data = b"".join(blocks.update((2 + k).to_bytes(16, "big")) for k in range(-(-words // 2)))
    return [int.from_bytes(data[8 * k : 8 * k + 8], "little") for k in range(words)]


@pytest.mark.parametrize(("length", "width"), [(0, 18), (1, 18), (7, 18), (100, 5), (31, 32), (10, 1), (65, 26)])
def test_a_masked_vector_as_described(length: int, width: int) -> None:
    values = np.random.default_rng(length).integers(0, 2**width, length, dtype=np.uint32)
    keys = keys_of(1, 3, "plain")
    slots = 64 // width
    words = -(-length // slots)
    assert words_for(length, width) == words
    packed = [sum(int(values[v * words + j]) << (v * width) for v in range(slots) if v * words + j < length)
              for j in range(words)]
    for key, added in keys:
        packed = [(word + (m if added else -m)) % 2**64 for word, m in zip(packed, stream_of(key, words), strict=True)]
    assert mask(ArrayValues(values), width, keys) == planed(packed, slots * width)


def test_a_long_vector_goes_in_blocks_under_one_stream() -> None:
    width, length = 26, 2 * BLOCK + 11  # two slots to a word
    values = np.random.default_rng(9).integers(0, 2**width, length, dtype=np.uint32)
    key = seed_of("long")
    payload = mask(ArrayValues(values), width, [(key, True)])
    full = BLOCK * 52 // 8
    words = [*block_words(payload[:full]), *unplaned(payload[full:], 52)]
    stream = stream_of(key, len(words))
    plain = [(word - m) % 2**52 for word, m in zip(words, stream, strict=True)]
    assert [word % 2**26 for word in plain[:BLOCK]] == values[:BLOCK].tolist()
    assert [word >> 26 for word in plain[:BLOCK]] == values[BLOCK : 2 * BLOCK].tolist()
    rest = plain[BLOCK:]
    assert len(rest) == 6
    assert [*(word % 2**26 for word in rest), *(word >> 26 for word in rest)] == [*values[2 * BLOCK :].tolist(), 0]


def block_words(payload: bytes) -> list[int]:
    """A full block of 52-bit words: planes of 32, 16 and 4 bits."""
    low = np.frombuffer(payload, "<u4", BLOCK).tolist()
    high = np.frombuffer(payload, "<u2", BLOCK, 4 * BLOCK).tolist()
    nibbles = payload[6 * BLOCK :]
    top = [byte & 15 for byte in nibbles] + [byte >> 4 for byte in nibbles]
    return [a | b << 32 | c << 48 for a, b, c in zip(low, high, top, strict=True)]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 9), st.integers(4, 24), st.integers(0, 120), st.booleans(), st.data())
def test_the_sum_of_a_cohort_is_exact(
    cohort: int, bits: int, length: int, at_the_top: bool, data: st.DataObject
) -> None:
    """Whoever drops out is left out of an attempt of its own: masks are among those who stay."""
    stayed = data.draw(st.sets(st.integers(0, cohort - 1), min_size=2))
    most = cohort * largest(bits)  # planned for the whole cohort
    width = slot_width(most)
    rng = np.random.default_rng(length)
    members = [np.full(length, largest(bits), dtype=np.uint32) if at_the_top
               else rng.integers(0, largest(bits) + 1, length, dtype=np.uint32) for _ in stayed]
    payloads = [mask(ArrayValues(v), width, keys_of(k, len(stayed), "hyp")) for k, v in enumerate(members)]
    total = MaskedTotal.for_payloads(len(payloads[0]), word_bits(width))
    for payload in payloads:
        total.add(payload)
    relayed = MaskedTotal.for_payloads(len(payloads[0]), word_bits(width))
    relayed.add(total.write())
    own = [keys_of(k, len(stayed), "hyp")[0] for k in range(len(stayed))]
    expected = [sum(int(v[i]) for v in members) for i in range(length)]
    for one in (total, relayed):
        assert [int(x) for part in one.unmask(length, width, own) for x in part] == expected
    if at_the_top and length:
        assert max(expected) == len(stayed) * (2**bits - 2) <= most < 2**width


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("cohort", [2, 3, 12, 100])
def test_the_largest_values_with_the_largest_noise_do_not_carry(bits: int, cohort: int) -> None:
    """Every slot of a word at its top in every contribution: sums stay in their slots, and one more would not."""
    share = share_of(cohort * Decimal(2), cohort, 0)
    top = largest(bits) + share.headroom
    width = slot_width(cohort * top)
    length = 3 * (64 // width)
    total = MaskedTotal(words_for(length, width), word_bits(width))
    payload = mask(ArrayValues(np.full(length, top, dtype=np.uint32)), width, [])
    for _ in range(cohort):
        total.add(payload)
    assert np.concatenate(list(total.unmask(length, width, []))).tolist() == [cohort * top] * length
    assert 2 ** (width - 1) <= cohort * top < 2**width


def test_a_whole_round_of_noised_updates() -> None:
    rng = np.random.default_rng(5)
    vectors = [rng.normal(0, 0.02, 70_001).astype(np.float32) for _ in range(4)]
    share = share_of(Decimal(20), 4, 1)
    width = slot_width(4 * (largest(12) + share.headroom))
    values = [Noised(Quantized(v, 0.1, 12, seed_of("q", k)), share, seed_of("n", k)) for k, v in enumerate(vectors)]
    total = MaskedTotal(words_for(70_001, width), word_bits(width))
    for k, one in enumerate(values):
        total.add(mask(one, width, keys_of(k, 4, "round")))
    opened = np.concatenate(list(total.unmask(70_001, width, [keys_of(k, 4, "round")[0] for k in range(4)])))
    assert np.array_equal(opened, sum(one.read(0, 70_001) for one in values))
    back = dequantize(opened, 0.1, 12, 4, offset=share.tail)
    error = (back - np.sum(vectors, axis=0)) / (0.1 / 2047)
    # Four shares, each with a deviation of 20 / sqrt(3) steps; rounding adds little.
    assert abs(error.std() / (20 * (4 / 3) ** 0.5) - 1) < 0.02
    assert abs(error.mean()) < 6 * 23.1 / 70_001**0.5


def test_a_mask_that_is_left_hides_the_sum() -> None:
    values = np.zeros(3000, dtype=np.uint32)
    total = MaskedTotal(words_for(3000, 18), 54)
    for node in range(3):
        total.add(mask(ArrayValues(values), 18, keys_of(node, 3, "left")))
    known = [keys_of(node, 3, "left")[0] for node in range(2)]
    opened = np.concatenate(list(total.unmask(3000, 18, known)))
    bits = np.unpackbits(opened.view(np.uint8)).sum()
    assert abs(int(bits) - 27_000) < 6 * (54_000 / 4) ** 0.5  # fair bits


def test_slots_that_hold_no_value_must_be_empty() -> None:
    payload = mask(ArrayValues(np.array([5, 6], dtype=np.uint32)), 18, [])
    total = MaskedTotal.for_payloads(len(payload), 54)
    total.add(payload)
    assert [part.tolist() for part in total.unmask(2, 18, [])] == [[5, 6]]
    total.add(planed([1 << 36], 54))
    with pytest.raises(ProtocolError) as caught:
        list(total.unmask(2, 18, []))
    assert caught.value.code == "masking.slots-not-empty"


@pytest.mark.parametrize("size", [0, 1, 7, 9, 100])
def test_a_payload_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        MaskedTotal(1, 54).add(bytes(size))
    assert caught.value.code == "masking.wrong-length"


def test_a_total_of_another_form_is_refused() -> None:
    for length, width in ((4, 18), (3, 17), (3, 32)):
        with pytest.raises(InputError) as caught:
            list(MaskedTotal(1, 54).unmask(length, width, []))
        assert caught.value.code == "masking.bad-total"


@pytest.mark.parametrize("position", [0, 2, BLOCK * 3 + 1])
def test_a_value_beyond_its_slot_is_refused(position: int) -> None:
    values = np.zeros(BLOCK * 3 + 2, dtype=np.uint32)
    values[position] = 1 << 18
    with pytest.raises(InputError) as caught:
        mask(ArrayValues(values), 18, [])
    assert caught.value.code == "masking.too-large"


def test_slots_are_as_narrow_as_the_sum_allows() -> None:
    assert [slot_width(most) for most in (1, 3, 4, 4 * 65534, 4 * 65536, 2**32 - 1)] == [1, 2, 3, 18, 19, 32]
    assert [word_bits(width) for width in (1, 18, 20, 22, 32)] == [64, 54, 60, 44, 64]
    for most in (0, 2**32):
        with pytest.raises(InputError) as caught:
            slot_width(most)
        assert caught.value.code == "sum.too-wide"


@pytest.mark.parametrize(("cohort", "bytes_per_value"), [(4, 2.25), (10, 2.5), (50, 2.75), (100, 2.88)])
def test_bytes_on_the_wire(cohort: int, bytes_per_value: float) -> None:
    width = slot_width(cohort * largest(16))
    payload = mask(ArrayValues(np.zeros(300_000, dtype=np.uint32)), width, [])
    assert len(payload) / 300_000 <= bytes_per_value * 1.0001
