"""Federated averaging of one full-batch step is gradient descent on the pooled rows: held against it, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sealane import simulate
from sealane.computations.neural.train import NeuralTrain

from .conftest import LEVELS, NUMBERS, Pooled, by_site, first_weights, mlp_layers, people

torch = pytest.importorskip("torch")
pytest.importorskip("flwr")

STEPS, RATE, SEED = 6, 0.3, 7
ASKED = {
    "outcome": "ill", "features": [*NUMBERS, "grade"], "model": {"name": "mlp", "hidden": [8, 4]}, "rounds": STEPS,
    "batch_size": None, "local_steps": 1, "learning_rate": RATE, "seed": SEED, "precision": "double",
}


@pytest.fixture(scope="module")
def frame():
    return people()


@pytest.fixture(scope="module")
def pooled(frame):
    """The same steps on all rows at once; levels come in the contract's order, sorted by name."""
    made = Pooled(frame, NUMBERS, {"grade": sorted(LEVELS)}, first_weights(SEED, mlp_layers(3, [(4, 2)], [8, 4], 1)), 2)
    y = torch.tensor(frame.ill.to_numpy(np.float64))
    made.descend(lambda out: torch.nn.functional.binary_cross_entropy_with_logits(out[:, 0], y), STEPS, RATE)
    return made


def assert_same(result, pooled, atol):
    assert set(result.weights) == set(pooled.weights)
    for name, values in result.weights.items():
        np.testing.assert_allclose(values, pooled.weights[name].detach().numpy(), rtol=0, atol=atol, err_msg=name)


def test_exact_updates_give_the_pooled_model(run_pooled, frame, pooled):
    assert_same(run_pooled(by_site(frame), NeuralTrain(), ASKED), pooled, 1e-12)


def test_single_precision_gives_it_to_seven_digits(run_pooled, frame, pooled):
    assert_same(run_pooled(by_site(frame), NeuralTrain(), ASKED | {"precision": "single"}), pooled, 2e-6)


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
@pytest.mark.parametrize(("bits", "atol"), [(None, 1e-12), (16, 5e-4), (24, 2e-6)])
def test_encrypted_updates_give_it_within_their_rounding(frame, pooled, scheme, bits, atol):
    """A round is off by at most n steps of bound / 2^(bits-1); the bound is a power of two above the largest entry."""
    result = simulate(by_site(frame)).run("neural.train", scheme=scheme, **(ASKED | {"bits": bits}))
    assert_same(result, pooled, atol)
    assert result._payload["sending"]["encoding"] == ("exact" if bits is None else "rounded")
    assert len(result.trace.cohort) == 3


def test_how_rows_are_spread_does_not_matter(run_pooled, frame, pooled):
    other = frame.assign(site=np.where(np.arange(len(frame)) < 400, 0, np.where(np.arange(len(frame)) < 450, 1, 2)))
    assert_same(run_pooled(by_site(other), NeuralTrain(), ASKED), pooled, 1e-12)


def test_classes_and_a_number_as_outcome(run_pooled, frame):
    for outcome, outputs in (("ward", 3), ("stay", 1)):
        made = Pooled(frame, NUMBERS, {}, first_weights(SEED, mlp_layers(3, [], [8, 4], outputs)), 2)
        if outcome == "ward":
            y = torch.tensor(frame.ward.astype("category").cat.codes.to_numpy(np.int64))
            made.descend(lambda out, y=y: torch.nn.functional.cross_entropy(out, y), STEPS, RATE)
        else:
            stay = frame.stay.to_numpy()
            y = torch.tensor((stay - stay.mean()) / stay.std())
            made.descend(lambda out, y=y: ((out[:, 0] - y) ** 2).mean(), STEPS, RATE)
        result = run_pooled(by_site(frame), NeuralTrain(), ASKED | {"outcome": outcome, "features": NUMBERS})
        assert_same(result, made, 1e-12)
        given = made.outputs().detach()
        if outcome == "ward":
            accuracy = float((given.argmax(dim=1) == y).double().mean())
            assert result.metrics["training"]["accuracy"] == pytest.approx(accuracy)
        else:
            rmse = float(((given[:, 0] * stay.std() + stay.mean() - torch.tensor(stay)) ** 2).mean().sqrt())
            assert result.metrics["training"]["rmse"] == pytest.approx(rmse, rel=1e-9)
            np.testing.assert_allclose(result.predict(frame), given[:, 0].numpy() * stay.std() + stay.mean(), rtol=1e-5)


def test_metrics_are_those_of_the_pooled_rows(run_pooled, frame, pooled):
    metrics = pytest.importorskip("sklearn.metrics")
    result = run_pooled(by_site(frame), NeuralTrain(), ASKED)
    scores = torch.sigmoid(pooled.outputs()[:, 0]).detach().numpy()
    found = result.metrics["training"]
    assert abs(found["auc"] - metrics.roc_auc_score(frame.ill, scores)) <= found["auc_error"] + 1e-12
    assert found["loss"] == pytest.approx(metrics.log_loss(frame.ill, scores), rel=1e-9)
    np.testing.assert_allclose(result.predict(frame), scores, atol=1e-6)


def test_rare_and_missing_levels_share_an_embedding(run_pooled, frame):
    rare = frame.assign(grade=frame.grade.where(np.arange(len(frame)) >= 12, None))
    rare.loc[20:24, "grade"] = "odd"
    result = run_pooled(by_site(rare), NeuralTrain(), ASKED)
    assert result._payload["sizes"] == [4]
    described = next(one for one in result._payload["features"] if one["name"] == "grade")
    assert described["levels"] == sorted(LEVELS)
    _, places = result.inputs(pd.DataFrame([dict.fromkeys(NUMBERS, 1.0) | {"grade": g} for g in ("odd", None, "high")]))
    assert places[:, 0].tolist() == [0, 0, 1]
