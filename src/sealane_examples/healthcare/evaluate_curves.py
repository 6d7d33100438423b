"""How far a released survival curve is from lifelines' curve of the pooled rows on times as they were."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from sealane.errors import InputError
from sealane_examples.example import Example


class Steps(BaseModel):
    """One released curve."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    times: list[FiniteFloat] = Field(min_length=1)
    survival: list[FiniteFloat]


class ReleasedCurves(BaseModel):
    """The released curves by the levels of a column, or by ``institution``.

    Attributes:
        by: the column.
        curves: by level.
        resolution: width of the grid's intervals.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str
    curves: dict[str, Steps] = Field(min_length=1)
    resolution: FiniteFloat = Field(gt=0)


def curve_costs(rows: pd.DataFrame, example: Example, released: ReleasedCurves) -> dict[str, dict[str, float]]:
    """Return for each curve the largest difference over the grid, and the time at which it is.

    The grid ends with the released curve, or before it with the last row under observation.

    Raises:
        InputError: a column or a level that the rows do not have.
    """
    from lifelines import KaplanMeierFitter

    duration = str(example.duration)
    found: dict[str, dict[str, float]] = {}
    for level, steps in released.curves.items():
        own = rows[rows[released.by].astype(str) == level] if released.by in rows.columns else rows.iloc[:0]
        if own.empty:
            raise InputError("example.unknown-column", "a curve belongs to no rows", got=f"{released.by} = {level}",
                             expected=", ".join(map(str, rows.columns)))
        end = min(steps.times[-1], float(own[duration].max()))
        at = np.arange(0.0, end, released.resolution)
        exact = KaplanMeierFitter().fit(own[duration], own[example.outcome]).predict(at).to_numpy()
        place = np.searchsorted(np.asarray(steps.times), at, side="right") - 1
        told = np.where(place < 0, 1.0, np.asarray(steps.survival)[np.maximum(place, 0)])
        away = np.abs(told - exact)
        found[level] = {"furthest": float(away.max()), "at": float(at[int(away.argmax())])}
    return found
