"""Times and events of a node's own rows, as the study names their columns and as the grid places them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from sealane.computations.base import Parameters
from sealane.computations.columns import codes, floats, limits
from sealane.computations.survival.grid import FineGrid, Places
from sealane.errors import InputError
from sealane.governance import contract as governed

Name = Annotated[str, Field(min_length=1, max_length=128)]
LEFT = 0
"""Kind of a row that left without an event; events are of kind 1 and up."""


class TimeParameters(Parameters):
    """Parameters that say when rows begin and end.

    Attributes:
        duration: column of the time from 0 to the event or to the last time seen.
        entry: column of the time from which a row is under observation (left truncation), with ``duration``.
        start: column of the time after which a row counts, with ``stop``: one subject may have several rows.
        stop: column of the time of the event or the last time that a row counts.
        event: column that says whether the row ended in the event.
        censored: level of ``event`` that is no event; to be named where that is a category.
        resolution: width of a grid interval in the unit of the duration; from the contract's range if not given.
        horizon: rows still there at this time count as leaving at it; a multiple of the resolution.
    """

    duration: Name | None = None
    entry: Name | None = None
    start: Name | None = None
    stop: Name | None = None
    event: Name
    censored: Annotated[str | None, Field(max_length=128)] = None
    resolution: Annotated[float | None, Field(gt=0.0, le=1e9)] = None
    horizon: Annotated[float | None, Field(gt=0.0, le=1e9)] = None

    @field_validator("resolution", "horizon")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError("a time is finite")
        return value

    @model_validator(mode="after")
    def _one_reading(self) -> TimeParameters:
        if (self.duration is None) == (self.stop is None):
            raise ValueError("times are told by duration, or by start and stop")
        if (self.start is None) != (self.stop is None):
            raise ValueError("start and stop go together")
        if self.entry is not None and self.duration is None:
            raise ValueError("entry goes with duration; start is the entry of stop")
        if len(set(self.time_columns)) != len(self.time_columns):
            raise ValueError("times and event are columns of their own")
        return self

    @property
    def end(self) -> str:
        """Column of the time at which a row ends."""
        return self.duration or self.stop or ""

    @property
    def begin(self) -> str | None:
        """Column of the time after which a row is at risk, if there is one."""
        return self.entry or self.start

    @property
    def several(self) -> bool:
        """Whether one subject may have several rows, each of which begins where the one before ends."""
        return self.start is not None

    @property
    def time_columns(self) -> list[str]:
        """Columns that tell times and the event."""
        return [self.end, *([] if self.begin is None else [self.begin]), self.event]


@dataclass(frozen=True, slots=True)
class Times:
    """A node's own times, shape ``(n_rows,)`` each, missing as NaN or -1: private.

    Attributes:
        end: time at which the row ends.
        begin: time after which it is at risk, or None where all are from the beginning.
        kind: ``LEFT``, or the number of the event; -1 where missing.
    """

    end: NDArray[np.float64]
    begin: NDArray[np.float64] | None
    kind: NDArray[np.int64]

    def missing(self, params: TimeParameters) -> dict[str, NDArray[np.bool_]]:
        """Return where each column is missing, shape ``(n_rows,)``."""
        found = {params.end: np.isnan(self.end), params.event: self.kind < 0}
        if params.begin is not None and self.begin is not None:
            found[params.begin] = np.isnan(self.begin)
        return found

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where all is known, shape ``(n_rows,)``."""
        known = ~np.isnan(self.end) & (self.kind >= 0)
        return known if self.begin is None else known & ~np.isnan(self.begin)


@dataclass(frozen=True, slots=True)
class Placed:
    """Rows on a grid: at risk at places above ``start`` up to ``stop``. Private.

    Attributes:
        start: place after which a row is at risk; -1 from the beginning.
        stop: place at which it leaves.
        kind: why it leaves.
        rows: which of the node's rows these are, shape ``(n_placed,)``.
    """

    start: Places
    stop: Places
    kind: NDArray[np.int64]
    rows: NDArray[np.int64]


def check_time(contract: governed.Contract, params: TimeParameters) -> governed.Field:
    """Return the field of the time at which rows end, where the event is one of two levels.

    Raises:
        InputError: a time or event column of a type that cannot be one.
    """
    event_levels(contract.field(params.event), params.censored)
    return check_ends(contract, params)


def check_ends(contract: governed.Contract, params: TimeParameters) -> governed.Field:
    """Return the field of the time at which rows end, whatever the event.

    Raises:
        InputError: a time column of a type that cannot be one.
    """
    for name in (params.end, params.begin):
        if name is not None and contract.field(name).type not in ("number", "integer"):
            raise InputError("survival.time-type", f"column {name!r} cannot be a time", got=contract.field(name).type,
                             expected="number or integer",
                             hint="derive a duration from dates when the dataset is added")
    return contract.field(params.end)


def event_levels(field: governed.Field, censored: str | None) -> tuple[str, str]:
    """Return the levels of no event and of the event.

    Raises:
        InputError: the column has no two such levels, or nobody says which of a category's is no event.
    """
    if field.type == "category" and len(field.allowed) == 2:
        if censored is None:
            raise InputError("survival.censored-not-named", f"nobody says which level of {field.name!r} is no event",
                             expected=f"one of {', '.join(field.allowed)}", hint="name it with the parameter censored")
        if censored not in field.allowed:
            raise InputError("survival.unknown-level", f"{field.name!r} has no such level that could be no event",
                             got=repr(censored[:80]), expected=f"one of {', '.join(field.allowed)}")
        return censored, next(level for level in field.allowed if level != censored)
    if censored is not None:
        raise InputError("survival.censored-named", f"{field.name!r} is no category of two levels", got=field.type,
                         expected="censored for such a category only", hint="of a boolean, true (1) is the event")
    if field.type in ("boolean", "integer", "number") and limits(field) == (0.0, 1.0):
        return "0", "1"
    raise InputError("survival.event-type", f"column {field.name!r} cannot say whether there was an event",
                     got=field.type, expected="a boolean, a field of range 0 to 1, or a category of two levels")


def event_level(contract: governed.Contract, params: TimeParameters) -> str | None:
    """Return the level that is the event; None where the event is no category."""
    field = contract.field(params.event)
    return event_levels(field, params.censored)[1] if field.type == "category" else None


def read_times(frame: pd.DataFrame, contract: governed.Contract, params: TimeParameters) -> Times:
    """Read a node's times and whether each row ended in the event.

    Raises:
        InputError: rows that break the contract, a negative time, a row that ends before it begins, or an event that
            is neither.
    """
    end, begin = read_ends(frame, contract, params)
    field = contract.field(params.event)
    levels = event_levels(field, params.censored)
    if field.type == "category":
        kind = codes(frame[params.event], levels, params.event)
    else:
        told = floats(frame[params.event], field)
        if bool((~np.isnan(told) & (told != 0.0) & (told != 1.0)).any()):
            raise InputError("survival.event-values", f"column {params.event!r} holds values other than 0 and 1",
                             expected="0 or 1")
        kind = np.where(np.isnan(told), -1, told == 1.0).astype(np.int64)
    return Times(end, begin, kind)


def read_ends(
    frame: pd.DataFrame, contract: governed.Contract, params: TimeParameters
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Read when a node's rows end, and when they begin if that is told.

    Raises:
        InputError: rows that break the contract, a negative time, or a row that ends before it begins.
    """
    end, begin = _time(frame, contract, params.end), None
    if params.begin is not None:
        begin = _time(frame, contract, params.begin)
        if bool((begin >= end).any()):
            raise InputError("survival.empty-interval", "a row ends when or before it begins",
                             expected=f"{params.begin!r} under {params.end!r} in every row")
    return end, begin


def place(times: Times, fine: FineGrid, kept: NDArray[np.bool_], *, several: bool = False) -> Placed:
    """Put rows on the fine grid.

    Who is still there at the horizon leaves at it; who begins at the horizon or after is left out. A row begins with
    the interval in which it enters and ends with that in which it leaves, so every other row is at risk at some place.
    Where a subject may have several rows, one that begins when another ends begins where that ends, with the end of the
    interval: else the subject were at risk there twice. If it ends in the same interval, without an event, it is left
    out.
    """
    rows = np.flatnonzero(kept)
    stop, kind = fine.place(times.end[rows]), times.kind[rows]
    kind = np.where(stop > fine.last, LEFT, kind)
    stop = np.minimum(stop, fine.last)
    start = np.full(len(rows), -1, dtype=np.int64)
    if times.begin is not None:
        start = fine.place_before(times.begin[rows])
        if several:
            follows = np.isin(times.begin[rows], times.end[rows][times.kind[rows] == LEFT])
            start[follows] = fine.place(times.begin[rows][follows])
            start = np.where(kind > LEFT, np.minimum(start, stop - 1), start)
        start[start == 0] = -1  # there from the beginning
    there = start < stop
    return Placed(start[there], stop[there], kind[there], rows[there])


def _time(frame: pd.DataFrame, contract: governed.Contract, name: str) -> NDArray[np.float64]:
    values = floats(frame[name], contract.field(name))
    if bool((values < 0.0).any()):
        raise InputError("survival.negative-time", f"column {name!r} holds times under 0", expected="0 or more",
                         hint="times count from the beginning of each subject's observation")
    return values
