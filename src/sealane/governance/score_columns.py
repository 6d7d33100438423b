"""What an asker encrypts: one column for each number that a model weighs, made of the fields of its own rows.

The columns are public between asker and owner, and signed with a grant. All lie within [-1, 1].
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from sealane.errors import InputError

MAXIMUM_COLUMNS = 1024
"""Of a request; a request of so many takes 403 MB."""
Form = Literal["linear", "scorecard", "network"]


class Column(BaseModel):
    """One column.

    Attributes:
        name: of the field that it is made of.
        kind: ``scaled``: lower..upper onto [-1, 1]; ``level``: 1 where the field is one of ``levels``; ``bin``: 1 where
            the field lies above ``lower`` and at most at ``upper``; ``missing``: 1 where it has no value.
        lower: None below the first bin.
        upper: None above the last bin.
        levels: of a category.
        or_missing: 1 also where the field has no value; of a level or a bin.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    kind: Literal["scaled", "level", "bin", "missing"]
    lower: float | None = None
    upper: float | None = None
    levels: tuple[str, ...] = ()
    or_missing: bool = False

    @model_validator(mode="after")
    def _coherent(self) -> Column:
        ends = [end for end in (self.lower, self.upper) if end is not None]
        if not 1 <= len(self.name) <= 128 or not self.name.isprintable():
            raise ValueError("a field's name has 1 to 128 printable characters")
        if not all(math.isfinite(end) for end in ends) or (len(ends) == 2 and ends[0] >= ends[1]):
            raise ValueError("a column's lower end lies below its upper end")
        if self.kind == "scaled" and len(ends) != 2:
            raise ValueError("a scaled column has both ends")
        if self.kind in ("level", "missing") and ends:
            raise ValueError(f"a column of kind {self.kind} has no ends")
        if bool(self.levels) != (self.kind == "level") or not all(
                1 <= len(level) <= 256 and level.isprintable() for level in self.levels):
            raise ValueError("a column of kind level, and no other, has levels")
        if self.or_missing and self.kind not in ("level", "bin"):
            raise ValueError("only a level or a bin takes in missing values")
        return self

    def of(self, values: pd.Series) -> NDArray[np.float64]:
        """Return the column of a field's values.

        Raises:
            InputError: a scaled field is missing or outside its range in some row.
        """
        found = self._of(values)
        return np.where(values.isna(), 1.0, found) if self.or_missing else found

    def _of(self, values: pd.Series) -> NDArray[np.float64]:
        match self.kind:
            case "level":
                return np.asarray(values.astype("object").isin(self.levels), dtype=np.float64)
            case "missing":
                return np.asarray(values.isna(), dtype=np.float64)
            case "bin":
                numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
                lower, upper = (-math.inf if self.lower is None else self.lower,
                                math.inf if self.upper is None else self.upper)
                return ((numbers > lower) & (numbers <= upper)).astype(np.float64)
            case _:
                return self._scaled(values.to_numpy(dtype=np.float64, na_value=np.nan))

    def _scaled(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        assert self.lower is not None
        assert self.upper is not None
        inside = (numbers >= self.lower) & (numbers <= self.upper)
        if not inside.all():
            raise InputError("score.outside-range", f"field {self.name} is missing or outside its range",
                             got=f"{int((~inside).sum())} of {len(numbers)} rows",
                             expected=f"{self.lower:g} to {self.upper:g} in every row",
                             hint="ask with the rows that the model is for: --rows, or another dataset")
        return 2.0 * (numbers - self.lower) / (self.upper - self.lower) - 1.0


def fields_of(columns: Sequence[Column]) -> list[str]:
    """Return the fields that columns are made of, each once."""
    return list(dict.fromkeys(column.name for column in columns))


def matrix(columns: Sequence[Column], form: Form, frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return what an asker encrypts, ``(rows, columns)``; for a network the products of every two columns too.

    Raises:
        InputError: a field is missing or outside its range, or a row lies in no bin of a scorecard's field.
    """
    missing = [name for name in fields_of(columns) if name not in frame]
    if missing:
        raise InputError("score.field-missing", "the rows lack fields that the model scores by",
                         got=", ".join(missing)[:200], expected=", ".join(fields_of(columns))[:200],
                         hint="`sealane score list` shows the fields of a grant")
    plain = np.column_stack([column.of(frame[column.name]) for column in columns])
    if form == "scorecard":
        for name in fields_of(columns):
            inside = plain[:, [k for k, column in enumerate(columns) if column.name == name]].sum(axis=1)
            if not (inside == 1.0).all():
                raise InputError("score.outside-bins", f"field {name} lies in no bin of the scorecard, or in two",
                                 got=f"{int((inside != 1.0).sum())} of {len(inside)} rows", expected="one bin a row",
                                 hint="the owner adds a bin for such values, or for missing ones")
    if form != "network":
        return plain
    return np.column_stack([plain, *(plain[:, i] * plain[:, j] for i, j in pairs(len(columns)))])


def pairs(columns: int) -> list[tuple[int, int]]:
    """Return the products of a network's request, in their order."""
    return list(combinations_with_replacement(range(columns), 2))


def encrypted_columns(columns: Sequence[Column], form: Form) -> int:
    """Return how many columns a request has."""
    return len(columns) + (len(pairs(len(columns))) if form == "network" else 0)


def revealing_rows(columns: Sequence[Column], form: Form) -> int:
    """Return how many scores determine a model: one for each number that it has beyond what the columns repeat.

    The columns of a scorecard's field add up to 1, so one of them says nothing that the others and the base do not.
    """
    if form != "scorecard":
        return encrypted_columns(columns, form) + 1
    return 1 + sum(bins - 1 for bins in Counter(column.name for column in columns).values())
