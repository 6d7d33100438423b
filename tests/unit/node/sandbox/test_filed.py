"""A child whose rows lie on disk trains within memory that the rows alone would fill."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from locked_in import ClearCohort, LockedIn

from sealane.computations.installed import code_hash
from sealane.computations.neural.train import NeuralTrain
from sealane.errors import RefusedError
from sealane.governance.contract import infer_contract
from sealane.node.sandbox.limits import Limits
from sealane.node.sandbox.sandbox import Sandbox
from sealane.simulation.parties import FrameDataset

ROWS, COLUMNS = 400_000, 30
MEMORY = 90 << 20
"""Bytes that a child may take beyond its libraries: the rows alone are 96 MB, in a network's units 48 MB more."""


async def test_memory_of_a_training_does_not_follow_its_rows(inside: LockedIn, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("flwr")
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.random((ROWS, COLUMNS)), columns=[f"x{k}" for k in range(COLUMNS)])
    frame["y"] = (frame.x0 + random.random(ROWS) > 1).astype(int)
    frame["g"] = random.choice(["a", "b", "c"], ROWS)
    data, train = FrameDataset(infer_contract({"a": frame}), frame), NeuralTrain()
    params = train.parameters(outcome="y", features=[*(f"x{k}" for k in range(COLUMNS)), "g"],
                              model={"name": "mlp", "hidden": (8,)}, strategy_arguments={}, ranges={}, rounds=1,
                              batch_size=16384, validation_fraction=0.2, learning_rate=1.0)
    admission: Any = SimpleNamespace(computation=train, parameters=params, code=code_hash(train))

    async def trained(memory: int, filed: Path | None) -> Any:
        sandbox = Sandbox(inside.sandbox.server, Limits(memory_bytes=memory, step_seconds=120.0), filed)
        return await sandbox.compute(admission, data, ClearCohort(), "r")

    with pytest.raises(RefusedError) as caught:
        await trained(MEMORY, None)
    assert caught.value.code == "sandbox.memory-exceeded"
    on_disk = await trained(MEMORY, tmp_path)
    assert os.listdir(tmp_path) == []
    assert on_disk["metrics"]["validation"]["auc"] > 0.8
    assert on_disk == await trained(MEMORY * 4, None)  # to the last bit
