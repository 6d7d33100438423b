"""How many weights are trained, by the names and shapes in the frozen model's files: without PyTorch, without weights.

Source: the format of safetensors: eight bytes, little-endian, give the length of a header in JSON; then weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sealane.computations.neural.lora.base_files import read_config
from sealane.computations.neural.lora.parameters import LoraParameters
from sealane.errors import InputError

_LONGEST = 1 << 26
"""Bytes of a header."""


def count_trained(folder: Path, params: LoraParameters, outputs: int) -> int:
    """Return how many weights adapters and head have.

    Args:
        folder: of the frozen model.
        params: of the study.
        outputs: numbers for a text.

    Raises:
        InputError: a file is none of safetensors, or a target is no layer of it with two sides.
    """
    width = read_config(folder).get("hidden_size")
    if not isinstance(width, int):
        raise InputError("lora.base-config", "the configuration of the frozen model names no width",
                         expected="hidden_size")
    shapes = _shapes(folder)
    sides, missing = 0, list[str]()
    for target in params.targets:
        found = [shape for name, shape in shapes.items()
                 if name == f"{target}.weight" or name.endswith(f".{target}.weight")]
        if not found or any(len(shape) != 2 for shape in found):
            missing.append(target)
        sides += sum(sum(shape) for shape in found)
    if missing:
        raise InputError("lora.unknown-target", "a target is no layer of the frozen model that takes an adapter",
                         got=", ".join(missing)[:120], expected="names of linear layers",
                         hint="query and value in BERT; q_proj and v_proj in Llama")
    return params.rank * sides + outputs * (width + 1)


def _shapes(folder: Path) -> dict[str, list[int]]:
    out: dict[str, list[int]] = {}
    try:
        for path in sorted(folder.glob("*.safetensors")):
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if length > _LONGEST:
                    raise ValueError
                header: dict[str, Any] = json.loads(file.read(length))
            out |= {name: list(map(int, one["shape"])) for name, one in header.items() if name != "__metadata__"}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError("lora.base-config", "the weights of the frozen model cannot be read",
                         got=type(error).__name__, expected="safetensors") from None
    return out
