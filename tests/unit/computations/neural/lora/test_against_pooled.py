"""One full-batch step a round is gradient descent on the pooled rows: held against adapters written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sealane import simulate
from sealane.computations.neural.lora.train import NeuralLora

from .conftest import SPECIAL, WORDS, by_office, notes

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
for _name in ("flwr", "peft", "tokenizers"):
    pytest.importorskip(_name)

STEPS, RATE, SEED, RANK, ALPHA, LENGTH, WIDTH = 4, 0.5, 11, 2, 8.0, 8, 32
ASKED = {"outcome": "kind", "text": "note", "rank": RANK, "alpha": ALPHA, "rounds": STEPS, "batch_size": None,
         "local_steps": 1, "learning_rate": RATE, "optimizer": "sgd", "seed": SEED, "length": LENGTH,
         "precision": "double", "rows_at_once": 64}


def drawn(name, shape):
    import hashlib

    data = hashlib.shake_256(f"sealane neural public {SEED} {name}".encode()).digest(8 * int(np.prod(shape)))
    words = [int.from_bytes(data[k : k + 8], "little") >> 11 for k in range(0, len(data), 8)]
    values = [(2 * word / 2**53 - 1) / np.sqrt(shape[1]) for word in words]
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


class ByHand:
    """W + (alpha / rank) B A in place of W, no peft; the mean over tokens; gradients by hand."""

    def __init__(self, package, frame):
        self.model = transformers.BertModel.from_pretrained(package / "tiny_frozen_model" / "model").double().eval()
        self.frozen = {name: value.detach() for name, value in self.model.named_parameters()}
        places = {word: place for place, word in enumerate([*SPECIAL, *WORDS])}
        ids = [[places.get(word, 1) for word in note.split()][:LENGTH] for note in frame.note]
        self.ids = torch.tensor([one + [0] * (LENGTH - len(one)) for one in ids])
        self.known = (self.ids != 0).double()
        self.y = torch.tensor((frame.kind == "payment").to_numpy(np.float64))
        self.weights = {}
        for layer in self.frozen:
            if layer.endswith(("query.weight", "value.weight")):
                start = f"encoder.base_model.model.{layer.removesuffix('.weight')}"
                a = f"{start}.lora_A.default.weight"
                self.weights[a] = drawn(a, (RANK, WIDTH))
                self.weights[f"{start}.lora_B.default.weight"] = torch.zeros(WIDTH, RANK, dtype=torch.float64)
        self.weights["head.weight"] = drawn("head.weight", (1, WIDTH))
        self.weights["head.bias"] = torch.zeros(1, dtype=torch.float64)
        for value in self.weights.values():
            value.requires_grad_()

    def outputs(self):
        w, inner = self.weights, dict(self.frozen)
        for name in [one for one in w if ".lora_A." in one]:
            layer = name.removeprefix("encoder.base_model.model.").replace(".lora_A.default.weight", ".weight")
            inner[layer] = inner[layer] + ALPHA / RANK * w[name.replace("lora_A", "lora_B")] @ w[name]
        tokens = torch.func.functional_call(
            self.model, inner, kwargs={"input_ids": self.ids, "attention_mask": self.known.long()}).last_hidden_state
        mean = (tokens * self.known[..., None]).sum(1) / self.known.sum(1, keepdim=True)
        return (mean @ w["head.weight"].T + w["head.bias"])[:, 0]

    def loss(self):
        return torch.nn.functional.binary_cross_entropy_with_logits(self.outputs(), self.y)

    def descend(self):
        for _ in range(STEPS):
            gradients = torch.autograd.grad(self.loss(), list(self.weights.values()))
            with torch.no_grad():
                for value, gradient in zip(self.weights.values(), gradients, strict=True):
                    value -= RATE * gradient


@pytest.fixture(scope="module")
def frame():
    return notes()


@pytest.fixture(scope="module")
def pooled(package, frame):
    made = ByHand(package, frame)
    made.descend()
    return made


def assert_same(result, pooled, atol):
    assert set(result.weights) == set(pooled.weights)
    for name, values in result.weights.items():
        np.testing.assert_allclose(values, pooled.weights[name].detach().numpy(), rtol=0, atol=atol, err_msg=name)


def test_the_pooled_adapters(run_pooled, frame, base, pooled):
    result = run_pooled(by_office(frame), NeuralLora(), ASKED | {"base": base})
    assert_same(result, pooled, 1e-12)
    assert any(np.abs(values).max() > 1e-3 for name, values in result.weights.items() if "lora_B" in name)
    assert result.metrics["training"]["loss"] == pytest.approx(pooled.loss().item(), rel=1e-9)
    np.testing.assert_allclose(result.predict(frame), torch.sigmoid(pooled.outputs()).detach().numpy(), atol=1e-9)


def test_how_texts_are_spread_does_not_matter(run_pooled, frame, base, pooled):
    result = run_pooled(by_office(frame, skewed=True), NeuralLora(), ASKED | {"base": base, "rows_at_once": 7})
    assert_same(result, pooled, 1e-12)


@pytest.mark.parametrize(("scheme", "bits", "atol"), [("masking", "exact", 1e-12), ("rlwe", None, 1e-12),
                                                      ("rlwe", 16, 1e-3)])
def test_encrypted_sums_give_them_within_their_rounding(frame, base, pooled, scheme, bits, atol):
    result = simulate(by_office(frame)).run("neural.lora", scheme=scheme, **(ASKED | {"base": base, "bits": bits}))
    assert_same(result, pooled, atol)
    assert len(result.trace.cohort) == 3


def test_only_adapters_and_head_are_summed(run_pooled, new_meeting, frame, base):
    """Two layers, query and value of each: 2 x 2 x (2 x 32 + 32 x 2) and a head of 33; the model has thousands."""
    entries = 2 * 2 * (RANK * WIDTH + WIDTH * RANK) + WIDTH + 1
    meeting = new_meeting(["east", "south", "west"])
    seen, add = [], meeting.add

    def counting(everyone):
        seen.append({key: term.values.size for key, term in everyone["east"].items()})
        return add(everyone)

    meeting.add = counting
    result = run_pooled(by_office(frame), NeuralLora(), ASKED | {"base": base}, meeting=meeting)
    updates = [sizes for sizes in seen if "update" in sizes]
    assert updates == [{"update": entries}] * STEPS
    beside = max(size for sizes in seen if "update" not in sizes for key, size in sizes.items() if "counts" not in key)
    assert beside < 64
    assert result.sizes.trained == entries
    assert result.sizes.frozen == sum(one.numel() for one in transformers.BertModel.from_pretrained(
        result_folder(base)).parameters())


def result_folder(base):
    from sealane.computations.neural.lora.base_files import find

    return find(base["package"])
