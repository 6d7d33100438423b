"""Rows by week, Monday to Sunday as in ISO 8601, whatever day a study names.

Weeks that a study could shift by a day would give single days away when it is asked twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.columns import codes, floats, limits
from sealane.errors import InputError
from sealane.governance.contract import Contract

OUTSIDE, AFTER, UNDATED = -1, -2, -3
"""What is no week: before the first or in the one that is not over, later than may be, and without a date."""


@dataclass(frozen=True, slots=True)
class Period:
    """The weeks that are watched.

    Attributes:
        column: a date, or a number of a week.
        until: last day, or last week, that a row may have.
        weeks: how many.
    """

    column: str
    until: date | int
    weeks: int

    @property
    def last(self) -> date | int:
        """The last Sunday up to ``until``, with which the last whole week ends."""
        if isinstance(self.until, int):
            return self.until
        return self.until - timedelta(days=self.until.isoweekday() % 7)

    @property
    def labels(self) -> list[str] | list[int]:
        """Return the last day of each week in ISO 8601, or its number; the earliest first."""
        back, last = range(self.weeks - 1, -1, -1), self.last
        if isinstance(last, int):
            return [last - week for week in back]
        return [(last - timedelta(weeks=week)).isoformat() for week in back]


def read_period(contract: Contract, column: str, until: str | int, weeks: int) -> Period:
    """Return the weeks of a study.

    Raises:
        InputError: the column has no dates and no weeks, or the last day is none.
    """
    field = contract.field(column)
    if field.type not in ("date", "integer"):
        raise InputError("outbreak.column-type", f"column {column!r} does not say when", got=field.type,
                         expected="a date, or an integer: the number of a week")
    if field.type == "integer":
        if isinstance(until, str):
            raise InputError("outbreak.until", "rows go up to a week's number", got="a text",
                             expected="an integer, as the column has them")
        limits(field)
        return Period(column, until, weeks)
    try:
        return Period(column, date.fromisoformat(str(until)), weeks)
    except ValueError:
        raise InputError("outbreak.until", "rows go up to a day", got=repr(until)[:40],
                         expected="a date such as 2026-11-29") from None


def weeks_of(frame: pd.DataFrame, period: Period, contract: Contract) -> NDArray[np.int64]:
    """Return each row's week, counted from the period's first, shape ``(n_rows,)``; see ``OUTSIDE``. Private.

    Raises:
        InputError: a value is no date, or no number in the contract's range.
    """
    if isinstance(period.until, int):
        numbers = floats(frame[period.column], contract.field(period.column))
        missing = np.isnan(numbers)
        back = period.until - np.where(missing, 0.0, numbers).astype(np.int64)
        after = back < 0
    else:
        days = _days(frame[period.column], period.column)
        missing = np.isnat(days)
        days = np.where(missing, np.datetime64(str(period.until)), days)
        back = (np.datetime64(str(period.last)) - days).astype(np.int64) // 7  # under 0 in the week that is not over
        after = days > np.datetime64(str(period.until))
    week = period.weeks - 1 - back
    counted = np.where((week < 0) | (back < 0), OUTSIDE, week)
    return np.where(missing, UNDATED, np.where(after, AFTER, counted)).astype(np.int64)


def chosen(frame: pd.DataFrame, contract: Contract, column: str | None, levels: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return which rows have one of the codes that are watched, shape ``(n_rows,)``. Private.

    Raises:
        InputError: a value is none of the column's levels.
    """
    if column is None:
        return np.ones(len(frame), dtype=np.bool_)
    known = levels_of(contract, column)
    return np.isin(codes(frame[column], known, column), [known.index(level) for level in levels])


def levels_of(contract: Contract, column: str) -> tuple[str, ...]:
    """Return the levels of a column of codes.

    Raises:
        InputError: it is neither category nor flag.
    """
    field = contract.field(column)
    if field.type not in ("category", "boolean"):
        raise InputError("outbreak.code-type", f"column {column!r} holds no codes", got=field.type,
                         expected="category or boolean")
    return field.allowed if field.type == "category" else ("0", "1")


def _days(series: pd.Series[Any], name: str) -> NDArray[np.datetime64]:
    present = series.notna()
    dates = pd.to_datetime(series.where(present, None), errors="coerce", format="ISO8601", utc=True)
    if bool((dates.isna() & present).any()):
        raise InputError("outbreak.not-a-date", f"column {name!r} holds values that are no dates",
                         expected="dates in ISO 8601", hint="check the dataset against its contract")
    return np.asarray(dates.dt.tz_localize(None).to_numpy().astype("datetime64[D]"))
