"""One ciphertext without its key looks like uniform residues, and the test that says so catches a weak one.

The values are all the same on purpose: whatever shape is left would be theirs, the key's or the generator's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import rlwe_reference as reference

import sealane.ring.cpu_mask as mask_module
from sealane.core.secret import Secret
from sealane.ring.base import ArrayValues
from sealane.ring.cpu import CpuBackend
from sealane.ring.packing import LANES, pack
from sealane.ring.primes import largest_ring
from sealane.ring.streams import public_words

BINS = 256
RING = largest_ring(8192, 28, 7)
PACKING = pack(RING, 262141, 4 * 86)


def ciphertext(key: np.ndarray | None = None) -> np.ndarray:
    """The residues of one full group, as fractions of their primes, ``(primes, N, LANES)``."""
    backend = CpuBackend()
    if key is None:
        key = backend.secret_key(RING, Secret(b"\x05" * 32))
    values = ArrayValues(np.full(PACKING.group_values, 65535, dtype=np.uint32))
    payload = backend.encrypt(PACKING, values, public_seed=b"\x06" * 32, key=key, error_seed=Secret(b"\x07" * 32))
    scheme = reference.Scheme(8192, 28, RING.primes, 262141, 4 * 86)
    assert len(payload) == PACKING.block_bytes(PACKING.group_values, 0)
    words = np.unpackbits(np.frombuffer(payload, np.uint8), bitorder="little").reshape(-1, 28)
    residues = words @ (1 << np.arange(28, dtype=np.int64))
    assert scheme.slots == PACKING.slots
    return residues.reshape(7, 8192, LANES) / np.array(RING.primes).reshape(7, 1, 1)


def even(fractions: np.ndarray) -> bool:
    """Chi-square over 256 bins, at six deviations."""
    found = np.bincount((fractions.reshape(-1) * BINS).astype(np.int64), minlength=BINS)
    expected = fractions.size / BINS
    statistic = float(((found - expected) ** 2 / expected).sum())
    return abs(statistic - (BINS - 1)) < 6 * math.sqrt(2 * (BINS - 1))


def unrelated(left: np.ndarray, right: np.ndarray) -> bool:
    """The correlation of two sequences, at six deviations."""
    return abs(float(np.corrcoef(left.reshape(-1), right.reshape(-1))[0, 1])) < 6 / math.sqrt(left.size)


def looks_uniform(fractions: np.ndarray) -> bool:
    near = [unrelated(fractions[:, :-gap], fractions[:, gap:]) for gap in (1, 2, 64)]
    lanes = [unrelated(fractions[..., 0], fractions[..., lane]) for lane in range(1, LANES)]
    primes = [unrelated(fractions[0], fractions[row]) for row in range(1, 7)]
    rows = [even(fractions[row]) for row in range(7)]
    return all(near + lanes + primes + rows) and even(fractions) and even((fractions[:, 1:] - fractions[:, :-1]) % 1)


def test_a_ciphertext_looks_uniform() -> None:
    assert looks_uniform(ciphertext())


def test_without_a_key_it_does_not() -> None:
    assert not looks_uniform(ciphertext(np.zeros(8192, dtype=np.int32)))


def constant(_seed: bytes, _index: int, _group: int, out: np.ndarray) -> None:
    out[:] = 12345


def same_in_every_lane(seed: bytes, index: int, group: int, out: np.ndarray) -> None:
    public_words(seed, index, group, out)
    out[:] = np.repeat(out[::LANES], LANES)


@pytest.mark.parametrize("generator", [constant, same_in_every_lane])
def test_with_a_weak_generator_it_does_not(
    generator: Callable[[bytes, int, int, np.ndarray], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mask_module, "public_words", generator)
    assert not looks_uniform(ciphertext())


def test_a_generator_that_is_a_little_uneven_is_caught() -> None:
    draw = np.random.default_rng(1)
    fractions = draw.random((7, 8192, LANES))
    assert looks_uniform(fractions)
    bent = np.where(draw.random(fractions.shape) < 0.05, fractions / 2, fractions)  # 5 % too many in the lower half
    assert not looks_uniform(bent)
    tied = fractions.copy()
    tied[:, 1:] = (0.9 * tied[:, 1:] + 0.1 * tied[:, :-1]) % 1
    assert not looks_uniform(tied)
