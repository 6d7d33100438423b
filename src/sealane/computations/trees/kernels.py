"""The loops that touch every row or bin: a leaf's histogram, where rows lie, and the best split of each feature.

Compiled for the types named when the module is first imported; kept on disk where there is a place for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from numba import njit

P = ParamSpec("P")
R = TypeVar("R")
EPSILON = 1e-15
"""LightGBM's kEpsilon: what a side's hessian begins with."""


def _kernel(signature: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    def declare(function: Callable[P, R]) -> Callable[P, R]:
        try:
            return cast(Callable[P, R], njit(signature, cache=True, nogil=True)(function))
        except RuntimeError:  # numba found no folder that it may write to
            return cast(Callable[P, R], njit(signature, nogil=True)(function))

    return declare


@njit(inline="always")
def _gain(g: float, h: float, l1: float, l2: float) -> float:
    kept = max(0.0, abs(g) - l1)
    return kept * kept / (h + l2)


@_kernel("void(uint8[:, ::1], int32[::1], float32[::1], float32[::1], int64[::1], float64[:, ::1], int32[::1])")
def add_up(codes: Any, rows: Any, first: Any, second: Any, starts: Any, out: Any, counts: Any) -> None:
    """Add the derivatives of some rows into a histogram of all features, ``(bins, 2)``, and count rows by bin."""
    for place in range(rows.size):
        row = rows[place]
        g, h = np.float64(first[row]), np.float64(second[row])
        for feature in range(codes.shape[1]):
            at = np.uint32(starts[feature]) + np.uint32(codes[row, feature])  # which cannot be negative: a tenth faster
            out[at, 0] += g
            out[at, 1] += h
            counts[at] += np.int32(1)


@_kernel("void(uint8[:, ::1], int32[::1], float64[::1], int64[::1], float64[:, ::1])")
def weigh(codes: Any, rows: Any, weights: Any, starts: Any, out: Any) -> None:
    """Add the weights of some rows, and their squares, by bin of all features, ``(bins, 2)``."""
    for place in range(rows.size):
        row = rows[place]
        weight = weights[row]
        for feature in range(codes.shape[1]):
            at = starts[feature] + codes[row, feature]
            out[at, 0] += weight
            out[at, 1] += weight * weight


@_kernel("int64(uint8[:, ::1], int32[::1], int64, boolean[::1], int32[::1], int32[::1])")
def divide(codes: Any, rows: Any, feature: Any, goes: Any, left: Any, right: Any) -> Any:
    """Write the rows whose bin goes left, and the others, in their order; return how many went left."""
    on_left, on_right = 0, 0
    for place in range(rows.size):
        row = rows[place]
        if goes[codes[row, feature]]:
            left[on_left] = row
            on_left += 1
        else:
            right[on_right] = row
            on_right += 1
    return on_left


@_kernel("void(int32[::1], int64[::1], int64[::1], int64[::1], int64[:, ::1])")
def mark_ends(counts: Any, starts: Any, numbers: Any, kinds: Any, out: Any) -> None:
    """Mark the first and the last bin of a number that holds a row; of all other bins, whether they hold any.

    Args:
        counts: rows by bin.
        starts: where each feature's bins begin.
        numbers: of bins of each feature.
        kinds: 0 numeric, 1 numeric whose last bin holds missing values, -1 a category.
        out: zeros, ``(2, bins)``: the first bins, the last bins, and in both those that hold any row.
    """
    for feature in range(starts.size):
        start, end = starts[feature], starts[feature] + numbers[feature]
        known = start if kinds[feature] < 0 else end - kinds[feature]
        for place in range(start, known):
            if counts[place] > 0:
                out[0, place] = 1
                break
        for place in range(known - 1, start - 1, -1):
            if counts[place] > 0:
                out[1, place] = 1
                break
        for place in range(known, end):
            if counts[place] > 0:
                out[0, place] = out[1, place] = 1


@_kernel("void(float64[:, ::1], int64[::1], int64[::1], int64[::1], float64[::1], float64[:, ::1])")
def best_splits(histogram: Any, starts: Any, numbers: Any, kinds: Any, facts: Any, out: Any) -> None:
    """Find the best split of each numeric feature as LightGBM does.

    Source: LightGBM 4, feature_histogram.hpp, FindBestThresholdSequentially.

    Args:
        histogram: sums over a leaf, ``(bins, 2)``.
        starts: where each feature's bins begin.
        numbers: of bins of each feature.
        kinds: 0 numeric, 1 numeric whose last bin holds missing values, -1 not looked at.
        facts: rows, Σg, Σh, fewest rows, least hessian, l1, l2, least gain.
        out: gain, threshold, whether missing goes left, Σg and Σh of the left; ``(features, 5)``.
    """
    rows, total_g, total_h, fewest, least, l1, l2, least_gain = facts
    total_h = total_h + 2 * EPSILON
    factor = rows / total_h
    shift = _gain(total_g, total_h, l1, l2) + least_gain
    for feature in range(starts.size):
        out[feature, 0] = -np.inf
        if kinds[feature] < 0:
            continue
        start = starts[feature]
        last = numbers[feature] - 1 - kinds[feature]
        # From the right, missing with the left; then from the left, missing with the right.
        g, h, count = 0.0, EPSILON, np.int64(0)
        for place in range(last, 0, -1):
            g += histogram[start + place, 0]
            h += histogram[start + place, 1]
            count += np.int64(histogram[start + place, 1] * factor + 0.5)
            if count < fewest or h < least:
                continue
            if rows - count < fewest or total_h - h < least:
                break
            gain = _gain(total_g - g, total_h - h, l1, l2) + _gain(g, h, l1, l2)
            if gain > shift and gain - shift > out[feature, 0]:
                out[feature] = np.array([gain - shift, place - 1.0, 1.0, total_g - g, total_h - h])
        if kinds[feature] == 0:
            continue
        g, h, count = 0.0, EPSILON, np.int64(0)
        for place in range(last + 1):
            g += histogram[start + place, 0]
            h += histogram[start + place, 1]
            count += np.int64(histogram[start + place, 1] * factor + 0.5)
            if count < fewest or h < least:
                continue
            if rows - count < fewest or total_h - h < least:
                break
            gain = _gain(g, h, l1, l2) + _gain(total_g - g, total_h - h, l1, l2)
            if gain > shift and gain - shift > out[feature, 0]:
                out[feature] = np.array([gain - shift, np.float64(place), 0.0, g, h])
