"""Networks with a promise: what is opened, what is refused, what is charged, and plain PyTorch without noise."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from expected_error import raises

import sealane
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.promise import norm_squared_of, steps_of_norm, sums_of
from sealane.computations.neural.train import NeuralTrain
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract
from sealane.privacy.accountant import compose
from sealane.privacy.ledger import make_cap
from sealane.privacy.sampled import SampledGaussian

from .conftest import LEVELS, NUMBERS, by_site, first_weights, mlp_layers, people

torch = pytest.importorskip("torch")
pytest.importorskip("flwr")
pytest.importorskip("opacus")
ASKED = {"outcome": "ill", "features": [*NUMBERS, "grade"], "model": {"name": "mlp", "hidden": [8]}, "rounds": 3,
         "seed": 3, "epsilon": "8", "delta": "1e-5"}
INSTITUTION = ASKED | {"protects": "institution", "clip_norm": 1.0, "weights": "equal"}


@pytest.fixture(scope="module")
def frames():
    return by_site(people())


def price_of(asked, frames, honest=2):
    return NeuralTrain().price(NeuralParameters.model_validate(asked), infer_contract(frames), honest)


def test_a_round_is_one_clipped_step_over_all_rows_without_its_noise(run_pooled, frames):
    """In memory no noise is added: gradient descent by hand on clipped gradients of single rows."""
    result = run_pooled(frames, NeuralTrain(), ASKED | {"precision": "double", "clip_row": 0.5, "learning_rate": 0.7})
    pooled = people().reset_index(drop=True)
    contract = infer_contract(frames)
    spans = [(contract.field(name).minimum, contract.field(name).maximum) for name in NUMBERS]
    low, high = np.array(spans, dtype=float).T
    x = (pooled[NUMBERS].to_numpy(float) - (low + high) / 2) / ((high - low) / np.sqrt(12))
    levels = list(contract.field("grade").allowed)
    codes = np.array([levels.index(one) + 1 for one in pooled.grade])
    assert sorted(levels) == sorted(LEVELS)
    w = first_weights(3, mlp_layers(3, [(4, 2)], [8], 1))
    names = list(w)
    for _ in range(3):
        total = [torch.zeros_like(w[name]) for name in names]
        for k in range(len(pooled)):
            given = {name: w[name].clone().requires_grad_() for name in names}
            row = torch.cat([torch.tensor(x[k]), given["embeddings.0.weight"][codes[k]]])
            hidden = torch.relu(given["body.0.weight"] @ row + given["body.0.bias"])
            logit = given["head.weight"] @ hidden + given["head.bias"]
            loss = torch.nn.functional.softplus(logit) - float(pooled.ill[k]) * logit
            found = torch.autograd.grad(loss.sum(), [given[name] for name in names])
            norm = torch.sqrt(sum((one**2).sum() for one in found))
            for part, one in zip(total, found, strict=True):
                part += one * min(1.0, 0.5 / float(norm))
        for name, part in zip(names, total, strict=True):
            w[name] = w[name] - 0.7 * part / len(pooled)
    for name in names:
        assert result.weights[name] == pytest.approx(w[name].numpy(), abs=2e-4)
    assert result.nobs == 600


def test_nothing_but_noised_sums_is_opened(frames):
    """The node itself refuses any other sum of a run with a price; and none is asked for in vain."""
    found = sealane.simulate(frames)
    result = found.run("neural.train", **ASKED, strategy="FedAdam", sampling_rate="0.5")
    assert (result.epsilon, result.delta, result.rounds) == (8.0, 1e-5, 3)
    assert result.metrics == {}
    assert result.history.loss.isna().all()
    assert "epsilon 8, delta 1e-05 for each row" in result.summary()
    assert result.to_dict()["privacy"]["sums"] == 4


@pytest.mark.parametrize("asked", [ASKED | {"sampling_rate": "0.3"}, INSTITUTION], ids=["record", "institution"])
def test_the_whole_run_is_charged_in_the_ledger(frames, asked):
    federation = sealane.simulate(frames)
    result = federation.run("neural.train", **asked, scheme="rlwe")
    for node in federation.nodes.values():
        with node.ledger.reading() as ledger:
            (entry,) = ledger.entries.values()
        price = entry.request.price
        assert price.sums == sums_of(NeuralParameters.model_validate(asked)) == entry.charged
        assert price.unit == ("row" if asked is not INSTITUTION else "institution")
        spent = compose([(price.mechanism, entry.charged)], Decimal("1e-5")).epsilon
        assert Decimal("7.9") < spent <= 8
        assert isinstance(price.mechanism, SampledGaussian) == (asked is not INSTITUTION)
    assert result.epsilon == 8.0


def test_a_budget_too_small_says_how_many_sums_fit(frames):
    federation = sealane.simulate(frames)
    for node in federation.nodes.values():
        node.ledger.put_cap(make_cap("frame", "dataset", "", "", Decimal(2), Decimal("1e-5"), None))
    with raises("ledger.cap-exceeded", RefusedError) as caught:
        federation.run("neural.train", **ASKED | {"rounds": 40})
    assert "of its 41 noised sums fit" in caught.value.hint
    assert 1 <= int(caught.value.hint.split()[0]) <= 10


def test_the_price_follows_from_agreed_numbers(frames):
    price = price_of(ASKED | {"sampling_rate": "0.1"}, frames)
    entries = 4 * 2 + 8 * 5 + 8 + 8 + 1  # an embedding of three levels and a missing one, two layers
    params = NeuralParameters.model_validate(ASKED)
    assert price.mechanism.entries == entries
    steps = steps_of_norm(entries)
    assert steps >= 128 * np.sqrt(entries)
    assert steps <= np.sqrt(norm_squared_of(params, entries)) <= steps * 1.01
    assert price_of(ASKED | {"epsilon": None, "delta": None}, frames) is None
    more = price_of(ASKED | {"epsilon": "1", "sampling_rate": "0.1"}, frames).mechanism.sigma
    assert more > 2 * price.mechanism.sigma


@pytest.mark.parametrize("other", [
    {"validation_fraction": 0.2}, {"validation_fraction": 0.2, "early_stopping_rounds": 2},
    {"correction": "scaffold", "local_steps": 2}, {"personal": "head", "validation_fraction": 0.2},
    {"local_epochs": 2}, {"local_steps": 3}, {"batch_size": 10}, {"optimizer": "adam"}, {"momentum": 0.9},
    {"clip_gradient": 1.0}, {"clip_norm": 1.0}, {"bits": 8}, {"weights": "equal"}, {"strategy": "FedProx"},
    {"compression": {"bits": 8}}, {"robust": {"method": "krum"}, "weights": "equal"},
    {"local_seconds": 2.0, "correction": "fednova"}, {"personal_epochs": 3},
])
def test_what_cannot_be_promised_for_rows_is_refused(other):
    with raises("neural.not-private", InputError):
        NeuralParameters.model_validate(ASKED | other)


def test_what_cannot_be_promised_for_institutions_is_refused():
    for other in ({"validation_fraction": 0.2}, {"clip_row": 2.0}, {"sampling_rate": "0.5"}, {"robust": {}},
                  {"compression": {"bits": 8, "error_feedback": False}}):
        with raises("neural.not-private", InputError):
            NeuralParameters.model_validate(INSTITUTION | other)
    for other in ({"clip_norm": None}, {"weights": "rows"}, {"bits": "exact"}):
        with raises("neural.institution-unclipped", InputError):
            NeuralParameters.model_validate(INSTITUTION | other)


def test_units_follow_from_public_ranges(run_pooled, frames):
    result = run_pooled(frames, NeuralTrain(), ASKED | {"ranges": {"dose": [0, 12]}})
    dose = next(one for one in result.to_dict()["features"] if one["name"] == "dose")
    assert (dose["centre"], dose["scale"]) == (6.0, pytest.approx(12 / np.sqrt(12)))
    with raises("neural.unknown-range", InputError):
        NeuralParameters.model_validate(ASKED | {"ranges": {"weight": [0, 1]}})
    with pytest.raises(ValueError, match="pairs"):
        NeuralParameters.model_validate(ASKED | {"ranges": {"dose": [3, 3]}})


@pytest.mark.parametrize("other", [{"delta": None}, {"epsilon": None}, {"sampling_rate": "2"}, {"clip_row": 0}])
def test_half_a_promise_is_none(other):
    with pytest.raises(ValueError, match=r"delta|sampling_rate|clip_row"):
        NeuralParameters.model_validate(ASKED | other)
    with pytest.raises(ValueError, match="belong to a promise"):
        NeuralParameters.model_validate({k: v for k, v in ASKED.items() if k not in ("epsilon", "delta")}
                                        | {"sampling_rate": "0.1"})


def test_a_promise_beyond_all_noise_is_refused(frames):
    with raises("noise.promise-too-strong", InputError):
        price_of(ASKED | {"epsilon": "0.000001"}, frames)


def test_hardly_any_rows_are_refused(run_pooled, frames):
    few = {name: frame.head(2) for name, frame in frames.items()}
    with raises("model.too-few-rows", RefusedError):
        run_pooled(few, NeuralTrain(), ASKED, contract=infer_contract(frames))


def test_an_institution_s_update_is_clipped_whole(run_pooled, frames):
    asked = INSTITUTION | {"rounds": 1, "clip_norm": 1e-3, "precision": "double", "learning_rate": 1.0}
    after = run_pooled(frames, NeuralTrain(), asked)
    before = first_weights(3, mlp_layers(3, [(4, 2)], [8], 1))
    moved = np.sqrt(sum(((after.weights[name] - before[name].numpy()) ** 2).sum() for name in before))
    assert 2e-4 < moved <= 1e-3 * (1 + 1e-6)
    assert after.nobs is None
    assert "it is mostly noise" in after.summary()


def test_the_card_says_what_was_promised(run_pooled, frames, tmp_path):
    pytest.importorskip("safetensors")
    card = run_pooled(frames, NeuralTrain(), ASKED).save(tmp_path / "m.safetensors").read_text()
    assert "Differential privacy: epsilon 8, delta 1e-05 for each row" in card
