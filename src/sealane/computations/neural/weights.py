"""A module's trainable weights as one vector, and what says which entry is which."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sealane.errors import InputError

Vector = NDArray[np.floating]
MOST_WEIGHTS = 12_000_000
"""What a result of 64 MiB holds, in base64."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """Names and shapes of weights, in the order of the vector."""

    of: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def length(self) -> int:
        """Entries of the vector."""
        return sum(math.prod(shape) for _, shape in self.of)

    def split(self, vector: Vector) -> dict[str, Vector]:
        """Return a view of the vector for each name."""
        out, at = dict[str, Vector](), 0
        for name, shape in self.of:
            size = math.prod(shape)
            out[name] = vector[at : at + size].reshape(shape)
            at += size
        return out

    def join(self, arrays: Mapping[str, NDArray[Any]], dtype: Any) -> Vector:
        """Return arrays as one vector."""
        out = np.empty(self.length, dtype=dtype)
        for name, place in self.split(out).items():
            place[...] = arrays[name]
        return out


def shapes_of(module: nn.Module) -> Shapes:
    """Return the names and shapes of what is trained together: weights that are not frozen.

    Raises:
        InputError: the module has other state that training would change, or is too large.
    """
    if any(True for _ in module.buffers()) and any(name in module.state_dict() for name, _ in module.named_buffers()):
        raise InputError("neural.module-buffers", "the module keeps statistics of rows beside its weights",
                         expected="weights only", hint="use LayerNorm or GroupNorm instead of BatchNorm")
    found = Shapes(tuple((name, tuple(one.shape)) for name, one in module.named_parameters() if one.requires_grad))
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


def digest(vector: Vector) -> bytes:
    """Return SHA-256 over the entries, little-endian."""
    return hashlib.sha256(np.ascontiguousarray(vector, dtype=vector.dtype.newbyteorder("<")).tobytes()).digest()
