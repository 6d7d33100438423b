from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

import sealane
from sealane.cli.model_file import write_model
from sealane.client.session import Opened
from sealane.errors import InputError, UnavailableError

lightgbm = pytest.importorskip("lightgbm")


def opened(result: Any, computation: str) -> Opened:
    return cast(Opened, SimpleNamespace(present=lambda: result, study=SimpleNamespace(computation=computation)))


@pytest.fixture(scope="module")
def banks() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(2)
    rows = pd.DataFrame({"x": rng.normal(size=1500)})
    rows["bad"] = (rng.random(1500) < 1 / (1 + np.exp(-rows["x"]))).astype(int)
    return {name: rows.iloc[k::3] for k, name in enumerate(["north", "south", "west"])}


@pytest.fixture(scope="module")
def trees(banks: dict[str, pd.DataFrame]) -> Opened:
    result = sealane.simulate(banks).run("trees.gbdt", outcome="bad", features=["x"], rounds=1)
    return opened(result, "trees.gbdt")


def test_a_model_is_written_as_its_name_says(trees: Opened, tmp_path: Path) -> None:
    pytest.importorskip("onnxmltools")
    onnx = pytest.importorskip("onnx")
    text = write_model(trees, tmp_path / "model.txt")
    assert lightgbm.Booster(model_file=str(text)).num_trees() == 1
    (tmp_path / "model.onnx").write_bytes(b"old")
    written = write_model(trees, tmp_path / "model.onnx")
    assert [one.name for one in onnx.load(str(written)).graph.input] == ["input"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "model.txt"]


def test_a_place_that_cannot_be_written(trees: Opened, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        write_model(trees, tmp_path / "nowhere" / "model.txt")
    assert caught.value.code == "run.model-not-written"


def test_a_result_without_a_model_file(banks: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    fit = sealane.simulate(banks).run("glm.fit", formula="bad ~ x", family="binomial")
    for name in ("model.txt", "model.onnx"):
        with pytest.raises(InputError) as caught:
            write_model(opened(fit, "glm.fit"), tmp_path / name)
        assert caught.value.code == "run.no-model-file"
