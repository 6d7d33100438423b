"""The rows behind each cell of a described column, by group: counted at a node, and what of it may be shown."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.columns import floats, limits
from sealane.computations.disclosure import Rule
from sealane.computations.statistics.axes import MISSING, known_levels, places_on
from sealane.computations.suppression import line
from sealane.computations.suppression_tables import table_reasons
from sealane.errors import InputError
from sealane.governance import contract as governed

ALL = "all"
PRESENT = "present"
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups that are described, and each row's place among them.

    Attributes:
        by: the column that makes them; None where all rows are one group.
        levels: their names.
        places: of this node's rows; one beyond the last for rows of no group. Private.
    """

    by: str | None
    levels: tuple[str, ...]
    places: NDArray[np.int64] = dataclasses.field(repr=False)

    @property
    def number(self) -> int:
        """Groups counted: rows of no group are one more."""
        return len(self.levels) + (self.by is not None)


def groups_of(frame: pd.DataFrame, contract: governed.Contract, by: str | None) -> Groups:
    """Return the groups that a column makes.

    Raises:
        InputError: ``statistics.group-type``: it is no category or boolean.
    """
    if by is None:
        return Groups(None, (ALL,), np.zeros(len(frame), dtype=np.int64))
    maker = contract.field(by)
    if not known_levels(maker):
        raise InputError("statistics.group-type", f"column {by!r} makes no groups", got=maker.type,
                         expected="a category or a boolean")
    return Groups(by, known_levels(maker), places_on(frame[by], maker, None))


@dataclass(frozen=True, slots=True)
class Column:
    """One described column at a node.

    Attributes:
        field: of the contract.
        cells: its levels, or ``present`` for a number; then ``missing``.
        places: of this node's rows among the cells. Private.
        values: of a number, missing as NaN; None for others. Private.
    """

    field: governed.Field
    cells: tuple[str, ...]
    places: NDArray[np.int64] = dataclasses.field(repr=False)
    values: NDArray[np.float64] | None = dataclasses.field(repr=False)

    def local(self, groups: Groups) -> Counts:
        """Return this node's rows by cell and group."""
        flat = self.places * groups.number + groups.places
        shape = len(self.cells), groups.number
        return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)

    def part(self, groups: Groups, group: int) -> NDArray[np.float64]:
        """Return this node's known values in a group."""
        assert self.values is not None
        found: NDArray[np.float64] = self.values[(groups.places == group) & (self.places == 0)]
        return found


def column_of(series: pd.Series[Any], field: governed.Field) -> Column:
    """Read a column.

    Raises:
        InputError: ``statistics.column-type``: a date or a text; or rows outside the contract.
    """
    if field.type in ("date", "text"):
        raise InputError("statistics.column-type", f"column {field.name!r} cannot be described", got=field.type,
                         expected="number, integer, boolean or category")
    levels = known_levels(field)
    if levels:
        return Column(field, (*levels, MISSING), places_on(series, field, None), None)
    limits(field)
    values = floats(series, field)
    return Column(field, (PRESENT, MISSING), np.isnan(values).astype(np.int64), values)


def hidden_cells(counts: Counts, minimum: int) -> list[list[Rule | None]]:
    """Return the rule that hides each cell by group; ``counts`` has the shape of :meth:`Column.local`."""
    if counts.shape[1] == 1:
        return [[rule] for rule in line(counts[:, 0].tolist(), minimum)]
    return [list(row) for row in table_reasons(counts, minimum).cells]
