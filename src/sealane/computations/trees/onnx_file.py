"""The model as an ONNX file, by onnxmltools, in double precision and held against LightGBM before it is handed out.

The converter writes borders and leaves in single precision, which would send rows near a border elsewhere; so they are
taken from it in double precision. A binary model is written as its score and a sigmoid: a classifier node leaves it to
the runtime what label a score stands for, and ONNX Runtime names the wrong one where every leaf is positive.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import shake_256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.trees.library import load
from sealane.errors import InputError, RefusedError

ROWS, NEAR = 256, 1e-9
"""Rows on which converted trees are held against LightGBM, and how near scores have to be."""
_IR, _TREES = 8, 3  # the oldest that hold trees of double precision
_NUMBERS = ("nodes_values", "class_weights", "target_weights")

Array = NDArray[np.float64]


def onnx_model(payload: Mapping[str, Any], features: Sequence[str]) -> Any:
    """Return the model as an ``onnx.ModelProto``.

    Its input ``input`` takes rows as :meth:`.GbdtResult.matrix` gives them, in double precision. Its outputs are
    ``label`` and ``probabilities``, a column for each class, or ``variable``, the expected outcome.

    Args:
        payload: of the result.
        features: names, in order.

    Raises:
        InputError: onnx, onnxmltools or LightGBM is not installed.
        RefusedError: the converter does not carry this model, or carries it to another one.
    """
    try:
        import onnxmltools
        from onnxmltools.convert.common.data_types import DoubleTensorType
        from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
    except ImportError:
        raise InputError("trees.no-onnx", "onnx or onnxmltools is not installed", expected="the extra onnx",
                         hint="pip install 'sealane[onnx]'") from None
    binary = payload["objective"] == "binary"
    text = str(payload["model"])
    if binary:  # the file names its objective twice
        text = text.replace("\nobjective=binary sigmoid:1\n", "\nobjective=regression\n", 1)
        text = text.replace("\n[objective: binary]\n", "\n[objective: regression]\n", 1)
    booster = load().Booster(model_str=text)
    written: list[dict[str, Any]] = []

    def convert(scope: Any, operator: Any, container: Any) -> None:
        convert_lightgbm(scope, operator, _Double(container, written))

    try:
        model = onnxmltools.convert_lightgbm(
            booster, "sealane", [("input", DoubleTensorType([None, len(features)]))], zipmap=False,
            custom_conversion_functions={"LgbmClassifier": convert, "LgbmRegressor": convert})
    except Exception as error:
        raise RefusedError("trees.onnx-refused", "onnxmltools does not carry this model", got=type(error).__name__,
                           hint="save_model writes the file that any LightGBM reads") from error
    rows = _probes(booster, payload["features"])
    scores = booster.predict(rows, raw_score=True).reshape(len(rows), -1)
    found = sum(_scores(nodes, rows, scores.shape[1]) for nodes in written)
    if len(written) != 1 or not np.allclose(found, scores, rtol=NEAR, atol=NEAR):
        raise RefusedError("trees.onnx-differs", "the converted model scores rows otherwise than LightGBM",
                           expected=f"the same score of {len(rows)} rows to {NEAR:g}",
                           hint="install another version of onnxmltools, or use save_model")
    return _finished(model, payload, features, binary)


class _Double:
    """A container of the converter's that notes the nodes of trees and keeps their numbers in double precision."""

    def __init__(self, container: Any, written: list[dict[str, Any]]) -> None:
        self._container, self._written = container, written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, kind: str, inputs: Any, outputs: Any, **attributes: Any) -> None:
        """Add a node."""
        if kind.startswith("TreeEnsemble"):
            from onnx.numpy_helper import from_array

            self._written.append(dict(attributes))
            attributes.pop("nodes_hitrates", None)
            attributes["op_version"] = _TREES
            for name in _NUMBERS:
                if name in attributes:
                    numbers = np.array(attributes.pop(name), np.float64)
                    attributes[f"{name}_as_tensor"] = from_array(numbers, name)
        self._container.add_node(kind, inputs, outputs, **attributes)


def _probes(booster: Any, described: Sequence[Mapping[str, Any]]) -> Array:
    """Return rows whose numbers lie on borders of the trees, beside them and between, levels, and missing ones."""
    table = booster.trees_to_dataframe()
    names = booster.feature_name()
    rows = np.empty((ROWS, len(names)))
    for place, (name, one) in enumerate(zip(names, described, strict=True)):
        if one["levels"]:
            values = np.arange(len(one["levels"]) + 1.0) + one["zero"]
        else:
            mine = table.loc[table["split_feature"] == name, "threshold"].to_numpy(np.float64)
            mine = mine[np.abs(mine) < 1e200]
            values = np.concatenate([mine, np.nextafter(mine, np.inf), mine - 1.0, [0.0, -1.0]])
        words = np.frombuffer(shake_256(f"rows to try {place}".encode()).digest(8 * ROWS), "<u8")
        rows[:, place] = np.where(words % 5 == 0, np.nan, values[(words // 5 % len(values)).astype(np.int64)])
    return rows


def _scores(nodes: Mapping[str, Any], rows: Array, scores: int) -> Array:
    """Return what trees of ONNX give, summed; shape ``(n_rows, scores)``.

    Source: ONNX, ai.onnx.ml, TreeEnsembleRegressor and TreeEnsembleClassifier, version 3.
    """
    at = {key: place for place, key in enumerate(zip(nodes["nodes_treeids"], nodes["nodes_nodeids"], strict=True))}
    side = "class" if "class_ids" in nodes else "target"
    leaf = {key: (target, weight) for key, target, weight in zip(
        zip(nodes[f"{side}_treeids"], nodes[f"{side}_nodeids"], strict=True), nodes[f"{side}_ids"],
        nodes[f"{side}_weights"], strict=True)}
    out = np.zeros((len(rows), scores))
    for tree in dict.fromkeys(nodes["nodes_treeids"]):
        waiting = [(0, np.arange(len(rows)))]
        while waiting:
            node, here = waiting.pop()
            place = at[tree, node]
            mode = nodes["nodes_modes"][place]
            if not here.size:
                continue
            if mode == "LEAF":
                target, weight = leaf[tree, node]
                out[here, target] += weight
                continue
            values, border = rows[here, nodes["nodes_featureids"][place]], float(nodes["nodes_values"][place])
            true = values <= border if mode == "BRANCH_LEQ" else values == border
            true = np.where(np.isnan(values), bool(nodes["nodes_missing_value_tracks_true"][place]), true)
            waiting += [(nodes["nodes_truenodeids"][place], here[true]),
                        (nodes["nodes_falsenodeids"][place], here[~true])]
    return out


def _finished(model: Any, payload: Mapping[str, Any], features: Sequence[str], binary: bool) -> Any:
    """Return the model with outputs of known shape, and what a reader has to know of its columns."""
    from onnx import TensorProto, checker, helper

    graph, single = model.graph, TensorProto.FLOAT
    classes = len(payload["classes"]) or 2
    if binary:
        score = graph.output[0].name
        graph.node.extend([
            helper.make_node("Sigmoid", [score], ["event"]), helper.make_node("Neg", [score], ["against"]),
            helper.make_node("Sigmoid", ["against"], ["others"]),
            helper.make_node("Concat", ["others", "event"], ["probabilities"], axis=1),
            helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0)])
    outputs = [("variable", single, [None, 1])]
    if binary or payload["objective"] == "multiclass":
        outputs = [("label", TensorProto.INT64, [None]), ("probabilities", single, [None, classes])]
    del graph.output[:]
    graph.output.extend([helper.make_tensor_value_info(*one) for one in outputs])
    model.ir_version = max(model.ir_version, _IR)
    model.producer_name = "sealane"
    columns = [{"name": name} | ({"levels": list(one["levels"]), "zero": one["zero"]} if one["levels"] else {})
               for name, one in zip(features, payload["features"], strict=True)]
    helper.set_model_props(model, {
        "outcome": payload["outcome"], "objective": payload["objective"], "classes": json.dumps(payload["classes"]),
        "columns": json.dumps(columns)})
    checker.check_model(model)
    return model
