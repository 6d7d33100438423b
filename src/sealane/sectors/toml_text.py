"""Parameters as TOML, so that a pack can declare them once and a study file can show them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, time
from typing import Any


def toml_text(values: Mapping[str, Any]) -> str:
    """Return ``key = value`` lines that are read back as ``values``; tables within are written inline."""
    return "".join(f"{_key(name)} = {toml_value(value)}\n" for name, value in values.items())


def toml_value(value: Any) -> str:
    """Return one value as it is written in TOML: what ``tomllib`` returns, and nothing else.

    Raises:
        TypeError: TOML has no such value.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # else JSON's escapes are TOML's
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)  # as TOML has it too, nan and inf included
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(name)} = {toml_value(one)}" for name, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    raise TypeError(f"TOML has no value of type {type(value).__name__}")


def _key(name: str) -> str:
    plain = name != "" and all(one.isascii() and (one.isalnum() or one in "_-") for one in name)
    return name if plain else toml_value(name)
