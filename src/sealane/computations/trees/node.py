"""A node of a tree under way: which own rows lie in it, and what the cohort has opened of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sealane.computations.trees.calls import Split
from sealane.computations.trees.census import Census
from sealane.computations.trees.permission import Verdict
from sealane.computations.trees.table import Rows, Table

Key = tuple[int, int, bool, tuple[int, ...]]


@dataclass(slots=True, eq=False)
class TreeNode:
    """One node.

    Attributes:
        rows: own rows in it: private.
        total: rows of the cohort in it.
        depth: splits above it.
        table: all own rows.
        name: public, of the splits above it: 16 bytes.
        histogram: opened sums in steps of the grids, ``(bins, 2)``; None while they are not open.
        steps: Σg and Σh of the node, in steps.
        sums: the same in units.
        census: opened along with it, where the run opens it.
        counts: own rows by bin, where its sums are asked for also those of its sibling: ``(1 or 2, bins)``, private.
        best: its best split: LightGBM's once that is ``known``, until then what is foreseen.
        known: whether LightGBM has searched it.
        searched: whether it was searched here, to foresee what LightGBM will find.
        verdicts: of splits, opened or read off.
        parent: the node above.
        sibling: the other child of the same split.
    """

    rows: Rows
    total: int
    depth: int
    table: Table
    name: bytes = b"root"
    histogram: NDArray[np.int64] | None = None
    steps: tuple[int, int] = (0, 0)
    sums: tuple[float, float] = (0.0, 0.0)
    census: Census | None = None
    counts: NDArray[np.int32] | None = None
    best: Split | None = None
    known: bool = False
    searched: bool = False
    verdicts: dict[Key, Verdict] = field(default_factory=dict)
    parent: TreeNode | None = None
    sibling: TreeNode | None = None
    _parts: dict[Key, tuple[Rows, Rows]] = field(default_factory=dict)
    _children: dict[Key, tuple[TreeNode, TreeNode]] = field(default_factory=dict)

    def parts(self, split: Split) -> tuple[Rows, Rows]:
        """Return own rows that go left and right."""
        found = self._parts.get(split.key)
        if found is None:
            found = self._parts[split.key] = self.table.parts(self.rows, split)
        return found

    def children(self, split: Split) -> tuple[TreeNode, TreeNode]:
        """Return the children of a split whose verdict is there, left and right."""
        found = self._children.get(split.key)
        if found is None:
            verdict = self.verdicts[split.key]
            left, right = (
                TreeNode(rows, total, self.depth + 1, self.table, _name(self.name, split.key, side), parent=self)
                for side, rows, total in zip((0, 1), self.parts(split), (verdict.left_rows, verdict.right_rows),
                                             strict=True))
            left.sibling, right.sibling = right, left
            found = self._children[split.key] = left, right
        return found


    def let_go(self) -> None:
        """Forget the nodes around it and below: what they hold is free at once, not when cycles are next looked for."""
        for pair in self._children.values():
            for child in pair:
                child.let_go()
        self._children.clear()
        self.parent = self.sibling = None


def smaller_first(pair: tuple[TreeNode, TreeNode]) -> tuple[TreeNode, TreeNode]:
    """Return two children in LightGBM's order: the one with fewer rows, the right one where they are equal."""
    left, right = pair
    return (left, right) if left.total < right.total else (right, left)


def _name(above: bytes, key: Key, side: int) -> bytes:
    return hashlib.sha256(above + repr((key, side)).encode()).digest()[:16]
