"""One tree: LightGBM's calls answered from sums over the cohort."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Term, count
from sealane.computations.trees import calls
from sealane.computations.trees.calls import NOTHING, RootSums, Split, Splits
from sealane.computations.trees.census import Census, read_verdict, slots_for
from sealane.computations.trees.fixed_point import Grid
from sealane.computations.trees.foresight import Wanted, foresee
from sealane.computations.trees.ground import Ground
from sealane.computations.trees.mirror import Mirror, Step, differs
from sealane.computations.trees.node import TreeNode
from sealane.computations.trees.permission import Verdict, judge
from sealane.computations.trees.search import Search
from sealane.computations.trees.table import Rows

Single = NDArray[np.float32]
Opened = dict[str, NDArray[np.int64]]
ALTERNATIVES = 12
"""How many splits are tried in place of a barred one."""


class Growth:
    """A tree under way.

    Args:
        ground: what it stands on.
        label: public name of the tree.
        rows: own rows that were drawn for it.
        total: how many were drawn over the cohort.
        first: own first derivatives.
        second: own second derivatives.
        grids: of their sums.
        features: places of the features that it may use.
    """

    def __init__(self, ground: Ground, label: str, rows: Rows, total: int, first: Single, second: Single,
                 grids: tuple[Grid, Grid], features: tuple[int, ...]) -> None:
        self._ground, self._first, self._second, self._grids = ground, first, second, grids
        self._digest = hashlib.sha256(label.encode())
        self._label = label
        whole = len(features) == len(ground.bins)  # then nothing need be copied
        self._places = slice(None) if whole else np.concatenate(
            [np.arange(ground.numbers[k]) + ground.starts[k] for k in features])
        self._number = int(ground.numbers[list(features)].sum())
        begin = int(ground.starts[features[0]])
        self._measure = slice(begin, begin + int(ground.numbers[features[0]]))
        self._told = np.flatnonzero(~np.isin(np.arange(ground.size), ground.starts))
        self._kinds = np.array([-1 if one.categorical else int(one.missing) for one in ground.bins], np.int64)
        self._scales = np.array([grid.scale for grid in grids])
        self._search = Search(ground, features)
        self._root = TreeNode(rows, total, 0, ground.table)
        self._mirror = Mirror([self._root], ground.params.num_leaves, ground.params.max_depth, ground.rule.rows)
        self._asked: tuple[TreeNode, TreeNode | None] = (self._root, None)
        self._fetched = self._used = 0

    async def root(self, call: RootSums, others: dict[str, Term]) -> tuple[bytes, Opened]:
        """Answer the first call, and sum other terms along with it: one sum."""
        opened = await self._sum({**others, **self._histograms([self._root])})
        self._open([self._root], opened)
        return calls.answer_sums(call, self._root.total, *self._root.sums), opened

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
        assert small.values is not None
        self._used += 1
        return calls.answer_histogram(small.values[self._told])

    async def splits(self, call: Splits) -> bytes:
        """Answer with the same splits, each with the exact rows of its children, or none where the rule bars it."""
        found = [await self._settled(node, split) for node, split in zip(self._asked, (call.smaller, call.larger),
                                                                        strict=True)]
        return calls.answer_splits(call, found[0], found[1])

    def finish(self) -> tuple[list[Rows], list[Step]]:
        """Return own rows of each leaf by LightGBM's numbers, and the splits in order."""
        self._mirror.finish()
        self._ground.tally.unused += self._fetched - self._used
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
        tried = self._not_barred(node)[:ALTERNATIVES]
        sure = next((place for place, split in enumerate(tried) if split.key in node.verdicts), len(tried))
        tried = tried[: sure + 1]
        await self._judge(node, tried)
        for split in tried:
            if node.verdicts[split.key].permitted:
                self._ground.tally.replaced += 1
                return split
        return None

    def _not_barred(self, node: TreeNode) -> list[Split]:
        verdicts = [(split, self._verdict(node, split)) for split in self._search.alternatives(node)]
        return [split for split, verdict in verdicts if verdict is None or verdict.permitted]

    def _verdict(self, node: TreeNode, split: Split) -> Verdict | None:
        """Return the verdict on a split where it is there or can be read off."""
        found = node.verdicts.get(split.key)
        if found is None and node.census is not None:
            place, ground = split.feature - 1, self._ground
            found = read_verdict(ground.rule, node.census, int(ground.starts[place]), int(ground.numbers[place]),
                                 ground.table.missing[place], split)
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
        foresee(wanted, self._mirror, self._verdict, lambda node: next(iter(self._not_barred(node)), None))
        for node, split in wanted.verdicts:
            self._digest.update(node.name + repr(split.key).encode())
        for node in wanted.histograms:
            self._digest.update(node.name)
        terms: dict[str, Term] = {}
        if wanted.verdicts:
            terms |= self._verdicts(wanted)
        if wanted.histograms:
            terms |= self._histograms(wanted.histograms)
        opened = await self._sum(terms)
        self._ground.tally.asked += len(wanted.verdicts)
        for place, (node, split) in enumerate(wanted.verdicts):
            weights = None
            if self._ground.weights is not None:
                sums = self._ground.weights[1].values(opened["weights"][place])
                squares = self._ground.weights[2].values(opened["squares"][place])
                weights = np.array([sums[0], squares[0], sums[1], squares[1]])
            node.verdicts[split.key] = judge(self._ground.rule, node.total, opened["verdicts"][place], weights)
        if wanted.histograms:
            self._open(wanted.histograms, opened)

    async def _sum(self, terms: dict[str, Term]) -> Opened:
        # The name holds all splits so far: nodes whose trees differ describe different sums, and nothing opens.
        prefix = f"{self._label} {self._digest.hexdigest()[:16]} "
        opened = await self._ground.cohort.sum({prefix + name: term for name, term in terms.items()})
        self._ground.tally.rounds += 1
        self._ground.tally.entries += sum(term.values.size for term in terms.values())
        return {name.removeprefix(prefix): values for name, values in opened.items()}

    def _verdicts(self, wanted: Wanted) -> dict[str, Term]:
        parts = [node.parts(split) for node, split in wanted.verdicts]
        terms = {"verdicts": count([[len(left), int(len(left) > 0), int(len(right) > 0)] for left, right in parts],
                                   self._ground.used)}
        if self._ground.weights is not None:
            own, plain, squared = self._ground.weights
            terms["weights"] = plain.term(np.array([[own[side].sum() for side in part] for part in parts]))
            terms["squares"] = squared.term(np.array([[(own[side] ** 2).sum() for side in part] for part in parts]))
        return terms

    def _histograms(self, nodes: list[TreeNode]) -> dict[str, Term]:
        from sealane.computations.trees.kernels import add_up  # numba takes a while to load

        ground = self._ground
        out = np.zeros((len(nodes), ground.size, 2))
        for place, node in enumerate(nodes):
            node.counts = np.zeros(ground.size, np.int32)
            add_up(ground.codes, node.rows, self._first, self._second, ground.starts, out[place], node.counts)
            if node.parent is not None and node.sibling is not None and node.parent.counts is not None:
                node.sibling.counts = node.parent.counts - node.counts
        steps = np.stack([grid.steps(out[:, self._places, k]) for k, grid in enumerate(self._grids)], axis=-1)
        terms = {"histograms": count(steps, self._grids[0].bound)}
        return {**terms, "census": self._census(nodes)} if ground.counted else terms

    def _census(self, nodes: list[TreeNode]) -> Term:
        from sealane.computations.trees.kernels import mark_ends

        ground = self._ground
        pairs = [[one.counts for one in (node, node.sibling) if one is not None] for node in nodes]
        marks = np.zeros((len(nodes), len(pairs[0]), 2, ground.size), np.int64)
        for place, pair in enumerate(pairs):
            for side, counts in enumerate(pair):
                mark_ends(counts, ground.starts, ground.numbers, self._kinds, marks[place, side])
        slots = slots_for([node.total for node in nodes], marks.shape[1] * 2, ground.cohort.size)
        rows = np.array([pair[0] for pair in pairs], np.int64)
        return slots.pack(rows[:, self._places], marks.reshape(len(nodes), -1, ground.size)[:, :, self._places])

    def _open(self, nodes: list[TreeNode], opened: Opened) -> None:
        """Keep what was opened, and what follows of the larger siblings: they hold what is left of their parent's."""
        self._fetched += len(nodes)
        for node, steps in zip(nodes, opened["histograms"], strict=True):
            histogram = np.zeros((self._ground.size, 2), np.int64)
            histogram[self._places] = steps
            self._keep(node, histogram)
            if node.parent is not None and node.sibling is not None and node.parent.histogram is not None:
                self._keep(node.sibling, node.parent.histogram - histogram)
        if self._ground.counted:
            self._open_census(nodes, opened["census"])

    def _keep(self, node: TreeNode, histogram: NDArray[np.int64]) -> None:
        sums = histogram[self._measure].sum(axis=0) / self._scales
        node.histogram, node.values, node.sums = histogram, histogram / self._scales, (float(sums[0]), float(sums[1]))
        if not node.known:
            node.best = self._search.best(node)

    def _open_census(self, nodes: list[TreeNode], opened: NDArray[np.int64]) -> None:
        of_pair = 2 if nodes[0].sibling is None else 4
        slots = slots_for([node.total for node in nodes], of_pair, self._ground.cohort.size)
        rows, marks = slots.unpack(opened, self._number)
        added = np.zeros((len(nodes), 1 + of_pair, self._ground.size + 1), np.int64)
        added[:, 0, 1:][:, self._places], added[:, 1:, 1:][:, :, self._places] = rows, marks
        np.cumsum(added, axis=2, out=added)
        for node, each in zip(nodes, added, strict=True):
            node.census = Census(*each[:3])
            if node.sibling is not None and node.parent is not None and node.parent.census is not None:
                node.sibling.census = Census(node.parent.census.rows - each[0], *each[3:])
