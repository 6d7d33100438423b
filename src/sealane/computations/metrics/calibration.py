"""Whether probabilities are as they say: recalibration, Brier's score and mean predictions, from shown counts alone.

A sum over the scores of a model that the analyst chose is an equation in the rows of its smallest leaf. So nothing is
summed here: every row counts as lying in the middle of its atom, or of the one bin in it that is full by itself, its
outcome as likely as that of the rows between its two cuts, and what that can be off is told. All follows from
:class:`.curves.Cuts`.

Source: Cox (1958), Biometrika 45:562-565, for slope and intercept of a logistic regression on the logit; Brier (1950),
Mon. Weather Rev. 78:1-3.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort
from sealane.computations.metrics.curves import Cuts

Array = NDArray[np.float64]
NEAREST = 1e-6
"""Probabilities nearer to 0 or 1 count as this near, in the fit alone: the public bound of a logit."""
_STEPS, _TOLERANCE = 100, 1e-12


async def calibrate(cohort: Cohort, cuts: Cuts, edges: tuple[float, ...], chosen: list[int]) -> dict[str, Any]:
    """Return Brier's score, the mean prediction of all rows and of bands, and slope and intercept, with their errors.

    Args:
        cohort: of the run.
        cuts: of the histogram of a probability, highest first.
        edges: of its bins.
        chosen: places in the list of cuts where bands end.
    """
    ends = np.array([1.0, *edges, 0.0])
    tops, bottoms = ends[cuts.atoms[:-1]], ends[cuts.atoms[1:]]
    rows = np.diff(cuts.rows).astype(np.float64)
    middles = np.array([(top + bottom) / 2.0 if k is None else (ends[k] + ends[k + 1]) / 2.0
                        for top, bottom, k in zip(tops, bottoms, cuts.full, strict=True)])
    off = np.maximum(tops - middles, middles - bottoms)
    at = np.searchsorted(cuts.places, cuts.atoms[1:]) - 1  # between which two cuts an atom lies
    events, others = np.diff(cuts.events).astype(np.float64), np.diff(cuts.others).astype(np.float64)
    highs, lows = ends[cuts.places[:-1]], ends[cuts.places[1:]]
    total = cuts.rows[-1]
    share = (events / (events + others))[at]
    brier = math.fsum(rows * (share * (1.0 - middles) ** 2 + (1.0 - share) * middles**2)) / total
    least = math.fsum(events * (1.0 - highs) ** 2 + others * lows**2) / total
    most = math.fsum(events * (1.0 - lows) ** 2 + others * highs**2) / total
    inside = [(rows[part], middles[part], off[part])
              for part in (np.isin(at, range(a, b)) for a, b in pairwise(chosen))]
    out: dict[str, Any] = {
        "brier": brier, "brier_error": max(most - brier, brier - least, 0.0),
        "mean": math.fsum(rows * middles) / total, "mean_error": math.fsum(rows * off) / total,
        "bands": [{"mean": math.fsum(n * middle) / n.sum(), "error": math.fsum(n * far) / n.sum()}
                  for n, middle, far in inside],
        "intercept": None, "slope": None, "errors": None, "moved": None, "refused": _refused(events, others)}
    if out["refused"] is not None:
        return out
    logits = np.bincount(at, weights=rows * _logit(middles)) / np.bincount(at, weights=rows)
    reach = np.maximum(_logit(highs) - logits, logits - _logit(lows))
    settled = (await cohort.agree(_fit(logits, events, others, reach))).tolist()
    return out | {"intercept": settled[0], "slope": settled[1], "errors": settled[2:4], "moved": settled[4:]}


def _logit(probability: Array) -> Array:
    held = np.clip(probability, NEAREST, 1.0 - NEAREST)
    return np.asarray(np.log(held / (1.0 - held)), np.float64)


def _refused(events: Array, others: Array) -> str | None:
    """Return why no slope is finite, a rule over whole numbers: so at every node alike."""
    with_events, without = np.flatnonzero(events), np.flatnonzero(others)
    if len(events) == 1:
        return "model.collinear"
    apart = with_events[-1] <= without[0] or without[-1] <= with_events[0]
    return "model.separation" if apart else None


def _fit(x: Array, events: Array, others: Array, reach: Array) -> Array:
    """Return intercept and slope, their standard errors, and what they move by, to first order, if each x is off by its
    reach the way that moves them most.

    Newton's steps, halved while the likelihood falls: it is concave, and its maximum exists where outcomes overlap.
    """
    design, rows = np.column_stack([np.ones_like(x), x]), events + others

    def likelihood(beta: Array) -> float:
        eta = design @ beta
        return math.fsum(events * eta - rows * np.logaddexp(0.0, eta))

    beta = np.array([0.0, 1.0])
    for _ in range(_STEPS):
        mean = 1.0 / (1.0 + np.exp(-(design @ beta)))
        weight = rows * mean * (1.0 - mean)
        inverse = np.linalg.inv(design.T @ (weight[:, None] * design))
        step, before = inverse @ (design.T @ (events - rows * mean)), likelihood(beta)
        size = 1.0
        while size > 1e-6 and likelihood(beta + size * step) < before - 1e-9 * abs(before):
            size /= 2.0
        beta = beta + size * step
        if float(np.abs(step).max()) < _TOLERANCE * max(1.0, float(np.abs(beta).max())):
            break
    pull = -beta[1] * mean * (1.0 - mean)
    moved = sum(np.abs(inverse @ np.stack([pull, x * pull + outcome - mean])) @ (number * reach)
                for outcome, number in ((1.0, events), (0.0, others)))
    return np.concatenate([beta, np.sqrt(np.diag(inverse)), moved])
