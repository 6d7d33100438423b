"""``settings.toml`` in a node's home, which need not be there: how computations run here, and what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sealane.governance.study import OPEN_PER_PROPOSER
from sealane.node.sandbox.limits import Limits, default_limits
from sealane.node.study_table import OPEN_IN_ALL, Room
from sealane.rpc.settings_file import parse_settings

FILE = "settings.toml"


class SandboxSettings(BaseModel):
    """The section ``[sandbox]``. What is left out takes its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["auto", "require", "off"] = "auto"
    memory_bytes: int | None = Field(default=None, ge=64 << 20, le=1 << 46)
    cpu_seconds: int | None = Field(default=None, ge=1, le=365 * 86400)
    step_seconds: float | None = Field(default=None, gt=0, le=30 * 86400)
    message_bytes: int | None = Field(default=None, ge=1 << 16, le=1 << 34)
    result_bytes: int | None = Field(default=None, ge=1 << 10, le=64 << 20)
    rows: Literal["memory", "disk"] = "memory"

    def limits(self) -> Limits:
        """Return the bounds of a run."""
        defaults = default_limits()
        return Limits(
            memory_bytes=self.memory_bytes or defaults.memory_bytes,
            cpu_seconds=self.cpu_seconds or defaults.cpu_seconds,
            step_seconds=self.step_seconds or defaults.step_seconds,
            message_bytes=self.message_bytes or defaults.message_bytes,
            result_bytes=self.result_bytes or defaults.result_bytes,
        )


class StudySettings(BaseModel):
    """The section ``[studies]``: how many are kept that wait for a decision."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    open_per_proposer: int = Field(default=OPEN_PER_PROPOSER, ge=1, le=100_000)
    open_in_all: int = Field(default=OPEN_IN_ALL, ge=1, le=100_000)

    def room(self) -> Room:
        """Return it as the register takes it."""
        return Room(self.open_per_proposer, self.open_in_all)


class NodeSettings(BaseModel):
    """All of ``settings.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sandbox: SandboxSettings = SandboxSettings()
    studies: StudySettings = StudySettings()


def read_node_settings(home: Path) -> NodeSettings:
    """Read the settings of a node's home; defaults where there is no file.

    Raises:
        InputError: not TOML, an unknown field, or a value out of range.
    """
    path = home / FILE
    try:
        with path.open("rb") as file:
            return parse_settings(path, file, NodeSettings)
    except FileNotFoundError:
        return NodeSettings()
