"""Quantised updates against the rule in Python integers; rounding against its expectation."""

from __future__ import annotations

import numpy as np
import pytest
from circle import seed_of
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.core.secret import Secret
from sealane.errors import InputError
from sealane.secagg.quantize import Quantized, dequantize, fraction_bits, largest, scale_of, step_of

TYPES = [np.float32, np.float64]


def by_the_rule(values: np.ndarray, clip: float, bits: int, seed: Secret) -> list[int]:
    half, f = 2 ** (bits - 1) - 1, min(16, 32 - bits)
    scale = np.float32(2**f * half / clip)
    stream = Cipher(algorithms.ChaCha20(seed.reveal(), bytes(16)), mode=None).encryptor().update(bytes(2 * values.size))
    out = []
    for i, x in enumerate(values):
        with np.errstate(over="ignore"):
            t = x * scale.astype(values.dtype)
        whole = int(min(max(float(t), -(2**f) * half), 2**f * half))
        random = int.from_bytes(stream[2 * i : 2 * i + 2], "little") >> (16 - f)
        out.append((whole + 2**f * half + random) >> f)
    return out


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bits", [4, 8, 15, 16, 17, 24])
def test_entries_follow_the_rule(bits: int, dtype: type) -> None:
    rng = np.random.default_rng(bits)
    clip = 0.07
    odd = [0.0, -0.0, clip, -clip, 2 * clip, -9.0, 3e38, -3e38, 1e-44, -1e-44, 1e-30, clip / 3]
    values = np.concatenate([odd, rng.normal(0, clip / 2, 300)]).astype(dtype)
    read = Quantized(values, clip, bits, seed_of("r")).read(0, values.size)
    assert read.dtype == np.uint32
    assert read.tolist() == by_the_rule(values, clip, bits, seed_of("r"))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 70_000), st.integers(0, 70_000), st.sampled_from([0, 48, 4096]))
def test_any_range_reads_the_same_twice(one: int, other: int, block: int) -> None:
    values = np.random.default_rng(0).normal(size=70_000).astype(np.float32)
    clip = np.linspace(0.5, 3.0, -(-70_000 // block)) if block else 1.0
    quantized = Quantized(values, clip, 12, seed_of("r"), block=block)
    start, stop = sorted((one, other))
    out = np.empty(stop - start, dtype=np.uint32)
    assert quantized.read(start, stop, out) is out
    assert np.array_equal(out, quantized.read(0, 70_000)[start:stop])
    assert np.array_equal(out, quantized.read(start, stop))


@pytest.mark.parametrize("dtype", TYPES)
@settings(max_examples=60, deadline=None)
@given(bits=st.integers(4, 24), clip=st.floats(2.0**-64, 2.0**64), data=st.data())
def test_nothing_leaves_the_grid(dtype: type, bits: int, clip: float, data: st.DataObject) -> None:
    edges = st.sampled_from([clip, -clip, float(np.nextafter(clip, np.inf)), 0.0, -2 * clip])
    numbers = st.floats(-3e38, 3e38) | edges
    values = np.array(data.draw(st.lists(numbers, min_size=1, max_size=20)), dtype=np.float64)
    values = np.clip(values, np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)
    read = Quantized(values, clip, bits, seed_of(bits)).read(0, values.size)
    assert read.max() <= 2**bits - 2
    assert read[values >= 1.0001 * clip].tolist() == [2**bits - 2] * int((values >= 1.0001 * clip).sum())
    assert read[values <= -1.0001 * clip].tolist() == [0] * int((values <= -1.0001 * clip).sum())
    back = dequantize(read, clip, bits, 1)
    assert (np.abs(back - np.clip(values.astype(np.float64), -clip, clip)) < clip / (2 ** (bits - 1) - 1) * 1.001).all()


def test_the_largest_random_word_does_not_carry_out_of_the_grid() -> None:
    # In unsigned 32 bits: the top of the grid with all fraction bits of a random word set.
    for bits in range(4, 25):
        half, f = 2 ** (bits - 1) - 1, fraction_bits(bits)
        assert 2 * half * 2**f + 2**f - 1 < 2**32
        assert (2 * half * 2**f + 2**f - 1) >> f == largest(bits) == 2**bits - 2
        assert half * 2**f < 2**31
        assert np.float32(half * 2**f) == half * 2**f


def test_zero_stays_exactly_zero() -> None:
    read = Quantized(np.zeros(5000, dtype=np.float32), 0.3, 8, seed_of("z")).read(0, 5000)
    assert set(read.tolist()) == {127}
    assert dequantize(read * np.uint32(3), 0.3, 8, 3).tolist() == [0.0] * 5000


@pytest.mark.parametrize(("bits", "value"), [(4, 0.123456), (4, -0.7), (16, 0.123456), (24, 0.1234567891)])
def test_rounding_is_unbiased(bits: int, value: float) -> None:
    entries, step = 200_000, 1.0 / (2 ** (bits - 1) - 1)
    read = Quantized(np.full(entries, value), 1.0, bits, seed_of("u", value)).read(0, entries)
    back = dequantize(read, 1.0, bits, 1)
    # A rounding has at most half a step of standard deviation; six of the mean's, and the 2^-f that the rule allows.
    # To the nearest would be off by 0.03 steps or more with these values.
    assert abs(back.mean() - value) < step * (6 * 0.5 / entries**0.5 + 2.0 ** -fraction_bits(bits))
    assert len(set(read.tolist())) == 2
    other = Quantized(np.full(entries, value), 1.0, bits, seed_of("another")).read(0, entries)
    assert not np.array_equal(read, other)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bits", [4, 16, 24])
def test_a_sum_reads_back_within_a_step_of_each(bits: int, dtype: type) -> None:
    rng = np.random.default_rng(1)
    vectors = [rng.uniform(-0.4, 0.4, 1000).astype(dtype) for _ in range(5)]
    total = sum(Quantized(v, 0.4, bits, seed_of(k)).read(0, 1000).astype(np.int64) for k, v in enumerate(vectors))
    back = dequantize(np.asarray(total, dtype=np.uint32), 0.4, bits, 5)
    assert back.dtype == np.float64
    expected = np.sum([v.astype(np.float64) for v in vectors], axis=0)
    assert np.abs(back - expected).max() < 5 * 0.4 / (2 ** (bits - 1) - 1) * (1 + 1e-6)
    raised = np.asarray(total, dtype=np.uint32) + np.uint32(5 * 33)
    assert np.allclose(dequantize(raised, 0.4, bits, 5, offset=33), back, rtol=0, atol=1e-12)


def test_scale_and_step_are_of_one_number() -> None:
    for clip in (0.06, 1.0, 2.0**-64, 3e9):
        scale, step = scale_of(clip, 16), step_of(clip, 16)
        assert scale.dtype == np.float32
        assert float(step) * float(scale) == pytest.approx(2**16, rel=1e-15)
        assert float(step) == pytest.approx(clip / 32767, rel=1e-7)


def test_each_block_has_its_own_bound() -> None:
    values = np.array([0.5, -0.5, 50.0, -50.0, 0.005], dtype=np.float32)
    clips = np.array([1.0, 100.0, 0.01])
    read = Quantized(values, clips, 16, seed_of("b"), block=2).read(0, 5)
    apart = [Quantized(values, clip, 16, seed_of("b")).read(k, k + 1)[0]
             for k, clip in enumerate([1.0, 1.0, 100.0, 100.0, 0.01])]
    assert read.tolist() == apart
    back = dequantize(read, clips, 16, 1, block=2)
    assert (np.abs(back - values) < np.repeat(clips, 2)[:5] / 32767 * 1.001).all()


def test_the_residual_is_what_was_not_sent() -> None:
    values = np.random.default_rng(3).normal(0, 1, 40_000)
    quantized = Quantized(values, 0.5, 4, seed_of("e"))
    residual = quantized.residual()
    assert np.allclose(dequantize(quantized.read(0, 40_000), 0.5, 4, 1) + residual, values, rtol=0, atol=1e-12)
    assert Quantized(values.astype(np.float32), 0.5, 4, seed_of("e")).residual().dtype == np.float32


def test_fed_back_errors_cancel_over_rounds() -> None:
    # The same update forty times: what was sent is within a step of the whole, however coarse the grid.
    update = np.random.default_rng(4).uniform(-0.1, 0.1, 200)
    residual, sent = np.zeros(200), np.zeros(200)
    for number in range(40):
        quantized = Quantized(update + residual, 1.0, 4, seed_of("f", number))
        sent += dequantize(quantized.read(0, 200), 1.0, 4, 1)
        residual = quantized.residual()
    assert np.abs(sent - 40 * update).max() < 1 / 7 * 1.001


@pytest.mark.parametrize("bits", [4, 24])
def test_the_norm_is_exact(bits: int) -> None:
    values = np.random.default_rng(5).normal(0, 1, 40_000)
    quantized = Quantized(values, 0.5, bits, seed_of("n"))
    half = 2 ** (bits - 1) - 1
    assert quantized.norm_squared() == sum((q - half) ** 2 for q in quantized.read(0, 40_000).tolist())


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 39_999])
def test_a_value_that_is_not_finite_is_refused(dtype: type, bad: float, where: int) -> None:
    values = np.ones(40_000, dtype=dtype)
    values[where] = bad
    with pytest.raises(InputError) as caught:
        Quantized(values, 1.0, 8, seed_of(0)).read(0, 40_000)
    assert caught.value.code == "quantize.not-finite"


@pytest.mark.parametrize(("clip", "bits", "code"), [
    (1.0, 3, "quantize.bad-bits"), (1.0, 25, "quantize.bad-bits"), (0.0, 8, "quantize.bad-clip"),
    (-1.0, 8, "quantize.bad-clip"), (float("nan"), 8, "quantize.bad-clip"), (float("inf"), 8, "quantize.bad-clip"),
    (2.0**65, 8, "quantize.bad-clip"), (np.ones(3), 8, "quantize.bad-blocks"),
])
def test_bounds_and_widths_that_cannot_be_are_refused(clip: float, bits: int, code: str) -> None:
    for call in (lambda: Quantized(np.ones(4), clip, bits, seed_of(0)),
                 lambda: dequantize(np.ones(4, dtype=np.uint32), clip, bits, 1)):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.code == code


@pytest.mark.parametrize("values", [np.ones(4, dtype=np.int64), np.ones((2, 2)), np.ones(4, dtype=np.float16)])
def test_only_vectors_of_floats_are_quantised(values: np.ndarray) -> None:
    with pytest.raises(InputError) as caught:
        Quantized(values, 1.0, 8, seed_of(0))
    assert caught.value.code == "quantize.bad-values"


def test_nothing_reads_as_nothing() -> None:
    assert Quantized(np.empty(0), 1.0, 8, seed_of(0)).read(0, 0).size == 0
    assert dequantize(np.empty(0, dtype=np.uint32), 1.0, 8, 3).size == 0
