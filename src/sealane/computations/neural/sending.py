"""How an update travels: exactly, or rounded at random to a few bits.

*Exact* is the encoding of statistics: fixed point of 64 bits or more, and every node checks every contribution's
signature and adds for itself. *Rounded* is that of updates: two to four bytes an entry, added up by the coordinator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Term, real, update
from sealane.computations.neural.vector import Vector

MOST_EXACT = 1 << 16
"""Entries up to which an update is sent exactly where the study does not say: half a megabyte to and from each peer."""


class Sending(Protocol):
    """One way of summing vectors; pure, and the same at every node."""

    def terms(self, vector: Vector, bound: float) -> dict[str, Term]:
        """Return what is summed.

        Args:
            vector: this node's, already weighted.
            bound: public, of an entry's magnitude.
        """

    def read(self, totals: Mapping[str, NDArray[Any]], length: int) -> NDArray[Any]:
        """Return the cohort's sum of vectors of ``length`` entries."""

    def describe(self) -> dict[str, Any]:
        """Return JSON-ready values that a result says of it."""


class Exact:
    """As statistics are sent."""

    def terms(self, vector: Vector, bound: float) -> dict[str, Term]:
        """Return one exact term."""
        return {"update": real(vector, bound)}

    def read(self, totals: Mapping[str, NDArray[Any]], length: int) -> NDArray[Any]:
        """Return the exact sum."""
        return totals["update"]

    def describe(self) -> dict[str, Any]:
        """Return its name."""
        return {"encoding": "exact", "verified": True}


class Rounded:
    """Rounded at random, so that the expectation of the sum is the sum."""

    def __init__(self, bits: int) -> None:
        self._bits = bits

    def terms(self, vector: Vector, bound: float) -> dict[str, Term]:
        """Return one quantised term."""
        return {"update": update(vector, bound, self._bits)}

    def read(self, totals: Mapping[str, NDArray[Any]], length: int) -> NDArray[Any]:
        """Return the sum as it was opened."""
        return totals["update"]

    def describe(self) -> dict[str, Any]:
        """Return its name and width."""
        return {"encoding": "rounded", "bits": self._bits, "verified": False}


def sending_for(bits: int | Literal["exact"] | None, length: int) -> Sending:
    """Return how vectors of ``length`` entries are summed in a study that asks for so many bits."""
    if bits == "exact":
        return Exact()
    if bits is not None:
        return Rounded(bits)
    return Exact() if length <= MOST_EXACT else Rounded(16)


def clip_to_norm(vector: Vector, norm: float) -> Vector:
    """Return the vector, scaled down where it is longer than ``norm``."""
    length = float(np.sqrt(np.einsum("i,i->", vector, vector, dtype=np.float64)))
    return vector if length <= norm else vector * vector.dtype.type(norm / length)
