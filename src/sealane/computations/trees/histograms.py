"""What is summed of the nodes of a tree: histograms, and with each a census from which verdicts are read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Term, count
from sealane.computations.trees.census import Census, Slots, slots_for
from sealane.computations.trees.fixed_point import Grid
from sealane.computations.trees.ground import Ground
from sealane.computations.trees.node import TreeNode

Single = NDArray[np.float32]
Terms = dict[str, Term]
Opened = dict[str, NDArray[np.int64]]
_NONE = np.zeros(0, np.int32)


class Histograms:
    """Of one tree's nodes.

    Args:
        ground: what the tree stands on.
        first: own first derivatives.
        second: own second derivatives.
        grids: of their sums.
        features: places of the features that the tree may use.
    """

    def __init__(self, ground: Ground, first: Single, second: Single, grids: tuple[Grid, Grid],
                 features: tuple[int, ...]) -> None:
        self._ground, self._first, self._second, self._grids = ground, first, second, grids
        self._whole = len(features) == len(ground.bins)  # then nothing need be copied
        self._places = slice(None) if self._whole else np.concatenate(
            [np.arange(ground.numbers[k]) + ground.starts[k] for k in features])
        self._used = np.zeros(len(ground.bins), np.bool_)
        self._used[list(features)] = True
        self._number = int(ground.numbers[self._used].sum())
        self._measured = int(ground.numbers[features[0]])
        self._scales = np.array([grid.scale for grid in grids])
        self._units = 1.0 / self._scales  # exact, for scales are powers of two

    def terms(self, nodes: list[TreeNode]) -> Terms:
        """Describe what own rows add to the nodes' sums: the root alone, or the smaller ones of some siblings."""
        from sealane.computations.trees.bin_kernels import take_steps  # numba takes a while to load
        from sealane.computations.trees.kernels import add_up, weigh

        ground = self._ground
        sums = np.empty((ground.size, 2))
        steps = np.empty((len(nodes), self._number, 2), np.int64)
        for node, out in zip(nodes, steps, strict=True):
            sums.fill(0.0)
            counts = _NONE  # a root's rows were counted with an earlier tree
            if node.counts is None:
                node.counts = np.zeros((1 if node.sibling is None else 2, ground.size), np.int32)
                counts = node.counts[0]
            add_up(ground.codes, node.rows, self._first, self._second, ground.starts, sums, counts)
            take_steps(sums, ground.numbers, self._used, self._scales, out)
            if node.sibling is not None:
                assert node.parent is not None
                assert node.parent.counts is not None
                np.subtract(node.parent.counts[0], node.counts[0], out=node.counts[1])
                node.sibling.counts = node.counts[1:]
        terms = {"histograms": count(steps, self._grids[0].bound, signed=True)}
        if ground.counted:
            terms["census"] = self._census(nodes)
            if ground.weights is not None:
                weights, plain, squared = ground.weights
                masses = np.zeros((len(nodes), ground.size, 2))
                for node, mass in zip(nodes, masses, strict=True):
                    weigh(ground.codes, node.rows, weights, ground.starts, mass)
                terms["census weights"] = plain.term(masses[:, self._places, 0])
                terms["census squares"] = squared.term(masses[:, self._places, 1])
        return terms

    def open(self, nodes: list[TreeNode], opened: Opened) -> None:
        """Keep what was opened, and what follows of the larger siblings: they hold what is left of their parents'."""
        histograms = np.require(opened["histograms"], np.int64, ["C", "W"])
        totals = histograms[:, : self._measured].sum(axis=1).tolist()  # every feature's bins hold all rows
        if not self._whole:
            histograms = np.zeros((len(nodes), self._ground.size, 2), np.int64)
            histograms[:, self._places] = opened["histograms"]
        for node, histogram, (first, second) in zip(nodes, histograms, totals, strict=True):
            self._keep(node, histogram, first, second)
            above = node.parent
            if above is not None and node.sibling is not None and above.histogram is not None:
                self._keep(node.sibling, above.histogram - histogram, above.steps[0] - first, above.steps[1] - second)
        if self._ground.counted:
            self._open_census(nodes, opened)

    def told(self, node: TreeNode) -> NDArray[np.float64]:
        """Return an open histogram as LightGBM has it: without the first bin of every feature."""
        from sealane.computations.trees.bin_kernels import tell

        out = np.empty((self._ground.size - len(self._used), 2))
        tell(node.histogram, self._ground.numbers, self._units, out)
        return out

    def _keep(self, node: TreeNode, histogram: NDArray[np.int64], first: int, second: int) -> None:
        node.histogram, node.steps = histogram, (first, second)
        node.sums = first / self._grids[0].scale, second / self._grids[1].scale

    def _census(self, nodes: list[TreeNode]) -> Term:
        from sealane.computations.trees.bin_kernels import pack_census

        ground, slots = self._ground, self._slots(nodes)
        entries = np.zeros((len(nodes), slots.entries(self._number)), np.int64)
        for node, out in zip(nodes, entries, strict=True):
            pack_census(node.counts, ground.numbers, ground.kinds, self._used, slots.mark, slots.bits, slots.together,
                        out)
        return count(entries, slots.bound)

    def _open_census(self, nodes: list[TreeNode], opened: Opened) -> None:
        from sealane.computations.trees.bin_kernels import add_up_census

        ground, slots = self._ground, self._slots(nodes)
        census = np.require(opened["census"], np.int64, ["C", "W"])
        added = np.empty((len(nodes), 1 + slots.marks, ground.size + 1), np.int64)
        for place, (node, entries, each) in enumerate(zip(nodes, census, added, strict=True)):
            add_up_census(entries, ground.numbers, self._used, slots.mark, slots.bits, slots.together, each)
            masses = None
            if ground.weights is not None:
                masses = np.zeros((2, ground.size), np.int64)
                masses[0, self._places], masses[1, self._places] = (
                    opened[f"census {name}"][place] for name in ("weights", "squares"))
            node.census = Census(each[0], each[1], each[2], masses)
            above = None if node.parent is None else node.parent.census
            if node.sibling is not None and above is not None:
                left = above.masses - masses if above.masses is not None and masses is not None else None
                node.sibling.census = Census(above.rows - each[0], each[3], each[4], left)

    def _slots(self, nodes: list[TreeNode]) -> Slots:
        return slots_for([node.total for node in nodes], 2 if nodes[0].sibling is None else 4, self._ground.cohort.size)
