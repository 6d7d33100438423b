"""The noise in a private network's weights: its own scale passes, a third more or less does not; also after a loss."""

from __future__ import annotations

import asyncio
import hashlib
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import sealane
from sealane.core.secret import Secret
from sealane.secagg.layout import decode, encode, plan

pytest.importorskip("torch")
pytest.importorskip("flwr")
pytest.importorskip("opacus")

ROWS = 4000
ASKED: dict[str, Any] = {
    "outcome": "y", "features": ["x", "v"], "model": {"name": "mlp", "hidden": [400]}, "rounds": 1, "epsilon": "1",
    "delta": "1e-6", "learning_rate": 1.0, "precision": "double"}


def p_value(noise: np.ndarray, deviation: float) -> float:
    """Two-sided: probability of a sum of squares as far from the expected one, under a Gaussian of that deviation."""
    found = float(((noise / deviation) ** 2).sum())
    return 2 * min(chi2.sf(found, noise.size), chi2.cdf(found, noise.size))


def frames() -> dict[str, pd.DataFrame]:
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"x": random.uniform(0, 1, ROWS), "v": random.uniform(0, 1, ROWS)})
    frame["y"] = random.random(ROWS) < frame.x
    return {name: frame.iloc[k::4].reset_index(drop=True) for k, name in enumerate(("e", "n", "s", "w"))}


def flat(result: Any) -> np.ndarray:
    return np.concatenate([one.ravel() for one in result.weights.values()])


@pytest.mark.parametrize(("scheme", "asked"), [
    ("masking", ASKED), ("rlwe", ASKED),
    ("rlwe", ASKED | {"protects": "institution", "clip_norm": 1e-3, "weights": "equal", "epsilon": "8"}),
], ids=["rows, masking", "rows, rlwe", "institutions, rlwe"])
def test_a_model_carries_the_noise_that_it_says(scheme: str, asked: dict[str, Any]) -> None:
    """One round from the same first weights twice: the difference is two draws of noise, and nothing else."""
    runs = [sealane.simulate(frames()).run("neural.train", scheme=scheme, **asked) for _ in range(2)]
    said = runs[0].to_dict()["privacy"]
    noise = flat(runs[0]) - flat(runs[1])
    grown = float(said["multiplier"]) * np.sqrt(4 / said["shares"])
    if asked is ASKED:
        assert abs(runs[0].nobs - ROWS) < 8 * grown  # the count carries it, too, and divides: a relative 1e-3 here
        deviation = grown * np.sqrt(2) / ROWS
    else:
        deviation = grown * 1e-3 * np.sqrt(2) / 4
    assert noise.size == 1601
    assert p_value(noise, deviation) > 1e-5
    assert p_value(noise, 1.3 * deviation) < 1e-9
    assert p_value(noise, deviation / 1.3) < 1e-9


def test_whoever_is_lost_the_rest_keep_the_promise() -> None:
    """Four nodes, three at least, one may collude: the two others' noise alone has the priced deviation."""
    from sealane.computations.neural.parameters import NeuralParameters
    from sealane.computations.neural.promise import sigma_of
    from sealane.computations.neural.train import NeuralTrain
    from sealane.governance.contract import infer_contract

    params = NeuralParameters.model_validate(ASKED)
    price = NeuralTrain().price(params, infer_contract(frames()), honest=2)
    sigma = float(sigma_of(params, 2, 1601))
    assert price is not None
    assert price.mechanism.entries == 1601  # type: ignore[union-attr]
    assert float(price.mechanism.sigma) * np.sqrt(2) == pytest.approx(sigma)  # type: ignore[union-attr]
    terms = asyncio.run(_contributions(infer_contract(frames())))
    layout = plan(terms[0], 4, smallest=3, colluding=1)
    seeds = [Secret(hashlib.sha256(f"lost {k}".encode()).digest()) for k in range(4)]
    noise = [np.asarray(decode(layout, encode(layout, term, seed), 1)["update"]) - term["update"].values
             for term, seed in zip(terms, seeds, strict=True)]
    for pair in ((0, 1), (1, 3)):
        total = noise[pair[0]] + noise[pair[1]]
        assert p_value(total, sigma) > 1e-4
        assert p_value(total, 1.3 * sigma) < 1e-9
    assert p_value(noise[0], sigma) < 1e-9  # one share alone does not carry it


async def _contributions(contract: Any) -> list[dict[str, Any]]:
    """Return what each of four nodes gives to the first round's sum, before its noise is drawn."""
    from sealane.computations.neural.parameters import NeuralParameters
    from sealane.computations.neural.train import NeuralTrain

    class Stop(Exception):
        pass

    class Cohort:
        honest, size, minimum_count, smallest = 2, 4, 10, 3

        def __init__(self) -> None:
            self.terms: list[dict[str, Any]] = []

        async def sum(self, terms: dict[str, Any]) -> dict[str, Any]:
            self.terms.append(terms)
            if len(self.terms) == 2:
                raise Stop
            return {"update": np.array([ROWS * 10**4])}

    out = []
    for frame in frames().values():
        cohort = Cohort()
        data: Any = SimpleNamespace(contract=contract, frame=lambda columns, frame=frame: frame[list(columns)])
        with pytest.raises(Stop):
            await NeuralTrain().run(data, cohort, NeuralParameters.model_validate(ASKED))  # type: ignore[arg-type]
        assert all(term.noise is not None for terms in cohort.terms for term in terms.values())
        assert Decimal(cohort.terms[0]["update"].noise) == Decimal(cohort.terms[1]["update"].noise)
        out.append(cohort.terms[1])
    return out


def test_a_loss_before_anything_opened_costs_no_promise() -> None:
    """A run of four in which one is lost before it uploads goes on with three; these are charged what was promised."""
    from sealane.coordinator.run_facts import Patience
    from sealane.simulation.faults import Fault

    federation = sealane.simulate(frames(), patience=Patience(round_s=5.0, nudge_s=0.5, silent_s=60.0))
    result = federation.run("neural.train", scheme="rlwe", **ASKED,
                            faults=[Fault("crash", node="w", message="Introduction", seconds=-1)])
    assert set(result.trace.cohort) == {"e", "n", "s"}
    assert abs(result.nobs - ROWS * 3 / 4) < 100
    for name, node in federation.nodes.items():
        with node.ledger.reading() as ledger:
            charged = [entry.charged for entry in ledger.entries.values()]
        assert charged == ([] if name == "w" else [2])  # by the sum, of which there are two
