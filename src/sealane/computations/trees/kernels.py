"""The loops over own rows: their bins, a leaf's histogram, where rows lie, derivatives of a binary outcome, scores.

Compiled for the types named when the module is first imported; kept on disk where there is a place for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def kernel(signature: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile a function for the types of a signature, without Python's lock."""

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        try:
            return cast(Callable[P, R], njit(signature, cache=True, nogil=True)(function))
        except RuntimeError:  # numba found no folder that it may write to
            return cast(Callable[P, R], njit(signature, nogil=True)(function))

    return declare


@kernel("void(float64[::1], float64[::1], int64, uint8[::1])")
def number_bins(values: Any, edges: Any, missing: Any, out: Any) -> None:
    """Write how many edges lie under each value, or ``missing`` for NaN; edges rise, and are at most 255."""
    for row in range(values.size):
        value, found = values[row], np.int64(0)
        for edge in range(edges.size):  # eight at a time, all of them are found sooner than by halving
            found += np.int64(edges[edge] < value)
        out[row] = missing if np.isnan(value) else found


@kernel("void(uint8[:, ::1], int32[::1], float32[::1], float32[::1], int64[::1], float64[:, ::1], int32[::1])")
def add_up(codes: Any, rows: Any, first: Any, second: Any, starts: Any, out: Any, counts: Any) -> None:
    """Add the derivatives of some rows into a histogram of all features, ``(bins, 2)``.

    Rows are counted by bin as well, unless ``counts`` is empty.
    """
    counted = counts.size > 0
    for place in range(rows.size):
        row = rows[place]
        g, h = np.float64(first[row]), np.float64(second[row])
        for feature in range(codes.shape[1]):
            at = np.uint32(starts[feature]) + np.uint32(codes[row, feature])  # which cannot be negative: a tenth faster
            out[at, 0] += g
            out[at, 1] += h
            if counted:
                counts[at] += np.int32(1)


@kernel("void(uint8[:, ::1], int32[::1], float64[::1], int64[::1], float64[:, ::1])")
def weigh(codes: Any, rows: Any, weights: Any, starts: Any, out: Any) -> None:
    """Add the weights of some rows, and their squares, by bin of all features, ``(bins, 2)``."""
    for place in range(rows.size):
        row = rows[place]
        weight = weights[row]
        for feature in range(codes.shape[1]):
            at = starts[feature] + codes[row, feature]
            out[at, 0] += weight
            out[at, 1] += weight * weight


@kernel("int64(uint8[:, ::1], int32[::1], int64, boolean[::1], int32[::1], int32[::1])")
def divide(codes: Any, rows: Any, feature: Any, goes: Any, left: Any, right: Any) -> Any:
    """Write the rows whose bin goes left, and the others, in their order; return how many went left."""
    on_left, column = np.uint64(0), np.uint64(feature)
    for place in range(np.uint64(rows.size)):  # what cannot be negative is not tried for that: a third faster
        row = rows[place]
        # Written to both sides, and kept on one: no branch, which a processor would guess wrong.
        left[on_left] = row
        right[place - on_left] = row
        on_left += np.uint64(goes[codes[np.uint64(row), column]])
    return np.int64(on_left)


@kernel("void(float64[::1], float32[::1], float64[::1], float64, float32[::1], float32[::1])")
def derive_binary(raised: Any, outcome: Any, weight: Any, positive: Any, first: Any, second: Any) -> None:
    """Write the derivatives of a binary outcome's loss, as LightGBM rounds them.

    Args:
        raised: e to the score, and of rows without the event to the negative score.
        outcome: above 0 with the event.
        weight: of rows.
        positive: weight of the event.
        first: of the loss by the score.
        second: the same.
    """
    for row in range(raised.size):
        response = 1.0 / (1.0 + raised[row])
        factor = 1.0
        signed = response
        if outcome[row] > 0:
            factor, signed = positive, -response
        first[row] = np.float32(signed * factor * weight[row])
        second[row] = np.float32(response * (1.0 - response) * factor * weight[row])


@kernel("void(float64[::1], float32[::1], float64[::1])")
def lose_binary(score: Any, outcome: Any, out: Any) -> None:
    """Write each row's loss of a binary outcome: as NumPy's ``logaddexp`` of 0 and the signed score."""
    for row in range(score.size):
        wrong = -score[row] if outcome[row] > 0 else score[row]
        out[row] = max(wrong, 0.0) + math.log1p(math.exp(-abs(wrong)))


@kernel("void(float64[::1], int32[::1], float64)")
def raise_scores(score: Any, rows: Any, output: Any) -> None:
    """Add a leaf's output to the scores of its rows."""
    for place in range(rows.size):
        score[rows[place]] += output
