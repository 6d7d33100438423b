"""Counting the rows of a dataset into the cells of its profile. What is counted here is hidden before it is kept."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.governance.bins import count_values
from sealane.governance.contract import RANGED, Contract, CrossRule
from sealane.governance.detection import detect
from sealane.governance.quality import INVALID, MISSING, Counts
from sealane.node.conformance import Checked, missing_values

_RELATIONS = {"<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">=": operator.ge,
              ">": operator.gt}
_SHORTEST_NUMBER = 1e10
_LONG_NUMBER = r"\d[\d -]{9,}[\dXx]"
"""A field of numbers is searched for identity numbers, cards and telephones only where one has eleven digits."""


def count_rows(contract: Contract, raw: Mapping[str, pd.Series[Any]], checked: Checked, now: datetime) -> Counts:
    """Count the rows of one version of a dataset, invalid ones included.

    Args:
        contract: that they were held against.
        raw: columns as they were read and repaired, by field.
        checked: the same, typed.
        now: the present moment, for freshness.
    """
    frame = checked.frame
    fields: dict[str, dict[str, int]] = {}
    for name in frame.columns:
        broken = checked.broken[name]
        missing = frame[name].isna().to_numpy(dtype=bool) & ~broken
        valid = frame[name][~(missing | broken)]
        fields[name] = {MISSING: int(missing.sum()), INVALID: int(broken.sum()),
                        **count_values(contract.field(name), valid)}
    key = [name for name in contract.key if name in frame.columns] or None
    return Counts(
        rows=len(frame), fields=fields, repeated=int(frame.duplicated(subset=key).sum()) if len(frame.columns) else 0,
        broken={rule.name: _broken(contract, rule, frame) for rule in contract.rules
                if {rule.left, rule.right or rule.left, *rule.where} <= set(frame.columns)},
        stale=_stale(contract, frame, now),
        found={name: found for name in raw if (found := _found(contract, name, raw[name]))},
    )


def _broken(contract: Contract, rule: CrossRule, frame: pd.DataFrame) -> int:
    left = frame[rule.left]
    applies = left.notna()
    if rule.right is not None:
        right: Any = frame[rule.right]
        applies &= right.notna()
    else:
        right = pd.Timestamp(rule.value) if contract.field(rule.left).type == "date" else rule.value  # type: ignore[arg-type]
    for name, level in rule.where.items():
        applies &= frame[name].map(lambda value: "" if value is None else f"{value:g}" if isinstance(value, float)
                                   else str(value)) == level
    chosen = left[applies]
    other = right[applies] if rule.right is not None else right
    return int((~_RELATIONS[rule.relation](chosen, other)).sum())


def _stale(contract: Contract, frame: pd.DataFrame, now: datetime) -> int | None:
    fresh = contract.freshness
    if fresh is None or fresh.field not in frame.columns:
        return None
    oldest = np.datetime64((now - timedelta(days=fresh.days)).replace(tzinfo=None), "ns")
    return int((~(frame[fresh.field] >= oldest)).sum())


def _found(contract: Contract, name: str, values: pd.Series[Any]) -> Mapping[str, int]:
    field = contract.field(name)
    if field.type in ("boolean", "date"):
        return {}
    present = values[~missing_values(values, field)]
    if pd.api.types.is_numeric_dtype(present.dtype):
        numbers = present.to_numpy(dtype=np.float64, na_value=np.nan)
        if field.type in RANGED and not _long(numbers).any():
            return {}
        present = present.map(lambda number: str(int(number)) if float(number).is_integer() else "")
    elif field.type in RANGED and not present.astype(str).str.fullmatch(_LONG_NUMBER).any():
        return {}
    counted = present.astype(str).value_counts()
    return detect((str(text), int(rows)) for text, rows in counted.items())


def _long(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(numbers >= _SHORTEST_NUMBER, dtype=np.bool_)
