"""One tree: LightGBM's calls answered from sums over the cohort."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, Term, count
from sealane.computations.trees import calls
from sealane.computations.trees.bins import Bins
from sealane.computations.trees.calls import NOTHING, RootSums, Split, Splits
from sealane.computations.trees.fixed_point import Grid
from sealane.computations.trees.foresight import Wanted, foresee
from sealane.computations.trees.mirror import Mirror, Step, differs
from sealane.computations.trees.node import Key, TreeNode
from sealane.computations.trees.parameters import TreeParameters
from sealane.computations.trees.permission import Rule, judge

Single = NDArray[np.float32]
Opened = dict[str, NDArray[np.int64]]
ALTERNATIVES, EMPHASES = 12, (1.0, 1.25, 1.6, 2.2)
"""How many splits are tried in place of a barred one, and by what the fewest rows are multiplied to find them."""
EPSILON = 1e-15
"""LightGBM's kEpsilon: what a side's hessian begins with."""


@dataclass(slots=True)
class Tally:
    """What the sums of trees came to, the same at every node.

    Attributes:
        rounds: sums.
        entries: of 8 bytes each, in one node's contributions.
        barred: splits that LightGBM chose and the rule did not permit.
        replaced: of these, how many gave way to a split on another feature.
        unused: histograms that were opened and not asked for.
    """

    rounds: int = 0
    entries: int = 0
    barred: int = 0
    replaced: int = 0
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

    def __post_init__(self) -> None:
        numbers = np.array([one.number for one in self.bins], np.int64)
        object.__setattr__(self, "numbers", numbers)
        object.__setattr__(self, "starts", np.concatenate([[0], np.cumsum(numbers)[:-1]]).astype(np.int64))


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

    def __init__(self, ground: Ground, label: str, rows: NDArray[np.int32], total: int, first: Single,
                 second: Single, grids: tuple[Grid, Grid], features: tuple[int, ...]) -> None:
        self._ground, self._first, self._second, self._grids = ground, first, second, grids
        self._digest = hashlib.sha256(label.encode())
        self._label = label
        bins, starts = ground.bins, ground.starts
        self._places = np.concatenate([np.arange(bins[k].number) + starts[k] for k in features])
        self._measure = slice(int(starts[features[0]]), int(starts[features[0]]) + bins[features[0]].number)
        self._kinds = np.array([(-1 if one.categorical or k not in features else int(one.missing))
                                for k, one in enumerate(bins)], np.int64)
        skipped = np.isin(np.arange(int(ground.numbers.sum())), starts)
        self._told = np.flatnonzero(~skipped)
        self._scales = np.array([grid.scale for grid in grids])
        self._root = TreeNode(rows, total, 0)
        self._mirror = Mirror([self._root], ground.params.num_leaves, ground.params.max_depth, ground.rule.rows)
        self._asked: tuple[TreeNode, TreeNode | None] = (self._root, None)
        self._fetched = self._used = 0

    async def root(self, call: RootSums, others: dict[str, Term]) -> tuple[bytes, Opened]:
        """Answer the first call, and sum other terms along with it: one sum."""
        opened = await self._sum({**others, "histograms": self._histograms([self._root])})
        self._open([self._root], opened["histograms"])
        sums = self._sums(self._root)
        return calls.answer_sums(call, self._root.total, float(sums[0]), float(sums[1])), opened

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
        assert small.histogram is not None
        self._used += 1
        return calls.answer_histogram(small.histogram[self._told] / self._scales)

    async def splits(self, call: Splits) -> bytes:
        """Answer with the same splits, each with the exact rows of its children, or none where the rule bars it."""
        found = [await self._settled(node, split) for node, split in zip(self._asked, (call.smaller, call.larger),
                                                                        strict=True)]
        return calls.answer_splits(call, found[0], found[1])

    def finish(self) -> tuple[list[NDArray[np.int32]], list[Step]]:
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
        """Return the best permitted split by a number, where LightGBM would make it in the same way.

        LightGBM estimates rows by hessians; so splits that leave more rows by that estimate are tried too.
        """
        params = self._ground.params
        if any(params.monotone_constraints.values()) or params.max_delta_step or params.path_smooth:
            return None
        candidates: list[Split] = []
        for factor in EMPHASES:
            each = self._search(node, factor * self._ground.rule.rows)
            candidates += [self._foreseen(node, each, place)
                           for place in np.flatnonzero(np.isfinite(each[:, 0])).tolist()]
        best: dict[Key, Split] = {}
        for split in sorted(candidates, key=lambda one: (-one.gain, one.feature, one.threshold)):
            if split.key not in node.verdicts or node.verdicts[split.key].permitted:
                best.setdefault(split.key, split)
        tried = list(best.values())[:ALTERNATIVES]
        await self._judge(node, tried)
        for split in tried:
            if node.verdicts[split.key].permitted:
                self._ground.tally.replaced += 1
                return split
        return None

    async def _judge(self, node: TreeNode, splits: list[Split]) -> None:
        wanted = Wanted()
        for split in splits:
            wanted.want_verdict(node, split)
        if wanted.verdicts:
            await self._fetch(wanted)

    async def _fetch(self, wanted: Wanted) -> None:
        """Ask for what is wanted, and for what will be: one sum."""
        foresee(wanted, self._mirror.leaves, self._mirror.most, self._mirror.searched)
        terms: dict[str, Term] = {}
        self._digest.update(repr([split.key for _, split in wanted.verdicts]).encode())
        if wanted.verdicts:
            parts = [node.parts(split, self._ground.codes, self._last(split)) for node, split in wanted.verdicts]
            terms["verdicts"] = count([[len(left), int(len(left) > 0), int(len(right) > 0)] for left, right in parts],
                                      self._ground.used)
            if self._ground.weights is not None:
                own, plain, squared = self._ground.weights
                terms["weights"] = plain.term(np.array([[own[side].sum() for side in part] for part in parts]))
                terms["squares"] = squared.term(np.array([[(own[side] ** 2).sum() for side in part] for part in parts]))
        if wanted.histograms:
            terms["histograms"] = self._histograms(wanted.histograms)
        opened = await self._sum(terms)
        for place, (node, split) in enumerate(wanted.verdicts):
            weights = None
            if self._ground.weights is not None:
                sums = self._ground.weights[1].values(opened["weights"][place])
                squares = self._ground.weights[2].values(opened["squares"][place])
                weights = np.array([sums[0], squares[0], sums[1], squares[1]])
            node.verdicts[split.key] = judge(self._ground.rule, node.total, opened["verdicts"][place], weights)
        if wanted.histograms:
            self._open(wanted.histograms, opened["histograms"])

    async def _sum(self, terms: dict[str, Term]) -> Opened:
        # The name holds all splits so far: nodes whose trees differ describe different sums, and nothing opens.
        prefix = f"{self._label} {self._digest.hexdigest()[:16]} "
        opened = await self._ground.cohort.sum({prefix + name: term for name, term in terms.items()})
        self._ground.tally.rounds += 1
        self._ground.tally.entries += sum(term.values.size for term in terms.values())
        return {name.removeprefix(prefix): values for name, values in opened.items()}

    def _histograms(self, nodes: list[TreeNode]) -> Term:
        from sealane.computations.trees.kernels import add_up  # numba takes a while to load

        out = np.zeros((len(nodes), int(self._ground.numbers.sum()), 2))
        for place, node in enumerate(nodes):
            add_up(self._ground.codes, node.rows, self._first, self._second, self._ground.starts, out[place])
        steps = np.stack([grid.steps(out[:, self._places, k]) for k, grid in enumerate(self._grids)], axis=-1)
        return count(steps, self._grids[0].bound)

    def _open(self, nodes: list[TreeNode], opened: NDArray[np.int64]) -> None:
        """Keep opened histograms, and those of the larger siblings, which are what is left of the parent's."""
        self._fetched += len(nodes)
        for node, steps in zip(nodes, opened, strict=True):
            node.histogram = np.zeros((int(self._ground.numbers.sum()), 2), np.int64)
            node.histogram[self._places] = steps
            self._look_ahead(node)
            if node.parent is not None and node.sibling is not None and node.parent.histogram is not None:
                node.sibling.histogram = node.parent.histogram - node.histogram
                self._look_ahead(node.sibling)

    def _sums(self, node: TreeNode) -> NDArray[np.float64]:
        assert node.histogram is not None
        return np.asarray(node.histogram[self._measure].sum(axis=0) / self._scales, np.float64)

    def _look_ahead(self, node: TreeNode) -> None:
        each = self._search(node, self._ground.rule.rows)
        best = int(np.argmax(each[:, 0]))
        if not node.known and np.isfinite(each[best, 0]):
            node.best = self._foreseen(node, each, best)

    def _search(self, node: TreeNode, fewest: float) -> NDArray[np.float64]:
        """Return the best split of each number: gain, threshold, default left, Σg and Σh of the left."""
        from sealane.computations.trees.kernels import best_splits

        assert node.histogram is not None
        params, sums = self._ground.params, self._sums(node)
        facts = np.array([node.total, sums[0], sums[1], fewest, params.min_sum_hessian_in_leaf, params.lambda_l1,
                          params.lambda_l2, params.min_gain_to_split])
        each = np.empty((len(self._ground.bins), 5))
        best_splits(node.histogram / self._scales, self._ground.starts, self._ground.numbers, self._kinds, facts, each)
        return each

    def _foreseen(self, node: TreeNode, each: NDArray[np.float64], place: int) -> Split:
        gain, threshold, left, g, h = each[place].tolist()
        total = self._sums(node)
        right_g, right_h = float(total[0]) - g, float(total[1]) + 2 * EPSILON - h
        numbers = (self._output(g, h), self._output(right_g, right_h), g, h - EPSILON, right_g, right_h - EPSILON)
        return Split(place + 1, 0, 0, gain, int(threshold), numbers, bool(left), 0)

    def _output(self, g: float, h: float) -> float:
        params = self._ground.params
        return float(-np.sign(g) * max(abs(g) - params.lambda_l1, 0.0) / (h + params.lambda_l2))

    def _last(self, split: Split) -> int | None:
        one = self._ground.bins[split.feature - 1]
        return one.number - 1 if one.missing else None
