"""The first sum of a model: how many rows there are of what, and whether that is enough to go on.

Only counts are summed before these rules have passed, so no mean over too few rows is ever opened.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sealane.computations.base import Cohort, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.design.coding import discrete_sets
from sealane.computations.design.variables import Rows, Variables
from sealane.computations.disclosure import check_contributors, check_rows, check_rows_per_column
from sealane.errors import InputError, RefusedError

MAXIMUM_CELLS = 10_000


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts over the cohort, all but ``rows`` and ``missing`` over the rows that are kept.

    Attributes:
        rows: all rows.
        kept: those that the model uses.
        contributors: institutions that have one of these at least.
        missing: rows in which a variable is missing.
        missing_everywhere: institutions of which every row misses a variable.
        known: rows in which a numeric variable is known.
        cells: rows by the places of their levels, for each set of variables by whose levels they are counted.
        behind: institutions with such rows, likewise.
        others: what else was counted, by name.
    """

    rows: int
    kept: int
    contributors: int
    missing: dict[str, int]
    missing_everywhere: dict[str, int]
    known: dict[str, int]
    cells: dict[tuple[str, ...], dict[tuple[int, ...], int]]
    behind: dict[tuple[str, ...], dict[tuple[int, ...], int]]
    others: dict[str, int]

    def number(self, at: Mapping[str, int]) -> int:
        """Return how many rows have these levels, by variable."""
        axis = min((axis for axis in self.cells if set(at) <= set(axis)), key=len)
        wanted = [(axis.index(name), place) for name, place in at.items()]
        return sum(number for places, number in self.cells[axis].items() if all(places[k] == p for k, p in wanted))

    def present(self, category: str) -> list[int]:
        """Return the places of the levels that have rows."""
        return [place for (place,), number in self.cells[(category,)].items() if number > 0]


async def take_counts(
    cohort: Cohort, rows: Rows, variables: Variables, others: Mapping[str, int] | None = None
) -> Counts:
    """Sum the counts over the cohort: one sum.

    Args:
        cohort: of the run.
        rows: own ones.
        variables: of the model.
        others: further counts of own rows, such as those with the event.

    Raises:
        InputError: the products of categories have too many cells.
    """
    kept, missing, more = rows.kept, rows.missing(), dict(others or {})
    axes = {tuple(f.variable for f in factors): [len(variables.levels(f)) for f in factors]
            for factors in discrete_sets(variables)}
    if sum(math.prod(shape) for shape in axes.values()) > MAXIMUM_CELLS:
        raise InputError("model.too-many-cells", "products of categories have too many cells",
                         expected=f"at most {MAXIMUM_CELLS}", hint="leave interactions out, or merge levels")
    names = list(missing)
    everything = len(kept) > 0
    parts: dict[str, list[int]] = {
        "head": [len(kept), int(kept.sum())],
        "missing": [int(missing[name].sum()) for name in names],
        "known": [int((kept & ~missing[name]).sum()) for name in variables.numeric],
        "others": list(more.values()),
        "cells": [number for axis, shape in axes.items() for number in _cells(rows, axis, shape)],
    }
    flags: dict[str, list[int]] = {
        "contributors": [int(kept.any())],
        "everywhere": [int(everything and bool(missing[name].all())) for name in names],
        "behind": [int(number > 0) for number in parts["cells"]],
    }
    total = await cohort.sum({"counts": count([n for part in parts.values() for n in part], MAXIMUM_ROWS),
                              "institutions": count([n for part in flags.values() for n in part], 1)})
    opened = (_split(total["counts"].tolist(), {name: len(part) for name, part in parts.items()})
              | _split(total["institutions"].tolist(), {name: len(part) for name, part in flags.items()}))
    cells, behind = (_by_place(opened[name], axes) for name in ("cells", "behind"))
    everyone, used = opened["head"]
    return Counts(
        everyone, used, opened["contributors"][0], missing=dict(zip(names, opened["missing"], strict=True)),
        missing_everywhere=dict(zip(names, opened["everywhere"], strict=True)),
        known=dict(zip(variables.numeric, opened["known"], strict=True)), cells=cells, behind=behind,
        others=dict(zip(more, opened["others"], strict=True)))


def screen(counts: Counts, variables: Variables, cohort: Cohort) -> dict[str, Any]:
    """Hold the counts against the rules, and return what a result says of whose rows it rests on.

    Raises:
        RefusedError: too few rows, too few institutions with any, a rare level or combination, a feature hardly known.
    """
    worst = max(counts.missing, key=lambda name: counts.missing[name])
    check_rows(counts.kept, cohort.minimum_count,
               f"{worst!r} is missing most often: leave it out, or use missing = \"mean\""
               if counts.missing[worst] else "ask for more institutions or a longer period")
    basis = check_contributors(counts.contributors, cohort, counts.missing_everywhere)
    for axis, cells in counts.cells.items():
        rare = [place for place, number in cells.items() if 0 < number < cohort.minimum_count]
        if rare:
            named = ", ".join(_level_names(variables, axis, place) for place in rare[:20])
            raise RefusedError("model.rare-level", f"{' and '.join(map(repr, axis))} have levels with too few rows"
                               if len(axis) > 1 else f"{axis[0]!r} has levels with too few rows", got=named,
                               expected=f"at least {cohort.minimum_count} rows or none",
                               hint="merge levels, or leave it out")
    _screen_institutions(counts, variables, cohort)
    for name, number in counts.known.items():
        if number < cohort.minimum_count:
            raise RefusedError("model.mostly-missing", f"{name!r} is known in too few rows",
                               got=f"under {cohort.minimum_count}", expected=f"at least {cohort.minimum_count}",
                               hint="leave it out")
    return basis


def _screen_institutions(counts: Counts, variables: Variables, cohort: Cohort) -> None:
    """Refuse levels that so few institutions have that a coefficient would be theirs, unless all waived that."""
    if cohort.exposed:
        return
    for axis, behind in counts.behind.items():
        few = [place for place, number in behind.items() if 0 < number < cohort.smallest]
        if few:
            raise RefusedError("model.few-institutions", f"{' and '.join(map(repr, axis))} have levels that too few "
                               "institutions have", got=", ".join(_level_names(variables, axis, p) for p in few[:20]),
                               expected=f"rows at {cohort.smallest} institutions or at none",
                               hint="merge levels, or leave it out; or every institution waives differencing")


def screen_columns(counts: Counts, columns: int) -> None:
    """Hold the number of rows against that of columns.

    Raises:
        RefusedError: ``model.saturated``.
    """
    check_rows_per_column(counts.kept, columns)


def _by_place(
    opened: Sequence[int], axes: Mapping[tuple[str, ...], Sequence[int]]
) -> dict[tuple[str, ...], dict[tuple[int, ...], int]]:
    out, start = dict[tuple[str, ...], dict[tuple[int, ...], int]](), 0
    for axis, shape in axes.items():
        size = math.prod(shape)
        out[axis] = dict(zip(np.ndindex(*shape), opened[start : start + size], strict=True))
        start += size
    return out


def _cells(rows: Rows, axis: tuple[str, ...], shape: Sequence[int]) -> list[int]:
    places = [rows.level(name)[rows.kept] for name in axis]
    known = np.logical_and.reduce([place >= 0 for place in places])
    flat = np.ravel_multi_index([place[known] for place in places], tuple(shape))
    return [int(number) for number in np.bincount(flat, minlength=math.prod(shape))]


def _split(values: list[int], lengths: Mapping[str, int]) -> dict[str, list[int]]:
    out, start = dict[str, list[int]](), 0
    for name, length in lengths.items():
        out[name] = values[start : start + length]
        start += length
    return out


def _level_names(variables: Variables, axis: tuple[str, ...], place: tuple[int, ...]) -> str:
    return " with ".join(variables.categories[name].levels[k] if name in variables.categories else f"{name} = {k}"
                         for name, k in zip(axis, place, strict=True))
