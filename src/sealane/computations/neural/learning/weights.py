"""A module's trainable weights, as one vector and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from sealane.computations.neural.vector import Shapes, Vector
from sealane.errors import InputError

MOST_WEIGHTS = 12_000_000
"""What a result of 64 MiB holds, in base64."""


def shapes_of(module: nn.Module, *, apart: str = "") -> Shapes:
    """Return the names and shapes of what is trained together: weights that are not frozen.

    Args:
        module: whose weights.
        apart: a part of this name stays at each institution.

    Raises:
        InputError: the module has other state that training would change, or is too large.
    """
    if any(True for _ in module.buffers()) and any(name in module.state_dict() for name, _ in module.named_buffers()):
        raise InputError("neural.module-buffers", "the module keeps statistics of rows beside its weights",
                         expected="weights only", hint="use LayerNorm or GroupNorm instead of BatchNorm")
    named = [(name, tuple(one.shape)) for name, one in module.named_parameters() if one.requires_grad]
    shared = [(name, shape) for name, shape in named if not apart or name.partition(".")[0] != apart]
    if apart and len(shared) in (0, len(named)):
        raise InputError("neural.no-head", f"the module has no part {apart!r}, or nothing else",
                         got=f"{len(shared)} of {len(named)} weights outside it", expected="a part of each",
                         hint="choose another way of personal models, or a module with hidden layers")
    found = Shapes(tuple(shared))
    if not 0 < found.length <= MOST_WEIGHTS:
        raise InputError("neural.model-size", "the module has too many weights, or none", got=found.length,
                         expected=f"1 to {MOST_WEIGHTS}")
    return found


def take(module: nn.Module, shapes: Shapes, dtype: Any) -> Vector:
    """Return a copy of the module's weights."""
    named = dict(module.named_parameters())
    return shapes.join({name: named[name].detach().cpu().numpy() for name, _ in shapes.of}, dtype)


def put(module: nn.Module, shapes: Shapes, vector: Vector) -> None:
    """Set the module's weights."""
    named = dict(module.named_parameters())
    with torch.no_grad():
        for name, values in shapes.split(vector).items():
            named[name].copy_(torch.from_numpy(np.ascontiguousarray(values)))
