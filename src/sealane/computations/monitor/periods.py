"""The periods that are compared: months of a date, or the values of a column that names them, in public order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.columns import codes, floats, limits
from sealane.computations.monitor.parameters import DriftParameters
from sealane.errors import InputError
from sealane.governance import contract as governed

MOST = 120


def read_periods(field: governed.Field, params: DriftParameters) -> list[str]:
    """Return the names of the periods, the first first.

    Raises:
        InputError: the column names no periods, or too many; or months are asked of what is no date.
    """
    if (field.type == "date") != (params.since is not None):
        raise InputError("drift.months", f"months of column {field.name!r} cannot be told",
                         got=f"a {field.type} {'with' if params.since else 'without'} since and months",
                         expected="a date with since and months, or another column without")
    if params.since is not None and params.months is not None:
        year, month = (int(part) for part in params.since.split("-"))
        return [f"{at // 12:04d}-{at % 12 + 1:02d}" for at in (year * 12 + month - 1 + k for k in range(params.months))]
    if field.type == "category":
        names = list(field.allowed)
    elif field.type == "integer":
        low, high = limits(field)
        names = [str(value) for value in range(int(low), min(int(high), int(low) + MOST) + 1)]
    else:
        raise InputError("drift.period-type", f"column {field.name!r} names no periods", got=field.type,
                         expected="a date, an integer or a category")
    if not 2 <= len(names) <= MOST:
        raise InputError("drift.period-type", f"column {field.name!r} has too few or too many periods", got=len(names),
                         expected=f"2 to {MOST}", hint="use a column of months")
    return names


def periods_of(series: pd.Series[Any], field: governed.Field, names: list[str]) -> NDArray[np.int64]:
    """Return each row's period, -1 outside of all, shape ``(n_rows,)``. Private.

    Raises:
        InputError: a value is no date, or breaks the contract.
    """
    if field.type == "category":
        return codes(series, tuple(names), field.name)
    if field.type == "integer":
        values = floats(series, field)
        return np.where(np.isnan(values), -1, np.where(np.isnan(values), 0.0, values) - int(names[0])).astype(np.int64)
    present = series.notna()
    dates = pd.to_datetime(series.where(present, None), errors="coerce", format="ISO8601", utc=True)
    if bool((dates.isna() & present).any()):
        raise InputError("drift.not-a-date", f"column {field.name!r} holds values that are no dates",
                         expected="dates in ISO 8601", hint="check the dataset against its contract")
    months = np.asarray(dates.dt.tz_localize(None).to_numpy().astype("datetime64[M]"))
    back = (months - np.datetime64(names[0], "M")).astype(np.int64)
    return np.where(np.isnat(months) | (back < 0) | (back >= len(names)), -1, back).astype(np.int64)
