"""The best splits by numbers of an opened histogram, found as LightGBM finds them: what it will ask, and what it could.

LightGBM searches for itself. This search foresees its choice, and finds another split where the rule bars that one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sealane.computations.trees.calls import Split
from sealane.computations.trees.fixed_point import Grid
from sealane.computations.trees.ground import Ground
from sealane.computations.trees.node import Key, TreeNode

EMPHASES = (1.0, 1.25, 1.6, 2.2)
"""By what the fewest rows are multiplied to find splits in place of a barred one.

LightGBM estimates rows by hessians; so splits that leave more rows by that estimate are tried too.
"""
EPSILON = 1e-15
"""LightGBM's kEpsilon: what a side's hessian begins with."""


class Search:
    """Of one tree's nodes.

    Args:
        ground: what the tree stands on.
        grids: of its sums.
        features: places of the features that it may use.
    """

    def __init__(self, ground: Ground, grids: tuple[Grid, Grid], features: tuple[int, ...]) -> None:
        self._ground = ground
        self._units = 1.0 / np.array([grid.scale for grid in grids])  # exact, for scales are powers of two
        self._kinds = np.full(len(ground.bins), -1, np.int64)
        self._kinds[list(features)] = ground.kinds[list(features)]

    def best(self, node: TreeNode) -> Split | None:
        """Return the split that LightGBM will choose, if that is by a number."""
        each = self._each(node, self._ground.rule.rows)
        place = int(np.argmax(each[:, 0]))
        return self._split(node, each, place) if np.isfinite(each[place, 0]) else None

    def alternatives(self, node: TreeNode) -> Iterator[Split]:
        """Yield splits of any number's that LightGBM would make in the same way, the best first."""
        params = self._ground.params
        if any(params.monotone_constraints.values()) or params.max_delta_step or params.path_smooth:
            return
        each = np.vstack([self._each(node, factor * self._ground.rule.rows) for factor in EMPHASES])
        features = np.tile(np.arange(len(self._kinds)), len(EMPHASES))
        yielded: set[Key] = set()
        for place in np.lexsort((each[:, 1], features, -each[:, 0]))[: np.isfinite(each[:, 0]).sum()]:
            split = self._split(node, each, place)
            if split.key not in yielded:
                yielded.add(split.key)
                yield split

    def _each(self, node: TreeNode, fewest: float) -> NDArray[np.float64]:
        """Return the best split of each number: gain, threshold, default left, Σg and Σh of the left."""
        from sealane.computations.trees.bin_kernels import best_splits  # numba takes a while to load

        ground, params = self._ground, self._ground.params
        facts = np.array([node.total, *node.sums, fewest, params.min_sum_hessian_in_leaf, params.lambda_l1,
                          params.lambda_l2, params.min_gain_to_split])
        each = np.empty((len(ground.bins), 5))
        best_splits(node.histogram, ground.starts, ground.numbers, self._kinds, self._units, facts, each)
        return each

    def _split(self, node: TreeNode, each: NDArray[np.float64], place: int) -> Split:
        gain, threshold, left, g, h = each[place].tolist()
        right_g, right_h = node.sums[0] - g, node.sums[1] + 2 * EPSILON - h
        numbers = (self._output(g, h), self._output(right_g, right_h), g, h - EPSILON, right_g, right_h - EPSILON)
        return Split(int(place) % len(self._kinds) + 1, 0, 0, gain, int(threshold), numbers, bool(left), 0)

    def _output(self, g: float, h: float) -> float:
        params = self._ground.params
        return -math.copysign(max(abs(g) - params.lambda_l1, 0.0), g) / (h + params.lambda_l2)
