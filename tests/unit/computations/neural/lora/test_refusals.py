"""What is refused, and by which code."""

from __future__ import annotations

import shutil
import sys

import pandas as pd
import pytest

from sealane.computations.neural.lora.base_files import base as say
from sealane.computations.neural.lora.base_files import content_of, find
from sealane.computations.neural.lora.train import NeuralLora
from sealane.computations.registry import individual_level, read_parameters
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract

from .conftest import PACKAGE, by_office, notes

BASE = {"package": "some-model", "content": "0" * 64}
PLAIN = {"outcome": "kind", "text": "note", "base": BASE}


@pytest.mark.parametrize("asked", [
    {"base": {"package": "some-model"}}, {"base": {"package": "https://example.org/x", "content": "0" * 64}},
    {"base": BASE | {"folder": "../secrets"}}, {"base": BASE | {"folder": "/etc"}}, {"rank": 0}, {"task": "regression"},
    {"text": "kind"}, {"targets": []}, {"targets": ["query", "query"]}, {"targets": [".*;"]}, {"surprise": 1},
    {"local_epochs": 1, "local_steps": 1}, {"early_stopping_rounds": 2}, {"momentum": 0.9}, {"length": 5000},
])
def test_parameters_that_make_no_sense(asked):
    with pytest.raises(InputError) as caught:
        read_parameters("neural.lora", PLAIN | asked)
    assert caught.value.code == "computation.bad-parameters"


def test_what_holds_without_the_extra():
    assert individual_level("neural.lora")
    assert read_parameters("neural.lora", PLAIN | {"batch_size": "all"}).training.batch_size is None
    assert NeuralLora().columns(read_parameters("neural.lora", PLAIN)) == ["kind", "note"]


def test_a_base_that_is_not_installed():
    with pytest.raises(InputError) as caught:
        find("no-such-model-anywhere")
    assert caught.value.code == "lora.no-base"
    with pytest.raises(InputError) as caught:
        find("numpy")
    assert caught.value.code == "lora.no-base"


def test_every_file_counts_in_the_hash(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    before = content_of(tmp_path)
    (tmp_path / "b.py").write_text("print()")
    one_more = content_of(tmp_path)
    (tmp_path / "b.py").write_text("print(1)")
    assert len({before, one_more, content_of(tmp_path)}) == 3


def with_extra():
    for name in ("torch", "flwr", "peft", "transformers", "tokenizers"):
        pytest.importorskip(name)


@pytest.fixture
def refused(run_pooled, base):
    with_extra()

    def run(code, kind=InputError, frames=None, **asked):
        with pytest.raises(kind) as caught:
            run_pooled(frames or by_office(notes(60)), NeuralLora(),
                       {"outcome": "kind", "text": "note", "rounds": 1, "length": 8, "base": base} | asked)
        assert caught.value.code == code
        return caught.value

    return run


@pytest.mark.parametrize("module", ["peft", "transformers", "tokenizers"])
def test_a_node_without_the_extra(refused, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    assert "sealane[lora]" in refused("lora.no-extra").hint


def test_other_files_than_the_study_names(refused, base, package):
    assert refused("lora.other-base", RefusedError, base=base | {"content": "0" * 64}).got == base["content"][:16]


def test_a_base_changed_by_one_byte(refused, base, package):
    """The same package, one weight file touched: what was signed before is refused now."""
    weights = package / "tiny_frozen_model" / "model" / "model.safetensors"
    kept = weights.with_suffix(".kept")
    shutil.copy(weights, package / kept.name)
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    try:
        refused("lora.other-base", RefusedError)
    finally:
        shutil.move(package / kept.name, weights)
    assert say(PACKAGE) == base


def test_a_base_that_is_no_model(refused, base, package):
    config = package / "tiny_frozen_model" / "model" / "config.json"
    kept = config.read_text()
    try:
        for text in ('{"model_type": "bert"}', "[", '{"model_type": "unheard", "pad_token_id": 0, "auto_map": '
                     '{"AutoModel": "evil.Model", "AutoConfig": "evil.Config"}}'):
            config.write_text(text)
            refused("lora.base-config", base=say(PACKAGE))
    finally:
        config.write_text(kept)


def test_weights_as_pickle_are_never_read(refused, base, package):
    """With a pickle beside broken safetensors the pickle is not the way out."""
    folder = package / "tiny_frozen_model" / "model"
    kept = (folder / "model.safetensors").read_bytes()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    (folder / "model.safetensors").write_bytes(b"broken")
    try:
        refused("lora.base-config", base=say(PACKAGE))
    finally:
        (folder / "pytorch_model.bin").unlink()
        (folder / "model.safetensors").write_bytes(kept)


def test_targets_and_lengths_that_the_base_does_not_have(refused):
    assert refused("lora.unknown-target", targets=["q_proj"]).got == "q_proj"
    refused("lora.unknown-target", targets=["query", "LayerNorm"])
    refused("lora.too-long", length=64)


def test_columns_that_cannot_play_their_part(refused):
    frames = by_office(notes(60).assign(size=range(60), price=1.5))
    refused("lora.text-type", frames=frames, text="size")
    refused("outcome.type", frames=frames, outcome="size")
    refused("contract.unknown-field", frames=frames, text="letter")


def test_too_few_rows_events_institutions_and_texts(refused):
    refused("model.too-few-rows", RefusedError, by_office(notes(9)))
    frames = by_office(notes(60))
    fewer = {name: part.assign(kind=["payment", *["delivery"] * (len(part) - 1)]) for name, part in frames.items()}
    refused("neural.too-few-events", RefusedError, fewer)


def test_an_institution_without_texts(base):
    with_extra()
    from sealane import simulate

    frames = by_office(notes(60))
    gaps = {name: part.assign(note=part.note.where(part.index > 0)) for name, part in frames.items()}
    contract = infer_contract(gaps)
    frames["west"] = frames["west"].assign(note=None)
    with pytest.raises(RefusedError) as caught:
        simulate(frames, contract=contract).run("neural.lora", outcome="kind", text="note", base=base, length=8)
    assert caught.value.code == "model.institutions-without-rows"
    assert "note" in caught.value.hint
    assert "west" not in caught.value.hint + caught.value.got


def test_no_text_in_an_error(refused):
    frames = by_office(notes(60))
    frames["west"].loc[0, "note"] = "secretword"
    error = refused("lora.too-long", frames=frames, length=64)
    assert "secretword" not in f"{error} {error.got} {error.hint}"


def test_what_is_no_text_is_not_classified(run_pooled, base):
    with_extra()
    result = run_pooled(by_office(notes(60)), NeuralLora(),
                        {"outcome": "kind", "text": "note", "rounds": 1, "length": 8, "base": base, "local_steps": 1})
    for given, code in (([3], "lora.no-text"), (pd.DataFrame({"letter": ["a"]}), "model.missing-column")):
        with pytest.raises(InputError) as caught:
            result.predict(given)
        assert caught.value.code == code


def test_weights_of_another_model_are_not_put_in(base, package):
    with_extra()
    import numpy as np

    from sealane.computations.neural.learning.adapters import rebuild_classifier
    from sealane.computations.neural.lora.parameters import LoraParameters

    params = LoraParameters.model_validate(PLAIN | {"base": base, "length": 8})
    with pytest.raises(InputError) as caught:
        rebuild_classifier(find(PACKAGE), params, 1, 0, {"encoder.other.weight": np.zeros((2, 2))})
    assert caught.value.code == "lora.other-weights"
