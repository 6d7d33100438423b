"""What is public about a column that is checked, and an institution's own values of it, read without complaint.

Values outside the contract are what this is about, so they are taken as they are instead of stopping the node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.columns import level_names
from sealane.computations.harmonise.factors import Conversion, conversions, quantity_of
from sealane.computations.harmonise.grid import Grid, grid_of
from sealane.computations.harmonise.parameters import HarmoniseParameters
from sealane.computations.harmonise.verdict import PLAIN, words
from sealane.errors import InputError
from sealane.governance.contract import Contract

MAXIMUM_LEVELS = 20_000
"""Of all columns of a study together."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A numeric column: its grid and what may explain a difference."""

    name: str
    unit: str | None
    quantity: str | None
    grid: Grid
    candidates: tuple[Conversion, ...]

    @property
    def cells(self) -> int:
        """Cells of its histogram."""
        return self.grid.cells


@dataclass(frozen=True, slots=True)
class Codes:
    """A column of codes: its levels."""

    name: str
    levels: tuple[str, ...]
    candidates: tuple[Conversion, ...] = ()

    @property
    def cells(self) -> int:
        """Cells of its histogram."""
        return len(self.levels)


Checked = Scale | Codes


@dataclass(frozen=True, slots=True)
class Own:
    """A node's own values of a column: private.

    Attributes:
        rows: all of them.
        known: present values, outside the contract or not.
        places: the cell of each value that has one.
        values: the numbers themselves; empty for codes.
    """

    rows: int
    known: int
    places: NDArray[np.int64]
    values: NDArray[np.float64]

    def histogram(self, cells: int) -> list[int]:
        """Return the number of values by cell."""
        return [int(number) for number in np.bincount(self.places, minlength=cells)]


def verdicts_of(column: Checked) -> list[str]:
    """Return all verdicts that there are on a column, in their public order."""
    return [words(place, column.candidates) for place in range(len(PLAIN) + len(column.candidates))]


def read_columns(contract: Contract, params: HarmoniseParameters) -> list[Checked]:
    """Look the columns up in the contract.

    Raises:
        InputError: a date or text, a quantity of a category, a column without a range, or too many levels.
    """
    found: list[Checked] = []
    for name in params.columns:
        field = contract.field(name)
        if field.type in ("date", "text"):
            raise InputError("harmonise.column-type", f"column {name!r} cannot be checked", got=field.type,
                             expected="number, integer, boolean or category")
        if field.type in ("number", "integer"):
            quantity = params.quantities.get(name) or quantity_of(field)
            candidates = conversions(quantity, field.unit)
            found.append(Scale(name, field.unit, quantity, grid_of(field, candidates), candidates))
            continue
        if name in params.quantities:
            raise InputError("harmonise.no-quantity", f"column {name!r} measures nothing", got=field.type,
                             expected="a number or integer")
        found.append(Codes(name, field.allowed if field.type == "category" else ("0", "1")))
    levels = sum(len(column.levels) for column in found if isinstance(column, Codes))
    if levels > MAXIMUM_LEVELS:
        raise InputError("harmonise.too-many-levels", "the columns have too many levels", got=levels,
                         expected=f"at most {MAXIMUM_LEVELS}", hint="check fewer columns at a time")
    return found


def read_own(series: pd.Series[Any], column: Checked) -> Own:
    """Read a node's own values of a column.

    Raises:
        InputError: a number that is none.
    """
    present = series[series.notna()]
    if isinstance(column, Codes):
        text = level_names(present, column.levels)
        places = np.asarray(pd.Categorical(text, categories=list(column.levels)).codes, dtype=np.int64)
        return Own(len(series), len(present), places[places >= 0], np.zeros(0))
    try:
        values = present.to_numpy(dtype=object).astype(np.float64)
    except (TypeError, ValueError):
        # Not chained: the original message quotes the value.
        raise InputError("columns.not-numeric", f"column {column.name!r} holds values that are no numbers",
                         expected="numbers", hint="check the dataset against its contract") from None
    values = values[np.isfinite(values)]
    return Own(len(series), len(values), column.grid.places(values), values)
