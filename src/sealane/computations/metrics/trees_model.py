"""Boosted trees as plain parameters of a study, evaluated here in NumPy.

No node hands a model's text to LightGBM: its reader is C++ and trusts what it reads. What is read here are numbers
whose every reference is checked, and LightGBM need not be installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from sealane.computations.base import Parameters
from sealane.computations.design.parameters import Name
from sealane.computations.trees.matrix import read_matrix
from sealane.computations.trees.model_text import TreeText, read_trees
from sealane.errors import InputError

MOST_LEAVES = 4000
"""Leaves of all trees: at 60 bytes each, with all digits of their thresholds, they fit into a study of 256 KiB."""
_TEXT = 500
_ONE_SCORE = ("binary", "regression", "poisson", "quantile", "regression_l1")
_CATEGORY, _LEFT, _NAN = 1, 2, 2

Level = Annotated[str, Field(max_length=256)]
Array = NDArray[np.float64]
T = TypeVar("T")


def _numbers(value: Any) -> Any:
    """Split texts of numbers with spaces between them, as LightGBM's file has them."""
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(one, str) for one in value):
        return [word for one in value for word in one.split()]
    return value


# A study holds 8,192 values and texts of 512 characters at most; so numbers travel as some long texts.
Line: TypeAlias = Annotated[tuple[T, ...], BeforeValidator(_numbers), Field(max_length=MOST_LEAVES)]


class TreeFeature(Parameters):
    """A number, or a category with its ``levels``, the first of which is the number ``zero``."""

    name: Name
    levels: Annotated[tuple[Level, ...], Field(max_length=256)] = ()
    zero: Annotated[int, Field(ge=0, le=1 << 30)] = 0


@dataclass(frozen=True, slots=True)
class _Tree:
    """One tree: where each split leads is a later split, or leaf ``-1 - number``."""

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    missing: tuple[bool, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    leaf: tuple[float, ...]

    def check(self) -> None:
        splits = len(self.feature)
        # Every split but the first and every leaf is led to once, from an earlier split: so there is no way round.
        if sorted((*self.left, *self.right)) != [*range(-1 - splits, 0), *range(1, splits)] * bool(splits):
            raise ValueError("each split and leaf of a tree has one that leads to it")
        if any(0 <= child <= place for side in (self.left, self.right) for place, child in enumerate(side)):
            raise ValueError("a split comes after the one that leads to it")

    def add_to(self, score: Array, columns: Array, sets: Sequence[Array], categories: Sequence[bool]) -> None:
        """Add each row's leaf to its score."""
        waiting = [(0 if self.feature else -1, np.arange(len(score)))]
        while waiting:
            at, here = waiting.pop()
            if at < 0:
                score[here] += self.leaf[-1 - at]
            elif here.size:
                values, threshold = columns[here, self.feature[at]], self.threshold[at]
                if categories[self.feature[at]]:
                    left = np.isin(values, sets[int(threshold)])
                else:
                    left = np.where(np.isnan(values), self.missing[at], values <= threshold)
                waiting += [(self.left[at], here[left]), (self.right[at], here[~left])]


class Trees(Parameters):
    """A ``trees.gbdt`` model of one score; the splits and leaves of all trees stand one after the other.

    Attributes:
        kind: ``trees``.
        objective: says what the sum of leaves is: log odds, the logarithm of a mean, or the outcome itself.
        features: in order.
        leaves: how many each tree has; it has one split less.
        feature: place of the feature that each split looks at.
        threshold: of a number: what is not over it goes left; of a category: which of ``sets`` goes left.
        missing: whether a row goes left where a number is missing.
        left: where a split leads: to a later split of its tree, or to leaf ``-1 - number``.
        right: the other side.
        leaf: what each leaf adds.
        sets: of levels: for each set how many numbers of levels follow, and these.
    """

    kind: Literal["trees"] = "trees"
    objective: Literal["binary", "regression", "poisson", "quantile", "regression_l1"]
    features: Annotated[tuple[TreeFeature, ...], Field(min_length=1, max_length=256)]
    leaves: Line[Annotated[int, Field(ge=1, le=1024)]]
    feature: Line[Annotated[int, Field(ge=0, le=255)]]
    threshold: Line[Annotated[float, Field(ge=-1e301, le=1e301)]]
    missing: Line[bool]
    left: Line[Annotated[int, Field(ge=-1024, le=1023)]]
    right: Line[Annotated[int, Field(ge=-1024, le=1023)]]
    leaf: Line[Annotated[float, Field(ge=-1e9, le=1e9)]]
    sets: Annotated[tuple[Annotated[int, Field(ge=0, le=1 << 31)], ...], BeforeValidator(_numbers),
                    Field(max_length=1 << 16)] = ()

    @property
    def variables(self) -> list[str]:
        """Columns of the contract that it reads."""
        return [feature.name for feature in self.features]

    @property
    def probability(self) -> bool:
        """Whether it gives probabilities."""
        return self.objective == "binary"

    @property
    def reach(self) -> tuple[float, float]:
        """The least and the largest score that there can be: every row in a tree's smallest leaf, or in its largest."""
        ends = np.zeros(2)
        for tree in self._trees():  # added up as a row's leaves are, so that rounding moves no score beyond
            ends += min(tree.leaf), max(tree.leaf)
        low, high = self._mean(ends).tolist()
        return low, high

    def score(self, rows: pd.DataFrame) -> Array:
        """Return the expected outcome of rows; missing values and unknown levels go where the trees send them."""
        columns = read_matrix([feature.model_dump() for feature in self.features], rows)
        score, sets = np.zeros(len(rows)), self._sets()
        for tree in self._trees():
            tree.add_to(score, columns, sets, [bool(feature.levels) for feature in self.features])
        return self._mean(score)

    def _mean(self, score: Array) -> Array:
        with np.errstate(over="ignore"):
            if self.objective == "binary":
                return np.asarray(1.0 / (1.0 + np.exp(-score)), np.float64)
            return np.exp(score) if self.objective == "poisson" else score

    def _trees(self) -> Iterator[_Tree]:
        for number, (start, end) in enumerate(pairwise(accumulate(self.leaves, initial=0))):
            splits = slice(start - number, end - number - 1)
            yield _Tree(self.feature[splits], self.threshold[splits], self.missing[splits], self.left[splits],
                        self.right[splits], self.leaf[start:end])

    def _sets(self) -> list[Array]:
        out, place = list[Array](), 0
        while place < len(self.sets):
            end = place + 1 + self.sets[place]
            if end > len(self.sets):
                raise ValueError("a set holds as many levels as it says")
            out.append(np.array(self.sets[place + 1 : end], np.float64))
            place = end
        return out

    @model_validator(mode="after")
    def _coherent(self) -> Trees:
        if len(set(self.variables)) != len(self.features):
            raise ValueError("features are distinct")
        splits = len(self.leaf) - len(self.leaves)
        lines = (self.feature, self.threshold, self.missing, self.left, self.right)
        if not self.leaves or sum(self.leaves) != len(self.leaf) or {len(line) for line in lines} != {splits}:
            raise ValueError("a tree has one leaf more than it has splits, and all of each split")
        sets = len(self._sets())
        for tree in self._trees():
            tree.check()
        for place, threshold in zip(self.feature, self.threshold, strict=True):
            if place >= len(self.features):
                raise ValueError("a split looks at one of the features")
            if self.features[place].levels and threshold not in range(sets):
                raise ValueError("the threshold of a category is the number of a set of levels")
        return self


def trees_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result of ``trees.gbdt`` as parameters.

    Raises:
        InputError: it has several scores, or more leaves than a study can hold.
    """
    if payload["objective"] not in _ONE_SCORE:
        raise InputError("scoring.not-a-model", "this model gives several scores a row",
                         got=f"objective {payload['objective']}", expected=f"one of {', '.join(_ONE_SCORE)}")
    trees = read_trees(payload["model"])
    leaves = [len(tree.floats("leaf_value")) for tree in trees]
    if sum(leaves) > MOST_LEAVES:
        raise InputError("scoring.too-large", "this model has more leaves than a study can hold", got=sum(leaves),
                         expected=f"at most {MOST_LEAVES}",
                         hint="score the rows beforehand and register the score as a column")
    lines: dict[str, list[Any]] = {"leaves": leaves, "sets": []}
    sets = 0
    for tree in trees:
        found, own = _lines(tree, sets)
        sets += len(own)
        lines["sets"] += [number for one in own for number in (len(one), *one)]
        for name, values in found.items():
            lines.setdefault(name, []).extend(values)
    features = [{"name": one["name"]} | ({"levels": list(one["levels"]), "zero": one["zero"]} if one["levels"] else {})
                for one in payload["features"]]
    return {"kind": "trees", "objective": payload["objective"], "features": features} | {
        name: _texts(values) for name, values in lines.items()}


def _lines(tree: TreeText, before: int) -> tuple[dict[str, list[Any]], list[list[int]]]:
    """Return a tree's lines and its sets of levels, before which so many were of other trees."""
    thresholds, kinds = tree.floats("threshold"), tree.integers("decision_type")
    missing = list[int]()
    for place, (kind, threshold) in enumerate(zip(kinds, list(thresholds), strict=True)):
        # A number that was never missing is read as 0 where it is.
        known = (kind >> 2) & 3 != _NAN
        missing.append(int(not kind & _CATEGORY and (threshold >= 0.0 if known else bool(kind & _LEFT))))
        if kind & _CATEGORY:
            thresholds[place] = float(before + int(threshold))
    words, borders = tree.integers("cat_threshold"), tree.integers("cat_boundaries")
    sets = [[32 * place + bit for place, word in enumerate(words[start:end]) for bit in range(32) if word >> bit & 1]
            for start, end in pairwise(borders)]
    return {"feature": tree.integers("split_feature"), "threshold": thresholds, "missing": missing,
            "left": tree.integers("left_child"), "right": tree.integers("right_child"),
            "leaf": tree.floats("leaf_value")}, sets


def _texts(values: Sequence[Any]) -> list[str]:
    """Return numbers as texts that a study can hold."""
    out = list[str]()
    for word in map(repr, values):
        if out and len(out[-1]) + 1 + len(word) <= _TEXT:
            out[-1] += f" {word}"
        else:
            out.append(word)
    return out
