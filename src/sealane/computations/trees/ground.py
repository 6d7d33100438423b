"""What all trees of a run stand on, and what their sums came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort
from sealane.computations.trees.bins import Bins
from sealane.computations.trees.census import slots_for
from sealane.computations.trees.fixed_point import Grid
from sealane.computations.trees.parameters import TreeParameters
from sealane.computations.trees.permission import Rule
from sealane.computations.trees.table import Table


@dataclass(slots=True)
class Tally:
    """What the sums of trees came to, the same at every node.

    Attributes:
        rounds: sums.
        barred: splits that LightGBM chose and the rule did not permit.
        replaced: of these, how many gave way to a split on another feature.
        asked: verdicts that took part in a sum, because no census told them.
        unused: histograms that were opened and not asked for.
    """

    rounds: int = 0
    barred: int = 0
    replaced: int = 0
    asked: int = 0
    unused: int = 0


@dataclass(frozen=True, slots=True)
class Ground:
    """What all trees of a run stand on.

    Attributes:
        cohort: of the run.
        bins: of the useful features, in LightGBM's order.
        codes: own rows as numbers of bins, shape ``(n_rows, features)``: private.
        rule: that splits must pass.
        params: of the trees.
        used: rows of the cohort at most.
        weights: own weights, their grid and that of their squares, where rows are weighted.
        tally: is kept.
        starts: where each feature's bins begin.
        numbers: of bins of each feature.
        kinds: of features: 0 a number, 1 a number whose last bin holds missing values, -1 a category.
        size: of all features' bins together.
        table: own rows.
        counted: whether a census is opened with every histogram: not in a cohort whose numbers do not fit an entry.
    """

    cohort: Cohort
    bins: Sequence[Bins]
    codes: NDArray[np.uint8]
    rule: Rule
    params: TreeParameters
    used: int
    weights: tuple[NDArray[np.float64], Grid, Grid] | None
    tally: Tally
    starts: NDArray[np.int64] = field(init=False)
    numbers: NDArray[np.int64] = field(init=False)
    kinds: NDArray[np.int64] = field(init=False)
    size: int = field(init=False)
    table: Table = field(init=False)
    counted: bool = field(init=False)

    def __post_init__(self) -> None:
        numbers = np.array([one.number for one in self.bins], np.int64)
        missing = tuple(one.number - 1 if one.missing else None for one in self.bins)
        found = {"numbers": numbers, "starts": np.concatenate([[0], np.cumsum(numbers)[:-1]]).astype(np.int64),
                 "kinds": np.array([-1 if one.categorical else int(one.missing) for one in self.bins], np.int64),
                 "size": int(numbers.sum()), "table": Table(self.codes, missing),
                 "counted": slots_for([self.used], 4, self.cohort.size).fit}
        for name, value in found.items():
            object.__setattr__(self, name, value)
