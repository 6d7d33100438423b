"""Kaplan-Meier under differential privacy: every count per grid time carries noise, and the curve is made from those.

The grid is not merged, since what to merge would follow from exact counts: noise hides the small ones instead. Each row
is in one count only, so one noised sum is the whole price. Who misses a time is in no count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.promise import PromisedParameters, noise_of, promise_of, standard_error
from sealane.computations.survival.grid import FineGrid
from sealane.computations.survival.ladders import GroupCounts, Steps
from sealane.computations.survival.rows import LEFT
from sealane.computations.survival.settling import OwnRows, tally

Array = NDArray[np.float64]


async def count_privately(
    cohort: Cohort, own: OwnRows, fine: FineGrid, names: Sequence[str], kinds: int, params: PromisedParameters
) -> dict[str, Any]:
    """Open the noised counts: one sum; groups that are under the minimum count with their noise are hidden."""
    local = tally(own, kinds, range(len(names)), fine.size)[:-1]
    sigma = noise_of(params, cohort.honest, local.size)
    assert sigma is not None  # parameters hold a promise
    opened = (await cohort.sum({"counts": count(local, MAXIMUM_ROWS, noise=sigma)}))["counts"]
    totals = opened.sum(axis=(0, 2)).tolist()
    hidden = {name: "minimum-count" for name, total in zip(names, totals, strict=True) if total < cohort.minimum_count}
    groups = {name: {"events": opened[LEFT + 1, j].tolist(), "leavings": opened[LEFT, j].tolist()}
              for j, name in enumerate(names) if name not in hidden}
    return {"promise": promise_of(params, standard_error(sigma, cohort.honest, cohort.size)), "groups": groups,
            "hidden": hidden, "times": fine.times(np.arange(fine.size))}


def read_private(group: Mapping[str, Any], times: Array) -> GroupCounts:
    """Return counts that could be: rows at risk never rise, events never fall, and neither is under 0.

    Both are the nearest such by least squares. Source: Barlow and others (1972), Statistical Inference under Order
    Restrictions, section 1.2.
    """
    from scipy.optimize import isotonic_regression  # half a second that a node has no need of

    events, leavings = np.array(group["events"], dtype=np.float64), np.array(group["leavings"], dtype=np.float64)
    raw = (events + leavings)[::-1].cumsum()[::-1]
    at_risk = np.maximum(isotonic_regression(raw, increasing=False).x, 0.0)
    happened = np.diff(np.maximum(isotonic_regression(events.cumsum()).x, 0.0), prepend=0.0)
    happened = np.minimum(happened, at_risk)
    left = at_risk - np.append(at_risk[1:], 0.0) - happened
    nobody = Steps(np.zeros(0), np.zeros(0))
    return GroupCounts(float(at_risk[0]), Steps(times, happened), Steps(times, left), nobody)


def variance_of_noise(at_risk: Array, events: Array, error: float) -> Array:
    """Return the variance that the noise adds to the logarithm of survival at each time.

    By the delta method, each count's noise with deviation ``error``: an event at a time lowers all later values and
    like a leaving raises the rows at risk up to it.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        after = at_risk - events
        event = np.where(after > 0.0, 1.0 / after, np.inf)
        row = np.cumsum(np.where(events > 0.0, events / (at_risk * after), 0.0))
        past = np.cumsum((row - event) ** 2 + row**2)
        to_come = np.arange(len(at_risk) - 1, -1, -1)
        total = error * error * (past + np.where(to_come > 0, 2.0 * to_come * row**2, 0.0))
    return np.asarray(np.where(np.isnan(total), np.inf, total), dtype=np.float64)
