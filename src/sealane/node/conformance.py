"""Holding columns against a data contract: typed values out, and counts of the rows that break a rule.

A value never leaves this module in words: what fails is named by field and rule, and counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.governance.contract import Contract, Field
from sealane.node.table import MISSING_TEXTS

Rule = Literal["missing-column", "duplicate-column", "unit", "type", "range", "allowed", "future", "missing"]
ROW_RULES: tuple[Rule, ...] = ("type", "range", "allowed", "future", "missing")
"""Rules that single rows break; the others concern a column as a whole, and excluding rows does not mend them."""

Mask = NDArray[np.bool_]
TRUE_TEXTS = ("1", "1.0", "true", "t", "yes", "y")
FALSE_TEXTS = ("0", "0.0", "false", "f", "no", "n")


@dataclass(frozen=True, slots=True)
class Failure:
    """One rule that rows break.

    Attributes:
        field: name of the contract's field.
        rule: which rule of the contract.
        rows: how many rows break it; all of them where the column as a whole does.
    """

    field: str
    rule: Rule
    rows: int

    def __str__(self) -> str:
        """Return the failure in words."""
        return f"{self.field}: {self.rule} ({self.rows} {'row' if self.rows == 1 else 'rows'})"


@dataclass(frozen=True, slots=True)
class Checked:
    """A frame held against its contract.

    Attributes:
        frame: typed columns by field name, all rows.
        invalid: shape ``(n_rows,)``, true where a row breaks some rule.
        failures: what was broken, in the order of the contract.
        broken: by field, true where its value is there and breaks its type, range or levels.
    """

    frame: pd.DataFrame
    invalid: Mask
    failures: tuple[Failure, ...]
    broken: Mapping[str, Mask]


def check_rows(contract: Contract, columns: Mapping[str, pd.Series[Any]], rows: int, today: date | None = None
               ) -> Checked:
    """Type every column by its field and count the rows that break a rule.

    Args:
        contract: the rules.
        columns: untyped values by field name, each of length ``rows``.
        rows: number of rows.
        today: after which no date lies that has come to pass; None for no such day.
    """
    typed: dict[str, pd.Series[Any]] = {}
    invalid = np.zeros(rows, dtype=np.bool_)
    failures: list[Failure] = []
    wrong: dict[str, Mask] = {}
    for field in contract.fields:
        if field.name not in columns:
            continue
        values, broken = check_column(columns[field.name].reset_index(drop=True), field, today)
        typed[field.name] = values
        wrong[field.name] = broken["type"] | broken["range"] | broken["allowed"] | broken["future"]
        for rule in ROW_RULES:
            count = int(broken[rule].sum())
            if count:
                failures.append(Failure(field.name, rule, count))
                invalid |= broken[rule]
    return Checked(pd.DataFrame(typed, index=pd.RangeIndex(rows)), invalid, tuple(failures), wrong)


def check_column(raw: pd.Series[Any], field: Field, today: date | None = None
                 ) -> tuple[pd.Series[Any], dict[Rule, Mask]]:
    """Return a column typed by its field (NaN, NaT or None where missing or malformed), and who breaks which rule."""
    plain = _plain_numbers(raw) if field.type in ("number", "integer") else None
    if plain is None:
        missing = missing_values(raw, field)
        values, malformed = _typed(raw, missing, field)
    else:
        missing = np.isnan(plain)
        values, malformed = _numbers(plain, missing, field)
    none = np.zeros(len(raw), dtype=np.bool_)
    outside, unlisted, future = none, none, none
    if field.type in ("number", "integer", "boolean"):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        low = -np.inf if field.minimum is None else field.minimum
        high = np.inf if field.maximum is None else field.maximum
        outside = np.asarray((numbers < low) | (numbers > high), dtype=np.bool_)
    if field.type == "category":
        unlisted = ~missing & ~values.isin(list(field.allowed)).to_numpy(dtype=np.bool_)
    if field.past and today is not None:
        # A day of grace: where the rows come from it may be tomorrow already.
        future = np.asarray(values.to_numpy() >= np.datetime64(today + timedelta(days=2), "ns"), dtype=np.bool_)
    absent = none if field.nullable else missing
    return values, {"type": malformed, "range": outside, "allowed": unlisted, "future": future, "missing": absent}


def narrow(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return a checked frame with integers and booleans as int64 wherever no value is missing."""
    narrowed = {
        name: frame[name].astype(np.int64)
        if contract.field(name).type in ("integer", "boolean") and not frame[name].isna().any() else frame[name]
        for name in frame.columns
    }
    return pd.DataFrame(narrowed, index=frame.index)


def missing_values(raw: pd.Series[Any], field: Field) -> Mask:
    """Return which values of a column are missing, by what its field takes for missing."""
    missing = raw.isna().to_numpy(dtype=np.bool_)
    if _is_text(raw):
        # In a column of names "NA" may be a level (Namibia); in a column of numbers it is what R writes for missing.
        texts = ("",) if field.type in ("category", "text") else MISSING_TEXTS
        missing = missing | raw.map(lambda value: isinstance(value, str) and value.strip() in texts).to_numpy(np.bool_)
    return missing


def _typed(raw: pd.Series[Any], missing: Mask, field: Field) -> tuple[pd.Series[Any], Mask]:
    present = raw.mask(pd.Series(missing))
    if field.type in ("category", "text"):
        return _texts(present), np.zeros(len(raw), dtype=np.bool_)
    if field.type == "date":
        dates = _dates(present)
        return dates, np.asarray(~missing & dates.isna().to_numpy(), dtype=np.bool_)
    return _numbers(_booleans(present) if field.type == "boolean" else numbers_of(present), missing, field)


def _numbers(numbers: NDArray[np.float64], missing: Mask, field: Field) -> tuple[pd.Series[Any], Mask]:
    malformed = ~missing & ~np.isfinite(numbers)
    if field.type == "integer":
        whole = np.where(np.isfinite(numbers), numbers, 0.0)
        malformed = malformed | (whole != np.round(whole))
    return pd.Series(np.where(malformed, np.nan, numbers)), np.asarray(malformed, dtype=np.bool_)


def _plain_numbers(raw: pd.Series[Any]) -> NDArray[np.float64] | None:
    """Return a column of texts as numbers, read all at once, where each is one or is missing; else None.

    That is the usual column of a CSV file, and takes a tenth of the time of looking at each value by itself.
    """
    if not _is_text(raw):
        return None
    missing = raw.isna().to_numpy(dtype=np.bool_)
    items = raw.to_numpy(dtype=object, copy=True)
    items[missing] = np.nan
    try:
        numbers = items.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    texts = "".join(value for value in items.tolist() if isinstance(value, str))
    return numbers if np.isfinite(numbers[~missing]).all() and "_" not in texts else None


def numbers_of(values: pd.Series[Any]) -> NDArray[np.float64]:
    """Return a column as numbers, NaN where a value is missing or is none."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype) or pd.api.types.is_timedelta64_dtype(values.dtype):
        return np.full(len(values), np.nan)
    if _is_text(values):
        values = values.map(_number_or_none)
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(numbers, dtype=np.float64)


def _number_or_none(value: Any) -> float | None:
    if isinstance(value, str) and "_" in value:
        return None  # Python reads 1_000 as a number, no data format does
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _booleans(values: pd.Series[Any]) -> NDArray[np.float64]:
    if not _is_text(values):
        numbers = numbers_of(values)
        return np.asarray(np.where(np.isin(numbers, (0.0, 1.0)), numbers, np.nan), dtype=np.float64)
    words = values.map(lambda value: None if value is None or value is pd.NA else str(value).strip().lower())
    known = dict.fromkeys(TRUE_TEXTS, 1.0) | dict.fromkeys(FALSE_TEXTS, 0.0)
    return np.asarray(words.map(known).to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _dates(values: pd.Series[Any]) -> pd.Series[Any]:
    if not (_is_text(values) or pd.api.types.is_datetime64_any_dtype(values.dtype)):
        return pd.Series(np.full(len(values), np.datetime64("NaT"), dtype="datetime64[ns]"))
    dates = pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True)
    return dates.dt.tz_localize(None)


def _texts(values: pd.Series[Any]) -> pd.Series[Any]:
    return pd.Series([None if value is None or value is pd.NA or value != value else _text(value) for value in values],
                     dtype=object)


def _text(value: Any) -> str:
    # A column of whole numbers with gaps arrives as floats; its levels are still written as whole numbers.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _is_text(values: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_object_dtype(values.dtype) or pd.api.types.is_string_dtype(values.dtype)
                or isinstance(values.dtype, pd.CategoricalDtype))
