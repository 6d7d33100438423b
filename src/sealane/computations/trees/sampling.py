"""Which rows are drawn, by a seed that only their node has, and which features, by a public one.

The private seed is a hash over the run's id and the node's own rows: nobody else can compute it, no two runs share it,
and a node that starts again in the middle of a run draws the same rows again. Every draw has a name of its own, which
holds the fraction: were two samples cut from the same numbers at two fractions, one would lie within the other, and
models of both would tell what the few rows between them hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class Sample:
    """Own rows that trees learn from: private.

    Attributes:
        label: public name.
        rows: own, rising.
        total: how many were drawn over the cohort.
        counts: own rows by bin, ``(1, bins)``, once the root of a tree was summed.
    """

    label: str
    rows: NDArray[np.int32]
    total: int
    counts: NDArray[np.int32] | None = None


def private_seed(public: int | str, *arrays: NDArray[np.generic]) -> bytes:
    """Return 32 bytes that depend on every one of a node's rows, and on what is public."""
    return private_seed_of(public, arrays)


def private_seed_of(public: int | str, arrays: Iterable[NDArray[np.generic]]) -> bytes:
    """Return the same of arrays that need not be held all at once."""
    digest = hashlib.sha256(b"rows drawn by a node " + str(public).encode())
    for array in arrays:
        digest.update(str((array.dtype, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()


def drawn(seed: bytes, label: str, rows: int, fraction: float) -> NDArray[np.bool_]:
    """Return which of ``rows`` rows are drawn, each by itself with probability ``fraction``.

    Independent of what any other seed, label or fraction draws.
    """
    if fraction >= 1.0:
        return np.ones(rows, np.bool_)
    name = f"{fraction.hex()} of {label}"
    words = np.frombuffer(hashlib.shake_256(seed + name.encode()).digest(8 * rows), "<u8")
    return np.asarray(words < np.uint64(int(fraction * 2.0**64)), np.bool_)


def chosen_features(seed: int, label: str, features: int, fraction: float) -> tuple[int, ...]:
    """Return the places of the features that a tree may use: a public choice, the same at every node."""
    number = max(1, min(features, int(fraction * features + 0.5)))
    if number == features:
        return tuple(range(features))
    words = np.frombuffer(hashlib.shake_256(f"features {seed} {label}".encode()).digest(8 * features), "<u8")
    return tuple(sorted(_order(words)[:number]))


def _order(words: NDArray[np.generic]) -> Sequence[int]:
    return [int(place) for place in np.argsort(words, kind="stable")]
