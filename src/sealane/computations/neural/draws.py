"""Random numbers that follow from a seed alone, whatever library versions a node has: SHAKE-256, read as words.

Public ones give the first weights. Private ones choose a node's rows: their seed is a hash over those rows, so nobody
else can compute it, and a node that starts again in the middle of a run draws the same again. They hide which rows were
drawn from who does not know the rows; differential privacy, which must hide a row from who knows all others, needs the
system's randomness instead.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SCALE = 2.0**-53


@dataclass(frozen=True, slots=True)
class Draws:
    """A source of numbers, each asked for by a label of its own."""

    seed: bytes

    def words(self, label: str, count: int) -> NDArray[np.uint64]:
        """Return so many 64-bit words, the same for the same label."""
        return np.frombuffer(hashlib.shake_256(self.seed + label.encode()).digest(8 * count), "<u8")

    def uniform(self, label: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return numbers in [0, 1): the upper 53 bits of each word."""
        words = self.words(label, math.prod(shape)) >> np.uint64(11)
        return np.asarray(words.astype(np.float64) * _SCALE).reshape(shape)

    def order(self, label: str, count: int) -> NDArray[np.int64]:
        """Return the places 0 to ``count`` in an order drawn evenly."""
        return np.argsort(self.words(label, count), kind="stable").astype(np.int64)

    def key(self, label: str) -> bytes:
        """Return 32 bytes: a seed of another source."""
        return hashlib.shake_256(self.seed + label.encode()).digest(32)

    def number(self, label: str) -> int:
        """Return an integer of 62 bits."""
        return int(self.words(label, 1)[0]) >> 2


def public_draws(seed: int) -> Draws:
    """Return what every node draws alike."""
    return Draws(f"sealane neural public {seed} ".encode())
