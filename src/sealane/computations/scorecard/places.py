"""Which bin of a released card a value falls into: for scoring new rows, on the analyst's side or at a node."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.columns import level_names
from sealane.errors import InputError


def places(feature: Mapping[str, Any], rows: pd.DataFrame) -> NDArray[np.int64]:
    """Return each row's bin of a feature, shape ``(n_rows,)``.

    Args:
        feature: its ``name``, the bin of ``missing`` values, and ``edges`` of a number or ``levels`` of each bin.
        rows: hold the column.

    Raises:
        InputError: the column is missing, holds no numbers, or a level that the card does not know.
    """
    name = feature["name"]
    if name not in rows.columns:
        raise InputError("model.missing-column", "a feature of the model is not among the columns",
                         got=f"no {name!r}", expected="every feature of the model")
    series = rows[name]
    missing = series.isna().to_numpy()
    if "levels" in feature:
        at = {level: k for k, levels in enumerate(feature["levels"]) for level in levels}
        found = np.array([at.get(text, math.nan) for text in level_names(series, at)], dtype=np.float64)
        unknown = np.isnan(found) & ~missing
        if bool(unknown.any()):
            raise InputError("model.unknown-level", f"column {name!r} holds levels that the model does not know",
                             got=f"{int(unknown.sum())} rows", expected=f"one of {', '.join(list(at)[:20])}")
        return np.where(missing, feature["missing"], np.where(missing, 0.0, found)).astype(np.int64)
    try:
        values = series.astype(object).where(~missing, np.nan).to_numpy().astype(np.float64)
    except (TypeError, ValueError):
        raise InputError("columns.not-numeric", f"column {name!r} holds values that are no numbers",
                         expected="numbers") from None
    found = np.searchsorted(feature["edges"], values, side="left")
    return np.asarray(np.where(missing, feature["missing"], found), dtype=np.int64)


def labels(feature: Mapping[str, Any]) -> list[str]:
    """Return a name for each bin of a released feature."""
    number = len(feature["bins"])
    if "levels" in feature:
        out = [", ".join(levels) for levels in feature["levels"]]
    else:
        edges = [f"{edge:.6g}" for edge in feature["edges"]]
        if not edges:
            out = ["known"]
        else:
            middle = [f"over {low} to {high}" for low, high in pairwise(edges)]
            out = [f"up to {edges[0]}", *middle, f"over {edges[-1]}"]
    if len(out) < number:
        out.append("")
    at = feature["missing"]
    out[at] = f"{out[at]}, missing" if out[at] else "missing"
    return out
