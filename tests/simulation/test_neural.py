"""A node that dies in the middle of a training comes back to the same model; a wrong model at a node is found out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import sealane
from sealane.errors import ProtocolError
from sealane.simulation.faults import Fault

pytest.importorskip("torch")
pytest.importorskip("flwr")
ASKED = {"outcome": "y", "features": ["a", "b"], "model": {"name": "mlp", "hidden": [6], "dropout": 0.2}, "rounds": 4,
         "batch_size": 16, "strategy": "FedAdam", "validation_fraction": 0.2, "correction": "scaffold",
         "local_steps": 4}


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    random = np.random.default_rng(6)
    made = {}
    for name in ("north", "south", "west"):
        x = random.normal(size=(150, 2))
        made[name] = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": x[:, 0] + random.normal(size=150) > 0})
    return made


@pytest.mark.parametrize(("scheme", "message"), [("masking", "Contribution"), ("masking", "Release"),
                                                 ("rlwe", "Opening")])
def test_a_node_that_dies_trains_the_same_again(frames: dict[str, pd.DataFrame], scheme: str, message: str) -> None:
    fed = sealane.simulate(frames)
    undisturbed = fed.run("neural.train", scheme=scheme, **ASKED)
    fault = Fault("crash", node="south", message=message, exchange=5, seconds=0.2)  # the updates of the second round
    resumed = sealane.simulate(frames).run("neural.train", scheme=scheme, faults=[fault], **ASKED)
    for name, values in undisturbed.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], values, err_msg=name)
    assert resumed.metrics == undisturbed.metrics


def test_a_node_with_another_model_ends_the_run(
    frames: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sealane.computations.neural.server import Server

    step, made = Server.step, []

    def other(self: Server, *arguments: object) -> object:
        out = step(self, *arguments)  # type: ignore[arg-type]
        made.append(self)
        return out + 1e-3 if len(made) == 2 else out

    monkeypatch.setattr(Server, "step", other)
    with pytest.raises(ProtocolError):
        sealane.simulate(frames).run("neural.train", **ASKED)
