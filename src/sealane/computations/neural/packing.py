"""An update made small: some of its entries, rotated; and what did not travel is kept for the next round.

Everything public here follows from the study's seed, the round's number and opened sums, so all nodes choose and rotate
alike. What a node keeps follows from its own rows and from opened sums: a node that starts again in the middle of a run
computes it anew as it replays the run.

With error feedback an entry is rounded to the nearest point of the grid, not at random, since what rounding takes off
travels later; without it the sum rounds at random and entries that were drawn count 1 / share, so the expectation of
what is opened is the mean update.

Source: Suresh et al., "Distributed Mean Estimation with Limited Communication" (ICML 2017), section 3, for rotation;
Stich et al., "Sparsified SGD with Memory" (NeurIPS 2018), and Karimireddy et al., "Error Feedback Fixes SignSGD" (ICML
2019), algorithm 2, for what is kept.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sealane.computations.neural.draws import Draws
from sealane.computations.neural.sum_parameters import Compression
from sealane.computations.neural.turning import Seeds, turn, turn_back
from sealane.computations.neural.vector import Vector
from sealane.errors import InputError
from sealane.secagg.quantize import fraction_bits, step_of
from sealane.secagg.rotation import entry_bound, rotate, rotate_back
from sealane.secagg.sparsity import drawn, largest_and_drawn

FAILURE = 2.0**-40
"""Probability that a rotated update of bounded norm crosses the bound of its entries somewhere, and is cut there."""
FEWEST = 32
"""Entries that travel on average, at least: then a round in which none is drawn is not seen."""
_CHUNK = 1 << 16


class Packing(Protocol):
    """One node's way of making its vectors small; in each round it packs, then sends, then unpacks."""

    def pack(self, vector: Vector) -> Vector:
        """Return what a node's part of the round's sum is made of. Private."""

    def bound(self, norm: float) -> float:
        """Return the bound of a packed vector's entries where its Euclidean norm is at most ``norm``."""

    def sent(self, bound: float) -> Vector:
        """Return what was packed as it goes into the sum, within the bound."""

    def unpack(self, total: Vector) -> Vector:
        """Return the vector that a sum of packed ones stands for."""

    def note(self, mean: Vector) -> None:
        """Take note of what a round opened."""

    def describe(self) -> dict[str, Any]:
        """Return JSON-ready values that a result says of it."""


class Whole:
    """All entries, as they are."""

    def __init__(self) -> None:
        self._vector: Vector = np.empty(0)

    def pack(self, vector: Vector) -> Vector:
        """Return the vector."""
        self._vector = vector
        return vector

    def bound(self, norm: float) -> float:
        """Return the norm."""
        return norm

    def sent(self, bound: float) -> Vector:
        """Return the vector."""
        return self._vector

    def unpack(self, total: Vector) -> Vector:
        """Return the sum."""
        return total

    def note(self, mean: Vector) -> None:
        """Do nothing."""

    def describe(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


class Compressed:
    """Entries chosen and rotated, and error feedback.

    Args:
        asked: of the study.
        draws: public ones.
        length: entries of a vector.
        bounded: whether the bound of the entries follows from a norm, and not from the vectors.

    Raises:
        InputError: next to nothing would travel.
    """

    def __init__(self, asked: Compression, draws: Draws, length: int, *, bounded: bool = False) -> None:
        if asked.share < 1 and asked.share * length < FEWEST:
            raise InputError("neural.share-too-small", "too few entries of an update would travel",
                             got=f"{asked.share:g} of {length}", expected=f"at least {FEWEST}",
                             hint="raise compression.share: a model this small needs none")
        self._asked, self._draws, self._length, self._bounded = asked, draws, length, bounded
        self._round = 0
        self._kept: NDArray[np.bool_] | None = None
        self._vector: Vector = np.empty(0)
        self._packed: Vector = np.empty(0)
        self._owed: Vector | None = None
        self._last: NDArray[np.float64] | None = None

    def pack(self, vector: Vector) -> Vector:
        """Return the entries of this round, what is owed added to them, rotated."""
        self._round += 1
        self._kept = self._choose()
        self._vector = vector if self._owed is None else vector + self._owed
        part = self._vector if self._kept is None else self._vector[self._kept]
        with np.errstate(over="ignore", invalid="ignore"):  # of an update that exploded, as the round will find
            self._packed = self._turned(part) if self._asked.rotation else part
        return self._packed

    def bound(self, norm: float) -> float:
        """Return what no entry exceeds, but with a probability of :data:`FAILURE`."""
        return entry_bound(norm, self._count, FAILURE) if self._asked.rotation else norm

    def sent(self, bound: float) -> Vector:
        """Return the packed vector; with error feedback on the grid, and what is off it is owed."""
        if not self._asked.error_feedback:
            return self._packed
        rounded, read = on_grid(self._packed, bound, self._asked.bits)
        back = self._back(read)
        if self._kept is None:
            self._owed = self._vector - back
        else:
            self._owed = self._vector.copy()
            self._owed[self._kept] -= back
        return rounded

    def unpack(self, total: Vector) -> Vector:
        """Rotate back, and put entries in their places."""
        part = self._back(total)
        if self._kept is None:
            return part
        out = np.zeros(self._length, dtype=total.dtype)
        out[self._kept] = part if self._asked.error_feedback else part / total.dtype.type(self._asked.share)
        return out

    def note(self, mean: Vector) -> None:
        """Keep what was opened of every entry last."""
        if self._asked.choose == "largest" and self._kept is not None:
            if self._last is None:
                self._last = np.zeros(self._length)
            self._last[self._kept] = mean[self._kept]

    def describe(self) -> dict[str, Any]:
        """Return what the study asked for."""
        return {"rotation": self._asked.rotation, "share": self._asked.share, "choose": self._asked.choose,
                "error_feedback": self._asked.error_feedback}

    @property
    def _seeds(self) -> Seeds:
        return lambda piece: self._draws.key(f"rotation {self._round} {piece}")

    @property
    def _count(self) -> int:
        return self._length if self._kept is None else int(self._kept.sum())

    def _choose(self) -> NDArray[np.bool_] | None:
        if self._asked.share == 1:
            return None
        seed = self._draws.key(f"entries {self._round}")
        if self._last is None:  # nothing was opened yet, or entries are always drawn
            return drawn(self._length, self._asked.share, seed)
        return largest_and_drawn(self._last, self._asked.share, seed)

    def _back(self, packed: Vector) -> Vector:
        if not self._asked.rotation:
            return packed
        if self._bounded:
            return rotate_back(packed, self._count, self._seeds(0))
        return turn_back(packed, self._count, self._seeds)

    def _turned(self, part: Vector) -> Vector:
        # A piece's bound is the whole norm spread over its entries alone: where the norm is the bound, all are one.
        return rotate(part, self._seeds(0)) if self._bounded else turn(part, self._seeds)


def on_grid(values: Vector, bound: float, bits: int) -> tuple[NDArray[np.float64], Vector]:
    """Return the nearest points of the grid of an update of so many bits, as no rounding moves them, and as read.

    A point is written half a fraction away from zero, so that the product before a rounding does not fall short of it.
    """
    step, half = float(step_of(bound, bits)), (1 << (bits - 1)) - 1
    beyond = 2.0 ** -(fraction_bits(bits) + 1)
    written, read = np.empty(values.size), np.empty_like(values)
    for low in range(0, values.size, _CHUNK):
        part = slice(low, low + _CHUNK)
        places = np.clip(np.rint(values[part].astype(np.float64) / step), -half, half)
        read[part] = places * step
        written[part] = np.clip((places + np.sign(places) * beyond) * step, -bound, bound)
    return written, read


def packing_for(asked: Compression | None, draws: Draws, length: int, *, bounded: bool) -> Packing:
    """Return what the study asks for, for vectors of ``length`` entries; ``bounded`` where their norm is."""
    return Whole() if asked is None else Compressed(asked, draws, length, bounded=bounded)
