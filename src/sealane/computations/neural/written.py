"""Weights in a payload: little-endian floats in base64, names and shapes beside them; nothing that could be code."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_weights(names: Sequence[str], arrays: Sequence[NDArray[Any]], dtype: str) -> dict[str, Any]:
    """Return arrays as JSON-ready values.

    Args:
        names: of the arrays.
        arrays: of any shape.
        dtype: ``float32`` or ``float64``: what is kept of them.
    """
    little = np.dtype(dtype).newbyteorder("<")
    data = b"".join(np.ascontiguousarray(one, dtype=little).tobytes() for one in arrays)
    return {"names": list(names), "shapes": [list(one.shape) for one in arrays], "dtype": dtype,
            "data": base64.b64encode(data).decode("ascii")}


def read_weights(written: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return arrays by name."""
    flat = np.frombuffer(base64.b64decode(written["data"]), dtype=np.dtype(written["dtype"]).newbyteorder("<"))
    flat = flat.astype(written["dtype"], copy=False)
    out, at = dict[str, NDArray[Any]](), 0
    for name, shape in zip(written["names"], written["shapes"], strict=True):
        size = int(np.prod(shape, dtype=np.int64))
        out[name] = flat[at : at + size].reshape(shape)
        at += size
    return out
