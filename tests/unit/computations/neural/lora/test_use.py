"""What a reader does with the result: joint against alone, classes, prediction, files for peft."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from sealane import simulate
from sealane.computations.neural.lora.train import NeuralLora

from .conftest import by_office, notes

torch = pytest.importorskip("torch")
for _name in ("flwr", "peft", "transformers", "tokenizers"):
    pytest.importorskip(_name)
ASKED = {"outcome": "kind", "text": "note", "rank": 4, "rounds": 2, "local_steps": 2, "learning_rate": 0.03,
         "length": 12}
SKEWED = ASKED | {"rounds": 10, "local_steps": 4}


@pytest.fixture(scope="module")
def joint(run_pooled, base):
    return run_pooled(by_office(notes(300, seed=1), skewed=True), NeuralLora(), SKEWED | {"base": base})


def test_joint_beats_alone_where_labels_are_skewed(run_pooled, joint, base):
    """Alone: the same rounds on one office's texts, by itself. Loss and accuracy on texts that nobody learned from."""
    new = notes(400, seed=2)
    truth = (new.kind == "payment").to_numpy()

    def loss(result):
        given = np.clip(result.predict(new).to_numpy(), 1e-12, 1 - 1e-12)
        return float(-np.log(np.where(truth, given, 1 - given)).mean())

    offices = by_office(notes(300, seed=1), skewed=True)
    assert float((offices["east"].kind == "delivery").mean()) > 0.85
    alone = [loss(run_pooled({name: offices[name]}, NeuralLora(), SKEWED | {"base": base}, minimum_count=1))
             for name in ("east", "south")]
    assert loss(joint) < min(alone)
    assert float(((joint.predict(new) > 0.5) == truth).mean()) > 0.8


def test_three_classes(run_pooled, base):
    frame = notes(240).assign(kind=lambda f: np.where(f.note.str.contains("refund|paid"), "refund", f.kind))
    result = run_pooled(by_office(frame), NeuralLora(), ASKED | {"base": base})
    given = result.predict(frame.note)
    assert list(given.columns) == ["delivery", "payment", "refund"]
    np.testing.assert_allclose(given.sum(axis=1), 1.0)
    found = (given.idxmax(axis=1) == frame.kind).mean()
    assert result.metrics["training"]["accuracy"] == pytest.approx(found)


def test_texts_of_any_kind(joint):
    assert len(joint.predict(["my parcel is lost", "", "unheard of " * 100])) == 3
    assert len(joint.predict([])) == 0
    one = joint.predict("my parcel is lost")
    assert one.iloc[0] == pytest.approx(joint.predict(pd.DataFrame({"note": ["my parcel is lost"]})).iloc[0])


def test_peft_reads_the_saved_folder(joint, package, tmp_path):
    """The frozen model by transformers, the adapters by peft, the head by safetensors: no code of Sealane's."""
    import peft
    import transformers
    from safetensors.torch import load_file

    card = joint.save(tmp_path / "tuned").read_text()
    assert {one.suffix for one in (tmp_path / "tuned").iterdir()} == {".safetensors", ".json", ".md"}
    frozen = transformers.BertModel.from_pretrained(package / "tiny_frozen_model" / "model")
    encoder = peft.PeftModel.from_pretrained(frozen, str(tmp_path / "tuned")).eval()
    head = load_file(tmp_path / "tuned" / "head.safetensors")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(package / "tiny_frozen_model" / "model" / "tokenizer.json"))
    ids = torch.tensor([tokenizer("my parcel is lost").input_ids])
    with torch.no_grad():
        mean = encoder(input_ids=ids).last_hidden_state.mean(1)
        given = torch.sigmoid(mean @ head["weight"].T + head["bias"])
    assert joint.predict(["my parcel is lost"]).iloc[0] == pytest.approx(float(given), abs=1e-6)
    assert f"{joint.sizes.trained:,}" in card
    assert "memory at a node" in card.lower()
    assert json.loads((tmp_path / "tuned" / "adapter_config.json").read_text())["r"] == 4
    assert isinstance(joint.model.encoder, peft.PeftModel)


def test_bytes_of_a_round_are_told(base):
    result = simulate(by_office(notes(90))).run("neural.lora", **(ASKED | {"base": base}))
    told = dict(result.sizes.lines())["sent by a node in a round"]
    most = max(result.trace.bytes_sent.values()) / 2
    assert f"{most / 1e3:.1f} kB" in told
    assert result.sizes.memory == 4 * (result.sizes.frozen + 4 * result.sizes.trained)  # Adam: weight, gradient, two
    assert list(result.history) == ["round", "loss", "validation_loss", "bytes_per_parameter"]
    assert result.history.shape == (2, 4)
    assert "weights that travel" in result.summary()
    assert json.loads(json.dumps(result.to_dict()))["size"]["trained"] == result.sizes.trained


def test_adapters_may_drop_out_and_rows_be_held_back(run_pooled, base):
    asked = ASKED | {"base": base, "dropout": 0.3, "validation_fraction": 0.2,
                     "early_stopping_rounds": 2}
    result = run_pooled(by_office(notes(240)), NeuralLora(), asked)
    again = run_pooled(by_office(notes(240)), NeuralLora(), asked)
    assert result.history.validation_loss.notna().all()
    assert "validation" in result.metrics
    for name, values in again.weights.items():
        np.testing.assert_array_equal(values, result.weights[name])
    plain = run_pooled(by_office(notes(240)), NeuralLora(), asked | {"dropout": 0.0})
    assert any(bool((plain.weights[name] != values).any()) for name, values in result.weights.items())
