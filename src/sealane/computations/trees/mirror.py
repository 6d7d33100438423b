"""LightGBM's choice of the next leaf, made again: which node it asks about, and which rows each leaf has at the end.

Source: LightGBM 4, serial_tree_learner.cpp, Train and BeforeFindBestSplit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sealane.computations.trees.calls import Split
from sealane.computations.trees.node import TreeNode, smaller_first
from sealane.errors import ProtocolError


@dataclass(frozen=True, slots=True)
class Step:
    """A split that was made, of the leaf of this number; the right child becomes a new leaf."""

    leaf: int
    split: Split


@dataclass(slots=True)
class Mirror:
    """The tree under way.

    Attributes:
        leaves: by LightGBM's numbers.
        most: leaves at most.
        depth: splits above a leaf at most; -1 where there is no limit.
        fewest: rows of a leaf at least.
        made: the splits so far, in order.
    """

    leaves: list[TreeNode]
    most: int
    depth: int
    fewest: int
    made: list[Step] = field(default_factory=list)

    def searched(self, pair: tuple[TreeNode, TreeNode]) -> bool:
        """Return whether LightGBM looks for splits of two new leaves."""
        if 0 < self.depth <= pair[0].depth:
            return False
        return max(pair[0].total, pair[1].total) >= 2 * self.fewest

    def next_pair(self) -> tuple[TreeNode, TreeNode]:
        """Make splits until LightGBM asks about two new leaves, and return them, the smaller first.

        Raises:
            ProtocolError: by this count it would not ask.
        """
        while len(self.leaves) < self.most:
            pair = self._split()
            if pair is None:
                break
            if len(self.leaves) < self.most and self.searched(pair):
                return smaller_first(pair)
        raise differs("a leaf that does not exist")

    def finish(self) -> None:
        """Make the splits about which LightGBM did not ask any more.

        Raises:
            ProtocolError: by this count it would have asked.
        """
        while len(self.leaves) < self.most:
            pair = self._split()
            if pair is None:
                return
            if len(self.leaves) < self.most and self.searched(pair):
                raise differs("nothing")

    def _split(self) -> tuple[TreeNode, TreeNode] | None:
        place = max(range(len(self.leaves)), key=lambda place: _order(self.leaves[place]))
        split = self.leaves[place].best
        if split is None or not self.leaves[place].known:
            return None
        left, right = self.leaves[place].children(split)
        self.leaves[place] = left
        self.leaves.append(right)
        self.made.append(Step(place, split))
        return left, right


def differs(what: str) -> ProtocolError:
    """Return the refusal of a tree that LightGBM grows in another way than was followed."""
    return ProtocolError("trees.other-tree", "LightGBM grows another tree than was followed", got=what,
                         hint="install a version of LightGBM that docs/trees.md names")


def _order(leaf: TreeNode) -> tuple[float, int]:
    """LightGBM's order of splits: the gain, and for equal ones the smaller feature."""
    if leaf.best is None or not leaf.known:
        return float("-inf"), -(1 << 31)
    return leaf.best.gain, -leaf.best.feature
