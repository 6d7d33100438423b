"""Which sums are worth asking for before LightGBM does, so that many go into one round.

A leaf with a large gain is nearly always split. So when a round is needed anyway, it also carries what such leaves will
need: the histogram of the smaller child of their best split, or the verdict on it where no census tells that. What was
foreseen wrongly is not used; LightGBM decides, and what it asks for is then fetched. All of it follows from opened
sums, so all nodes foresee alike.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from sealane.computations.trees.calls import Split
from sealane.computations.trees.mirror import Mirror
from sealane.computations.trees.node import TreeNode, smaller_first
from sealane.computations.trees.permission import Verdict

SHARES = (0.7, 0.3)
"""What gain the two children of a split are taken to have, as shares of its own, while their histograms are not open.

With smaller shares more is asked for at once: fewer rounds, and more histograms in vain. Measured in
docs/adr/0034-verdicts-are-read-from-histograms.md.
"""


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


def foresee(wanted: Wanted, mirror: Mirror, look: Callable[[TreeNode], Split | None],
            judged: Callable[[TreeNode, Split], Verdict | None], instead: Callable[[TreeNode], Split | None]) -> None:
    """Add what the leaves will need that are split before the tree is full.

    The tree is grown on from what is known, leaf by leaf of largest gain. A leaf that nothing is known of is given a
    gain and takes its place among the others, so that what is left of the tree's leaves goes to those that get there.

    Args:
        wanted: is added to.
        mirror: the tree so far.
        look: for the best split of a node, where its histogram is open.
        judged: the verdict on a split, where it is known.
        instead: what takes the place of a foreseen split that is barred.
    """
    remaining = mirror.most - len(mirror.leaves)
    order = itertools.count()
    heap: list[tuple[float, int, TreeNode | None]] = []  # without a node: a leaf of which only its place is known

    def push(leaf: TreeNode) -> None:
        best = look(leaf)
        if best is not None:
            heapq.heappush(heap, (-best.gain, next(order), leaf))

    def push_unknown(gain: float) -> None:
        for share in SHARES:
            heapq.heappush(heap, (-gain * share, next(order), None))

    for leaf in mirror.leaves:
        push(leaf)
    for node in wanted.histograms:  # of a split that is made already
        assert node.parent is not None
        assert node.parent.best is not None
        push_unknown(node.parent.best.gain)
    while heap and remaining > 0:
        gain, _, likely = heapq.heappop(heap)
        if likely is None:
            remaining -= 1
            push_unknown(-gain)
            continue
        split = likely.best
        assert split is not None
        verdict = judged(likely, split)
        if verdict is not None and not verdict.permitted:  # and so only foreseen: LightGBM was told of no such split
            likely.best = instead(likely)
            push(likely)
            continue
        remaining -= 1
        if verdict is None:
            wanted.want_verdict(likely, split)
            push_unknown(-gain)
            continue
        pair = likely.children(split)
        if remaining == 0 or not mirror.searched(pair):
            continue
        small, large = smaller_first(pair)
        if small.histogram is None:
            wanted.want_histogram(small)
            push_unknown(-gain)
            continue
        push(small)
        push(large)
