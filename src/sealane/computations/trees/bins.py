"""The secure quantile agreement: public edges so that every bin holds the minimum count of rows over the cohort.

Rows are counted in cells of a public grid over the contract's range; cells that hold more than a part of a bin are
counted again in finer cells. So the edges are quantiles of the cohort to within a cell, and no value is ever sent. A
cell that stays full may hold one value many times: the decimal with the fewest digits gets a cell of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.statistics.quantile_search import shortest
from sealane.computations.trees.rows import Feature

CELLS, FINER, FULL = 512, 16, 0.25
"""Cells of the first grid, into how many a full one is divided, and from what part of a bin's share it is full."""
TURNS, USUAL = 12, 5
"""At most so many sums: the finest cell is then 2^-53 of the range; and after how many single values are looked for."""

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


@dataclass(slots=True)
class _Cells:
    """Cells of one feature while they are counted: a value up to ``tops[k]`` and above the one before is in cell k."""

    tops: Array
    counts: NDArray[np.int64]
    fresh: NDArray[np.int64]
    """Places of the cells that have not been counted."""


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
    cells = {f.name: _first_cells(f) for f in features if not f.levels and f.high > f.low}
    wanted = {name: most - bool(missing[name]) for name in cells}
    ordered = {name: np.sort(own[name].astype(np.float64)) for name in cells}  # with missing values behind all others
    for turn in range(TURNS):
        if turn:
            for feature in features:
                if feature.name in cells:
                    target = FULL * (used - missing[feature.name]) / wanted[feature.name]
                    single = turn >= USUAL
                    _refine(cells[feature.name], feature, max(target, cohort.minimum_count * single), single)
        asking = {name: one for name, one in cells.items() if len(one.fresh)}
        if not asking:
            break
        total = await cohort.sum({f"cells {name}": count(_counted(one, ordered[name]), max(used, 1))
                                  for name, one in asking.items()})
        for name, one in asking.items():
            one.counts[one.fresh] = total[f"cells {name}"]
    out = []
    for feature in features:
        if feature.levels:
            out.append(Bins(feature, levels=levels[feature.name]))
        elif feature.name not in cells:
            out.append(Bins(feature, missing=missing[feature.name] > 0))
        else:
            one = cells[feature.name]
            edges = _edges(one.tops, one.counts, wanted[feature.name], cohort.minimum_count)
            out.append(Bins(feature, edges, missing=missing[feature.name] > 0))
    return tuple(out)


def _first_cells(feature: Feature) -> _Cells:
    low, high = feature.low, feature.high
    if feature.field.type != "number":
        steps = max(1, -(-int(high - low + 1) // CELLS))
        tops = np.arange(int(low), int(high), steps, dtype=np.float64) + (steps - 1) + 0.5
        tops = tops[tops < high]
    else:
        tops = low + (high - low) * (np.arange(1, CELLS) / CELLS)
        tops = np.unique(tops[(tops > low) & (tops < high)])
    cells = len(tops) + 1
    return _Cells(np.append(tops, np.inf), np.zeros(cells, np.int64), np.arange(cells))


def _counted(cells: _Cells, ordered: Array) -> NDArray[np.int64]:
    return np.asarray(np.diff(np.searchsorted(ordered, cells.tops, side="right"), prepend=0)[cells.fresh], np.int64)


def _refine(cells: _Cells, feature: Feature, target: float, single: bool = False) -> None:
    """Divide the cells that hold more than ``target``, maybe of a ``single`` value; what is counted already stays."""
    full = np.flatnonzero(cells.counts > target)
    first = float(np.nextafter(feature.low, -np.inf)) if single else feature.low  # which may be the single value
    lows = np.append(first, cells.tops)[full]
    highs = np.minimum(cells.tops[full], feature.high)
    cuts = lows[:, None] + (highs - lows)[:, None] * (np.arange(1, FINER) / FINER)
    if feature.field.type != "number":
        cuts = np.floor(cuts) + 0.5
    elif single:
        short = np.array([shortest(low, high) for low, high in zip(lows.tolist(), highs.tolist(), strict=True)])
        cuts = np.sort(np.column_stack([cuts, np.nextafter(short, -np.inf), short]))
    inside = (lows[:, None] < cuts) & (cuts < highs[:, None])
    inside[:, 1:] &= cuts[:, 1:] != cuts[:, :-1]
    numbers = inside.sum(axis=1)
    places, new = np.repeat(full, numbers), cuts[inside]
    divided = full[numbers > 0]
    counts, fresh = cells.counts.copy(), np.zeros(len(cells.counts), np.bool_)
    counts[divided], fresh[divided] = 0, True
    cells.tops, cells.counts = np.insert(cells.tops, places, new), np.insert(counts, places, 0)
    cells.fresh = np.flatnonzero(np.insert(fresh, places, np.ones(len(new), np.bool_)))


def _edges(tops: Array, counts: NDArray[np.int64], most: int, least: int) -> tuple[float, ...]:
    """Close a bin as soon as it holds its share of what is left; each holds at least ``least`` rows."""
    from sealane.computations.trees.bin_kernels import close_bins  # numba takes a while to load

    closed = np.empty(len(counts), np.bool_)
    close_bins(counts, most, least, closed)
    return tuple(tops[closed].tolist())
