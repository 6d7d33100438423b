"""A synthetic table of a contract: each field drawn by itself from its suppressed cells, never from rows.

It is a function of the profile and the contract alone, so it tells nothing that the profile does not. Fields are
independent of each other: it is for writing and trying a study, and no result over it means anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.core.secret import Secret
from sealane.errors import InputError, RefusedError
from sealane.governance.bins import PRESENT, bins, level_cell
from sealane.governance.contract import RANGED, Contract, Field
from sealane.governance.quality import INVALID, MISSING, Cells, Profile
from sealane.ring.prg import expand

MARK = "sealane_synthetic"
"""A column of this name says of every row that it is made up."""
MAXIMUM_ROWS = 10_000_000


def synthetic_table(profile: Profile, contract: Contract, rows: int) -> pd.DataFrame:
    """Return a made-up table that conforms to the contract, with a last column that says so.

    Args:
        profile: of a dataset under the contract, small cells hidden.
        contract: whose fields are filled; those that the dataset lacks are left out.
        rows: how many.

    Raises:
        InputError: no rows, or too many, are asked for.
        RefusedError: the profile hides everything.
    """
    if not 1 <= rows <= MAXIMUM_ROWS:
        raise InputError("mock.rows", "so many rows cannot be made", got=rows, expected=f"1 to {MAXIMUM_ROWS}")
    if profile.rows is None:
        raise RefusedError("mock.too-few-rows", "the dataset has too few rows to show anything of",
                           expected=f"at least {profile.minimum_count}")
    seed = hashlib.sha256(b"sealane mock\0" + bytes.fromhex(contract.hash) + profile.to_bytes()).digest()
    table: dict[str, Any] = {}
    for field in contract.fields:
        if field.name in profile.fields:
            weights = weights_of(profile.fields[field.name], profile.rows, profile.minimum_count)
            name = len(field.name.encode()).to_bytes(4, "big") + field.name.encode()
            words = expand(Secret(hashlib.sha256(seed + name).digest()), 2 * rows)
            uniform = (words >> np.uint64(11)).astype(np.float64) / float(1 << 53)
            table[field.name] = _column(field, weights, uniform[:rows], uniform[rows:])
    return pd.DataFrame({**table, MARK: np.ones(rows, dtype=np.bool_)})


def weights_of(cells: Cells, rows: int, minimum_count: int) -> dict[str, float]:
    """Return how many rows each cell is taken to hold: what is shown, and an equal part of the rest if hidden.

    What is shown is rounded, so the rest may seem too small: half the minimum count is the least that is taken.
    """
    shown = sum(number for number in cells.values() if number is not None)
    hidden = [name for name, number in cells.items() if number is None]
    return {name: max((rows - shown) / len(hidden), minimum_count / 2) if number is None else float(number)
            for name, number in cells.items()}


def _column(field: Field, weights: Mapping[str, float], choose: NDArray[np.float64], within: NDArray[np.float64]
            ) -> list[Any]:
    usable = {name: weight for name, weight in weights.items()
              if name != INVALID and (name != MISSING or field.nullable)}
    if not any(usable.values()):
        usable = {name: 1.0 for name in usable if name != MISSING} or {PRESENT: 1.0}  # nothing valid was seen
    names = [name for name, weight in usable.items() if weight > 0]
    edges = np.cumsum([usable[name] for name in names])
    places = np.minimum(np.searchsorted(edges, choose * edges[-1], side="right"), len(names) - 1)
    draw = _drawer(field)
    return [None if names[place] == MISSING else draw(names[place], float(part))
            for place, part in zip(places, within, strict=True)]


def _drawer(field: Field) -> Any:
    """Return what makes a legal value of a field from a cell and a number in [0, 1)."""
    if field.type == "category":
        levels = {level_cell(level): level for level in field.allowed}
        return lambda cell, part: levels.get(cell, field.allowed[0])
    if field.type == "date":
        return lambda cell, part: _day(int(cell) if cell.isdigit() else 2000, part)
    if field.type == "text":
        return lambda cell, part: f"synthetic-{int(part * 1e9):09d}"
    ranged = {one.label: (one.low, one.high) for one in bins(field)}
    low = field.minimum if field.minimum is not None else min(0.0, field.maximum or 0.0)
    high = field.maximum if field.maximum is not None else max(1.0, low)
    whole = field.type in RANGED and field.type != "number"

    def draw(cell: str, part: float) -> float | int:
        bottom, top = ranged.get(cell, (low, high))
        value = bottom + (top - bottom) * part
        # A bin may hold no whole number: then the nearest one of the whole range.
        return int(min(max(np.ceil(value), np.ceil(low)), np.floor(high))) if whole else value

    return draw


def _day(year: int, part: float) -> pd.Timestamp:
    return pd.Timestamp(year, 1, 1) + pd.Timedelta(days=int(part * 365))
