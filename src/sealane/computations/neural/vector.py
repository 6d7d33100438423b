"""The weights of a model as one vector, and what says which entry is which."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Shapes:
    """Names and shapes of weights, in the order of the vector."""

    of: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def length(self) -> int:
        """Entries of the vector."""
        return sum(math.prod(shape) for _, shape in self.of)

    def split(self, vector: Vector) -> dict[str, Vector]:
        """Return a view of the vector for each name."""
        out, at = dict[str, Vector](), 0
        for name, shape in self.of:
            size = math.prod(shape)
            out[name] = vector[at : at + size].reshape(shape)
            at += size
        return out

    def join(self, arrays: Mapping[str, NDArray[Any]], dtype: Any) -> Vector:
        """Return arrays as one vector."""
        out = np.empty(self.length, dtype=dtype)
        for name, place in self.split(out).items():
            place[...] = arrays[name]
        return out


def digest(vector: Vector) -> bytes:
    """Return SHA-256 over the entries, little-endian."""
    return hashlib.sha256(np.ascontiguousarray(vector, dtype=vector.dtype.newbyteorder("<")).tobytes()).digest()
