"""One axis of a table: its levels, from the contract and the study and never from rows, and each row's place on it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from sealane.computations.columns import codes, floats
from sealane.errors import InputError
from sealane.governance import contract as governed

MISSING = "missing"
Edges = Annotated[tuple[float, ...], Field(min_length=1, max_length=1000)]


def check_edges(edges: tuple[float, ...]) -> None:
    """Refuse edges of bins that are not finite or do not ascend.

    Raises:
        ValueError: they do not.
    """
    if not all(math.isfinite(edge) for edge in edges) or any(a >= b for a, b in pairwise(edges)):
        raise ValueError("edges of bins are finite and ascend")


def known_levels(field: governed.Field) -> tuple[str, ...]:
    """Return the levels of a category or boolean, none for other columns."""
    return field.allowed if field.type == "category" else ("0", "1") if field.type == "boolean" else ()


def levels_of(field: governed.Field, edges: tuple[float, ...] | None) -> list[str]:
    """Return the levels of an axis, without the missing.

    Raises:
        InputError: ``table.column-type``: a number without bins, bins of another column, a date or a text.
    """
    if (field.type in ("number", "integer")) != (edges is not None) or field.type in ("date", "text"):
        raise InputError("table.column-type", f"column {field.name!r} cannot be counted like this",
                         got=f"a {field.type} {'without' if edges is None else 'with'} bins",
                         expected="a category or boolean, or a number with bins")
    if edges is None:
        return list(known_levels(field))
    within = [f"{low:.12g} to {high:.12g}" for low, high in pairwise(edges)]
    return [f"under {edges[0]:.12g}", *within, f"{edges[-1]:.12g} and more"]


def places_on(series: pd.Series[Any], field: governed.Field, edges: tuple[float, ...] | None) -> NDArray[np.int64]:
    """Return each row's place among :func:`levels_of`, shape ``(n_rows,)``; missing is one beyond the last."""
    if edges is not None:
        values = floats(series, field)
        found = np.searchsorted(np.array(edges), values, side="right").astype(np.int64)
        return np.where(np.isnan(values), len(edges) + 1, found)
    levels = known_levels(field)
    found = codes(series, levels, field.name)
    return np.where(found < 0, len(levels), found)
