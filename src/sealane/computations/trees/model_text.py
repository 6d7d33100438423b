"""The model file: what LightGBM wrote over numbers of bins, written over the contract's units for any LightGBM to read.

Structure and header are public and the same at every node; the floats are settled among the nodes before they are
written, so the file's bytes are the same everywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.trees.bins import Bins
from sealane.computations.trees.mirror import Step, differs
from sealane.computations.trees.rows import Feature

FLOATS = ("leaf_value", "internal_value", "split_gain", "leaf_weight", "internal_weight")
"""Lines of a tree that hold floats which depend on rows."""
_ENDLESS = 1e200
"""LightGBM writes a border without end as 1e300."""


@dataclass(slots=True)
class TreeText:
    """One tree of a model file: its lines by name, in order."""

    lines: dict[str, str]

    def floats(self, name: str) -> list[float]:
        """Return a line as floats; none where the tree has no such line."""
        return [float(word) for word in self.lines.get(name, "").split()]

    def integers(self, name: str) -> list[int]:
        """Return a line as integers."""
        return [int(word) for word in self.lines.get(name, "").split()]


def read_trees(text: str) -> list[TreeText]:
    """Return the trees of a model that LightGBM wrote."""
    body = text.partition("\nend of trees")[0]
    blocks = re.split(r"(?m)^Tree=\d+\n", body)[1:]
    return [TreeText(dict(line.split("=", 1) for line in block.splitlines() if line)) for block in blocks]


def check(tree: TreeText, made: Sequence[Step], bins: Sequence[Bins]) -> None:
    """Hold a tree against the splits that were followed.

    Raises:
        ProtocolError: ``trees.other-tree``.
    """
    found = list(zip(tree.integers("split_feature"), tree.floats("threshold"), strict=True))
    if len(found) != len(made):
        raise differs(f"{len(found)} splits")
    for (column, threshold), step in zip(found, made, strict=True):
        split = step.split
        same = column == split.feature
        if same and not bins[column - 1].categorical:
            edges = bins[column - 1].edges
            same = split.threshold == (len(edges) if threshold > _ENDLESS else int(threshold))
        if not same:
            raise differs("another split")


def gather_floats(trees: Sequence[TreeText], name: str) -> NDArray[np.float64]:
    """Return a line of all trees as one array, to be settled."""
    return np.array([value for tree in trees for value in tree.floats(name)], np.float64)


def put_floats(trees: Sequence[TreeText], name: str, values: NDArray[np.float64]) -> None:
    """Write settled floats back."""
    rest = values.tolist()
    for tree in trees:
        if name in tree.lines:
            number = len(tree.lines[name].split())
            tree.lines[name], rest = " ".join(map(repr, rest[:number])), rest[number:]


def in_units(tree: TreeText, bins: Sequence[Bins], places: Sequence[int]) -> None:
    """Put features and borders of the contract in place of columns and bins.

    Args:
        tree: is changed.
        bins: of LightGBM's columns, the padding left out.
        places: of these columns' features among all features.
    """
    columns, thresholds = tree.integers("split_feature"), tree.floats("threshold")
    words = tree.lines.get("threshold", "").split()
    for place, (column, threshold) in enumerate(zip(columns, thresholds, strict=True)):
        one = bins[column - 1]
        if not one.categorical:  # of a category it is the number of the set of levels
            words[place] = repr(threshold if threshold > _ENDLESS else one.edges[int(threshold)])
    if columns:
        tree.lines["threshold"] = " ".join(words)
        tree.lines["split_feature"] = " ".join(str(places[column - 1]) for column in columns)


def add_base(tree: TreeText, base: float) -> None:
    """Add the base score to a first tree, as LightGBM does."""
    for name in ("leaf_value", "internal_value"):
        put_floats([tree], name, gather_floats([tree], name) + base)
    tree.lines["shrinkage"] = "1"


def write_model(trees: Sequence[TreeText], features: Sequence[Feature], useful: Sequence[Bins], objective: str,
                scores: int, monotone: Sequence[int], parameters: dict[str, object]) -> str:
    """Return the model file.

    Args:
        trees: in order.
        features: all of them, in the study's order.
        useful: bins of those that could be split.
        objective: as the file names it.
        scores: trees in a round.
        monotone: direction of each feature.
        parameters: to be noted at the end.
    """
    blocks = [f"Tree={number}\n" + "".join(f"{name}={value}\n" for name, value in tree.lines.items()) + "\n\n"
              for number, tree in enumerate(trees)]
    by_name = {one.feature.name: one for one in useful}
    head = [
        "tree", "version=v4", f"num_class={scores}", f"num_tree_per_iteration={scores}", "label_index=0",
        f"max_feature_idx={len(features) - 1}", f"objective={objective}",
        "feature_names=" + " ".join(plain_name(feature.name) for feature in features),
        *(["monotone_constraints=" + " ".join(map(str, monotone))] if any(monotone) else []),
        "feature_infos=" + " ".join(_values(feature, by_name.get(feature.name)) for feature in features),
        "tree_sizes=" + " ".join(str(len(block.encode())) for block in blocks), "", "",
    ]
    noted = "".join(f"[{name}: {value}]\n" for name, value in parameters.items())
    levels = [list(feature.levels) for feature in features if feature.field.type == "category"]
    return ("\n".join(head) + "".join(blocks) + f"end of trees\n\nparameters:\n{noted}\nend of parameters\n\n"
            f"pandas_categorical:{json.dumps(levels)}\n")


def plain_name(name: str) -> str:
    """Return a feature's name as a model file can hold it."""
    return re.sub(r"[\s,:\[\]{}\"]", "_", name)


def _values(feature: Feature, bins: Bins | None) -> str:
    if bins is None:
        return "none"
    if bins.categorical:
        return ":".join(str(place + feature.zero) for place in bins.levels)
    return f"[{feature.low!r}:{feature.high!r}]"
