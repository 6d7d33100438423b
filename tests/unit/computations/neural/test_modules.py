"""Series and images: one federated step against a pooled one, through a forward pass written out by hand."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sealane.computations.neural.train import NeuralTrain
from sealane.computations.registry import read_parameters
from sealane.errors import InputError, RefusedError

from .conftest import by_site, first_weights

torch = pytest.importorskip("torch")
pytest.importorskip("flwr")
functional = torch.nn.functional

RATE, SEED = 0.2, 5
PIXELS = [f"v{k}" for k in range(64)]


@pytest.fixture(scope="module")
def frame():
    random = np.random.default_rng(8)
    values = random.normal(size=(240, 64)).cumsum(axis=1) / 4 + 3 * (np.arange(64) % 2)
    made = pd.DataFrame(values, columns=PIXELS).assign(site=random.integers(0, 3, 240))
    return made.assign(y=values[:, 40] + random.normal(size=240) > np.median(values[:, 40]))


def conv1d(w, x):
    x = x.reshape(len(x), 32, 2).transpose(1, 2)
    for k in (0, 2):
        x = functional.relu(functional.conv1d(x, w[f"body.{k}.weight"], w[f"body.{k}.bias"], padding=1))
    return x.mean(dim=2) @ w["head.weight"].T + w["head.bias"]


def gru(w, x):
    """Cho et al. (2014) in PyTorch's order of gates: reset, update, new."""
    state = torch.zeros(len(x), 6, dtype=x.dtype)
    for moment in x.reshape(len(x), 32, 2).unbind(dim=1):
        here = moment @ w["body.weight_ih_l0"].T + w["body.bias_ih_l0"]
        there = state @ w["body.weight_hh_l0"].T + w["body.bias_hh_l0"]
        (r, z, n), (rr, zz, nn) = here.chunk(3, dim=1), there.chunk(3, dim=1)
        reset, update = torch.sigmoid(r + rr), torch.sigmoid(z + zz)
        state = (1 - update) * torch.tanh(n + reset * nn) + update * state
    return state @ w["head.weight"].T + w["head.bias"]


def conv2d(w, x):
    x = x.reshape(-1, 8, 8, 1).permute(0, 3, 1, 2)
    x = functional.max_pool2d(functional.relu(functional.conv2d(x, w["body.0.weight"], w["body.0.bias"], padding=1)), 2)
    x = functional.relu(functional.conv2d(x, w["body.3.weight"], w["body.3.bias"], padding=1))
    return x.mean(dim=(2, 3)) @ w["head.weight"].T + w["head.bias"]


def vit(w, x):
    def norm(at, tokens):
        centred = tokens - tokens.mean(dim=-1, keepdim=True)
        spread = (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
        return centred / spread * w[f"{at}.weight"] + w[f"{at}.bias"]

    def layer(at, tokens):
        return tokens @ w[f"{at}.weight"].T + w[f"{at}.bias"]

    tiles = x.reshape(-1, 2, 4, 2, 4).permute(0, 1, 3, 2, 4).reshape(-1, 4, 16)
    tokens = tiles @ w["patches.weight"].reshape(8, 16).T + w["patches.bias"] + 0.02 * w["position.weight"]
    query, key, value = layer("layers.0.asked", norm("layers.0.norms.0", tokens)).chunk(3, dim=2)
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        odds = torch.softmax(query[..., head] @ key[..., head].transpose(1, 2) / 2.0, dim=-1)
        heads.append(odds @ value[..., head])
    tokens = tokens + layer("layers.0.joined", torch.cat(heads, dim=2))
    inner = functional.gelu(layer("layers.0.body.0", norm("layers.0.norms.1", tokens)))
    tokens = tokens + layer("layers.0.body.2", inner)
    return layer("head", norm("norm", tokens).mean(dim=1))


MODULES = {
    "cnn1d": (conv1d, {"channels": 2, "filters": [5, 4], "kernel": 3}, 2),
    "gru": (gru, {"channels": 2, "hidden": 6}, 2),
    "cnn": (conv2d, {"height": 8, "width": 8, "filters": [4, 3]}, 1),
    "vit": (vit, {"height": 8, "width": 8, "patch": 4, "width_of_token": 8, "depth": 1, "heads": 2}, 1),
}


def bound_of(name, shapes):
    if "norm" in name:
        return None
    if name == "position.weight":
        return np.sqrt(3.0)
    if name.startswith("body.") and "_l0" in name:
        return 1 / np.sqrt(6)
    return 1 / np.sqrt(np.prod(shapes[name.replace(".bias", ".weight")][1:]))


@pytest.mark.parametrize("name", list(MODULES))
def test_a_step_is_that_of_the_pooled_rows(run_pooled, frame, name):
    forward, sizes, channels = MODULES[name]
    result = run_pooled(by_site(frame), NeuralTrain(), {
        "outcome": "y", "features": PIXELS, "model": {"name": name} | sizes, "rounds": 2, "batch_size": None,
        "learning_rate": RATE, "seed": SEED, "precision": "double"})
    shapes = {key: value.shape for key, value in result.weights.items()}
    drawn = [(key, shape, bound_of(key, shapes)) for key, shape in shapes.items()]
    weights = first_weights(SEED, [one for one in drawn if one[2] is not None])
    weights |= {key: torch.ones(shape, dtype=torch.float64) if key.endswith("weight") else
                torch.zeros(shape, dtype=torch.float64) for key, shape, bound in drawn if bound is None}
    weights = {key: weights[key].requires_grad_() for key in shapes}
    x = frame[PIXELS].to_numpy().reshape(len(frame), -1, channels)
    x = torch.tensor(((x - x.mean(axis=(0, 1))) / x.std(axis=(0, 1))).reshape(len(frame), -1))
    y = torch.tensor(frame.y.to_numpy(np.float64))
    for _ in range(2):
        loss = functional.binary_cross_entropy_with_logits(forward(weights, x)[:, 0], y)
        for weight, gradient in zip(weights.values(), torch.autograd.grad(loss, list(weights.values())), strict=True):
            weight.data -= RATE * gradient
    for key, value in result.weights.items():
        np.testing.assert_allclose(value, weights[key].detach().numpy(), rtol=0, atol=1e-10, err_msg=key)


@pytest.mark.parametrize("model", [
    {"name": "cnn1d", "channels": 3}, {"name": "cnn1d", "kernel": 4}, {"name": "cnn", "height": 8, "width": 7},
    {"name": "cnn", "height": 2, "width": 32, "filters": [2, 2, 2]},
    {"name": "vit", "height": 8, "width": 8, "patch": 3},
    {"name": "vit", "height": 8, "width": 8, "width_of_token": 10, "heads": 4},
    {"name": "installed", "entry_point": "x", "code": "12"},
])
def test_sizes_that_do_not_fit(model):
    with pytest.raises(InputError) as caught:
        read_parameters("neural.train", {"outcome": "y", "features": PIXELS, "model": model})
    assert caught.value.code == "computation.bad-parameters"


def test_a_category_in_a_series(run_pooled, frame):
    lettered = frame.assign(v3=np.where(frame.v3 > 0, "a", "b"))
    with pytest.raises(InputError) as caught:
        run_pooled(by_site(lettered), NeuralTrain(), {"outcome": "y", "features": PIXELS, "model": {"name": "gru"}})
    assert caught.value.code == "neural.category-in-series"


SOURCE = '''
import torch

class Wide(torch.nn.Module):
    def __init__(self, numbers, sizes, outputs, width):
        super().__init__()
        if width == 13:
            raise ValueError("unlucky")
        self.layer = torch.nn.Linear(numbers, width)
        self.head = torch.nn.Linear(width, outputs)

    def forward(self, numbers, codes):
        return self.head(torch.relu(self.layer(numbers)))

def wide(numbers, sizes, outputs, width=4):
    return Wide(numbers, sizes, outputs, width)

def no_module(numbers, sizes, outputs):
    return "nothing"
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a module, installed as far as Python can tell."""
    place = tmp_path / "made_up_modules"
    place.mkdir()
    (place / "__init__.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "made_up_modules", raising=False)
    from sealane.computations import installed as hashing
    from sealane.computations.neural.learning.modules import installed

    def points(group, name=None):
        every = [EntryPoint(one, f"made_up_modules:{one}", group) for one in ("wide", "no_module")]
        return [one for one in every if group == "sealane.modules" and name in (None, one.name)]

    monkeypatch.setattr(installed, "entry_points", points)
    for kept in (hashing.module_hash, hashing._read, hashing._found):
        kept.cache_clear()
    yield place
    for kept in (hashing.module_hash, hashing._read, hashing._found):
        kept.cache_clear()


def asked(name, code, **options):
    return {"outcome": "y", "features": PIXELS[:4], "rounds": 2,
            "model": {"name": "installed", "entry_point": name, "code": code, "options": options}}


def test_a_module_of_an_installed_package(run_pooled, frame, package: Path):
    from sealane.computations.neural.learning.modules.installed import code_of

    code = code_of("wide")
    result = run_pooled(by_site(frame), NeuralTrain(), asked("wide", code, width=7))
    assert result.weights["layer.weight"].shape == (7, 4)
    assert type(result.model).__name__ == "Wide"
    frames = by_site(frame)
    for expected, kind, name, hashed, options in (
            ("neural.other-code", RefusedError, "wide", "0" * 64, {}),
            ("neural.unknown-module", InputError, "narrow", code, {}),
            ("neural.module-failed", InputError, "wide", code, {"width": 13}),
            ("neural.module-failed", InputError, "wide", code, {"depth": 2}),
            ("neural.module-failed", InputError, "no_module", code, {})):
        with pytest.raises(kind) as caught:
            run_pooled(frames, NeuralTrain(), asked(name, hashed, **options))
        assert caught.value.code == expected
