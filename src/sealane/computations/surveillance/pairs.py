"""Drugs and events as flags and categories, and the table of counts for each pair of columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.columns import codes
from sealane.errors import InputError
from sealane.governance.contract import Contract

MAXIMUM_CELLS = 100_000
FLAG = ("1", "0")


@dataclass(frozen=True, slots=True)
class Exposure:
    """A column of drugs or of events.

    Attributes:
        name: of the column.
        levels: all of them; a flag's are 1 and 0.
        assessed: how many of the table's lines are drugs (or events): the others share the last line.
        lines: for each level its line in the table.
    """

    name: str
    levels: tuple[str, ...]
    assessed: tuple[str, ...]
    lines: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of lines: the assessed levels, and the rest together if there is any."""
        return max(self.lines) + 1

    @property
    def labels(self) -> list[str]:
        """Return what the assessed levels are called in a result."""
        return [self.name] if self.levels == FLAG else [f"{self.name}={level}" for level in self.assessed]


def read_exposures(
    contract: Contract, columns: Sequence[str], chosen: Mapping[str, tuple[str, ...]]
) -> list[Exposure]:
    """Look columns of drugs or events up in the contract.

    Raises:
        InputError: a column that is neither flag nor category, or a level that it does not have.
    """
    found = []
    for name in columns:
        field = contract.field(name)
        if field.type not in ("boolean", "category"):
            raise InputError("disproportionality.column-type", f"column {name!r} cannot be a drug or an event",
                             got=field.type, expected="boolean or category",
                             hint="derive a flag or a category when the dataset is added")
        levels = FLAG if field.type == "boolean" else field.allowed
        assessed = ("1",) if field.type == "boolean" else chosen.get(name, levels)
        unknown = [level for level in assessed if level not in levels]
        if unknown or (field.type == "boolean" and name in chosen):
            raise InputError("disproportionality.unknown-level", f"column {name!r} has no such levels to choose",
                             got=", ".join(unknown)[:80] or "levels of a flag", expected="levels of a category")
        lines = tuple(assessed.index(level) if level in assessed else len(assessed) for level in levels)
        found.append(Exposure(name, levels, assessed, lines))
    return found


def check_cells(drugs: Sequence[Exposure], events: Sequence[Exposure]) -> None:
    """Refuse tables too large to sum and to look at.

    Raises:
        InputError: ``disproportionality.too-many-pairs``.
    """
    cells = sum(drug.size for drug in drugs) * sum(event.size for event in events)
    if cells > MAXIMUM_CELLS:
        raise InputError("disproportionality.too-many-pairs", "there are too many pairs", got=f"{cells} cells",
                         expected=f"at most {MAXIMUM_CELLS}", hint="choose levels")


def read_lines(frame: pd.DataFrame, exposures: Sequence[Exposure]) -> dict[str, NDArray[np.int64]]:
    """Return by column each row's line, shape ``(n_rows,)``, missing as -1. Private.

    Raises:
        InputError: a value that is none of the levels.
    """
    out = {}
    for exposure in exposures:
        found = codes(frame[exposure.name], exposure.levels, exposure.name)
        out[exposure.name] = np.array([*exposure.lines, -1], dtype=np.int64)[found]
    return out


def count_tables(
    lines: Mapping[str, NDArray[np.int64]], drugs: Sequence[Exposure], events: Sequence[Exposure],
    kept: NDArray[np.bool_],
) -> list[int]:
    """Return the node's own cells of all tables, one after the other, rows first."""
    out: list[int] = []
    for drug in drugs:
        for event in events:
            places = lines[drug.name][kept] * event.size + lines[event.name][kept]
            out += np.bincount(places, minlength=drug.size * event.size).tolist()
    return out


def split_tables(
    cells: Sequence[int], drugs: Sequence[Exposure], events: Sequence[Exposure]
) -> list[tuple[Exposure, Exposure, NDArray[np.int64]]]:
    """Return the opened tables, each with its columns."""
    out, start = [], 0
    for drug in drugs:
        for event in events:
            shape = (drug.size, event.size)
            end = start + math.prod(shape)
            out.append((drug, event, np.array(cells[start:end], dtype=np.int64).reshape(shape)))
            start = end
    return out
