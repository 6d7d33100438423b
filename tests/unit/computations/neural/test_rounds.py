"""The server's step against Flower's own aggregation, the shared bound of updates, the check of models, the result."""

from __future__ import annotations

import numpy as np
import pytest

from sealane.computations.neural.ceilings import POWERS, above, ceiling, exploded
from sealane.computations.neural.train import NeuralTrain
from sealane.errors import RefusedError

from .conftest import NUMBERS, by_site, people

torch = pytest.importorskip("torch")
pytest.importorskip("flwr")
ASKED = {"outcome": "ill", "features": [*NUMBERS, "grade"], "model": {"name": "mlp", "hidden": [8]}, "rounds": 4,
         "batch_size": 50, "seed": 3}


@pytest.fixture(scope="module")
def frames():
    return by_site(people())


def test_the_ceiling_is_the_lowest_power_above_all():
    updates = [np.array([0.1, -0.3]), np.array([0.0, 0.26]), np.array([0.01, 0.0])]
    opened = sum(above(one).values for one in updates)
    assert ceiling(opened) == 0.5
    assert opened[POWERS.index(-2)] == 2  # two lie above a quarter; nothing says which
    assert not exploded(updates[0])
    assert exploded(np.array([np.nan]))
    assert exploded(np.array([2.0**21]))


def test_nodes_of_other_last_bits_adopt_one_model(new_meeting):
    import asyncio

    from sealane.computations.neural.settled import alike, fingerprint, settle

    class Cohort:
        size = 3

        async def agree(self, values):
            return np.array([1.0, 2.0])

    one, other = np.array([1.0, 2.0]), np.array([1.0, np.nextafter(2.0, 3.0)])
    same = fingerprint(one).values * 3
    differing = fingerprint(one).values * 2 + fingerprint(other).values
    assert alike(same, 3)
    assert not alike(differing, 3)
    assert asyncio.run(settle(Cohort(), one, {"fingerprint": same})) is one
    adopted = asyncio.run(settle(Cohort(), other, {"fingerprint": differing}))
    assert adopted.tolist() == [1.0, 2.0]


def test_how_an_update_travels():
    from sealane.computations.neural.sending import MOST_EXACT, sending_for

    told = {(bits, size): sending_for(bits, size).describe()["encoding"]
            for bits in (None, "exact", 8) for size in (10, MOST_EXACT + 1)}
    assert told == {(None, 10): "exact", (None, MOST_EXACT + 1): "rounded", ("exact", 10): "exact",
                    ("exact", MOST_EXACT + 1): "exact", (8, 10): "rounded", (8, MOST_EXACT + 1): "rounded"}


def test_a_device_too_small_for_a_batch(run_pooled, frames, monkeypatch):
    """Whoever runs out of memory halves what goes through at once, and the gradients of the pieces add up."""
    from sealane.computations.neural.learning.modules.mlp import MlpModule

    asked = ASKED | {"batch_size": None, "precision": "double"}
    expected = run_pooled(frames, NeuralTrain(), asked)
    forward, largest = MlpModule.forward, []

    def small(self, numbers, codes):
        if len(numbers) > 60:
            raise torch.OutOfMemoryError("made up")
        largest.append(len(numbers))
        return forward(self, numbers, codes)

    monkeypatch.setattr(MlpModule, "forward", small)
    result = run_pooled(frames, NeuralTrain(), asked)
    for name, values in expected.weights.items():
        np.testing.assert_allclose(result.weights[name], values, atol=1e-12)
    assert max(largest) <= 60
    assert result._payload["accumulated"] == 3
    assert "accumulated for lack of memory at 3 institutions" in result.summary()
    monkeypatch.setattr(MlpModule, "forward", lambda self, numbers, codes: small(self, numbers.repeat(99, 1), codes))
    with pytest.raises(RefusedError) as caught:
        run_pooled(frames, NeuralTrain(), asked)
    assert caught.value.code == "neural.out-of-memory"


def test_early_stopping_keeps_the_model_of_the_least_validation_loss(run_pooled, frames):
    result = run_pooled(frames, NeuralTrain(), ASKED | {
        "rounds": 60, "validation_fraction": 0.3, "early_stopping_rounds": 3, "optimizer": "adam",
        "learning_rate": 0.05, "local_epochs": 3, "model": {"name": "mlp", "hidden": [64, 64]}})
    assert result.stopped == "early"
    losses = result.history.set_index("round").validation_loss
    assert result.rounds == losses.idxmin()
    assert len(losses) == result.rounds + 3
    assert result.metrics["validation"]["loss"] == pytest.approx(losses.min(), rel=1e-9)


def test_an_update_is_clipped_to_its_norm(run_pooled, frames):
    norm = 1e-3
    asked = ASKED | {"rounds": 1, "clip_norm": norm, "precision": "double"}
    before = run_pooled(frames, NeuralTrain(), asked | {"learning_rate": 1e-12}).weights
    after = run_pooled(frames, NeuralTrain(), asked | {"learning_rate": 1.0}).weights
    moved = np.sqrt(sum(((after[name] - before[name]) ** 2).sum() for name in before))
    assert 0.2 * norm < moved <= norm * (1 + 1e-6)


def test_equal_weights_count_institutions(run_pooled, frames):
    """One full-batch step each of the same rate: the mean of what each institution's rows alone would move.

    Two institutions alone may not compute together, so the third holds the first's rows again, and so once more.
    """
    asked = ASKED | {"rounds": 1, "batch_size": None, "precision": "double", "features": ["grade"]}
    a, b = frames["n0"], frames["n1"].head(60)

    def moved(weights, **parts):
        return run_pooled(parts, NeuralTrain(), asked | {"weights": weights}).weights

    equal = moved("equal", a=a, b=b)
    alone = moved("rows", a=a, b=a), moved("rows", a=b, b=b)
    by_rows = moved("rows", a=a, b=b)
    for name in equal:
        np.testing.assert_allclose(equal[name], (alone[0][name] + alone[1][name]) / 2, atol=1e-12)
    assert any(np.abs(equal[name] - by_rows[name]).max() > 1e-6 for name in equal)


def test_what_is_released_and_saved(run_pooled, frames, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    result = run_pooled(frames, NeuralTrain(), ASKED | {"strategy": "FedAdam"})
    card = result.save(tmp_path / "model.safetensors")
    loaded = safetensors.load_file(tmp_path / "model.safetensors")
    assert {name: tuple(value.shape) for name, value in loaded.items()} == {
        name: value.shape for name, value in result.weights.items()}
    assert isinstance(result.model, torch.nn.Module)
    state = result.model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in loaded.items())
    text = card.read_text()
    for said in ("3 of 3 institutions", "Differential privacy: none", "FedAdam"):
        assert said in text
    assert result.epsilon is None
    assert list(result.history.columns) == ["round", "loss", "validation_loss", "bytes_per_parameter"]
    assert result.history["loss"].iloc[-1] < result.history["loss"].iloc[0]
    assert "mlp for ill" in result.summary()
    assert "mlp" in repr(result)
    assert "<pre>" in result._repr_html_()
    named = str({name: value for name, value in result.to_dict().items() if name != "weights"})
    assert not any(name in named for name in frames)
