"""Half precision and devices that are too small, on the processor: what there is of a GPU's path without a GPU."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sealane.computations.neural.train import NeuralTrain

from .conftest import LEVELS, NUMBERS, by_site, people

torch = pytest.importorskip("torch")
pytest.importorskip("flwr")
metrics = pytest.importorskip("sklearn.metrics")

from sealane.computations.neural.learning import preparing, private_preparing  # noqa: E402
from sealane.computations.neural.learning.device import Device, choose  # noqa: E402
from sealane.computations.neural.learning.modules.build import build  # noqa: E402
from sealane.computations.neural.learning.modules.mlp import MlpModule  # noqa: E402
from sealane.computations.neural.learning.row_gradients import RowGradients  # noqa: E402
from sealane.computations.neural.learning.weights import shapes_of, take  # noqa: E402
from sealane.computations.neural.model_parameters import Mlp  # noqa: E402
from sealane.computations.neural.rows import Rows  # noqa: E402

ASKED = {"outcome": "ill", "features": [*NUMBERS, "grade"], "model": {"name": "mlp", "hidden": [16, 8]}, "rounds": 6,
         "optimizer": "adam", "learning_rate": 0.02, "seed": 3}
PIXELS = [f"v{k}" for k in range(64)]


@pytest.fixture
def half(monkeypatch):
    """Run layers in bfloat16 on the processor, as a GPU does; return the types that the network gave."""
    given = set()

    def chosen(precision, weights):
        return Device("cpu", precision == "mixed", weights)

    forward = MlpModule.forward

    def watched(self, numbers, codes):
        out = forward(self, numbers, codes)
        given.add((torch.is_grad_enabled(), out.dtype))
        return out

    monkeypatch.setattr(preparing, "choose", chosen)
    monkeypatch.setattr(private_preparing, "choose", chosen)
    monkeypatch.setattr(MlpModule, "forward", watched)
    return given


def test_half_precision_ranks_as_single_does(run_pooled, half):
    """Steps are made in bfloat16 over weights in single precision; what is summed and measured is never half."""
    rows, held_out = people(3000), people(3000, seed=7)
    single, mixed = (run_pooled(by_site(rows), NeuralTrain(), ASKED | {"precision": precision})
                     for precision in ("single", "mixed"))
    assert half == {(True, torch.float32), (False, torch.float32), (True, torch.bfloat16)}  # measured in single
    areas = [metrics.roc_auc_score(held_out.ill, one.predict(held_out)) for one in (single, mixed)]
    assert areas[0] > 0.75
    assert abs(areas[0] - areas[1]) < 0.005
    assert any((single.weights[name] != values).any() for name, values in mixed.weights.items())
    assert {values.dtype for values in mixed.weights.values()} == {np.dtype(np.float32)}
    # Sixteen bits more than bfloat16 has: updates were not rounded to it.
    assert any((values != torch.tensor(values).bfloat16().float().numpy()).any() for values in mixed.weights.values())


@pytest.mark.parametrize("model", [
    {"name": "cnn1d", "channels": 2, "filters": [5, 4]}, {"name": "gru", "channels": 2, "hidden": 6},
    {"name": "cnn", "height": 8, "width": 8, "filters": [4, 3]},
    {"name": "vit", "height": 8, "width": 8, "patch": 4, "width_of_token": 8, "depth": 1, "heads": 2},
], ids=lambda model: model["name"])
def test_every_module_trains_in_half_precision(run_pooled, half, model):
    random = np.random.default_rng(8)
    values = random.normal(size=(240, 64)).cumsum(axis=1) / 4
    frame = pd.DataFrame(values, columns=PIXELS).assign(site=np.arange(240) % 3, y=values[:, 40] > 0)
    asked = {"outcome": "y", "features": PIXELS, "model": model, "rounds": 3, "learning_rate": 0.1}
    single, mixed = (run_pooled(by_site(frame), NeuralTrain(), asked | {"precision": precision})
                     for precision in ("single", "mixed"))
    np.testing.assert_allclose(mixed.history.loss, single.history.loss, rtol=0.05)
    assert (mixed.history.loss != single.history.loss).any()


def test_institutions_are_hidden_in_half_precision_too(run_pooled, half):
    pytest.importorskip("opacus")
    promise = {"epsilon": "8", "delta": "1e-5", "protects": "institution", "clip_norm": 1.0, "weights": "equal"}
    mixed = run_pooled(by_site(people()), NeuralTrain(), ASKED | promise | {"precision": "mixed"})
    assert half == {(True, torch.bfloat16)}
    assert all(np.isfinite(values).all() for values in mixed.weights.values())


def test_without_a_gpu_half_is_single():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert (choose("mixed", 10).name, choose("mixed", 10).mixed) == ("cpu", False)


def test_one_institution_with_too_little_memory_changes_nothing(run_pooled, monkeypatch):
    frames = by_site(people())
    asked = ASKED | {"batch_size": None, "precision": "single", "optimizer": "sgd"}
    expected = run_pooled(frames, NeuralTrain(), asked)
    made, small = preparing.build, []

    def built(*arguments):
        module = made(*arguments)
        if not small:
            small.append(module)
            module.register_forward_pre_hook(out_of_memory_above(40))
        return module

    monkeypatch.setattr(preparing, "build", built)
    found = run_pooled(frames, NeuralTrain(), asked)
    for name, values in expected.weights.items():
        np.testing.assert_allclose(found.weights[name], values, rtol=0, atol=1e-6)
    assert found._payload["accumulated"] == 1
    assert "accumulated for lack of memory at 1 institution" in found.summary()


def out_of_memory_above(rows):
    def check(module, given):
        if len(given[0]) > rows:
            raise torch.OutOfMemoryError("made up")

    return check


@pytest.mark.parametrize("ghost", [False, True])
@pytest.mark.parametrize("layer", ["body.0", "head"])
def test_gradients_of_rows_are_the_same_in_smaller_pieces(layer, ghost):
    """Memory may end in the middle of a forward pass, when Opacus has kept what came before."""
    pytest.importorskip("opacus")
    random = np.random.default_rng(5)
    rows = Rows(random.normal(size=(50, 3)).astype(np.float32), random.integers(0, len(LEVELS), (50, 1)),
                random.integers(0, 2, 50).astype(np.float32))
    totals = []
    for most in (None, 6):
        torch.manual_seed(1)
        module = build(Mlp(hidden=(6,)), 3, [len(LEVELS)], 1)
        shapes = shapes_of(module)
        device = Device("cpu", False, shapes.length)
        gradients = RowGradients(module, shapes, "binary", rows, 0.7, device, ghost)
        if most is not None:
            module.get_submodule(layer).register_forward_pre_hook(out_of_memory_above(most))
        totals.append(gradients.total(take(module, shapes, np.float64), np.arange(50)))
        assert device.accumulated == (most is not None)
    assert totals[1] == pytest.approx(totals[0], abs=1e-6)
