"""Does a hazard ratio change with time? The test on scaled Schoenfeld residuals, from sums per event time.

With residuals r_k summed over the events at slot k, a function g of time and the inverse information V, the statistic
of coefficient j is (D Σ (g_k - ḡ) (r_k V)_j)² / (D V_jj Σ d_k (g_k - ḡ)²) for d_k events at slot k, D in all. It is
that of lifelines, and does not depend on the units of a covariate.
Source: Grambsch and Therneau (1994), Biometrika 81(3).

``rank`` gives the events of one time their middle rank; lifelines ranks them by the order of its rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sealane.computations.survival.risk_sets import Array, Slots
from sealane.computations.survival.settling import Group, Integers

TRANSFORMS = ("rank", "identity", "log", "km")


def transforms(slots: Slots, groups: Mapping[int, Group], resolution: float) -> dict[str, Array]:
    """Return each function of time at each slot, less its mean over the events and scaled to at most 1."""
    times = slots.places * resolution
    order = np.unique(slots.places)
    at = np.searchsorted(order, slots.places)
    events = np.bincount(at, slots.events, len(order)).astype(np.float64)
    ranks = np.cumsum(events) - (events - 1.0) / 2.0
    raw = {"rank": ranks[at], "identity": times, "km": 1.0 - _survival(order, events, groups)[at]}
    if bool((times > 0.0).all()):
        raw["log"] = np.log(times)
    out = {}
    for name in TRANSFORMS:
        if name in raw:
            centred = raw[name] - (raw[name] * slots.events).sum() / slots.total
            most = float(np.abs(centred).max())
            if most > 0.0:
                out[name] = centred / most
    return out


def statistics(functions: Mapping[str, Array], sums: Array, inverse: Array, slots: Slots) -> Array:
    """Return the statistic of each coefficient by each function, shape ``(n_functions, p)``.

    Args:
        functions: from :func:`transforms`.
        sums: Σ (g_k - ḡ) r_k for each of them, shape ``(n_functions, p)``.
        inverse: inverse information.
        slots: of the cohort.
    """
    total = float(slots.total)
    spread = np.array([(slots.events * one * one).sum() for one in functions.values()])
    scaled = total * (sums[:, :, None] * inverse[None, :, :]).sum(axis=1)
    return np.asarray(scaled * scaled / (total * np.diag(inverse)[None, :] * spread[:, None]), dtype=np.float64)


def _survival(order: Integers, events: Array, groups: Mapping[int, Group]) -> Array:
    """Return Kaplan-Meier's estimate over all strata at event times, late entries taken as there from the beginning."""
    rows = sum(group.rows for group in groups.values())
    left = sum((group.leavings.before(order) for group in groups.values()), start=np.zeros(len(order), dtype=np.int64))
    at_risk = rows - left - (np.cumsum(events) - events)
    return np.asarray(np.cumprod(1.0 - events / at_risk), dtype=np.float64)
