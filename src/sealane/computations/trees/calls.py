"""LightGBM's calls to its network, read by size, type and moment; whatever is not recognised is refused.

Source: LightGBM 4, data_parallel_tree_learner.cpp and split_info.hpp. No bytes of a call ever leave the process: an
answer is made from opened sums, and what goes back to LightGBM is written anew, with unused bytes zero.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sealane.errors import ProtocolError

MACHINES, OWN = 2, 1
MARK_FIRST, MARK_SECOND = 0.25, 0.5
"""Derivatives of the one invented row, by which the order of fields in a call is told."""
_FIELDS = struct.Struct("<iiidIddddqddqbbi")
_SUMS = {"<ddi4x": (1, 0, 2), "<i4xdd": (1, 2, 0)}
"""Layouts of (rows, Σg, Σh) that compilers are known to make, with the places of Σg, Σh and the rows."""


@dataclass(frozen=True, slots=True)
class Split:
    """The best split of a leaf, as LightGBM found it.

    Attributes:
        feature: LightGBM's column, or -1 where there is none.
        left_rows: rows of the left child; LightGBM estimates them, and is told the exact number.
        right_rows: the same of the right child.
        gain: by LightGBM.
        threshold: the last bin that goes left.
        numbers: left and right output; Σg and Σh of the left, then of the right.
        default_left: whether missing values go left.
        monotone: direction of the feature.
        levels: bins of a category that go left.
    """

    feature: int
    left_rows: int
    right_rows: int
    gain: float
    threshold: int
    numbers: tuple[float, float, float, float, float, float]
    default_left: bool
    monotone: int
    levels: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[int, int, bool, tuple[int, ...]]:
        """What the split does to rows."""
        return self.feature, self.threshold, self.default_left, self.levels

    def exact(self, left_rows: int, right_rows: int) -> Split:
        """Return the same split with exact numbers of rows."""
        return replace(self, left_rows=left_rows, right_rows=right_rows)


NOTHING = Split(-1, 0, 0, float("-inf"), 0, (0.0,) * 6, True, 0)


@dataclass(frozen=True, slots=True)
class RootSums:
    """LightGBM asks for rows, Σg and Σh of the whole cohort."""

    layout: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """LightGBM asks for the histogram of the smaller of two new leaves, or of the root."""


@dataclass(frozen=True, slots=True)
class Splits:
    """LightGBM tells the best splits of the smaller and the larger new leaf, and asks whether others know better."""

    smaller: Split
    larger: Split
    most_levels: int


Call = RootSums | Histogram | Splits


def read_gather(data: bytes, lengths: tuple[int, ...], most_levels: int, previous: Call | None) -> Call:
    """Return what a gather asks.

    Raises:
        ProtocolError: it is none that is known, or comes at another moment.
    """
    if lengths != (len(data),) * MACHINES:
        raise unrecognised(f"a gather of blocks {lengths}")
    if len(data) == 24 and (previous is None or isinstance(previous, Splits)):
        for layout, (first, second, rows) in _SUMS.items():
            found = struct.unpack(layout, data)
            if (found[first], found[second], found[rows]) == (MARK_FIRST, MARK_SECOND, 1):
                return RootSums(layout)
    size = _size(most_levels)
    if len(data) == 2 * size and isinstance(previous, Histogram):
        return Splits(_read_split(data[:size], most_levels), _read_split(data[size:], most_levels), most_levels)
    raise unrecognised(f"a gather of {len(data)} bytes")


def read_reduction(type_size: int, lengths: tuple[int, ...], padding: int, length: int,
                   previous: Call | None) -> Histogram:
    """Return what a reduction asks; its input, a histogram of the invented row, is not looked at.

    Raises:
        ProtocolError: it is none that is known, or comes at another moment.
    """
    if (type_size, lengths) == (8, (16 * padding, 16 * length)) and isinstance(previous, RootSums | Splits):
        return Histogram()
    raise unrecognised(f"a reduction of blocks {lengths} of {type_size} bytes")


def answer_sums(call: RootSums, rows: int, first: float, second: float) -> bytes:
    """Return the sums of the cohort as the second machine's, and none of the first."""
    places = _SUMS[call.layout]
    fields: list[float | int] = [0, 0, 0]
    for place, value in zip(places, (first, second, rows), strict=True):
        fields[place] = value
    return bytes(24) + struct.pack(call.layout, *fields)


def answer_histogram(histogram: NDArray[np.float64]) -> bytes:
    """Return the opened sums, shape ``(entries, 2)``, of the second machine's block."""
    return np.ascontiguousarray(histogram, "<f8").tobytes()


def answer_splits(call: Splits, smaller: Split, larger: Split) -> bytes:
    """Return two splits as the second machine's, and none of the first."""
    nothing = _write_split(NOTHING, call.most_levels)
    return nothing * 2 + _write_split(smaller, call.most_levels) + _write_split(larger, call.most_levels)


def harmless(size: int) -> bytes:
    """Return what ends a tree: an answer of this many bytes for a call that cannot be answered."""
    return bytes(size)


def unrecognised(what: str) -> ProtocolError:
    """Return the refusal of a call that is not known."""
    return ProtocolError("trees.unrecognised-call", "LightGBM asks its network for something that is not known here",
                         got=what, expected="root sums, histograms and splits in their order",
                         hint="install a version of LightGBM that docs/trees.md names")


def _size(most_levels: int) -> int:
    return _FIELDS.size + 4 * most_levels


def _read_split(data: bytes, most_levels: int) -> Split:
    (feature, left_rows, right_rows, gain, threshold, left, right, left_g, left_h, _, right_g, right_h, _, default_left,
     monotone, levels) = _FIELDS.unpack_from(data)
    if feature < 0 or not gain > 0.0:
        return NOTHING
    if not 0 <= levels <= most_levels or default_left not in (0, 1):
        raise unrecognised("a split in another layout")
    chosen = struct.unpack_from(f"<{levels}I", data, _FIELDS.size)
    numbers = (left, right, left_g, left_h, right_g, right_h)
    if not all(map(math.isfinite, numbers)):
        raise unrecognised("a split in another layout")
    return Split(feature, left_rows, right_rows, gain, threshold, numbers, bool(default_left), monotone,
                 tuple(sorted(chosen)))


def _write_split(split: Split, most_levels: int) -> bytes:
    left, right, left_g, left_h, right_g, right_h = split.numbers
    head = _FIELDS.pack(split.feature, split.left_rows, split.right_rows, split.gain, split.threshold, left, right,
                        left_g, left_h, 0, right_g, right_h, 0, int(split.default_left), split.monotone,
                        len(split.levels))
    return (head + struct.pack(f"<{len(split.levels)}I", *split.levels)).ljust(_size(most_levels), b"\0")
