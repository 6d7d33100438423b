"""Concordance of predicted risk and time, from counts over event times and bins of the risk score.

Bins are cut at quantiles of the linear predictor, which three rounds of counts under public thresholds find; each holds
the minimum count. Pairs within one bin count as tied. The true index lies within half their share of the one given.
With a baseline per institution pairs are those within one institution, and only their numbers are summed.
Source: Harrell and others (1996), Statistics in Medicine 15(4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sealane.computations.base import Cohort, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.statistics.counted import check_cumulated
from sealane.computations.survival.risk_sets import Array, RiskSets
from sealane.computations.survival.settling import MAXIMUM_ENTRIES, Integers

MOST_BINS = 64
SPREADS = 4.0
"""Thresholds are looked for within so many times the sum of the absolute coefficients of standardised columns."""
PARTS = (64, 16, 16)
"""How many parts each round divides an interval into that holds a quantile."""


@dataclass(frozen=True, slots=True)
class Concordance:
    """Numbers of pairs of an event and a row at risk then."""

    correct: int
    tied: int
    pairs: int

    @property
    def index(self) -> float:
        """Share of pairs in which the higher risk goes first, tied ones by half."""
        return (self.correct + self.tied / 2) / self.pairs

    @property
    def error(self) -> float:
        """Most by which the index may be off, since pairs are tied by the bins."""
        return self.tied / self.pairs / 2


async def concordance(cohort: Cohort, own: RiskSets, beta: Array, rows: int, *, pooled: bool) -> Concordance | None:
    """Return the counts of pairs; None where there are too few rows for two bins, or no pairs.

    Args:
        cohort: of the run.
        own: rows.
        beta: agreed coefficients.
        rows: over the cohort.
        pooled: whether pairs are made over all institutions.
    """
    most = min(MOST_BINS, rows // (2 * cohort.minimum_count), MAXIMUM_ENTRIES // (2 * own.slots.size))
    if most < 2:
        return None
    score = own.x @ beta
    edges = await _edges(cohort, score, SPREADS * math.fsum(np.abs(beta).tolist()), most)
    bins = np.searchsorted(edges, score, side="left")
    events, others = _tables(own, bins, len(edges) + 1)
    if pooled:
        local = np.stack([events, others])
        events, others = (await cohort.sum({"table": count(local, MAXIMUM_ROWS)}))["table"]
        numbers = _pairs(events, others)
    else:
        bound = float(own.slots.total) * rows
        numbers = (await cohort.sum({"pairs": count(_pairs(events, others), bound)}))["pairs"].tolist()
    return Concordance(*numbers) if numbers[2] else None


async def _edges(cohort: Cohort, score: Array, span: float, most: int) -> Array:
    """Return thresholds between bins, none of which holds fewer rows than the minimum count."""
    ordered = np.sort(score)
    shares = np.arange(1, most) / most
    low, high = np.full(most - 1, -span), np.full(most - 1, span)
    for parts in PARTS:
        steps = low[:, None] + (high - low)[:, None] * (np.arange(parts + 1) / parts)[None, :]
        thresholds = np.unique(steps)
        under = [*np.searchsorted(ordered, thresholds, side="right").tolist(), len(score)]
        *total, rows = (await cohort.sum({"under": count(under, MAXIMUM_ROWS)}))["under"].tolist()
        check_cumulated(np.array(total), 0, rows)
        place = np.minimum(np.searchsorted(total, rows * shares, side="left"), len(thresholds) - 1)
        low, high = np.maximum(low, thresholds[np.maximum(place - 1, 0)]), np.minimum(high, thresholds[place])
    chosen: list[float] = []
    before = 0
    for at in np.unique(np.minimum(np.searchsorted(thresholds, high), len(thresholds) - 1)).tolist():
        if total[at] - before >= cohort.minimum_count and rows - total[at] >= cohort.minimum_count:
            chosen.append(float(thresholds[at]))
            before = total[at]
    return np.array(chosen)


def _tables(own: RiskSets, bins: Integers, number: int) -> tuple[Integers, Integers]:
    """Return events, and rows at risk that have none then, by slot and bin: ``(n_slots, n_bins)`` each."""
    size = own.slots.size
    shape = (size, number)

    def by_slot(at: Integers, chosen: Integers) -> Integers:
        return np.bincount(at * number + chosen, minlength=size * number).reshape(shape)

    events = by_slot(own.high[own.dead] - 1, bins[own.dead])
    at_risk = by_slot(own.high - 1, bins)
    at_risk -= by_slot(own.low[own.late] - 1, bins[own.late])
    for a, b in pairwise(own.slots.first):
        at_risk[a:b] = at_risk[a:b][::-1].cumsum(axis=0)[::-1]
    return events, at_risk - events


def _pairs(events: Integers, others: Integers) -> list[int]:
    """Return the numbers of correct, tied and all pairs."""
    lower = np.cumsum(others, axis=1) - others
    return [int((events * lower).sum()), int((events * others).sum()),
            int((events.sum(axis=1) * others.sum(axis=1)).sum())]
