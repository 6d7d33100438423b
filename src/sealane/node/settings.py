"""``settings.toml`` in a node's home, which need not be there: how computations run here, and how much they may use."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sealane.errors import InputError
from sealane.node.sandbox.limits import Limits, default_limits

FILE = "settings.toml"
MAX_BYTES = 64 << 10


class SandboxSettings(BaseModel):
    """The section ``[sandbox]``. What is left out takes its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["auto", "require", "off"] = "auto"
    memory_bytes: int | None = Field(default=None, ge=64 << 20, le=1 << 46)
    cpu_seconds: int | None = Field(default=None, ge=1, le=365 * 86400)
    step_seconds: float | None = Field(default=None, gt=0, le=30 * 86400)
    message_bytes: int | None = Field(default=None, ge=1 << 16, le=1 << 34)
    result_bytes: int | None = Field(default=None, ge=1 << 10, le=64 << 20)

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


class NodeSettings(BaseModel):
    """All of ``settings.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sandbox: SandboxSettings = SandboxSettings()


def read_node_settings(home: Path) -> NodeSettings:
    """Read the settings of a node's home; defaults where there is no file.

    Raises:
        InputError: not TOML, an unknown field, or a value out of range.
    """
    path = home / FILE
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return NodeSettings()
    if len(data) > MAX_BYTES:
        raise InputError("settings.too-large", f"{path} is too large", expected=f"at most {MAX_BYTES} bytes")
    try:
        return NodeSettings.model_validate(tomllib.loads(data.decode("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("settings.not-toml", f"{path} is not TOML", got=error) from None
    except ValidationError as error:
        raise _explain(path, error) from None


def _explain(path: Path, error: ValidationError) -> InputError:
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        known = list((SandboxSettings if len(first["loc"]) > 1 else NodeSettings).model_fields)
        near = difflib.get_close_matches(str(first["loc"][-1]), known, 3, 0.5)
        return InputError("settings.unknown-field", f"{path} has an unknown field", got=field,
                          expected=", ".join(known), hint=f"did you mean {' or '.join(near)}?" if near else "remove it")
    return InputError("settings.malformed", f"{path}: {field} is wrong", got=repr(first["input"])[:80],
                      expected=first["msg"])
