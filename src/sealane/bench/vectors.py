"""The vectors that every system sums: the same bytes in every process, without a generator that anybody could seed.

Node i's vector holds normal values of deviation 0.01, like the updates of a trained model, cut at ``CLIP``.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from sealane.bench.asked import CLIP
from sealane.core.secret import Secret
from sealane.ring.prg import expand

DEVIATION = 0.01
_CHUNK = 1 << 18


def seed_of(*words: object) -> Secret:
    """Return the seed that stands for some words: a benchmark repeats itself, and protects nobody."""
    return Secret(hashlib.sha256(repr(("sealane bench", *words)).encode()).digest())


def vector(node: int, length: int) -> NDArray[np.float32]:
    """Return a node's vector, float32 ``(length,)``."""
    out = np.empty(length, dtype=np.float32)
    for number, start in enumerate(range(0, length, _CHUNK)):
        part = out[start : start + _CHUNK]
        part[:] = _normal(seed_of("vector", node, number), part.size)
    return out


def exact_sum(parts: list[NDArray[np.float32]], cohort: int) -> NDArray[np.float64]:
    """Return the sum over a cohort whose i-th node holds ``parts[i % len(parts)]``, float64 ``(length,)``."""
    total = np.zeros(parts[0].size)
    for node in range(cohort):
        total += parts[node % len(parts)]
    return total


def _normal(seed: Secret, count: int) -> NDArray[np.float64]:
    """Return normal values, cut at the clip. Source: Box and Muller (1958)."""
    uniform = ((expand(seed, 2 * count) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    values = DEVIATION * np.sqrt(-2.0 * np.log(uniform[:count])) * np.cos(2.0 * np.pi * uniform[count:])
    clipped: NDArray[np.float64] = np.clip(values, -CLIP, CLIP)
    return clipped
