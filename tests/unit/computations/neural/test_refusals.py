"""What is refused, and by which code; what goes wrong at a node in mid-training."""

from __future__ import annotations

import sys
from importlib import metadata

import numpy as np
import pandas as pd
import pytest

from sealane.computations.neural.train import NeuralTrain
from sealane.computations.registry import individual_level, read_parameters
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract

from .conftest import NUMBERS, by_site, people

pytest.importorskip("torch")
pytest.importorskip("flwr")
ASKED = {"outcome": "ill", "features": [*NUMBERS, "grade"], "model": {"name": "mlp", "hidden": [4]}, "rounds": 3,
         "batch_size": None}


@pytest.fixture(scope="module")
def frames():
    return by_site(people(300))


def refused(run, frames, code, kind=RefusedError, **asked):
    with pytest.raises(kind) as caught:
        run(frames, NeuralTrain(), ASKED | asked)
    assert caught.value.code == code
    return caught.value


@pytest.mark.parametrize("asked", [
    {"strategy": "FedSomething"}, {"strategy_arguments": {"eta": 0.1}}, {"strategy": "FedAdam",
    "strategy_arguments": {"fraction_train": 0.5}}, {"local_epochs": 1, "local_steps": 1}, {"rounds": 0},
    {"model": {"name": "mlp", "hidden": [5000]}}, {"model": {"name": "pickle"}}, {"features": ["ill"]},
    {"early_stopping_rounds": 2}, {"optimizer": "adam", "momentum": 0.9}, {"bits": 25}, {"learning_rate": 0.0},
    {"categorical": ["site"]}, {"surprise": 1},
])
def test_parameters_that_make_no_sense(asked):
    with pytest.raises(InputError) as caught:
        read_parameters("neural.train", ASKED | asked)
    assert caught.value.code == "computation.bad-parameters"


def test_a_study_file_can_ask_for_all_rows_at_once():
    assert read_parameters("neural.train", ASKED | {"batch_size": "all"}).batch_size is None
    with pytest.raises(InputError):
        read_parameters("neural.train", ASKED | {"batch_size": "some"})


def test_a_model_may_remember_people():
    assert individual_level("neural.train")


@pytest.mark.parametrize(("module", "code", "extra"), [
    ("torch", "neural.no-torch", "sealane[neural]"), ("flwr.app", "flower.not-installed", "sealane[flower]")])
def test_a_node_without_the_extra(run_pooled, frames, monkeypatch, module, code, extra):
    monkeypatch.setitem(sys.modules, module, None)
    assert extra in refused(run_pooled, frames, code, InputError).hint


def test_flower_in_a_version_that_was_not_tested(run_pooled, frames, monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "9.9.0")
    refused(run_pooled, frames, "flower.version", InputError)


def test_training_that_explodes_at_once(run_pooled, frames):
    refused(run_pooled, frames, "neural.diverged", learning_rate=100.0, model={"name": "mlp", "hidden": [64] * 12},
            local_steps=20)


def test_training_that_explodes_later_keeps_the_last_good_model(run_pooled, frames):
    asked = ASKED | {"outcome": "stay", "learning_rate": 3.0, "rounds": 200, "model": {"name": "mlp", "hidden": []}}
    result = run_pooled(frames, NeuralTrain(), asked)
    assert result.stopped == "exploded"
    assert 0 < result.rounds < 200
    assert all(np.isfinite(values).all() for values in result.weights.values())


def test_too_few_rows_events_and_institutions(run_pooled, frames):
    refused(run_pooled, {name: part.head(3) for name, part in frames.items()}, "model.too-few-rows")
    rare = {name: part.assign(ill=[True, *[False] * (len(part) - 1)]) for name, part in frames.items()}
    refused(run_pooled, rare, "neural.too-few-events")
    refused(run_pooled, frames, "neural.small-validation", validation_fraction=0.01)


def test_an_institution_without_rows_that_can_be_used(frames):
    from sealane import simulate

    gone = dict(frames) | {"n2": frames["n2"].assign(dose=np.nan)}
    with pytest.raises(RefusedError) as caught:
        simulate(gone, contract=infer_contract(frames)).run("neural.train", **ASKED)
    assert caught.value.code == "model.institutions-without-rows"
    assert "dose" in caught.value.hint
    assert "n2" not in caught.value.hint + caught.value.got
    filled = simulate(gone, contract=infer_contract(frames)).run("neural.train", **(ASKED | {"missing": "mean"}))
    assert filled.nobs == sum(map(len, frames.values()))


def test_a_feature_that_hardly_anybody_knows(run_pooled, frames):
    hardly = {name: part.assign(dose=part.dose.where(part.index < 2)) for name, part in frames.items()}
    refused(run_pooled, hardly, "model.mostly-missing", missing="mean")


def test_columns_that_cannot_play_their_part(run_pooled, frames):
    dated = {name: part.assign(seen=pd.Timestamp("2026-01-01")) for name, part in frames.items()}
    refused(run_pooled, dated, "model.feature-type", InputError, features=["age", "seen"])
    refused(run_pooled, dated, "outcome.type", InputError, outcome="seen")
    refused(run_pooled, frames, "outcome.type", InputError, outcome="ward", task="regression")
    refused(run_pooled, frames, "outcome.type", InputError, outcome="stay", task="binary")


def test_a_module_beyond_what_a_result_holds(run_pooled, frames):
    refused(run_pooled, frames, "neural.model-size", InputError, model={"name": "mlp", "hidden": [4096, 4096]})


def test_a_module_that_keeps_statistics_of_rows():
    import torch

    from sealane.computations.neural.learning.weights import shapes_of

    with pytest.raises(InputError) as caught:
        shapes_of(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)))
    assert caught.value.code == "neural.module-buffers"


def test_a_flower_without_the_strategy(run_pooled, frames, monkeypatch):
    import flwr.serverapp.strategy

    monkeypatch.delattr(flwr.serverapp.strategy, "FedYogi")
    refused(run_pooled, frames, "neural.unknown-strategy", InputError, strategy="FedYogi")


def test_saving_without_safetensors(run_pooled, frames, monkeypatch, tmp_path):
    result = run_pooled(frames, NeuralTrain(), ASKED)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(InputError) as caught:
        result.save(tmp_path / "model.safetensors")
    assert caught.value.code == "neural.no-safetensors"
    assert list(tmp_path.iterdir()) == []


def test_new_rows_without_a_feature(run_pooled, frames):
    result = run_pooled(frames, NeuralTrain(), ASKED)
    with pytest.raises(InputError) as caught:
        result.predict(pd.DataFrame({"age": [1.0]}))
    assert caught.value.code == "model.missing-column"
    with pytest.raises(InputError) as caught:
        result.predict(pd.DataFrame({"age": ["old"], "pressure": [1.0], "dose": [1.0], "grade": ["low"]}))
    assert caught.value.code == "columns.not-numeric"
