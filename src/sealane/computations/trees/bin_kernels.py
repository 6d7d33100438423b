"""The loops over bins: how they are made, what is summed and opened of a node, and the best split of each feature.

Those of a node take bins feature by feature, in the order in which they lie; ``used`` says which features a tree may
use, and only their bins are in what is summed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sealane.computations.trees.kernels import kernel

EPSILON = 1e-15
"""LightGBM's kEpsilon: what a side's hessian begins with."""


@njit(inline="always")
def _gain(g: float, h: float, l1: float, l2: float) -> float:
    kept = max(0.0, abs(g) - l1)
    return kept * kept / (h + l2)


@kernel("void(int64[::1], int64, int64, boolean[::1])")
def close_bins(counts: Any, most: Any, least: Any, closed: Any) -> None:
    """Write after which cells a bin ends: as soon as it holds its share of what is left.

    Args:
        counts: rows by cell.
        most: bins.
        least: rows of a bin.
        closed: of each cell; the last bin's end is not written.
    """
    left, held, edges = counts.sum(), np.int64(0), np.int64(0)
    closed[-1] = False
    for cell in range(counts.size - 1):
        held += counts[cell]
        # A cell over its share stands by itself if what came before it may.
        closed[cell] = (held >= least and held >= left / (most - edges) and left - held >= least and edges < most - 1)
        if closed[cell]:
            left -= held
            held = np.int64(0)
            edges += 1


@kernel("void(float64[:, ::1], int64[::1], boolean[::1], float64[::1], int64[:, ::1])")
def take_steps(sums: Any, numbers: Any, used: Any, scales: Any, out: Any) -> None:
    """Write sums over a node, ``(bins, 2)``, of the used features as the nearest integers of steps."""
    source, place = 0, 0
    for feature in range(numbers.size):
        if used[feature]:
            for at in range(source, source + numbers[feature]):
                out[place, 0] = np.int64(np.rint(sums[at, 0] * scales[0]))
                out[place, 1] = np.int64(np.rint(sums[at, 1] * scales[1]))
                place += 1
        source += numbers[feature]


@kernel("void(int64[:, ::1], int64[::1], float64[::1], float64[:, ::1])")
def tell(histogram: Any, numbers: Any, units: Any, out: Any) -> None:
    """Write an opened histogram in units as LightGBM has it: without the first bin of every feature."""
    source, place = 0, 0
    for feature in range(numbers.size):
        for at in range(source + 1, source + numbers[feature]):
            out[place, 0] = histogram[at, 0] * units[0]
            out[place, 1] = histogram[at, 1] * units[1]
            place += 1
        source += numbers[feature]


@kernel("void(int32[:, ::1], int64[::1], int64[::1], boolean[::1], int64, int64, int64, int64[::1])")
def pack_census(counts: Any, numbers: Any, kinds: Any, used: Any, mark: Any, bits: Any, together: Any,
                out: Any) -> None:
    """Pack a node's rows by bin and, of it and its sibling, where the first and the last row of a number are.

    A bin of a category, or of missing values, is marked as both wherever it holds a row.

    Args:
        counts: rows by bin of the node, and of its sibling if it has one: ``(1 or 2, bins)``.
        numbers: of bins of each feature.
        kinds: 0 numeric, 1 numeric whose last bin holds missing values, -1 a category.
        used: features.
        mark: bits of a mark.
        bits: of a bin: its rows, then the first and the last of the node, then those of the sibling.
        together: bins to an entry, the first in the lowest bits.
        out: zeros, as many as entries.
    """
    sides = counts.shape[0]
    marks = 2 * sides
    whole = np.zeros(out.size * together, np.int64)
    start, place = 0, 0
    for feature in range(numbers.size):
        end = start + numbers[feature]
        if used[feature]:
            for at in range(start, end):
                whole[place + at - start] = np.int64(counts[0, at]) << (mark * marks)
            known = start if kinds[feature] < 0 else end - kinds[feature]
            for side in range(sides):
                first = np.int64(1) << (mark * (marks - 1 - 2 * side))
                last = np.int64(1) << (mark * (marks - 2 - 2 * side))
                for at in range(start, known):
                    if counts[side, at] > 0:
                        whole[place + at - start] += first
                        break
                for at in range(known - 1, start - 1, -1):
                    if counts[side, at] > 0:
                        whole[place + at - start] += last
                        break
                for at in range(known, end):
                    if counts[side, at] > 0:
                        whole[place + at - start] += first + last
            place += numbers[feature]
        start = end
    for entry in range(out.size):
        for slot in range(together):
            out[entry] += whole[entry * together + slot] << (bits * slot)


@kernel("void(int64[::1], int64[::1], boolean[::1], int64, int64, int64, int64[:, ::1])")
def add_up_census(opened: Any, numbers: Any, used: Any, mark: Any, bits: Any, together: Any, out: Any) -> None:
    """Write what :func:`pack_census` packed, summed over the cohort, each number added up over the bins before.

    Args:
        opened: of one node.
        numbers: of bins of each feature.
        used: features.
        mark: bits of a mark.
        bits: of a bin.
        together: bins to an entry.
        out: rows, then first and last of the node, then of the sibling if it has one: ``(3 or 5, bins + 1)``, from 0.
    """
    kinds = out.shape[0]
    whole = np.empty(opened.size * together, np.int64)
    for entry in range(opened.size):
        for slot in range(together):
            whole[entry * together + slot] = opened[entry] >> (bits * slot)
    for kind in range(kinds):
        shift = mark * (kinds - 1 - kind)
        mask = (np.int64(1) << (mark if kind else bits - shift)) - 1
        total, at, place = np.int64(0), np.uint64(0), np.uint64(0)  # which are not tried for being negative
        out[kind, 0] = 0
        for feature in range(numbers.size):
            for _ in range(numbers[feature]):
                if used[feature]:
                    total += (whole[place] >> shift) & mask
                    place += np.uint64(1)
                at += np.uint64(1)
                out[kind, at] = total


@kernel("void(int64[:, ::1], int64[::1], int64[::1], int64[::1], float64[::1], float64[::1], float64[:, ::1])")
def best_splits(histogram: Any, starts: Any, numbers: Any, kinds: Any, units: Any, facts: Any, out: Any) -> None:
    """Find the best split of each numeric feature as LightGBM does.

    Source: LightGBM 4, feature_histogram.hpp, FindBestThresholdSequentially.

    Args:
        histogram: opened sums over a leaf, ``(bins, 2)``.
        starts: where each feature's bins begin.
        numbers: of bins of each feature.
        kinds: 0 numeric, 1 numeric whose last bin holds missing values, -1 not looked at.
        units: what a step of Σg and of Σh is, powers of two.
        facts: rows, Σg, Σh, fewest rows, least hessian, l1, l2, least gain.
        out: gain, threshold, whether missing goes left, Σg and Σh of the left; ``(features, 5)``.
    """
    rows, total_g, total_h, fewest, least, l1, l2, least_gain = facts
    total_h = total_h + 2 * EPSILON
    factor = rows / total_h
    shift = _gain(total_g, total_h, l1, l2) + least_gain
    for feature in range(starts.size):
        best = -np.inf
        if kinds[feature] >= 0:
            start = starts[feature]
            last = numbers[feature] - 1 - kinds[feature]
            # From the right, missing with the left; then from the left, missing with the right.
            g, h, count = 0.0, EPSILON, np.int64(0)
            for place in range(last, 0, -1):
                step = histogram[start + place, 1] * units[1]
                g += histogram[start + place, 0] * units[0]
                h += step
                count += np.int64(step * factor + 0.5)
                if count < fewest or h < least:
                    continue
                if rows - count < fewest or total_h - h < least:
                    break
                gain = _gain(total_g - g, total_h - h, l1, l2) + _gain(g, h, l1, l2)
                if gain > shift and gain - shift > best:
                    best = gain - shift
                    out[feature, 1], out[feature, 2] = place - 1.0, 1.0
                    out[feature, 3], out[feature, 4] = total_g - g, total_h - h
            g, h, count = 0.0, EPSILON, np.int64(0)
            for place in range(last + 1 if kinds[feature] else 0):
                step = histogram[start + place, 1] * units[1]
                g += histogram[start + place, 0] * units[0]
                h += step
                count += np.int64(step * factor + 0.5)
                if count < fewest or h < least:
                    continue
                if rows - count < fewest or total_h - h < least:
                    break
                gain = _gain(g, h, l1, l2) + _gain(total_g - g, total_h - h, l1, l2)
                if gain > shift and gain - shift > best:
                    best = gain - shift
                    out[feature, 1], out[feature, 2] = np.float64(place), 0.0
                    out[feature, 3], out[feature, 4] = g, h
        out[feature, 0] = best
