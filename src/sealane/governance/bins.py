"""Public cells for the values of a field: they follow from the contract alone, never from rows.

Numbers fall into ten equal bins of the contract's range, cut further at 1, 2 and 5 times the powers of ten, so that a
range far wider than the data still shows a shape. Categories and booleans fall into their levels, dates into years.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.governance.contract import RANGED, Field
from sealane.governance.quality import INVALID, MISSING

EQUAL_BINS = 10
DECADES = 5
SINGLE_VALUES = 20
PRESENT = "(present)"


@dataclass(frozen=True, slots=True)
class Bin:
    """One cell of a ranged field.

    Attributes:
        label: as it is shown.
        low: smallest value.
        high: where the next bin begins; legal itself only in the last one.
    """

    label: str
    low: float
    high: float


def bins(field: Field) -> list[Bin]:
    """Return the bins of a ranged field, or none where its contract gives no whole range."""
    if field.type == "boolean":
        return [Bin("0", 0.0, 0.0), Bin("1", 1.0, 1.0)]
    if field.type not in RANGED or field.minimum is None or field.maximum is None:
        return []
    low, high = field.minimum, field.maximum
    if field.type == "integer" and high - low < SINGLE_VALUES:
        return [Bin(str(value), float(value), float(value)) for value in range(math.ceil(low), math.floor(high) + 1)]
    edges = _edges(low, high)
    if len(edges) < 2:
        return [Bin(f"{low:g}", low, high)]
    pairs = list(pairwise(edges))
    return [Bin(f"[{_short(a)}, {_short(b)}{']' if b == edges[-1] else ')'}", a, b) for a, b in pairs]


def level_cell(level: str) -> str:
    """Return the cell of a category's level."""
    return f"={level}" if level in (MISSING, INVALID) else level


def count_values(field: Field, values: pd.Series[Any]) -> dict[str, int]:
    """Return rows by cell over the valid values of a field; every public cell is there, also an empty one."""
    if field.type == "category":
        found = values.value_counts()
        return {level_cell(level): int(found.get(level, 0)) for level in field.allowed}
    if field.type == "date":
        years = values.dt.year.value_counts()
        return {str(int(year)): int(years[year]) for year in sorted(years.index)}
    ranged = bins(field)
    if not ranged:
        return {PRESENT: len(values)}
    starts = np.array([one.low for one in ranged])
    places = np.clip(np.searchsorted(starts, _numbers(values), side="right") - 1, 0, len(ranged) - 1)
    counted = np.bincount(places, minlength=len(ranged))
    return {one.label: int(number) for one, number in zip(ranged, counted, strict=True)}


def _edges(low: float, high: float) -> list[float]:
    edges = {low, high} | {low + (high - low) * step / EQUAL_BINS for step in range(1, EQUAL_BINS)}
    top = math.floor(math.log10(max(abs(low), abs(high), 1e-300)))
    for power in range(top - DECADES + 1, top + 1):
        for lead in (1, 2, 5):
            # By way of text: 2e-1 written by arithmetic is not the decimal that people read.
            edge = float(f"{lead}e{power}")
            edges |= {one for one in (edge, -edge) if low < one < high}
    if low < 0 < high:
        edges.add(0.0)
    return sorted(edges)


def _short(edge: float) -> str:
    """Return an edge as people write it where that is exact, so that two bins never share a label."""
    text = f"{edge:.15g}"
    return text if float(text) == edge else repr(edge)


def _numbers(values: pd.Series[Any]) -> NDArray[np.float64]:
    return values.to_numpy(dtype=np.float64)
