"""A sandbox for tests: real children of a real fork server, with a cohort of one node that adds in the clear."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hostile
import numpy as np
import pandas as pd

from sealane.computations.installed import code_hash
from sealane.governance.contract import infer_contract
from sealane.node.sandbox.fork_server import ForkServer
from sealane.node.sandbox.limits import Limits
from sealane.node.sandbox.offer import Offer
from sealane.node.sandbox.probe import probe
from sealane.node.sandbox.sandbox import Sandbox
from sealane.simulation.parties import FrameDataset

LIMITS = Limits(memory_bytes=256 << 20, cpu_seconds=60, step_seconds=20.0, message_bytes=1 << 20, result_bytes=1 << 16)
FRAME = pd.DataFrame({"x": [1.5, 2.5, -1.0, 8.0], "other": [1, 2, 3, 4]})


@dataclass
class ClearCohort:
    """Three nodes with the same rows."""

    size: int = 3
    run: str = "r-in-the-clear"
    honest: int = 2
    minimum_count: int = 5
    smallest: int = 3
    exposed: bool = False
    names: tuple[str, ...] = ("north", "south", "west")
    place: int = 1
    sums: list[Any] = field(default_factory=list)

    async def sum(self, terms: Any) -> dict[str, Any]:
        self.sums.append(terms)
        return {name: term.values * self.size for name, term in terms.items()}

    async def agree(self, values: Any) -> Any:
        return np.array(values)


SEEN = {"rows": 12, "mean": 2.75, "size": 3, "honest": 2, "circle": [3, False, ["north", "south", "west"], 1],
        "minimum": 5, "run": "r-in-the-clear"}
"""What the ordinary computation of ``hostile.py`` returns."""


@dataclass
class LockedIn:
    """A sandbox, and what it takes to run an act in it."""

    sandbox: Sandbox

    async def act(self, act: str, target: object = "", *, size: int = 0, cohort: Any = None, frame: Any = None,
                  used: Any = lambda microseconds: None, code: str = "", **limits: Any) -> Any:
        data = FrameDataset(infer_contract({"a": FRAME if frame is None else frame}), FRAME if frame is None else frame)
        parameters = hostile.HostileParameters(act=act, target=str(target), size=size)
        admission: Any = SimpleNamespace(computation=hostile.Hostile(), parameters=parameters,
                                         code=code or hostile_hash())
        sandbox = Sandbox(self.sandbox.server, replace(self.sandbox.limits, **limits))
        return await sandbox.compute(admission, data, cohort or ClearCohort(), "r-test", used)


def hostile_hash() -> str:
    """Return the hash of the hostile computation's code, which is not installed in this process."""
    return code_hash(hostile.Hostile())


@contextmanager
def locked_in(offer: Offer | None = None) -> Iterator[LockedIn]:
    support = str(Path(__file__).parent)
    server = ForkServer(offer or probe(), extra=(support,), preload=("hostile_installed",))
    server.start()
    try:
        yield LockedIn(Sandbox(server, LIMITS))
    finally:
        server.close()
