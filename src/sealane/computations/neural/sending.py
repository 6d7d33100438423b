"""How an update travels: exactly, or rounded at random to a few bits.

*Exact* is the encoding of statistics: fixed point of 64 bits or more, and every node checks every contribution's
signature and adds for itself. *Rounded* is that of updates: two to four bytes an entry, added up by the coordinator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, Term, real, update
from sealane.computations.neural.vector import Vector
from sealane.secagg.layout import plan

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


def bits_sent(terms: Mapping[str, Term], cohort: Cohort) -> int:
    """Return the bits of a node's part of a sum: entries times the width that the cohort's sum of one needs.

    Any scheme carries at least so much, and what its packing and keys take on top.
    """
    layout = plan(terms, cohort.size, smallest=min(cohort.smallest, cohort.size),
                  colluding=max(cohort.smallest - cohort.honest, 0))
    return layout.length * (layout.most.bit_length() if layout.most else layout.width)


def in_words(sending: Mapping[str, Any]) -> str:
    """Return in words what a result says of how updates were summed."""
    parts = [f"{sending['bits']} bits" if "bits" in sending else str(sending["encoding"])]
    if sending.get("rotation"):
        parts.append("rotated")
    if sending.get("share", 1) < 1:
        parts.append(f"{100 * sending['share']:g} % of the entries ({sending['choose']})")
    if sending.get("error_feedback"):
        parts.append("error feedback")
    if "robust" in sending:
        robust = sending["robust"]
        parts.append(f"{robust['method']} of {len(robust['institutions'])} groups, {robust['bad']} of them bad")
    return ", ".join(parts)


def clip_to_norm(vector: Vector, norm: float) -> Vector:
    """Return the vector, scaled down where it is longer than ``norm``."""
    length = float(np.sqrt(np.einsum("i,i->", vector, vector, dtype=np.float64)))
    return vector if length <= norm else vector * vector.dtype.type(norm / length)
