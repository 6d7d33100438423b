"""Models of an institution's own: measured over all, kept by each."""

from __future__ import annotations

import numpy as np
import pytest

from sealane.computations.neural.train import NeuralTrain
from sealane.computations.registry import read_parameters
from sealane.errors import InputError

from .conftest import NUMBERS, by_site, people

pytest.importorskip("torch")
pytest.importorskip("flwr")
ASKED = {"outcome": "ill", "features": NUMBERS, "model": {"name": "mlp", "hidden": [8]}, "rounds": 8,
         "batch_size": None, "local_steps": 2, "learning_rate": 0.5, "validation_fraction": 0.3, "precision": "double",
         "seed": 2}


@pytest.fixture(scope="module")
def frames():
    """Sites at which a dose helps, harms, and does nothing: one model cannot fit them all."""
    frame = people(900)
    sign = np.select([frame.site == 0, frame.site == 1], [1.0, -1.0], 0.0)
    chance = 1 / (1 + np.exp(-1.5 * sign * (frame.dose - 6) / 3))
    random = np.random.default_rng(4)
    return by_site(frame.assign(ill=random.random(900) < chance))


@pytest.mark.parametrize("how", [
    {"personal": "finetune", "personal_epochs": 40}, {"personal": "ditto", "personal_epochs": 6, "personal_pull": 0.01},
    {"personal": "head"}])
def test_personal_models_beat_the_common_one_where_sites_differ(run_pooled, frames, how):
    common = run_pooled(frames, NeuralTrain(), ASKED).metrics["validation"]
    result = run_pooled(frames, NeuralTrain(), ASKED | how)
    assert result.metrics["personal"]["loss"] < common["loss"] - 0.02
    assert result.metrics["personal"]["auc"] > common["auc"] + 0.05
    if how["personal"] != "head":
        assert result.metrics["validation"] == common  # what stays at a node changes nothing of what is shared


def test_a_head_that_is_not_shared_is_not_released(run_pooled, frames):
    result = run_pooled(frames, NeuralTrain(), ASKED | {"personal": "head"})
    assert sorted(result.weights) == ["body.0.bias", "body.0.weight"]
    with pytest.raises(InputError) as caught:
        result.predict(frames["n0"])
    assert caught.value.code == "neural.head-not-shared"
    own = result.personalise(frames["n0"], "head", epochs=100)
    assert own.personalised == "head"
    for name in ("body.0.weight", "body.0.bias"):
        np.testing.assert_array_equal(own.weights[name], result.weights[name])
    metrics = pytest.importorskip("sklearn.metrics")
    assert metrics.roc_auc_score(frames["n0"].ill, own.predict(frames["n0"])) > 0.65
    with pytest.raises(InputError) as caught:
        run_pooled(frames, NeuralTrain(), ASKED | {"personal": "head", "model": {"name": "mlp", "hidden": []}})
    assert caught.value.code == "neural.no-head"


def test_a_pull_keeps_a_personal_model_near(run_pooled, frames):
    result = run_pooled(frames, NeuralTrain(), ASKED)

    def moved(**how):
        own = result.personalise(frames["n1"], epochs=60, **how)
        return sum(float(((own.weights[k] - result.weights[k]) ** 2).sum()) for k in own.weights)

    pulled = result._payload["parameters"] | {"personal_pull": 1.0}
    free = moved()
    result._payload["parameters"] = pulled
    assert 0 < moved(method="ditto") < 0.5 * free
    assert result.personalised is None


def test_rows_that_no_model_can_be_made_of(run_pooled, frames):
    result = run_pooled(frames, NeuralTrain(), ASKED)
    for rows, code in ((frames["n0"].drop(columns="ill"), "model.missing-column"),
                       (frames["n0"].assign(ill="perhaps"), "columns.not-numeric")):
        with pytest.raises(InputError) as caught:
            result.personalise(rows)
        assert caught.value.code == code
    wards = run_pooled(by_site(people(300)), NeuralTrain(), ASKED | {"outcome": "ward", "validation_fraction": 0.0})
    assert wards.personalise(people(50), epochs=1).predict(people(5)).shape == (5, 3)
    with pytest.raises(InputError) as caught:
        wards.personalise(people(50).assign(ward="z"))
    assert caught.value.code == "columns.outside-contract"


def test_personal_models_are_measured_on_rows_apart():
    with pytest.raises(InputError):
        read_parameters("neural.train", ASKED | {"personal": "finetune", "validation_fraction": 0.0})
