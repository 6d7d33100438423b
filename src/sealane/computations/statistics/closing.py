"""Which values of which groups may be summed at all: decided from opened counts, before any value enters a sum."""

from __future__ import annotations

import numpy as np

from sealane.computations.base import Cohort, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.disclosure import Rule
from sealane.computations.statistics.cells import Column, Counts, Groups
from sealane.computations.suppression import BESIDE, SMALL, line

Cell = tuple[int, int]
"""Places of a column and a group."""


async def count_rows(
    cohort: Cohort, columns: list[Column], groups: Groups
) -> tuple[list[Counts], dict[int, list[int]]]:
    """Open the rows behind each cell, and by numeric column and group how many institutions have any value."""
    local = [column.local(groups) for column in columns]
    numeric = [c for c, column in enumerate(columns) if column.values is not None]
    have = np.array([(local[c][0] > 0).astype(np.int64) for c in numeric], dtype=np.int64).reshape(-1, groups.number)
    terms = {"counts": count(np.concatenate([one.ravel() for one in local]), MAXIMUM_ROWS)}
    opened = await cohort.sum(terms | ({"institutions": count(have, 1)} if numeric else {}))
    pieces = np.split(opened["counts"], np.cumsum([one.size for one in local])[:-1])
    return ([piece.reshape(one.shape) for piece, one in zip(pieces, local, strict=True)],
            dict(zip(numeric, opened["institutions"].tolist(), strict=True)) if numeric else {})


def hidden_groups(counts: list[Counts], minimum: int) -> list[Rule | None]:
    """Return the rule that hides each group, that of rows without one last; none where all rows are one group."""
    rows: list[int] = counts[0].sum(axis=0).tolist()
    return line(rows, minimum) if len(rows) > 1 else [None]


def closed_cells(
    cohort: Cohort, columns: list[Column], counts: list[Counts], institutions: dict[int, list[int]]
) -> dict[Cell, Rule | None]:
    """Return by numeric column and group the rule that keeps its values from being summed; None where none does.

    What is known over all rows gives a group away if it is known of all others, so groups are closed as cells are.
    """
    out: dict[Cell, Rule | None] = {}
    groups_hidden = hidden_groups(counts, cohort.minimum_count)
    fewest = 1 if cohort.exposed else cohort.smallest
    for c, column in enumerate(columns):
        if column.values is None:
            continue
        present: list[int] = counts[c][0].tolist()
        beside = line(present, cohort.minimum_count) if len(present) > 1 else [None]
        for g in range(len(present) - (len(present) > 1)):
            rule = groups_hidden[g] or beside[g]
            if rule is None and present[g] < cohort.minimum_count:
                rule = SMALL
            if rule is None and institutions[c][g] < fewest:
                rule = "minimum-cohort"
            out[c, g] = rule
    return out


def beside_single(rules: dict[Cell, Rule | None], counts: list[Counts]) -> dict[Cell, Rule | None]:
    """Return the rules with one more group for each column of which only one is hidden.

    Who knows the mean over all rows would have that of the one group by subtraction. Rows of no group are never shown.
    """
    out = dict(rules)
    for c, cells in enumerate(counts):
        groups = [g for k, g in rules if k == c and cells[0, g]]
        hidden = [g for g in groups if rules[c, g]]
        unshown = cells.shape[1] > len([g for k, g in rules if k == c]) and bool(cells[0, -1])
        if len(groups) > 1 and len(hidden) == 1 and not unshown:
            out[c, next(g for g in groups if g not in hidden)] = BESIDE
    return out
