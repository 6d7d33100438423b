"""The norm after rounding is held to its bound, and the bound is the paper's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from circle import seed_of

from sealane.crypto.derivation import derive
from sealane.errors import InputError
from sealane.secagg.conditional_rounding import BETA, clip_norm, norm_bound, round_within
from sealane.secagg.quantize import Quantized


def test_the_bound_by_hand() -> None:
    # With 8 bits and a clip of 127 a step is 1. Norm 3, four entries: (3 + 2)^2 = 25 against 9 + 1 + 1 (3 + 1) = 14,
    # to be rounded up from just above.
    assert norm_bound(3.0, 127.0, 8, 4, math.exp(-0.5)) in (14, 15)
    # A beta near zero makes the likely bound the worse one: 25 stays.
    assert norm_bound(3.0, 127.0, 8, 4, 1e-30) in (25, 26)
    assert pytest.approx(0.6065, abs=1e-4) == BETA


@pytest.mark.parametrize("norm", [0.2, 1.0, 5.0])
def test_no_rounding_is_longer_than_the_bound(norm: float) -> None:
    rng = np.random.default_rng(1)
    direction = rng.normal(size=300)
    values = direction / np.linalg.norm(direction) * norm
    bound = norm_bound(norm, 2.0, 6, 300)
    lengths = []
    for k in range(200):
        read = round_within(values, 2.0, 6, seed_of(k), bound).read(0, 300).astype(int) - 31
        lengths.append(int((read**2).sum()))
    assert max(lengths) <= bound


def test_it_is_drawn_again_until_it_holds() -> None:
    values = np.full(50, 0.5)  # every entry half way between two steps of 1
    quantized = [Quantized(values, 127.0, 8, derive(seed_of("s"), "conditional rounding", k.to_bytes(4, "little")))
                 for k in range(128)]
    norms = [int(q.read(0, 50).astype(int).sum()) - 50 * 127 for q in quantized]  # entries are 0 and 1
    bound = sorted(norms)[3]
    first = next(k for k, norm in enumerate(norms) if norm <= bound)
    assert first > 0
    found = round_within(values, 127.0, 8, seed_of("s"), bound)
    assert np.array_equal(found.read(0, 50), quantized[first].read(0, 50))
    assert found.norm_squared() == norms[first]


def test_a_redraw_is_no_likelier_than_beta() -> None:
    # Entries half way between steps vary most. Of 400 roundings at most 400 beta may be beyond; five deviations more.
    values = np.full(64, 0.5)
    bound = norm_bound(4.0, 127.0, 8, 64, beta=0.1)
    beyond = sum(Quantized(values, 127.0, 8, seed_of("b", k)).norm_squared() > bound for k in range(400))
    assert beyond <= 40 + 5 * math.sqrt(400 * 0.09)


def test_a_vector_beyond_its_norm_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        round_within(np.full(100, 50.0), 127.0, 8, seed_of(1), norm_bound(10.0, 127.0, 8, 100))
    assert caught.value.code == "quantize.norm-too-large"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vectors_are_clipped_to_a_norm(dtype: type) -> None:
    values = np.array([3.0, -4.0], dtype=dtype)
    assert clip_norm(values, 5.0) is values
    clipped = clip_norm(values, 1.0)
    assert clipped.dtype == dtype
    assert np.allclose(clipped, [0.6, -0.8], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_a_vector_without_a_norm_is_refused(bad: float) -> None:
    with pytest.raises(InputError) as caught:
        clip_norm(np.array([1.0, bad]), 1.0)
    assert caught.value.code == "quantize.not-finite"
