"""Columns of a dataset as arrays, held against the ranges and levels of the data contract.

Bounds of sums are derived from the contract, so a row outside it must be found here, before anything is summed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.errors import InputError
from sealane.governance.contract import Field

MAXIMUM_ROWS = 1 << 40
"""Public cap on the rows of one institution: the bound of every count before the rows are known."""


def limits(field: Field) -> tuple[float, float]:
    """Return the public range of a numeric field.

    Raises:
        InputError: the contract leaves it open.
    """
    if field.type == "boolean":
        return 0.0, 1.0
    if field.minimum is None or field.maximum is None:
        raise InputError("columns.unbounded", f"the contract gives no range for {field.name!r}", got="an open range",
                         expected="a minimum and a maximum", hint="bounds of a sum come from the contract")
    return float(field.minimum), float(field.maximum)


def floats(series: pd.Series[Any], field: Field) -> NDArray[np.float64]:
    """Return a numeric column, shape ``(n_rows,)``, missing as NaN.

    Raises:
        InputError: a value is no number, or lies outside the contract's range.
    """
    low, high = limits(field)
    try:
        if pd.api.types.is_numeric_dtype(series.dtype):
            values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            values = series.astype(object).where(series.notna(), np.nan).to_numpy().astype(np.float64)
    except (TypeError, ValueError):
        # Not chained: the original message quotes the value.
        raise InputError("columns.not-numeric", f"column {field.name!r} holds values that are no numbers",
                         expected=field.type, hint="check the dataset against its contract") from None
    if bool(((values < low) | (values > high)).any()):
        raise InputError("columns.outside-contract", f"column {field.name!r} holds values outside the contract's range",
                         expected=f"{low:g} to {high:g}", hint="check the dataset against its contract")
    return values


def codes(series: pd.Series[Any], levels: tuple[str, ...], name: str) -> NDArray[np.int64]:
    """Return positions in ``levels``, shape ``(n_rows,)``, missing as -1.

    Raises:
        InputError: a value is none of the levels.
    """
    places, values = pd.factorize(series)  # each value is looked at once, however often it is there
    text = level_names(pd.Series(values, dtype=object), levels)
    known = np.asarray(pd.Categorical(text, categories=list(levels)).codes, dtype=np.int64)
    if bool((known < 0).any()):
        raise InputError("columns.outside-contract", f"column {name!r} holds values that are none of its levels",
                         expected=f"one of {', '.join(levels[:20])}{', …' if len(levels) > 20 else ''}",
                         hint="check the dataset against its contract")
    return np.where(places < 0, -1, known[places]) if len(known) else np.full(len(series), -1, dtype=np.int64)


def level_names(series: pd.Series[Any], levels: Collection[str]) -> pd.Series[Any]:
    """Return the level that each value stands for: ``True``, ``1`` and ``1.0`` are all ``1`` if that is a level."""

    def read(value: Any) -> str:
        text = str(value)
        if text not in levels and isinstance(value, (bool, np.bool_, float, np.floating)) and value == int(value):
            return str(int(value))
        return text

    return series.astype(object).map(read, na_action="ignore")
