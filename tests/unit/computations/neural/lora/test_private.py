"""Adapters with a promise: what is opened, charged and refused, and one step by hand without the noise."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from expected_error import raises

import sealane
from sealane.computations.neural.lora.counting import count_trained
from sealane.computations.neural.lora.parameters import LoraParameters
from sealane.computations.neural.lora.train import NeuralLora
from sealane.computations.neural.promise import sigma_of, steps_of_norm, sums_of
from sealane.errors import InputError
from sealane.governance.contract import infer_contract
from sealane.privacy.accountant import compose
from sealane.privacy.sampled import SampledGaussian
from sealane.secagg.quantize import step_of

from .conftest import by_office, notes

torch = pytest.importorskip("torch")
for _name in ("flwr", "peft", "transformers", "tokenizers", "opacus"):
    pytest.importorskip(_name)
ASKED = {"outcome": "kind", "text": "note", "rank": 2, "rounds": 2, "length": 12, "learning_rate": 0.5, "epsilon": "8",
         "delta": "1e-5", "protects": "record"}
INSTITUTION = ASKED | {"protects": "institution", "clip_norm": 1.0, "weights": "equal", "local_steps": 2}
ENTRIES = 2 * 4 * (32 + 32) + 32 + 1
"""Rank 2 beside query and value of two layers of width 32, and a head."""


@pytest.fixture(scope="module")
def frames():
    return by_office(notes(240))


@pytest.mark.parametrize("asked", [ASKED, ASKED | {"sampling_rate": "0.3"}, INSTITUTION],
                         ids=["record", "sampled", "institution"])
def test_the_whole_run_is_noised_and_charged(frames, base, asked):
    """The node itself refuses any other sum of a run with a price."""
    federation = sealane.simulate(frames)
    result = federation.run("neural.lora", **asked, base=base, scheme="rlwe")
    assert (result.epsilon, result.delta, result.metrics, result.rounds) == (8.0, 1e-5, {}, 2)
    assert result.history.loss.isna().all()
    params = LoraParameters.model_validate(asked | {"base": base}).training
    for node in federation.nodes.values():
        with node.ledger.reading() as ledger:
            (entry,) = ledger.entries.values()
        price = entry.request.price
        assert price.sums == sums_of(params) == entry.charged
        assert (price.unit, price.mechanism.entries) == ("institution" if asked is INSTITUTION else "row", ENTRIES)
        assert isinstance(price.mechanism, SampledGaussian) == ("sampling_rate" in asked)
        assert Decimal("7.9") < compose([(price.mechanism, entry.charged)], Decimal("1e-5")).epsilon <= 8
    whom = "institution, with all its rows" if asked is INSTITUTION else "row"
    assert f"epsilon 8, delta 1e-05 for each {whom}" in result.summary()
    assert len(result.predict(["my parcel is lost"])) == 1


@pytest.mark.parametrize("asked", [ASKED, INSTITUTION], ids=["record", "institution"])
def test_the_noise_is_there_and_as_wide_as_priced(frames, base, asked):
    """Two runs of one round differ by their noise alone, whose deviation is that of the price and not 30 % off."""
    asked = asked | {"rounds": 1, "base": base, "precision": "double"}
    params = LoraParameters.model_validate(asked).training
    sigma = float(sigma_of(params, 2, ENTRIES)) * np.sqrt(3 / 2)  # three shares, of which two carry the promise
    one, other = (sealane.simulate(frames).run("neural.lora", **asked) for _ in range(2))
    apart = np.concatenate([(one.weights[name] - values).ravel() for name, values in other.weights.items()])
    step = float(step_of(1.0, 16)) / 3 if asked["protects"] == "institution" else 0.5 / (steps_of_norm(ENTRIES) * 240)
    assert np.std(apart) == pytest.approx(np.sqrt(2) * sigma * step, rel=0.15)


def test_a_round_is_one_clipped_step_without_its_noise(run_pooled, base):
    """In memory no noise is added: each text's gradient by a backward pass of its own, clipped, added up."""
    from sealane.computations.neural.learning.adapters import build_classifier
    from sealane.computations.neural.lora.base_files import checked
    from sealane.computations.neural.lora.texts import token_ids

    asked = ASKED | {"rounds": 1, "clip_row": 2.0, "base": base, "precision": "double"}
    rows = notes(48)
    result = run_pooled(by_office(rows), NeuralLora(), asked)
    torch.set_num_threads(1)
    params = LoraParameters.model_validate(asked)
    folder = checked(params.base)
    module = build_classifier(folder, params, 1, 0)
    names = [name for name, one in module.named_parameters() if one.requires_grad]
    weights = dict(module.named_parameters())
    ids = torch.tensor(token_ids(folder, list(rows.note), 12, 0))
    total = {name: torch.zeros_like(weights[name]) for name in names}
    lengths = []
    for k in range(len(rows)):
        module.zero_grad()
        logit = module(torch.empty(1, 0), ids[k : k + 1])[0, 0]
        (torch.nn.functional.softplus(logit) - (rows.kind[k] == "payment") * logit).backward()
        length = float(torch.sqrt(sum(weights[name].grad.square().sum() for name in names)))
        lengths.append(length)
        for name in names:
            total[name] += weights[name].grad * min(1.0, 2.0 / length)
    assert min(lengths) < 2.0 < max(lengths)
    for name in names:
        expected = (weights[name].detach() - 0.5 * total[name] / len(rows)).numpy()
        assert result.weights[name] == pytest.approx(expected, abs=2e-4)
    assert any(np.abs(result.weights[name] - weights[name].detach().numpy()).max() > 0.01 for name in names)


def test_weights_are_counted_without_pytorch(frames, base, monkeypatch):
    """What an analyst's price rests on is what the module has, by shapes in the files alone."""
    import sys

    params = LoraParameters.model_validate(ASKED | {"base": base})
    price = NeuralLora().price(params, infer_contract(frames), 2)
    assert price.mechanism.entries == ENTRIES
    assert NeuralLora().price(LoraParameters.model_validate(
        {k: v for k, v in ASKED.items() if k not in ("epsilon", "delta")} | {"base": base}),
        infer_contract(frames), 2) is None
    for name in ("torch", "peft", "transformers", "flwr"):
        monkeypatch.setitem(sys.modules, name, None)
    assert NeuralLora().price(params, infer_contract(frames), 2) == price
    with raises("lora.unknown-target", InputError):
        NeuralLora().price(params.model_copy(update={"targets": ("query", "nowhere")}), infer_contract(frames), 2)


def test_a_file_that_is_no_safetensors(base, tmp_path):
    (tmp_path / "config.json").write_text('{"pad_token_id": 0, "hidden_size": 8}')
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 40)
    with raises("lora.base-config", InputError):
        count_trained(tmp_path, LoraParameters.model_validate(ASKED | {"base": base}), 1)


@pytest.mark.parametrize("other", [
    {"validation_fraction": 0.2}, {"local_steps": 3}, {"batch_size": 10}, {"optimizer": "adamw"}, {"bits": 8},
    {"clip_norm": 1.0}, {"weights": "equal"}, {"correction": "scaffold", "local_steps": 2, "optimizer": "sgd"},
])
def test_what_cannot_be_promised_is_refused(base, other):
    with raises("neural.not-private", InputError):
        LoraParameters.model_validate(ASKED | {"base": base} | other)
    with raises("neural.institution-unclipped", InputError):
        LoraParameters.model_validate(INSTITUTION | {"base": base, "clip_norm": None})
