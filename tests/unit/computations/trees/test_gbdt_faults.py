"""A node that is lost between two splits comes back to the same tree; in the sandbox LightGBM runs as anywhere."""

from __future__ import annotations

import asyncio
import threading
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import sealane
from sealane.computations.installed import code_hash
from sealane.computations.trees.fit import Gbdt
from sealane.coordinator.run_facts import Patience
from sealane.core.ids import new_run_id
from sealane.errors import SealaneError, UnavailableError
from sealane.governance.contract import infer_contract
from sealane.node.sandbox.fork_server import ForkServer
from sealane.node.sandbox.limits import default_limits
from sealane.node.sandbox.probe import probe
from sealane.node.sandbox.sandbox import Sandbox
from sealane.simulation.faults import Fault
from sealane.simulation.parties import FrameDataset

PARAMS: dict[str, Any] = {
    "outcome": "event", "features": ["a", "b", "m"], "rounds": 3,
    "params": {"num_leaves": 5, "bagging_fraction": 0.8, "bagging_freq": 1, "feature_fraction": 0.7}}


@pytest.fixture(scope="module")
def few(parts):
    return {name: part.iloc[:600] for name, part in parts.items()}


def test_a_node_killed_between_two_splits_goes_on_with_the_same_trees(few, monkeypatch):
    run = new_run_id()  # bags are drawn anew in every run
    monkeypatch.setattr(import_module("sealane.simulation.simulate"), "new_run_id", lambda: run)
    undisturbed = sealane.simulate(few).run("trees.gbdt", minimum_count=5, **PARAMS)
    faults = [Fault("crash", node="south", message="Contribution", exchange=exchange, seconds=0.02)
              for exchange in (9, 15)]
    disturbed = sealane.simulate(few).run("trees.gbdt", minimum_count=5, faults=faults, **PARAMS)
    assert disturbed.model_text == undisturbed.model_text


def test_a_node_that_never_comes_back_ends_the_run_and_no_thread_is_left(few):
    patience = Patience(round_s=0.6)
    with pytest.raises(UnavailableError):
        sealane.simulate(few, patience=patience).run(
            "trees.gbdt", minimum_count=5, **PARAMS,
            faults=[Fault("crash", node="south", message="Contribution", exchange=9, seconds=-1)])
    assert [thread.name for thread in threading.enumerate() if thread.name == "lightgbm"] == []


def test_an_error_in_the_middle_of_a_tree_leaves_no_thread(run_pooled, parts, monkeypatch):
    from sealane.computations.trees.growth import Growth

    async def fail(self, call):
        raise UnavailableError("test.lost", "lost")

    monkeypatch.setattr(Growth, "splits", fail)
    with pytest.raises(SealaneError):
        run_pooled(parts, Gbdt(), PARAMS, minimum_count=5)
    assert [thread.name for thread in threading.enumerate() if thread.name == "lightgbm"] == []


class Threefold:
    """Three institutions with the same rows."""

    size, honest, minimum_count, smallest, exposed, place, run = 3, 2, 5, 3, False, 1, "r-test"
    names = ("north", "south", "west")

    async def sum(self, terms: Any) -> dict[str, Any]:
        return {name: (3 * term.values).astype(term.values.dtype) for name, term in terms.items()}

    async def agree(self, values: Any) -> Any:
        return np.array(values)


@pytest.mark.slow
def test_in_the_sandbox_the_model_is_the_same_as_outside(parts):
    frame, computation = parts["north"], Gbdt()
    parameters = computation.parameters.model_validate(PARAMS)
    data = FrameDataset(infer_contract({"north": frame}), frame)
    outside = asyncio.run(computation.run(data, Threefold(), parameters))
    server = ForkServer(probe())
    server.start()
    try:
        admission: Any = SimpleNamespace(computation=computation, parameters=parameters, code=code_hash(computation))
        inside = asyncio.run(Sandbox(server, default_limits()).compute(admission, data, Threefold(), "r-test"))
    finally:
        server.close()
    assert inside == outside
