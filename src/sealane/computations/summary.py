"""``statistics.summary``: counts, means and spreads over the cohort, small cells hidden.

What is hidden was still opened at the nodes, which need it to decide; it is not released. Mean and variance are hidden
where their own count is under the minimum. They are shown where only few values are missing, though a mean over whole
numbers can give its own count, and so the number missing, away to someone who tries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sealane.computations.base import Cohort, Dataset, Parameters, Payload, count, real
from sealane.computations.columns import MAXIMUM_ROWS, codes, floats, limits
from sealane.computations.suppression import suppressed
from sealane.errors import InputError, RefusedError
from sealane.governance import contract as governed

SLACK = 1.0 + 2.0**-20
WIDEST = 67
"""Bits before the point of a sum that a ring of 128 holds beside 56 fractional bits, with some to spare."""
MISSING = "missing"


class SummaryParameters(Parameters):
    """Parameters of ``statistics.summary``: the columns to describe."""

    columns: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=128)], ...], Field(min_length=1,
                                                                                              max_length=1000)]

    @model_validator(mode="after")
    def _distinct(self) -> SummaryParameters:
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("columns are distinct")
        return self


class Summary:
    """Count, missing, mean and spread of numbers; counts of levels."""

    outputs = ("statistics",)
    individual_level = False  # sums and counts over the cohort

    @property
    def name(self) -> str:
        """Return ``statistics.summary``."""
        return "statistics.summary"

    @property
    def parameters(self) -> type[SummaryParameters]:
        """Return the model of its parameters."""
        return SummaryParameters

    def columns(self, params: SummaryParameters) -> list[str]:
        """Return the columns described."""
        return list(params.columns)

    async def run(self, data: Dataset, cohort: Cohort, params: SummaryParameters) -> Payload:
        """Summarise the columns.

        Raises:
            InputError: a date or text column, a column without a range, or rows outside the contract.
            RefusedError: fewer rows than the minimum count.
        """
        fields = [data.contract.field(name) for name in params.columns]
        frame = data.frame(list(params.columns))
        cells = {field.name: _levels(field) for field in fields}
        values = {field.name: floats(frame[field.name], field) for field in fields if not cells[field.name]}
        local: list[int] = [len(frame)]
        for field in fields:
            local += _local_cells(frame[field.name], field, cells[field.name], values)
        total = (await cohort.sum({"counts": count(local, MAXIMUM_ROWS)}))["counts"].tolist()
        rows, rest = total[0], iter(total[1:])
        if rows < cohort.minimum_count:
            raise RefusedError("summary.too-few-rows", "too few rows to summarise",
                               got=f"under {cohort.minimum_count}", expected=f"at least {cohort.minimum_count}")
        counts = {name: {level: next(rest) for level in (*(levels or ("present",)), MISSING)}
                  for name, levels in cells.items()}
        hidden = {name: suppressed(numbers, cohort.minimum_count) for name, numbers in counts.items()}
        open_fields = [field for field in fields if field.name in values
                       and counts[field.name]["present"] >= cohort.minimum_count]
        moments = await _moments(cohort, open_fields, values, counts)
        described = {field.name: _describe(field, counts[field.name], hidden[field.name], moments.get(field.name))
                     for field in fields}
        return {"computation": "statistics.summary", "rows": rows, "minimum_count": cohort.minimum_count,
                "columns": described}

    def present(self, payload: Payload) -> SummaryResult:
        """Return tables of the released numbers."""
        return SummaryResult(payload)


class SummaryResult:
    """A summary as tables.

    Attributes:
        numbers: one row per numeric column: count, missing, mean, std, variance; hidden cells are NaN.
        levels: a Series of counts for each categorical column, missing included; hidden cells are NaN.
        suppressed: names of the hidden cells by column.
        rows: rows over the cohort.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        columns: Mapping[str, Any] = payload["columns"]
        numeric = {name: column for name, column in columns.items() if "levels" not in column}
        self.rows: int = payload["rows"]
        self.numbers = pd.DataFrame.from_dict(
            {name: [column[key] for key in _NUMBERS] for name, column in numeric.items()},
            orient="index", columns=list(_NUMBERS), dtype=np.float64,
        )
        self.levels = {
            name: pd.Series({**column["levels"], MISSING: column["missing"]}, dtype=np.float64, name=name)
            for name, column in columns.items() if "levels" in column
        }
        self.suppressed = {name: list(column["suppressed"]) for name, column in columns.items() if column["suppressed"]}
        self.trace: Any = None

    def summary(self) -> str:
        """Return the tables in plain text."""
        parts = [f"{self.rows:,} rows"]
        if len(self.numbers):
            parts.append(self.numbers.to_string(na_rep="hidden", float_format=lambda value: f"{value:.6g}"))
        for name, levels in self.levels.items():
            parts.append(f"{name}\n" + levels.to_string(na_rep="hidden", float_format=lambda value: f"{value:.0f}"))
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the payload."""
        return dict(self._payload)

    def __repr__(self) -> str:
        return self.summary()


_NUMBERS = ("count", "missing", "mean", "std", "variance")


def _levels(field: governed.Field) -> tuple[str, ...]:
    if field.type in ("date", "text"):
        raise InputError("summary.column-type", f"column {field.name!r} cannot be summarised", got=field.type,
                         expected="number, integer, boolean or category")
    return field.allowed if field.type == "category" else ("0", "1") if field.type == "boolean" else ()


def _local_cells(
    series: pd.Series[Any], field: governed.Field, levels: tuple[str, ...], values: dict[str, NDArray[np.float64]]
) -> list[int]:
    if not levels:
        missing = int(np.isnan(values[field.name]).sum())
        return [len(series) - missing, missing]
    found = codes(series, levels, field.name)
    return [*np.bincount(found[found >= 0], minlength=len(levels)).tolist(), int((found < 0).sum())]


async def _moments(
    cohort: Cohort, fields: list[governed.Field], values: dict[str, NDArray[np.float64]],
    counts: dict[str, dict[str, int]],
) -> dict[str, tuple[float, float | None]]:
    """Return mean and variance (divisor n - 1) by column: first the means, then squares about them."""
    if not fields:
        return {}
    spans = [limits(field) for field in fields]
    half = np.array([max((high - low) / 2, 2.0**-500) for low, high in spans])
    middle = np.array([(low + high) / 2 for low, high in spans])
    known = [values[field.name][~np.isnan(values[field.name])] for field in fields]
    numbers = np.array([counts[field.name]["present"] for field in fields], dtype=np.float64)
    unit = [(column - m) / h for column, m, h in zip(known, middle, half, strict=True)]
    bound = float(numbers.max()) * SLACK
    totals = await cohort.sum({"means": real([column.sum() for column in unit], bound)})
    centre = await cohort.agree(totals["means"] / numbers)
    # A spread far under the contract's range squares to almost nothing: use the whole ring (a power of two is exact).
    finer = 2.0 ** (WIDEST - math.frexp(4.0 * bound * cohort.size)[1])
    squares = [finer * float(((column - c) ** 2).sum()) for column, c in zip(unit, centre, strict=True)]
    opened = (await cohort.sum({"squares": real(squares, finer * 4.0 * bound)}))["squares"] / finer
    out: dict[str, tuple[float, float | None]] = {}
    for j, field in enumerate(fields):
        variance = float(opened[j] / (numbers[j] - 1) * half[j] * half[j]) if numbers[j] > 1 else None
        out[field.name] = float(middle[j] + half[j] * centre[j]), variance
    return out


def _describe(
    field: governed.Field, counts: dict[str, int], hidden: list[str], moments: tuple[float, float | None] | None
) -> dict[str, Any]:
    shown = {name: None if name in hidden else number for name, number in counts.items()}
    missing = shown.pop(MISSING)
    if field.type in ("category", "boolean"):
        return {"type": field.type, "levels": shown, "missing": missing, "suppressed": hidden}
    mean, variance = moments or (None, None)
    names = ["count" if name == "present" else name for name in hidden]
    if moments is None:
        names += ["mean", "std", "variance"]
    return {"type": field.type, "unit": field.unit, "count": shown["present"], "missing": missing, "mean": mean,
            "variance": variance, "std": None if variance is None else math.sqrt(variance), "suppressed": names}
