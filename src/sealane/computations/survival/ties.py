"""Ties at a slot: from opened sums over the risk set and over its events to what Newton's method needs.

With d events at a slot, S over the risk set and T over the events, Breslow's denominator is S for each event, Efron's
S - (l / d) T for l = 0 … d - 1. Everything needed of them are five sums over l, one number per slot each.
Source: Efron (1977), J. Am. Stat. Assoc. 72(359); Breslow (1974), Biometrics 30(1).

All operations are elementwise or add in order, so that every node comes to the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sealane.computations.survival.settling import Integers

Ties = Literal["efron", "breslow"]
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RiskSums:
    """Sums of e^η and e^η x over the rows at risk, and over the events, at each slot.

    Attributes:
        s0: shape ``(n_slots,)``.
        s1: shape ``(n_slots, p)``.
        t0: as ``s0``; zeros for Breslow.
        t1: as ``s1``.
    """

    s0: Array
    s1: Array
    t0: Array
    t1: Array


@dataclass(frozen=True, slots=True)
class TieWeights:
    """Sums over the events at a slot, f being l / d (0 for Breslow) and φ the denominator; ``(n_slots,)`` each."""

    inverse: Array  # 1 / φ
    share: Array  # f / φ
    inverse2: Array  # 1 / φ²
    cross2: Array  # f / φ²
    share2: Array  # f² / φ²
    logarithm: Array  # log φ


def tie_weights(sums: RiskSums, events: Integers, ties: Ties) -> TieWeights:
    """Return the sums; a slot without events (at this node) has none."""
    there = events > 0
    size = len(events)
    if ties == "breslow":
        phi = np.where(there, sums.s0, 1.0)
        zero = np.zeros(size)
        number = events.astype(np.float64)
        return TieWeights(number / phi, zero, number / (phi * phi), zero, zero, number * np.log(phi))
    at = np.repeat(np.arange(size), events)
    begin = np.cumsum(events) - events
    share = (np.arange(len(at)) - begin[at]) / events[at]
    phi = sums.s0[at] - share * sums.t0[at]
    one = 1.0 / phi
    part, square = share * one, one * one
    summed = (one, part, square, part * one, part * part, np.log(phi))
    return TieWeights(*(np.bincount(at, values, size).astype(np.float64) for values in summed))


def event_means(sums: RiskSums, weights: TieWeights) -> Array:
    """Return the sum over the events at each slot of the mean covariates of whom it might have hit."""
    return np.asarray(sums.s1 * weights.inverse[:, None] - sums.t1 * weights.share[:, None], dtype=np.float64)


def outer_means(sums: RiskSums, weights: TieWeights) -> Array:
    """Return the sum over all events of the outer products of those means, shape ``(p, p)``."""
    size = sums.s1.shape[1]
    out = np.zeros((size, size))
    for j in range(size):
        left = sums.s1[:, j] * weights.inverse2 - sums.t1[:, j] * weights.cross2
        right = sums.t1[:, j] * weights.share2 - sums.s1[:, j] * weights.cross2
        terms = sums.s1 * left[:, None] + sums.t1 * right[:, None]
        out[j] = np.cumsum(terms, axis=0)[-1]
    return np.asarray((out + out.T) / 2.0, dtype=np.float64)
