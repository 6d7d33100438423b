"""The exported model in ONNX Runtime against stock LightGBM, on rows with missing values and categories."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest

from sealane.computations.trees.fit import Gbdt
from sealane.errors import InputError, RefusedError

onnxruntime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxmltools")

FEATURES = ["a", "b", "m", "whole", "grade"]


@pytest.fixture(scope="module")
def trained(run_pooled, parts):
    made = {}

    def train(outcome, objective=None, rounds=6, **changes):
        key = outcome, objective, rounds, *changes
        if key not in made:
            params = {"num_leaves": 8} | ({"objective": objective} if objective else {})
            asked = {"outcome": outcome, "features": FEATURES, "categorical": ["whole"], "rounds": rounds}
            made[key] = run_pooled(parts, Gbdt(), asked | {"params": params} | changes, minimum_count=5)
        return made[key]

    return train


@pytest.fixture(scope="module")
def odd(rows):
    """Rows that miss what was always known, hold unknown levels, and lie on and beside borders of bins."""
    rng = np.random.default_rng(3)
    frame = pd.concat([rows, rows], ignore_index=True)
    frame["whole"] = frame["whole"].astype(float)
    for name in FEATURES:
        frame[name] = frame[name].mask(rng.random(len(frame)) < 0.2)
    frame["grade"] = frame["grade"].mask(rng.random(len(frame)) < 0.1, "nowhere")
    frame["whole"] = frame["whole"].mask(rng.random(len(frame)) < 0.1, 99.0)
    return frame


def run(model, matrix):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip([one.name for one in session.get_outputs()], session.run(None, {"input": matrix}), strict=True))


@pytest.mark.parametrize(("outcome", "objective"), [
    ("amount", None), ("number", "poisson"), ("amount", "quantile"), ("amount", "regression_l1")])
def test_numbers_are_those_of_lightgbm(outcome, objective, trained, odd):
    result = trained(outcome, objective)
    matrix = result.matrix(odd)
    expected = result.booster.predict(matrix)
    assert len(np.unique(expected)) > 20
    assert run(result.to_onnx(), matrix)["variable"][:, 0] == pytest.approx(expected, abs=1e-6, rel=1e-6)


def test_events_are_those_of_lightgbm(trained, odd):
    result = trained("event")
    matrix = result.matrix(odd)
    expected = result.booster.predict(matrix)
    found = run(result.to_onnx(), matrix)
    assert found["probabilities"] == pytest.approx(np.column_stack([1 - expected, expected]), abs=1e-6)
    assert (found["label"] == (expected > 0.5)).all()


def test_classes_are_those_of_lightgbm(trained, odd):
    result = trained("kind", rounds=4)
    matrix = result.matrix(odd)
    expected = result.booster.predict(matrix)
    found = run(result.to_onnx(), matrix)
    assert found["probabilities"] == pytest.approx(expected, abs=1e-6)
    assert (found["label"] == expected.argmax(axis=1)).all()


def test_labels_where_every_leaf_is_positive(run_pooled, parts, rows):
    # The share of events is just over one half: all leaves of a slow first tree are over 0 and under 0.5.
    result = run_pooled({name: part.assign(event=(part["b"] > -0.2).astype(int)) for name, part in parts.items()},
                        Gbdt(), {"outcome": "event", "features": ["a", "b"], "rounds": 1,
                                 "params": {"num_leaves": 4, "learning_rate": 0.01}}, minimum_count=5)
    matrix = result.matrix(rows)
    assert result.booster.predict(matrix, raw_score=True).min() > 0
    assert result.booster.predict(matrix, raw_score=True).max() < 0.5
    found = run(result.to_onnx(), matrix)
    assert found["label"].all()
    assert found["probabilities"][:, 1] == pytest.approx(result.booster.predict(matrix), abs=1e-6)


def test_rows_on_a_border_and_the_next_number_after_it_part(trained):
    result = trained("amount")
    border = next(edge for edge in result.bins["a"] if float(np.float32(edge)) != edge
                  and repr(edge) in result.model_text)
    matrix = np.tile([border, 0.0, 0.0, 3.0, 0.0], (2, 1))
    matrix[1, 0] = np.nextafter(border, np.inf)
    expected = result.booster.predict(matrix)
    assert expected[0] != expected[1]
    assert run(result.to_onnx(), matrix)["variable"][:, 0] == pytest.approx(expected, rel=1e-6)


def test_the_file_says_what_its_columns_and_classes_are(trained, tmp_path):
    trained("kind", rounds=4).to_onnx(tmp_path / "model.onnx")
    model = onnx.load(str(tmp_path / "model.onnx"))
    noted = {one.key: one.value for one in model.metadata_props}
    assert json.loads(noted["classes"]) == ["low", "middle", "top"]
    columns = json.loads(noted["columns"])
    assert [one["name"] for one in columns] == FEATURES
    assert columns[4]["levels"] == list("pqrstuv")
    assert noted["outcome"] == "kind"


def test_a_converter_that_changes_a_model_is_found_out(trained, monkeypatch):
    from onnxmltools.convert.lightgbm.operator_converters import LightGbm

    carry = LightGbm.convert_lightgbm

    def wrongly(scope, operator, container):
        class Changed:
            def __getattr__(self, name):
                return getattr(container, name)

            def add_node(self, kind, inputs, outputs, **attributes):
                if kind.startswith("TreeEnsemble"):
                    tracks = attributes["nodes_missing_value_tracks_true"]
                    attributes["nodes_missing_value_tracks_true"] = [1 - one for one in tracks]
                container.add_node(kind, inputs, outputs, **attributes)

        carry(scope, operator, Changed())

    monkeypatch.setattr(LightGbm, "convert_lightgbm", wrongly)
    with pytest.raises(RefusedError) as caught:
        trained("amount").to_onnx()
    assert caught.value.code == "trees.onnx-differs"


def test_a_converter_that_fails(trained, monkeypatch):
    from onnxmltools.convert.lightgbm.operator_converters import LightGbm

    def fail(*arguments):
        raise RuntimeError("unknown objective")

    monkeypatch.setattr(LightGbm, "convert_lightgbm", fail)
    with pytest.raises(RefusedError) as caught:
        trained("amount").to_onnx()
    assert caught.value.code == "trees.onnx-refused"


def test_without_the_extra(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxmltools", None)
    with pytest.raises(InputError) as caught:
        trained("amount").to_onnx()
    assert caught.value.code == "trees.no-onnx"
