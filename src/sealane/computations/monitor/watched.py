"""What is watched: the score and features, cut into bins by a reference, and each row's cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.base import Cohort
from sealane.computations.columns import limits
from sealane.computations.metrics.scores import Scale, scores_of
from sealane.computations.monitor.parameters import SCORE, DriftParameters
from sealane.computations.scorecard.features import Feature, quantile_edges
from sealane.computations.statistics.axes import known_levels
from sealane.computations.statistics.moments import Sample
from sealane.errors import InputError
from sealane.governance.contract import Contract

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Watched:
    """One of what is watched, and a node's own values.

    Attributes:
        name: of the column, or ``score``.
        levels: of a category.
        low: smallest value of a number.
        high: largest value.
        whole: whether it is an integer.
        values: own ones, places of levels for a category, NaN where missing. Private.
    """

    name: str
    levels: tuple[str, ...]
    low: float
    high: float
    whole: bool
    values: Array

    def cells(self, edges: tuple[float, ...]) -> int:
        """Return how many cells there are, missing included."""
        return (len(self.levels) or len(edges) + 1) + 1

    def places(self, edges: tuple[float, ...]) -> NDArray[np.int64]:
        """Return each row's cell, the last if missing. Private."""
        missing = np.isnan(self.values)
        known = np.where(missing, 0.0, self.values)
        found = known.astype(np.int64) if self.levels else np.searchsorted(edges, known, side="left")
        return np.where(missing, self.cells(edges) - 1, found).astype(np.int64)


def read_watched(
    frame: pd.DataFrame, contract: Contract, params: DriftParameters, scale: Scale | None
) -> list[Watched]:
    """Read the score and features.

    Raises:
        InputError: a column that cannot be watched, a reference that does not fit it, or rows outside the contract.
    """
    out = []
    if scale is not None:
        out.append(Watched(SCORE, (), scale.low, scale.high, False, scores_of(frame, contract, params)))
    for name in params.features:
        field = contract.field(name)
        if field.type in ("date", "text"):
            raise InputError("drift.column-type", f"column {name!r} cannot be watched", got=field.type,
                             expected="number, integer, boolean or category")
        feature = Feature(field, known_levels(field))
        low, high = (0.0, 0.0) if feature.levels else limits(field)
        out.append(Watched(name, feature.levels, low, high, field.type == "integer", feature.read(frame[name])))
    for one in out:
        given = params.reference.get(one.name)
        if given is not None and ((given.edges is None) != bool(one.levels)
                                  or (one.levels and len(given.shares) != len(one.levels))):
            raise InputError("drift.reference-shape", f"the reference of {one.name!r} does not fit it",
                             got=f"{len(given.shares)} shares", expected="edges and shares of a number, or a share "
                             "for every level")
    return out


async def edges_of(
    cohort: Cohort, watched: list[Watched], first: NDArray[np.bool_], known: list[int], params: DriftParameters
) -> list[tuple[float, ...]]:
    """Return the edges of each number: those of its reference, or quantiles of the first period's rows.

    Args:
        cohort: of the run.
        watched: what is.
        first: which own rows are of the first period. Private.
        known: rows over the cohort of the first period in which each is known.
        params: of the study.
    """
    out: list[tuple[float, ...]] = [
        (params.reference[one.name].edges or ()) if one.name in params.reference else () for one in watched]
    searched = [k for k, one in enumerate(watched) if not one.levels and one.name not in params.reference and known[k]]
    # A model may give scores beyond the range of its bins: for the search they lie at its end.
    samples = [Sample(np.clip(watched[k].values[first & ~np.isnan(watched[k].values)], watched[k].low, watched[k].high),
                      known[k], watched[k].low, watched[k].high) for k in searched]
    found = await quantile_edges(cohort, samples, [watched[k].whole for k in searched], params.bins, params.resolution)
    for k, edges in zip(searched, found, strict=True):
        out[k] = edges
    return out
