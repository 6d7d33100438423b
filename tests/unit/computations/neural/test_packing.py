"""Updates made small: what comes out is the mean in expectation or in the long run, and errors are within a bound."""

from __future__ import annotations

import numpy as np
import pytest

from sealane.computations.neural.draws import public_draws
from sealane.computations.neural.packing import Compressed, Whole, on_grid, packing_for
from sealane.computations.neural.sum_parameters import Compression
from sealane.computations.neural.turning import pieces, turn, turn_back, turned_length
from sealane.core.secret import Secret
from sealane.errors import InputError
from sealane.secagg.quantize import Quantized, dequantize

LENGTH = 700


def vector(seed: int, length: int = LENGTH) -> np.ndarray:
    """A few large entries among many small ones, as gradients have them."""
    random = np.random.default_rng(seed)
    return random.normal(size=length) ** 5 / 100


def summed(packed: list[np.ndarray], bound: float, bits: int, seed: int) -> np.ndarray:
    """The sum as it is opened: each rounded at random by its own seed."""
    parts = [Quantized(one, bound, bits, Secret(bytes([k, seed % 256, seed // 256]) + bytes(29))).read(0, one.size)
             for k, one in enumerate(packed)]
    return dequantize(np.sum(parts, axis=0, dtype=np.uint32), bound, bits, len(packed))


def one_round(packings: list[Compressed], vectors: list[np.ndarray], bits: int, seed: int) -> tuple[np.ndarray, float]:
    packed = [p.pack(v) for p, v in zip(packings, vectors, strict=True)]
    bound = 2.0 ** np.ceil(np.log2(max(np.abs(one).max() for one in packed)))
    total = summed([p.sent(bound) for p in packings], bound, bits, seed)
    opened = [p.unpack(total) for p in packings]
    assert all(np.array_equal(opened[0], one) for one in opened)
    for p in packings:
        p.note(opened[0])
    return opened[0], bound


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_one_rotated_sum_is_within_a_step_of_each_node(bits):
    vectors = [vector(k) for k in range(3)]
    asked = Compression(bits=bits, error_feedback=False)
    opened, bound = one_round([Compressed(asked, public_draws(1), LENGTH) for _ in vectors], vectors, bits, 7)
    step = bound / (2 ** (bits - 1) - 1)
    # A rotation keeps lengths: 3 nodes are each off by less than a step in every one of the rotated entries.
    assert np.linalg.norm(opened - sum(vectors)) < 3 * step * np.sqrt(turned_length(LENGTH))
    assert np.linalg.norm(opened - sum(vectors)) > 0


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_the_expectation_is_the_sum(share):
    """Over rounds of one update: each round's draws, rotation and roundings are new ones."""
    vectors, rounds = [vector(k) for k in range(3)], 400
    asked = Compression(bits=4, share=share, error_feedback=False)
    packings = [Compressed(asked, public_draws(2), LENGTH) for _ in vectors]
    found = np.array([one_round(packings, vectors, 4, number)[0] for number in range(rounds)])
    apart = found.mean(axis=0) - sum(vectors)
    deviation = found.std(axis=0) / np.sqrt(rounds)
    assert np.abs(apart / deviation).max() < 5  # 700 entries: beyond 5 deviations one in 2,500 times
    assert 0.8 < np.sqrt(np.mean((apart / deviation) ** 2)) < 1.2
    worse = found.mean(axis=0) - 1.3 * np.array(sum(vectors))
    assert np.abs(worse / deviation).max() > 5  # a bias of three tenths would be seen


@pytest.mark.parametrize("choose", ["drawn", "largest"])
@pytest.mark.parametrize("rotation", [True, False])
def test_what_does_not_travel_travels_later(choose, rotation):
    """After T rounds the opened sums fall short of T updates by what is owed, which does not grow with T."""
    vectors = [vector(k) for k in range(3)]
    asked = Compression(bits=8, share=0.2, choose=choose, rotation=rotation)
    packings = [Compressed(asked, public_draws(3), LENGTH) for _ in vectors]
    total, short = np.zeros(LENGTH), []
    for number in range(200):
        total += one_round(packings, vectors, 8, number)[0]
        short.append(np.linalg.norm((number + 1) * np.array(sum(vectors)) - total))
        owed = sum(p._owed for p in packings)
        assert np.allclose((number + 1) * np.array(sum(vectors)) - total, owed, atol=1e-9)
    assert max(short[100:]) < 1.5 * max(short[:100])
    assert short[-1] < 40 * np.linalg.norm(sum(vectors))


def test_a_node_that_starts_again_owes_the_same():
    """It replays its run: the same vectors, and the opened sums as they were written down."""
    asked = Compression(bits=4, share=0.3, choose="largest")
    vectors = [vector(k) for k in range(3)]
    packings = [Compressed(asked, public_draws(4), LENGTH) for _ in vectors]
    opened = [one_round(packings, vectors, 4, number) for number in range(6)]
    again = Compressed(asked, public_draws(4), LENGTH)
    for total, bound in opened:
        again.pack(vectors[0])
        again.sent(bound)
        again.note(total)
    assert np.array_equal(again._owed, packings[0]._owed)
    assert np.array_equal(again.pack(vectors[0]), packings[0].pack(vectors[0]))


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("bound", [2.0**-20, 1.0, 2.0**20])
def test_a_point_of_the_grid_is_rounded_to_itself(bits, bound):
    values = np.random.default_rng(5).uniform(-bound, bound, 20_000)
    values[:3] = bound, -bound, 0.0
    half = 2 ** (bits - 1) - 1
    points = np.rint(values / bound * half).astype(int)
    written, worth = on_grid(values, bound, bits)
    np.testing.assert_allclose(worth, points * bound / half, rtol=1e-12)
    for seed in range(3):
        read = Quantized(written, bound, bits, Secret(bytes([seed]) * 32)).read(0, values.size)
        assert np.array_equal(read.astype(int) - half, points)


def test_the_bound_of_a_rotated_norm_holds_and_is_small():
    packing = Compressed(Compression(error_feedback=False), public_draws(6), 5000, bounded=True)
    spike = np.zeros(5000)
    spike[17] = 1.0
    assert np.abs(packing.pack(spike)).max() < packing.bound(1.0) < 0.2
    assert Compressed(Compression(rotation=False, error_feedback=False), public_draws(6), 5000).bound(1.0) == 1.0


def test_a_share_of_next_to_nothing_is_refused():
    with pytest.raises(InputError) as caught:
        packing_for(Compression(share=0.01), public_draws(0), LENGTH, bounded=False)
    assert caught.value.code == "neural.share-too-small"
    assert isinstance(packing_for(None, public_draws(0), LENGTH, bounded=False), Whole)


@pytest.mark.parametrize("asked", [{"bits": 5}, {"share": 0}, {"choose": "largest"},
                                   {"choose": "largest", "share": 0.1, "error_feedback": False}])
def test_what_makes_no_sense_is_refused(asked):
    with pytest.raises(ValueError, match="Compression"):
        Compression.model_validate(asked)


@pytest.mark.parametrize("length", [1, 63, 64, 700, 1025, 20_609, 98_305, 200_000])
def test_a_rotation_hardly_lengthens_and_spreads_even_the_last_entries(length):
    def seeds(piece: int) -> bytes:
        return bytes([piece]) * 32

    values = np.zeros(length)
    values[-min(20, length) :] = 1.0  # a last layer, say
    turned = turn(values, seeds)
    assert turned.size == turned_length(length) <= max(64, length * 17 // 16 + 64)
    assert sum(pieces(length)) == length
    np.testing.assert_allclose(turn_back(turned, length, seeds), values, atol=1e-12)
    assert np.linalg.norm(turned) == pytest.approx(np.linalg.norm(values))
    if length >= 700:
        assert np.abs(turned).max() < 6 * np.linalg.norm(values) / np.sqrt(length)
