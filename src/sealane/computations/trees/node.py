"""A node of a tree under way: which own rows lie in it, and what the cohort has opened of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sealane.computations.trees.calls import Split
from sealane.computations.trees.permission import Verdict

Key = tuple[int, int, bool, tuple[int, ...]]
Rows = NDArray[np.int32]


@dataclass(slots=True, eq=False)
class TreeNode:
    """One node.

    Attributes:
        rows: own rows in it: private.
        total: rows of the cohort in it.
        depth: splits above it.
        histogram: opened sums in steps of the grids, ``(bins, 2)``; None while they are not open.
        best: its best split: LightGBM's once that is ``known``, until then what is foreseen.
        known: whether LightGBM has searched it.
        verdicts: what was opened of splits.
        parent: the node above.
        sibling: the other child of the same split.
    """

    rows: Rows
    total: int
    depth: int
    histogram: NDArray[np.int64] | None = None
    best: Split | None = None
    known: bool = False
    verdicts: dict[Key, Verdict] = field(default_factory=dict)
    parent: TreeNode | None = None
    sibling: TreeNode | None = None
    _parts: dict[Key, tuple[Rows, Rows]] = field(default_factory=dict)
    _children: dict[Key, tuple[TreeNode, TreeNode]] = field(default_factory=dict)

    def parts(self, split: Split, codes: NDArray[np.uint8], last: int | None) -> tuple[Rows, Rows]:
        """Return own rows that go left and right; ``last`` is the bin of missing values of a number, if it has one."""
        found = self._parts.get(split.key)
        if found is None:
            left = goes_left(codes[self.rows, split.feature - 1], split, last)
            found = self._parts[split.key] = (self.rows[left], self.rows[~left])
        return found

    def children(self, split: Split) -> tuple[TreeNode, TreeNode]:
        """Return the children of a split whose verdict and parts are there, left and right."""
        found = self._children.get(split.key)
        if found is None:
            verdict, (left, right) = self.verdicts[split.key], self._parts[split.key]
            found = self._children[split.key] = (
                TreeNode(left, verdict.left_rows, self.depth + 1, parent=self),
                TreeNode(right, verdict.right_rows, self.depth + 1, parent=self))
            found[0].sibling, found[1].sibling = found[1], found[0]
        return found


def smaller_first(pair: tuple[TreeNode, TreeNode]) -> tuple[TreeNode, TreeNode]:
    """Return two children in LightGBM's order: the one with fewer rows, the right one where they are equal."""
    left, right = pair
    return (left, right) if left.total < right.total else (right, left)


def goes_left(column: NDArray[np.uint8], split: Split, last: int | None) -> NDArray[np.bool_]:
    """Return which bins of the split's feature go left; ``last`` as for :meth:`TreeNode.parts`."""
    if split.levels:
        return np.isin(column, split.levels)
    left = np.asarray(column <= split.threshold, np.bool_)
    return left if last is None else np.where(column == last, split.default_left, left)
