"""What is summed of the nodes of a tree: histograms, and with each a census from which verdicts are read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Term, count
from sealane.computations.trees.census import Census, slots_for
from sealane.computations.trees.fixed_point import Grid
from sealane.computations.trees.ground import Ground
from sealane.computations.trees.node import TreeNode

Single = NDArray[np.float32]
Opened = dict[str, NDArray[np.int64]]


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
        whole = len(features) == len(ground.bins)  # then nothing need be copied
        self._places = slice(None) if whole else np.concatenate(
            [np.arange(ground.numbers[k]) + ground.starts[k] for k in features])
        self._number = int(ground.numbers[list(features)].sum())
        begin = int(ground.starts[features[0]])
        self._measure = slice(begin, begin + int(ground.numbers[features[0]]))
        self._told = np.flatnonzero(~np.isin(np.arange(ground.size), ground.starts))
        self._kinds = np.array([-1 if one.categorical else int(one.missing) for one in ground.bins], np.int64)
        self._scales = np.array([grid.scale for grid in grids])

    def terms(self, nodes: list[TreeNode]) -> dict[str, Term]:
        """Describe what own rows add to the nodes' sums: the root alone, or the smaller ones of some siblings."""
        from sealane.computations.trees.kernels import add_up, weigh  # numba takes a while to load

        ground = self._ground
        sums = np.zeros((len(nodes), ground.size, 2))
        masses = np.zeros((len(nodes), ground.size, 2)) if ground.weights is not None else None
        for place, node in enumerate(nodes):
            node.counts = np.zeros(ground.size, np.int32)
            add_up(ground.codes, node.rows, self._first, self._second, ground.starts, sums[place], node.counts)
            if masses is not None and ground.weights is not None:
                weigh(ground.codes, node.rows, ground.weights[0], ground.starts, masses[place])
            if node.parent is not None and node.sibling is not None and node.parent.counts is not None:
                node.sibling.counts = node.parent.counts - node.counts
        steps = np.stack([grid.steps(sums[:, self._places, k]) for k, grid in enumerate(self._grids)], axis=-1)
        out = {"histograms": count(steps, self._grids[0].bound)}
        if ground.counted:
            out["census"] = self._census(nodes)
            if masses is not None and ground.weights is not None:
                _, plain, squared = ground.weights
                out["census weights"] = plain.term(masses[:, self._places, 0])
                out["census squares"] = squared.term(masses[:, self._places, 1])
        return out

    def open(self, nodes: list[TreeNode], opened: Opened) -> list[TreeNode]:
        """Keep what was opened, and what follows of the larger siblings: they hold what is left of their parents'.

        Returns:
            All nodes whose histograms are there now, siblings included.
        """
        out = []
        for node, steps in zip(nodes, opened["histograms"], strict=True):
            histogram = np.zeros((self._ground.size, 2), np.int64)
            histogram[self._places] = steps
            self._keep(node, histogram)
            out.append(node)
            if node.parent is not None and node.sibling is not None and node.parent.histogram is not None:
                self._keep(node.sibling, node.parent.histogram - histogram)
                out.append(node.sibling)
        if self._ground.counted:
            self._open_census(nodes, opened)
        return out

    def told(self, node: TreeNode) -> NDArray[np.float64]:
        """Return an open histogram as LightGBM has it: without the first bin of every feature."""
        assert node.values is not None
        return np.asarray(node.values[self._told])

    def _keep(self, node: TreeNode, histogram: NDArray[np.int64]) -> None:
        sums = histogram[self._measure].sum(axis=0) / self._scales
        node.histogram, node.values, node.sums = histogram, histogram / self._scales, (float(sums[0]), float(sums[1]))

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

    def _open_census(self, nodes: list[TreeNode], opened: Opened) -> None:
        ground, of_pair = self._ground, 2 if nodes[0].sibling is None else 4
        slots = slots_for([node.total for node in nodes], of_pair, ground.cohort.size)
        rows, marks = slots.unpack(opened["census"], self._number)
        added = np.zeros((len(nodes), 1 + of_pair, ground.size + 1), np.int64)
        added[:, 0, 1:][:, self._places], added[:, 1:, 1:][:, :, self._places] = rows, marks
        np.cumsum(added, axis=2, out=added)
        for place, (node, each) in enumerate(zip(nodes, added, strict=True)):
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
