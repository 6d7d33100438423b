"""Doing declared repairs on the columns that were read; the source is never changed, and only counts are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.governance.contract import Contract
from sealane.governance.repair import Clip, Convert, Deduplicate, Impute, Recode, Repair
from sealane.node.conformance import missing_values, numbers_of

Columns = dict[str, "pd.Series[Any]"]


@dataclass(frozen=True, slots=True)
class Repaired:
    """What one step did.

    Attributes:
        do: kind of step.
        field: that it was done to; those of a deduplication by commas, or empty for whole rows.
        rows: how many rows it changed or left out.
    """

    do: str
    field: str
    rows: int

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"do": self.do, "field": self.field, "rows": self.rows}


def repair_columns(repair: Repair, contract: Contract, columns: Columns, rows: int
                   ) -> tuple[Columns, int, list[Repaired]]:
    """Return repaired columns, the rows that are left, and what each step did.

    A step on a field that the source does not fill does nothing. A value that is no number is left as it is: the
    contract's check will count it.
    """
    columns = {name: values.reset_index(drop=True) for name, values in columns.items()}
    done: list[Repaired] = []
    for step in repair.steps:
        if isinstance(step, Deduplicate):
            columns, left = _deduplicate(step, columns, rows)
            done.append(Repaired(step.do, ", ".join(step.fields), rows - left))
            rows = left
        elif step.field in columns:
            columns[step.field], changed = _one(step, contract, columns[step.field])
            done.append(Repaired(step.do, step.field, changed))
        else:
            done.append(Repaired(step.do, step.field, 0))
    return columns, rows, done


def _one(step: Impute | Clip | Convert | Recode, contract: Contract, values: pd.Series[Any]
         ) -> tuple[pd.Series[Any], int]:
    missing = missing_values(values, contract.field(step.field))
    match step:
        case Recode():
            texts = values.map(lambda value: value.strip() if isinstance(value, str) else _text(value))
            known = texts.isin(list(step.codes)).to_numpy(dtype=bool) & ~missing
            return _write(values, known, texts.map(step.codes)), int(known.sum())
        case Convert():
            numbers = _numbers(values, missing)
            changed = np.isfinite(numbers)
            return _write(values, changed, pd.Series(numbers * step.factor + step.offset)), int(changed.sum())
        case Clip():
            numbers = _numbers(values, missing)
            clipped = np.clip(numbers, step.minimum, step.maximum)
            changed = np.isfinite(numbers) & (clipped != numbers)
            return _write(values, changed, pd.Series(clipped)), int(changed.sum())
        case Impute():
            return _impute(step, values, missing)
        case _:
            assert_never(step)


def _impute(step: Impute, values: pd.Series[Any], missing: NDArray[np.bool_]) -> tuple[pd.Series[Any], int]:
    filling: Any = step.value
    if step.by == "median":
        numbers = _numbers(values, missing)
        numbers = numbers[np.isfinite(numbers)]
        filling = float(np.median(numbers)) if len(numbers) else None
    elif step.by == "mode":
        counted = values[~missing].map(_text).value_counts()
        # Of the most frequent ones the first in the order of texts, so that every read fills the same.
        filling = min((str(text) for text, rows in counted.items() if rows == counted.iloc[0]), default=None)
    if filling is None:
        return values, 0
    return _write(values, missing, pd.Series([filling] * len(values), dtype=object)), int(missing.sum())


def _deduplicate(step: Deduplicate, columns: Columns, rows: int) -> tuple[Columns, int]:
    named = [name for name in step.fields or columns if name in columns]
    if not named:
        return columns, rows
    first = ~pd.DataFrame({name: columns[name] for name in named}).duplicated().to_numpy(dtype=bool)
    return {name: values[first].reset_index(drop=True) for name, values in columns.items()}, int(first.sum())


def _write(values: pd.Series[Any], where: NDArray[np.bool_], written: pd.Series[Any]) -> pd.Series[Any]:
    changed = values.astype(object)
    changed[where] = written.astype(object)[where]
    return changed


def _numbers(values: pd.Series[Any], missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    return numbers_of(values.mask(pd.Series(missing)))


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
