"""What an ONNX file gives is what ``predict`` gives, for any number of rows."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from sealane.computations.neural.train import NeuralTrain
from sealane.errors import InputError

from .conftest import NUMBERS, by_site, people

pytest.importorskip("torch")
pytest.importorskip("flwr")

MODELS = {
    "mlp": ("ill", [*NUMBERS, "grade"], {"name": "mlp", "hidden": [8]}),
    "classes": ("ward", NUMBERS, {"name": "mlp", "hidden": [8]}),
    "cnn1d": ("stay", NUMBERS, {"name": "cnn1d", "filters": [4], "kernel": 3}),
    "gru": ("ill", NUMBERS, {"name": "gru", "hidden": 4}),
    "cnn": ("ill", NUMBERS, {"name": "cnn", "height": 1, "width": 3, "filters": [4]}),
    "vit": ("ill", NUMBERS, {"name": "vit", "height": 1, "width": 3, "patch": 1, "width_of_token": 8, "depth": 1}),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_the_file_gives_what_the_model_gives(run_pooled, tmp_path, name):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    outcome, features, model = MODELS[name]
    frame = people(300)
    result = run_pooled(by_site(frame), NeuralTrain(), {
        "outcome": outcome, "features": features, "model": model, "rounds": 2, "missing": "mean"})
    result.to_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    rows = frame.head(7).copy()
    rows.loc[2, "dose"] = np.nan
    levels = next((one["levels"] for one in result._payload["features"] if "levels" in one), [])
    fed = {"numbers": rows[NUMBERS].to_numpy(np.float32),
           "codes": np.array([[levels.index(g) + 1] for g in rows.grade] if levels else np.zeros((7, 0)), np.int64)}
    wanted = [one.name for one in session.get_inputs()]
    assert ("codes" in wanted) == ("grade" in features)
    for few in (slice(None), slice(0, 1)):
        given = session.run(None, {name: fed[name][few] for name in wanted})[0]
        np.testing.assert_allclose(given, result.predict(rows)[few].to_numpy(), rtol=2e-4, atol=2e-5)
    assert session.get_modelmeta().custom_metadata_map["outcome"] == f'"{outcome}"'


def test_without_onnx(run_pooled, monkeypatch, tmp_path):
    result = run_pooled(by_site(people(120)), NeuralTrain(), {"outcome": "ill", "features": NUMBERS, "rounds": 1})
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError) as caught:
        result.to_onnx(tmp_path / "model.onnx")
    assert caught.value.code == "neural.no-onnx"


def test_what_onnx_has_no_word_for(tmp_path):
    pytest.importorskip("onnx")
    import torch

    from sealane.computations.neural.learning.onnx_file import write_onnx

    class Odd(torch.nn.Module):
        def forward(self, numbers, codes):
            return torch.special.bessel_j0(numbers)

    with pytest.raises(InputError) as caught:
        write_onnx(Odd(), {"features": [{"name": "x", "centre": 0.0, "scale": 1.0}], "numbers": 1, "sizes": [],
                           "task": "binary", "centre": 0.0, "scale": 1.0, "classes": [], "outcome": "y"},
                   tmp_path / "odd.onnx")
    assert caught.value.code == "neural.not-exportable"
