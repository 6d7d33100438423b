"""Boosted trees as plain parameters of a study, evaluated here in NumPy.

No node hands a model's text to LightGBM: its reader is C++ and trusts what it reads. What is read here are numbers
whose every reference is checked, and LightGBM need not be installed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sealane.computations.base import Parameters
from sealane.computations.design.parameters import Name
from sealane.computations.trees.matrix import read_matrix
from sealane.computations.trees.model_text import TreeText, read_trees
from sealane.computations.trees.parameters import Objective
from sealane.errors import InputError

MOST_LEAVES = 4000
"""Of all trees: at 60 bytes each, with all digits of their thresholds, they fit into a study of 256 KiB."""
_ONE_SCORE = ("binary", "regression", "poisson", "quantile", "regression_l1")
_CATEGORY, _LEFT, _NAN = 1, 2, 2

Level = Annotated[str, Field(max_length=256)]
Border = Annotated[float, Field(ge=-1e301, le=1e301)]
Output = Annotated[float, Field(ge=-1e9, le=1e9)]
Place = Annotated[int, Field(ge=-1024, le=1024)]
Array = NDArray[np.float64]


class TreeFeature(Parameters):
    """A number, or a category with its ``levels``, the first of which is the number ``zero``."""

    name: Name
    levels: Annotated[tuple[Level, ...], Field(max_length=256)] = ()
    zero: Annotated[int, Field(ge=0, le=1 << 30)] = 0


class Tree(Parameters):
    """One tree, its splits in order; a split comes after the one that leads to it.

    Attributes:
        feature: place of the feature that each split looks at.
        threshold: of a number: what is not over it goes left; of a category: which of ``sets`` goes left.
        sets: numbers of levels.
        missing: whether a row goes left where a number is missing.
        left: where a split leads: to a split of that number, or to leaf ``-1 - number``.
        right: the other side.
        leaf: what each leaf adds.
    """

    feature: Annotated[tuple[Annotated[int, Field(ge=0, le=255)], ...], Field(max_length=1023)]
    threshold: Annotated[tuple[Border, ...], Field(max_length=1023)]
    sets: Annotated[tuple[Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=256)], ...],
                    Field(max_length=1023)] = ()
    missing: Annotated[tuple[bool, ...], Field(max_length=1023)]
    left: Annotated[tuple[Place, ...], Field(max_length=1023)]
    right: Annotated[tuple[Place, ...], Field(max_length=1023)]
    leaf: Annotated[tuple[Output, ...], Field(min_length=1, max_length=1024)]

    @model_validator(mode="after")
    def _whole(self) -> Tree:
        splits = len(self.feature)
        lengths = {splits, len(self.threshold), len(self.missing), len(self.left), len(self.right), len(self.leaf) - 1}
        if lengths != {splits}:
            raise ValueError("a tree has one leaf more than it has splits, and all of each split")
        # Every split but the first and every leaf is led to once, from an earlier split: so there is no way round.
        if sorted((*self.left, *self.right)) != [*range(-1 - splits, 0), *range(1, splits)] * bool(splits):
            raise ValueError("each split and leaf of a tree has one that leads to it")
        if any(0 <= child <= place for side in (self.left, self.right) for place, child in enumerate(side)):
            raise ValueError("a split comes after the one that leads to it")
        return self

    def add_to(self, score: Array, columns: Array, categories: tuple[bool, ...]) -> None:
        """Add each row's leaf to its score."""
        waiting = [(0 if self.feature else -1, np.arange(len(score)))]
        while waiting:
            at, here = waiting.pop()
            if at < 0:
                score[here] += self.leaf[-1 - at]
            elif here.size:
                values, threshold = columns[here, self.feature[at]], self.threshold[at]
                if categories[self.feature[at]]:
                    left = np.isin(values, self.sets[int(threshold)])
                else:
                    left = np.where(np.isnan(values), self.missing[at], values <= threshold)
                waiting += [(self.left[at], here[left]), (self.right[at], here[~left])]


class Trees(Parameters):
    """A ``trees.gbdt`` model of one score.

    Attributes:
        kind: ``trees``.
        objective: says what the sum of leaves is: log odds, the logarithm of a mean, or the outcome itself.
        features: in order.
        trees: whose leaves are added.
    """

    kind: Literal["trees"] = "trees"
    objective: Literal["binary", "regression", "poisson", "quantile", "regression_l1"]
    features: Annotated[tuple[TreeFeature, ...], Field(min_length=1, max_length=256)]
    trees: Annotated[tuple[Tree, ...], Field(min_length=1, max_length=2000)]

    @property
    def variables(self) -> list[str]:
        """Columns of the contract that it reads."""
        return [feature.name for feature in self.features]

    @property
    def probability(self) -> bool:
        """Whether it gives probabilities."""
        return self.objective == "binary"

    def score(self, rows: pd.DataFrame) -> Array:
        """Return the expected outcome of rows; missing values and unknown levels go where the trees send them."""
        columns = read_matrix([feature.model_dump() for feature in self.features], rows)
        score = np.zeros(len(rows))
        categories = tuple(bool(feature.levels) for feature in self.features)
        for tree in self.trees:
            tree.add_to(score, columns, categories)
        if self.objective == "binary":
            with np.errstate(over="ignore"):
                return np.asarray(1.0 / (1.0 + np.exp(-score)), np.float64)
        return np.exp(score) if self.objective == "poisson" else score

    @model_validator(mode="after")
    def _coherent(self) -> Trees:
        if len(set(self.variables)) != len(self.features):
            raise ValueError("features are distinct")
        if sum(len(tree.leaf) for tree in self.trees) > MOST_LEAVES:
            raise ValueError(f"all trees together have at most {MOST_LEAVES} leaves")
        for tree in self.trees:
            for place, threshold in zip(tree.feature, tree.threshold, strict=True):
                if place >= len(self.features):
                    raise ValueError("a split looks at one of the features")
                if self.features[place].levels and threshold not in range(len(tree.sets)):
                    raise ValueError("the threshold of a category is the number of a set of levels")
        return self


def trees_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result of ``trees.gbdt`` as parameters.

    Raises:
        InputError: it has several scores, or more leaves than a study can hold.
    """
    objective: Objective = payload["objective"]
    if objective not in _ONE_SCORE:
        raise InputError("scoring.not-a-model", "this model gives several scores a row", got=f"objective {objective}",
                         expected=f"one of {', '.join(_ONE_SCORE)}")
    trees = read_trees(payload["model"])
    leaves = sum(len(tree.floats("leaf_value")) for tree in trees)
    if leaves > MOST_LEAVES:
        raise InputError("scoring.too-large", "this model has more leaves than a study can hold", got=leaves,
                         expected=f"at most {MOST_LEAVES}",
                         hint="score the rows beforehand and register the score as a column")
    features = [{"name": one["name"]} | ({"levels": list(one["levels"]), "zero": one["zero"]} if one["levels"] else {})
                for one in payload["features"]]
    return {"kind": "trees", "objective": objective, "features": features, "trees": [_tree(tree) for tree in trees]}


def _tree(tree: TreeText) -> dict[str, Any]:
    thresholds, kinds = tree.floats("threshold"), tree.integers("decision_type")
    missing = []
    for kind, threshold in zip(kinds, thresholds, strict=True):
        # A number that was never missing is read as 0 where it is.
        known = (kind >> 2) & 3 != _NAN
        missing.append(not kind & _CATEGORY and (threshold >= 0.0 if known else bool(kind & _LEFT)))
    words, borders = tree.integers("cat_threshold"), tree.integers("cat_boundaries")
    sets = [[32 * place + bit for place, word in enumerate(words[start:end]) for bit in range(32) if word >> bit & 1]
            for start, end in pairwise(borders)]
    leaves = tree.floats("leaf_value")
    assert all(math.isfinite(leaf) for leaf in leaves)
    return {"feature": tree.integers("split_feature"), "threshold": thresholds, "missing": missing,
            "left": tree.integers("left_child"), "right": tree.integers("right_child"), "leaf": leaves} | (
                {"sets": sets} if sets else {})
