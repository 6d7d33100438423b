"""A quantile of each of several groups of rows over the cohort, by sums: the leaves of a quantile model.

Weights are summed in 64 cells over the public limits, then in 64 finer ones within the cell that holds the quantile,
and once more; within the last, 2^-18 of the limits wide, it is interpolated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort
from sealane.computations.trees.fixed_point import Grid
from sealane.errors import RefusedError

CELLS, TURNS = 64, 3

Array = NDArray[np.float64]


async def group_quantiles(
    cohort: Cohort, label: str, values: list[Array], weights: list[Array], mass: Grid, limits: tuple[float, float],
    share: float,
) -> list[float]:
    """Return a quantile of each group: 3 sums.

    Args:
        cohort: of the run.
        label: public name of the groups.
        values: own ones by group, within the limits.
        weights: of the values.
        mass: grid of sums of weights.
        limits: public, of all values.
        share: the quantile, between 0 and 1.

    Raises:
        RefusedError: a group has no row anywhere.
    """
    lows = np.full(len(values), limits[0])
    width = limits[1] - limits[0]
    inside = [np.ones(len(one), np.bool_) for one in values]
    wanted = np.zeros(len(values))
    for turn in range(TURNS):
        width /= CELLS
        places = [np.clip(np.floor((one - low) / width), 0, CELLS - 1).astype(np.int64)
                  for one, low in zip(values, lows.tolist(), strict=True)]
        cells = np.stack([np.bincount(place[within], weight[within], CELLS).astype(np.float64)
                          for place, weight, within in zip(places, weights, inside, strict=True)])
        name = f"{label} cells {turn}"
        opened = mass.values((await cohort.sum({name: mass.term(cells)}))[name])
        if turn == 0:
            if bool((opened.sum(axis=1) <= 0).any()):
                raise RefusedError("trees.constant-outcome", "there are no rows to learn from",
                                   expected="rows of weight above 0", hint="lower validation_fraction")
            wanted = share * opened.sum(axis=1)
        for group, row in enumerate(opened):
            risen = np.cumsum(row)
            place = min(int(np.searchsorted(risen, wanted[group], side="left")), CELLS - 1)
            wanted[group] -= risen[place] - row[place]
            lows[group] += place * width
            inside[group] &= places[group] == place
            if turn == TURNS - 1:
                lows[group] += width * min(max(float(wanted[group] / max(row[place], 1e-300)), 0.0), 1.0)
    return [float(low) for low in lows]
