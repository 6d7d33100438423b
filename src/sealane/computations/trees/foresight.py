"""Which sums are worth asking for before LightGBM does, so that many go into one round.

A leaf with a large gain is nearly always split. So when a round is needed anyway, it also carries what such leaves will
need: the verdict on their best split, or the histogram of its smaller child. What was foreseen wrongly is not used;
LightGBM decides, and what it asks for is then fetched. All of it follows from opened sums, so all nodes foresee alike.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sealane.computations.trees.calls import Split
from sealane.computations.trees.mirror import Mirror
from sealane.computations.trees.node import TreeNode, smaller_first
from sealane.computations.trees.permission import Verdict


@dataclass(slots=True)
class Wanted:
    """What the next round asks for, each at most once.

    Attributes:
        verdicts: nodes with a split of theirs.
        histograms: nodes.
    """

    verdicts: list[tuple[TreeNode, Split]] = field(default_factory=list)
    histograms: list[TreeNode] = field(default_factory=list)

    def want_verdict(self, node: TreeNode, split: Split) -> None:
        """Ask for a verdict, if it is not there."""
        known = {(id(other), one.key) for other, one in self.verdicts}
        if split.key not in node.verdicts and (id(node), split.key) not in known:
            self.verdicts.append((node, split))

    def want_histogram(self, node: TreeNode) -> None:
        """Ask for a histogram, if it is not there."""
        if node.histogram is None and all(other is not node for other in self.histograms):
            self.histograms.append(node)


def foresee(wanted: Wanted, mirror: Mirror, judged: Callable[[TreeNode, Split], Verdict | None],
            instead: Callable[[TreeNode], Split | None]) -> None:
    """Add what the leaves with the largest gains will need.

    The tree is grown on from what is known, leaf by leaf of largest gain. Up to half of the splits that are left then
    may be guesses: early in a tree nearly all guesses come true, late ones rarely.

    Args:
        wanted: is added to.
        mirror: the tree so far.
        judged: the verdict on a split, where it is known.
        instead: what takes the place of a foreseen split that is barred.
    """
    remaining = mirror.most - len(mirror.leaves)
    heap: list[tuple[float, int, TreeNode]] = []

    def push(leaves: Iterable[TreeNode]) -> None:
        for leaf in leaves:
            if leaf.best is not None:
                heapq.heappush(heap, (-leaf.best.gain, next(order), leaf))

    order = itertools.count()
    push(mirror.leaves)
    guesses = 0
    while heap and remaining > 0 and 2 * guesses < remaining:
        node = heapq.heappop(heap)[2]
        split = node.best
        assert split is not None
        verdict = judged(node, split)
        if verdict is None:
            wanted.want_verdict(node, split)
            guesses += 1
            continue
        if not verdict.permitted:  # and so only foreseen: LightGBM was told of no such split
            node.best = instead(node)
            push([node])
            continue
        remaining -= 1
        pair = node.children(split)
        if remaining == 0 or not mirror.searched(pair):
            continue
        small, large = smaller_first(pair)
        if small.histogram is None:
            wanted.want_histogram(small)
            guesses += 1
            continue
        push([small, large])
