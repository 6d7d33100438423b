"""The secure quantile agreement: public edges so that every bin holds the minimum count of rows over the cohort.

Rows are counted in cells of a public grid over the contract's range; cells that hold more than a part of a bin are
counted again in finer cells. So the edges are quantiles of the cohort to within a cell, and no value is ever sent. A
cell that stays full may hold one value many times: the decimal with the fewest digits gets a cell of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort
from sealane.computations.statistics.grid import equal_cells, follow
from sealane.computations.trees.rows import Feature

CELLS, FULL = 512, 0.25
"""Cells of the first grid, and from what part of a bin's share one is full."""
USUAL = 5
"""After how many sums single values are looked for."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of one feature, numbered as LightGBM numbers them.

    Of a number: bin k holds values above ``edges[k - 1]`` and up to ``edges[k]``; missing ones are a last bin if
    ``missing``. Of a category: bin 0 holds all that is not told apart, bin k + 1 the level at ``levels[k]``.
    """

    feature: Feature
    edges: tuple[float, ...] = ()
    levels: tuple[int, ...] = ()
    missing: bool = False

    @property
    def categorical(self) -> bool:
        """Whether the feature is a category."""
        return bool(self.feature.levels)

    @property
    def number(self) -> int:
        """How many bins there are."""
        return len(self.levels) + 1 if self.categorical else len(self.edges) + 1 + self.missing

    @property
    def useful(self) -> bool:
        """Whether there is anything to split."""
        return self.number > 1

    def codes(self, values: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Return the bin of each value, shape ``(n_rows,)``."""
        if self.categorical:
            table = np.zeros(len(self.feature.levels) + 1, np.uint8)
            table[list(self.levels)] = np.arange(1, len(self.levels) + 1)
            # Missing is -1: the last place of the table, which holds 0.
            return np.asarray(table[values.astype(np.int64, copy=False)], np.uint8)
        from sealane.computations.trees.kernels import number_bins  # numba takes a while to load

        numbers = np.require(values, np.float64, ["C", "W"])
        out = np.empty(len(numbers), np.uint8)
        number_bins(numbers, np.array(self.edges, np.float64), self.number - 1, out)
        return out


async def agree_on_bins(
    cohort: Cohort, features: tuple[Feature, ...], own: dict[str, NDArray[np.generic]], used: int,
    missing: dict[str, int], levels: dict[str, tuple[int, ...]], most: int,
) -> tuple[Bins, ...]:
    """Return the bins of every feature: 1 to 12 sums, up to 6 where the contract's range is not far too wide.

    Args:
        cohort: of the run.
        features: of the model.
        own: values of own rows that the model uses, by name.
        used: how many rows that is over the cohort.
        missing: in how many of them a feature is missing.
        levels: of the categories, those told apart.
        most: most bins of a feature.
    """
    grids = {f.name: equal_cells(f.low, f.high, CELLS, whole=f.field.type != "number")
             for f in features if not f.levels and f.high > f.low}
    wanted = {name: most - bool(missing[name]) for name in grids}
    await follow(cohort, list(grids.values()), [np.sort(own[name].astype(np.float64)) for name in grids],
                 [FULL * (used - missing[name]) / wanted[name] for name in grids],
                 [used - missing[name] for name in grids], equal=USUAL)
    out = []
    for feature in features:
        if feature.levels:
            out.append(Bins(feature, levels=levels[feature.name]))
        elif feature.name not in grids:
            out.append(Bins(feature, missing=missing[feature.name] > 0))
        else:
            one = grids[feature.name]
            edges = _edges(one.tops, one.counts, wanted[feature.name], cohort.minimum_count)
            out.append(Bins(feature, edges, missing=missing[feature.name] > 0))
    return tuple(out)


def _edges(tops: Array, counts: NDArray[np.int64], most: int, least: int) -> tuple[float, ...]:
    """Close a bin as soon as it holds its share of what is left; each holds at least ``least`` rows."""
    from sealane.computations.trees.bin_kernels import close_bins  # numba takes a while to load

    closed = np.empty(len(counts), np.bool_)
    close_bins(counts, most, least, closed)
    return tuple(tops[closed].tolist())
