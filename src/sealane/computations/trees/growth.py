"""One tree: LightGBM's calls answered from sums over the cohort.

Its coroutines know no event loop: where they need a sum they stop with its terms, and go on with what was opened. So
they run in whatever thread carries them on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Coroutine, Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np

from sealane.computations.base import count
from sealane.computations.trees import calls
from sealane.computations.trees.calls import NOTHING, Call, RootSums, Split, Splits
from sealane.computations.trees.census import read_verdict
from sealane.computations.trees.fixed_point import Grid
from sealane.computations.trees.foresight import Wanted, foresee
from sealane.computations.trees.ground import Ground
from sealane.computations.trees.histograms import Histograms, Opened, Single, Terms
from sealane.computations.trees.mirror import Mirror, Step, differs
from sealane.computations.trees.node import TreeNode
from sealane.computations.trees.permission import Verdict, judge
from sealane.computations.trees.sampling import Sample
from sealane.computations.trees.search import Search
from sealane.computations.trees.table import Rows

ALTERNATIVES = 12
"""How many splits are tried in place of a barred one."""

R = TypeVar("R")
Answering = Coroutine[Terms, Opened | None, R]


@dataclass(frozen=True, slots=True)
class _Sum:
    """Stops a coroutine until its terms are summed."""

    terms: Terms

    def __await__(self) -> Generator[Terms, Opened, Opened]:
        return (yield self.terms)


class Growth:
    """A tree under way.

    Args:
        ground: what it stands on.
        label: public name of the tree.
        sample: rows that were drawn for it.
        first: own first derivatives.
        second: own second derivatives.
        grids: of their sums.
        features: places of the features that it may use.
    """

    def __init__(self, ground: Ground, label: str, sample: Sample, first: Single, second: Single,
                 grids: tuple[Grid, Grid], features: tuple[int, ...]) -> None:
        self._ground, self._label = ground, label
        self._digest = hashlib.sha256(label.encode())
        self._histograms = Histograms(ground, first, second, grids, features)
        self._search = Search(ground, grids, features)
        self._sample = sample
        self._root = TreeNode(sample.rows, sample.total, 0, ground.table, counts=sample.counts)
        self._mirror = Mirror([self._root], ground.params.num_leaves, ground.params.max_depth, ground.rule.rows)
        self._asked: tuple[TreeNode, TreeNode | None] = (self._root, None)
        self._fetched = self._used = 0

    async def root(self, call: RootSums, others: Terms) -> tuple[bytes, Opened]:
        """Answer the first call, and sum other terms along with it: one sum."""
        terms = {**others, **self._histograms.terms([self._root])}
        self._sample.counts = self._root.counts  # the next tree's too
        opened = await self._sum(terms)
        self._open([self._root], opened)
        return calls.answer_sums(call, self._root.total, *self._root.sums), opened

    def answer(self, call: Call) -> Answering[bytes]:
        """Answer any other call."""
        return self.splits(call) if isinstance(call, Splits) else self.histogram()

    async def histogram(self) -> bytes:
        """Answer with the histogram of the smaller of two new leaves: no sum where it was foreseen."""
        if self._mirror.leaves[0] is not self._root or self._root.known:
            small, large = self._asked = self._mirror.next_pair()
            if small.histogram is None:
                wanted = Wanted()
                wanted.want_histogram(small)
                await self._fetch(wanted)
            assert large.histogram is not None
        small = self._asked[0]
        self._used += 1
        return calls.answer_histogram(self._histograms.told(small))

    async def splits(self, call: Splits) -> bytes:
        """Answer with the same splits, each with the exact rows of its children, or none where the rule bars it."""
        found = [await self._settled(node, split) for node, split in zip(self._asked, (call.smaller, call.larger),
                                                                        strict=True)]
        return calls.answer_splits(call, found[0], found[1])

    def finish(self) -> tuple[list[Rows], list[Step]]:
        """Return own rows of each leaf by LightGBM's numbers, and the splits in order."""
        self._mirror.finish()
        self._ground.tally.unused += self._fetched - self._used
        self._root.let_go()
        return [leaf.rows for leaf in self._mirror.leaves], list(self._mirror.made)

    async def _settled(self, node: TreeNode | None, split: Split) -> Split:
        if node is None:
            if split.feature >= 0:
                raise differs("a split of a leaf that does not exist")
            return NOTHING
        node.known, node.best = True, None
        if split.feature < 0:
            return NOTHING
        if not 1 <= split.feature <= len(self._ground.bins):
            raise differs("a split of a column that is no feature")
        self._digest.update(repr(split.key).encode())
        await self._judge(node, [split])
        chosen: Split | None = split
        if not node.verdicts[split.key].permitted:
            self._ground.tally.barred += 1
            chosen = await self._instead(node)
        if chosen is None:
            return NOTHING
        verdict = node.verdicts[chosen.key]
        node.best = chosen.exact(verdict.left_rows, verdict.right_rows)
        return node.best

    async def _instead(self, node: TreeNode) -> Split | None:
        """Return the best permitted split by a number, where LightGBM would make it in the same way."""
        tried: list[Split] = []
        for split in islice(self._not_barred(node), ALTERNATIVES):
            tried.append(split)
            if split.key in node.verdicts:  # permitted for certain
                break
        await self._judge(node, tried)
        for split in tried:
            if node.verdicts[split.key].permitted:
                self._ground.tally.replaced += 1
                return split
        return None

    def _open(self, nodes: list[TreeNode], opened: Opened) -> None:
        self._fetched += len(nodes)
        self._histograms.open(nodes, opened)

    def _look(self, node: TreeNode) -> Split | None:
        """Return the best split of a node: LightGBM's, or what is foreseen of it."""
        if not node.known and not node.searched and node.histogram is not None:
            node.searched, node.best = True, self._search.best(node)
        return node.best

    def _not_barred(self, node: TreeNode) -> Iterator[Split]:
        for split in self._search.alternatives(node):
            verdict = self._verdict(node, split)
            if verdict is None or verdict.permitted:
                yield split

    def _verdict(self, node: TreeNode, split: Split) -> Verdict | None:
        """Return the verdict on a split where it is there or can be read off."""
        found = node.verdicts.get(split.key)
        if found is None and node.census is not None:
            place, ground = split.feature - 1, self._ground
            found = read_verdict(ground.rule, node.census, int(ground.starts[place]), int(ground.numbers[place]),
                                 ground.table.missing[place], split, ground.weights[1:] if ground.weights else ())
            if found is not None:
                node.verdicts[split.key] = found
        return found

    async def _judge(self, node: TreeNode, splits: list[Split]) -> None:
        wanted = Wanted()
        for split in splits:
            if self._verdict(node, split) is None:
                wanted.want_verdict(node, split)
        if wanted.verdicts:
            await self._fetch(wanted)

    async def _fetch(self, wanted: Wanted) -> None:
        """Ask for what is wanted, and for what will be: one sum."""
        foresee(wanted, self._mirror, self._look, self._verdict, lambda node: next(self._not_barred(node), None))
        for node, split in wanted.verdicts:
            self._digest.update(node.name + repr(split.key).encode())
        for node in wanted.histograms:
            self._digest.update(node.name)
        terms: Terms = {}
        if wanted.verdicts:
            terms |= self._verdicts(wanted)
        if wanted.histograms:
            terms |= self._histograms.terms(wanted.histograms)
        opened = await self._sum(terms)
        self._ground.tally.asked += len(wanted.verdicts)
        for place, (node, split) in enumerate(wanted.verdicts):
            weights = None
            if self._ground.weights is not None:
                sums = self._ground.weights[1].values(opened["weights"][place])
                squares = self._ground.weights[2].values(opened["squares"][place])
                weights = np.array([sums[0], squares[0], sums[1], squares[1]])
            counts = np.append(opened["verdicts"][place], opened["institutions"][place])
            node.verdicts[split.key] = judge(self._ground.rule, node.total, counts, weights)
        if wanted.histograms:
            self._open(wanted.histograms, opened)

    async def _sum(self, terms: Terms) -> Opened:
        # The name holds all splits so far: nodes whose trees differ describe different sums, and nothing opens.
        prefix = f"{self._label} {self._digest.hexdigest()[:16]} "
        opened = await _Sum({prefix + name: term for name, term in terms.items()})
        self._ground.tally.rounds += 1
        return {name.removeprefix(prefix): values for name, values in opened.items()}

    def _verdicts(self, wanted: Wanted) -> Terms:
        parts = [node.parts(split) for node, split in wanted.verdicts]
        terms = {"verdicts": count([[len(left)] for left, _ in parts], self._ground.used),
                 "institutions": count([[int(len(side) > 0) for side in part] for part in parts], 1)}
        if self._ground.weights is not None:
            own, plain, squared = self._ground.weights
            terms["weights"] = plain.term(np.array([[own[side].sum() for side in part] for part in parts]))
            terms["squares"] = squared.term(np.array([[(own[side] ** 2).sum() for side in part] for part in parts]))
        return terms
