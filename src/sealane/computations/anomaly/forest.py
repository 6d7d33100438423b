"""A forest of random cuts, grown level by level from opened counts; the path a row takes, and what it is worth.

A tree's cuts are public: drawn from a seed within boxes that narrow along each path. What the rows add is the mass of
each side, rounded down to whole minimum counts. A side of little mass is not cut further.

A row's path is as long as it would be, on average, in an isolation tree of ``sample`` rows drawn from all: a cut counts
as far as both sides are expected to hold rows of such a sample, 1 - exp(-s) for a side of s expected rows, and the leaf
adds c(s), the mean depth of a tree over s rows.

Source: Liu, Ting, Zhou (2008), Isolation Forest (ICDM), section 2 and equation 1 for c and the score; Ting, Zhou, Liu,
Tan (2010), Mass estimation and its applications (KDD), for masses of random half-spaces in place of subsamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sealane.computations.anomaly.draws import uniform

EULER = 0.5772156649015329
Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shape:
    """What is public of a forest before any mass is known.

    Attributes:
        seed: of all cuts.
        lows: lowest place of a cut by choice of range and feature, shape ``(choices, features)``.
        highs: highest place, likewise.
        whole: by feature, whether it holds integers.
        trees: how many.
        levels: of cuts, at most.
        sample: rows of the isolation trees that are meant.
        rows: over the cohort.
        unit: masses are whole multiples of it.
    """

    seed: bytes
    lows: Floats
    highs: Floats
    whole: NDArray[np.bool_]
    trees: int
    levels: int
    sample: int
    rows: int
    unit: int

    def expected(self, mass: Whole) -> Floats:
        """Return how many rows of a sample a mass is expected to hold; ``mass`` counts units."""
        return np.asarray(mass * float(self.unit) * min(self.sample, self.rows) / self.rows)


@dataclass(slots=True)
class Level:
    """Nodes of all trees that are cut at one level.

    Attributes:
        tree: of each node.
        path: the cuts that led to it, as bits after a leading 1.
        feature: that is cut.
        cut: where; a row of that value or more goes right.
        low: of its box, by feature.
        high: of its box.
        depth: the path up to it.
        mass: of its two sides in units, shape ``(nodes, 2)``; set once it is opened.
    """

    tree: Whole
    path: Whole
    low: Floats = field(repr=False)
    high: Floats = field(repr=False)
    depth: Floats = field(repr=False)
    feature: Whole = field(repr=False)
    cut: Floats = field(repr=False)
    mass: Whole = field(repr=False)

    def __len__(self) -> int:
        return len(self.tree)


def first_level(shape: Shape) -> Level:
    """Return the roots: each tree draws how far its boxes reach at either end of each feature."""
    trees, features = np.arange(shape.trees), shape.lows.shape[1]
    drawn = uniform(shape.seed, [(0, int(t), f) for t in trees for f in range(features)], 2)
    choice = np.floor(drawn * len(shape.lows)).astype(np.int64).reshape(shape.trees, features, 2)
    columns = np.arange(features)
    low, high = shape.lows[choice[:, :, 0], columns], shape.highs[choice[:, :, 1], columns]
    return _cut(shape, trees, np.ones(shape.trees, dtype=np.int64), low, high, np.zeros(shape.trees))


def next_level(shape: Shape, level: Level, *, last: bool) -> tuple[Level, Whole]:
    """Return the nodes that are cut next, none after the last level, and by node and side its place, -1 for a leaf."""
    s = shape.expected(level.mass)
    depth = level.depth + (1.0 - np.exp(-s)).prod(axis=1)
    low, high = np.repeat(level.low[:, None], 2, axis=1), np.repeat(level.high[:, None], 2, axis=1)
    nodes = np.arange(len(level))
    high[nodes, 0, level.feature] = np.where(shape.whole[level.feature], np.ceil(level.cut) - 1.0, level.cut)
    low[nodes, 1, level.feature] = np.where(shape.whole[level.feature], np.ceil(level.cut), level.cut)
    cuttable = (s > 1.0) & (level.mass >= 2) & (high > low).any(axis=2) & (not last)
    node, side = np.nonzero(cuttable)
    children = np.full((len(level), 2), -1, dtype=np.int64)
    children[node, side] = np.arange(len(node))
    return _cut(shape, level.tree[node], 2 * level.path[node] + side, low[node, side], high[node, side],
                depth[node]), children


def worth(shape: Shape, level: Level) -> Floats:
    """Return the length of a path that ends at either side of each node, shape ``(nodes, 2)``."""
    s = shape.expected(level.mass)
    depth = level.depth + (1.0 - np.exp(-s)).prod(axis=1)
    return np.asarray(depth[:, None] + mean_depth(s))


def mean_depth(rows: Floats) -> Floats:
    """Return c: the mean depth of a random tree over so many rows, 0 for one and fewer.

    c(n) = 2 H(n - 1) - 2 (n - 1) / n, with H(n - 1) = digamma(n) + Euler's constant for any n of 1 and more; digamma by
    four steps of its recurrence and its asymptotic series (Abramowitz and Stegun, 6.3.5 and 6.3.18).
    """
    n = np.maximum(rows, 1.0)
    x = n + 4.0
    digamma = (np.log(x) - 0.5 / x - 1.0 / (12 * x**2) + 1.0 / (120 * x**4) - 1.0 / (252 * x**6)
               - sum(1.0 / (n + k) for k in range(4)))
    return np.asarray(np.maximum(2.0 * (digamma + EULER) - 2.0 * (n - 1.0) / n, 0.0))


def score_of(shape: Shape, length: Floats) -> Floats:
    """Return the score of mean path lengths: 1 where paths are short, under 0.5 where they are long."""
    return np.asarray(2.0 ** (-length / float(mean_depth(np.array([float(min(shape.sample, shape.rows))]))[0])))


class Walk:
    """Rows on their way through all trees, one level after the other. Private to whoever holds the rows."""

    def __init__(self, values: Floats, trees: int) -> None:
        self._values = values
        self._place = np.repeat(np.arange(trees, dtype=np.int32)[:, None], len(values), axis=1)
        self._length = np.zeros(len(values))
        self._trees = trees

    def sides(self, level: Level) -> Whole:
        """Return how many rows go to either side of each node, shape ``(nodes, 2)``."""
        counts = np.zeros(2 * len(level), dtype=np.int64)
        for tree in range(self._trees):
            _, side = self._turn(level, tree)
            counts += np.bincount(side, minlength=len(counts))
        return counts.reshape(-1, 2)

    def advance(self, level: Level, children: Whole, lengths: Floats) -> None:
        """Move every row to its side: on to the next level, or to the end of its path."""
        flat_children, flat_lengths = children.reshape(-1), lengths.reshape(-1)
        for tree in range(self._trees):
            rows, side = self._turn(level, tree)
            ended = flat_children[side] < 0
            self._length[rows[ended]] += flat_lengths[side[ended]]
            self._place[tree, rows] = flat_children[side]

    def mean_lengths(self) -> Floats:
        """Return the mean length of each row's path over all trees."""
        return np.asarray(self._length / self._trees)

    def _turn(self, level: Level, tree: int) -> tuple[Whole, Whole]:
        place = self._place[tree]
        rows = np.flatnonzero(place >= 0)
        node = place[rows]
        right = self._values[rows, level.feature[node]] >= level.cut[node]
        return rows, 2 * node + right


def path_lengths(shape: Shape, masses: Sequence[Whole], values: Floats) -> Floats:
    """Return the mean path length of rows through a forest whose masses are known, shape ``(n_rows,)``."""
    walk, level = Walk(values, shape.trees), first_level(shape)
    for number, mass in enumerate(masses, start=1):
        level.mass = mass
        following, children = next_level(shape, level, last=number == len(masses))
        walk.advance(level, children, worth(shape, level))
        level = following
    return walk.mean_lengths()


def _cut(shape: Shape, tree: Whole, path: Whole, low: Floats, high: Floats, depth: Floats) -> Level:
    """Draw a feature among those whose box has room, and a place within it."""
    drawn = uniform(shape.seed, [(1, int(t), int(p)) for t, p in zip(tree, path, strict=True)], 2) if len(
        tree) else np.zeros((0, 2))
    room = high > low
    order = np.floor(drawn[:, 0] * room.sum(axis=1)).astype(np.int64)
    feature = np.argmax(np.cumsum(room, axis=1) > order[:, None], axis=1)
    nodes = np.arange(len(tree))
    at_low, at_high = low[nodes, feature], high[nodes, feature]
    anywhere = at_low + drawn[:, 1] * (at_high - at_low)
    between = at_low + np.floor(drawn[:, 1] * (at_high - at_low)) + 0.5
    cut = np.where(shape.whole[feature], between, anywhere)
    return Level(tree, path, low, high, depth, feature, cut, np.zeros((len(tree), 2), dtype=np.int64))
