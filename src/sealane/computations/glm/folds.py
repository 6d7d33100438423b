"""Folds of cross-validation: which of a node's rows sit out together, by a public rule on rows that nobody else sees.

A row's place at its node is mixed by SplitMix64 (Steele, Lea and Flood 2014, OOPSLA), rows are put in that order and
dealt out in turn, from another fold at each node, so that folds are of even size over the cohort.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.disclosure import effective_rows
from sealane.computations.glm.opening import open_sums, out_of_range
from sealane.computations.glm.working import Own
from sealane.computations.newton import Array
from sealane.errors import RefusedError


def memberships(rows: int, folds: int, place: int) -> NDArray[np.int64]:
    """Return the fold of each row, shape ``(rows,)``.

    Args:
        rows: that the node uses, in the order of its dataset.
        folds: how many.
        place: of the node in the cohort.
    """
    mixed = np.arange(1, rows + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    folded = np.empty(rows, dtype=np.int64)
    folded[np.argsort(mixed, kind="stable")] = (np.arange(rows) + place) % max(folds, 1)
    return folded


def deal(own: Own, folds: int, place: int) -> list[Own]:
    """Return a node's rows by fold; all in one where there are none."""
    if folds == 0:
        return [own]
    member = memberships(len(own.y), folds, place)

    def part(values: Array | None, fold: int) -> Array | None:
        return None if values is None else values[member == fold]

    return [Own(own.x[member == fold], own.y[member == fold], part(own.offset, fold), part(own.weights, fold))
            for fold in range(folds)]


async def weigh_folds(cohort: Cohort, dealt: list[Own]) -> Array:
    """Return the opened weight of each fold (rows, without weights) after holding each against the minimum count.

    Raises:
        RefusedError: ``glm.fold-too-small``.
    """
    opened = await cohort.sum({"rows": count([len(one.y) for one in dealt], MAXIMUM_ROWS)})
    _check(opened["rows"].tolist(), cohort.minimum_count)
    if dealt[0].weights is None:
        return opened["rows"].astype(np.float64)
    moments = np.array([[one.weights.sum(), one.weights @ one.weights] for one in dealt if one.weights is not None])
    weighed = await open_sums(cohort, {"moments": moments}, {"moments": moments.shape})
    if weighed.runaway:
        raise out_of_range("weights")
    totals = weighed.sums["moments"]
    _check([effective_rows(total, squares) for total, squares in totals.tolist()], cohort.minimum_count)
    return totals[:, 0].copy()


def _check(rows: list[float], minimum: int) -> None:
    if min(rows) < minimum:
        raise RefusedError("glm.fold-too-small", "a fold of the cross-validation has too few rows",
                           got=f"under {minimum} in one of {len(rows)} folds", expected=f"at least {minimum} in each",
                           hint="ask for fewer folds, or none: folds = 0")
