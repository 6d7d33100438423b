"""The same columns again from new rows, for predictions: from what a payload says of the design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.columns import level_names
from sealane.computations.design.layout import Design
from sealane.computations.design.terms import transformed
from sealane.errors import InputError

Array = NDArray[np.float64]


def describe(design: Design, *, filled: bool) -> dict[str, Any]:
    """Describe a design well enough to build its columns from new rows; ``filled``: a missing number gets the mean.

    A part of a column is its variable, its transform and its level; the level is None for a number.
    """
    columns = [{
        "name": column.name, "fill": column.place.mean if filled and column.numeric else None,
        "parts": [[part.factor.variable, part.factor.transform, part.level if part.place >= 0 else None]
                  for part in column.parts],
    } for column in design.columns]
    return {"columns": columns, "levels": {name: list(levels) for name, levels in design.levels.items()},
            "references": dict(design.references), "empty": list(design.empty)}


def rebuild(description: Mapping[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of new rows under the names of the coefficients; a row with something missing has NaN.

    Raises:
        InputError: a column is missing or holds no numbers, or a level is none that the model knows.
    """
    levels: Mapping[str, list[str]] = description["levels"]
    read: dict[str, Any] = {}
    out: dict[str, Array] = {}
    for column in description["columns"]:
        values = np.ones(len(rows))
        for variable, transform, level in column["parts"]:
            if variable not in read:
                read[variable] = _read(rows, variable, levels.get(variable))
            known = read[variable]
            values = values * (transformed(known, transform) if level is None else _indicator(known, level))
        fill = column["fill"]
        out[column["name"]] = values if fill is None else np.where(np.isnan(values), fill, values)
    return pd.DataFrame(out, index=rows.index)


def _read(rows: pd.DataFrame, name: str, levels: list[str] | None) -> Any:
    if name not in rows.columns:
        raise InputError("model.missing-column", "a feature of the model is not among the columns",
                         got=f"no {name!r}", expected="every feature of the model")
    values = rows[name]
    if levels is None:
        try:
            return values.astype(object).where(values.notna(), np.nan).to_numpy().astype(np.float64)
        except (TypeError, ValueError):
            raise InputError("columns.not-numeric", f"column {name!r} holds values that are no numbers",
                             expected="numbers") from None
    text = level_names(values, levels)
    unknown = ~text.isin(levels).to_numpy() & ~values.isna().to_numpy()
    if bool(unknown.any()):
        raise InputError("model.unknown-level", f"column {name!r} holds levels that the model does not know",
                         got=f"{int(unknown.sum())} rows", expected=f"one of {', '.join(levels[:20])}")
    return text


def _indicator(text: pd.Series[Any], level: str) -> Array:
    return np.where(text.isna().to_numpy(), np.nan, (text == level).to_numpy().astype(np.float64))
