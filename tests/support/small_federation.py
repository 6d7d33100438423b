"""A small federation for tests of the command line: where it lies, and what is done in it over and over."""

from __future__ import annotations

import random
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from command_line import run_well

NODES = ("north", "south", "west")
ROWS = 240
STUDY = """
name = "{name}"
sector = "finance"
purpose = "credit-risk"
data_contract = "finance.credit-application/v1"
computation = "glm.fit"
[parameters]
outcome = "bad"
features = ["annual_inc", "int_rate", "term"]
family = "binomial"
"""


@dataclass(frozen=True)
class Federation:
    """Where everything lies."""

    root: Path
    frames: dict[str, pd.DataFrame]
    fingerprints: dict[str, str]

    @property
    def coordinator(self) -> Path:
        return self.root / "coordinator"

    @property
    def analyst(self) -> Path:
        return self.root / "alice"

    @property
    def nodes(self) -> dict[str, Path]:
        return {name: self.root / name for name in NODES}

    def propose(self, name: str) -> str:
        """Propose the small scorecard under a name and return its hash, once it has reached every node."""
        file = self.root / f"{name}.toml"
        file.write_text(STUDY.format(name=name))
        found: str = run_well("study", "propose", file, "--home", self.analyst)["hash"]
        self.await_study(found)
        return found

    def await_study(self, study: str) -> None:
        """Wait until a proposed study has reached every node that is up."""
        for home in self.nodes.values():
            deadline = time.monotonic() + 5.0
            while study not in {s["hash"] for s in run_well("study", "list", "--home", home)}:
                if time.monotonic() > deadline:
                    return  # this node is away: what is asked of it will say so
                time.sleep(0.05)

    def approve_everywhere(self, study: str) -> None:
        for home in self.nodes.values():
            assert run_well("study", "approve", study, "--home", home)["sent"] is True


def free_port() -> int:
    """Return a port that is free now, as is the next one; below those that systems hand out to whoever connects."""
    while True:
        port = random.randrange(20_000, 32_000, 2)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
