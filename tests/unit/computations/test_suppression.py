"""What of a table stays hidden, against a reader who tries every table and one who solves for the bounds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from sealane.computations.statistics.describe import Describe
from sealane.computations.statistics.histogram import Histogram
from sealane.computations.statistics.table import Table
from sealane.computations.suppression import line, reasons, suppressed
from sealane.computations.suppression_tables import Hidden, table_reasons
from sealane.governance.contract import Contract, Field


@given(st.lists(st.integers(0, 40), min_size=2, max_size=8), st.integers(1, 15))
def test_no_small_cell_follows_from_the_total(numbers: list[int], minimum: int) -> None:
    cells = {f"c{i}": number for i, number in enumerate(numbers)}
    hidden = suppressed(cells, minimum)
    assert all(name in hidden for name, number in cells.items() if 0 < number < minimum)
    if any(0 < number < minimum for number in numbers) and sum(numbers) >= minimum:
        assert len(hidden) >= 2
        assert sum(cells[name] for name in hidden) >= minimum
    if not any(0 < number < minimum for number in numbers):
        assert hidden == []


@pytest.mark.parametrize(("minimum", "cells"), [(3, 2), (3, 3), (3, 4), (4, 3), (4, 4), (5, 3), (6, 3)])
def test_a_reader_who_tries_every_list_learns_no_small_cell(minimum: int, cells: int) -> None:
    """Every list that would have been released alike, reasons included: no hidden small cell has one value in all."""
    largest = 3 * minimum if cells < 4 else 2 * minimum + 3
    alike = defaultdict(list)
    for table in product(range(largest + 1), repeat=cells):
        if minimum <= sum(table) <= largest:  # beyond, larger cells that were not tried would fit too
            shown = tuple(number if rule is None else rule
                          for number, rule in zip(table, line(table, minimum), strict=True))
            alike[shown, sum(table)].append(table)
    assert len(alike) > 10
    assert [tables[0] for (shown, _), tables in alike.items() for place in range(cells)
            if told(shown[place], {table[place] for table in tables}, minimum)] == []


def told(shown: int | str, values: set[int], minimum: int) -> bool:
    return isinstance(shown, str) and len(values) == 1 and 0 < min(values) < minimum


def test_each_hidden_cell_names_its_rule() -> None:
    assert reasons({"a": 50, "b": 20, "c": 3}, 10) == {"a": "complementary", "c": "minimum-count"}
    assert reasons({"a": 10, "b": 20, "c": 3, "d": 0}, 10) == {
        "a": "complementary", "b": "complementary", "c": "minimum-count"}
    # Which of these is the small one would follow from the total: 23 rows are 10 and 10 and 3, or 10 and 9 and 4 ...
    assert reasons({"a": 10, "b": 10, "c": 3}, 10) == dict.fromkeys("abc", "minimum-count")
    assert reasons({"a": 8, "b": 4, "c": 0}, 10) == dict.fromkeys("abc", "minimum-count")  # 12 rows are too few
    assert reasons({"a": 8, "b": 40, "c": 0}, 1) == {}


def compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in compositions(total - first, parts - 1):
            yield first, *rest


def released(counts: np.ndarray, hidden: Hidden) -> tuple[tuple[int | str, ...], ...]:
    def shown(numbers: np.ndarray, rules: tuple[str | None, ...]) -> tuple[int | str, ...]:
        return tuple(int(number) if rule is None else rule for number, rule in zip(numbers, rules, strict=True))

    flat = tuple(rule for row in hidden.cells for rule in row)
    return (shown(counts.ravel(), flat), shown(counts.sum(axis=1), hidden.rows),
            shown(counts.sum(axis=0), hidden.columns))


@pytest.mark.parametrize(("shape", "minimum", "totals"), [
    ((2, 2), 3, range(3, 14)), ((2, 2), 4, range(4, 19)), ((2, 3), 3, range(3, 12)), ((3, 3), 3, range(3, 7))])
def test_a_reader_who_tries_every_table_learns_no_small_cell(
    shape: tuple[int, int], minimum: int, totals: range
) -> None:
    for total in totals:
        alike = defaultdict(list)
        for numbers in compositions(total, shape[0] * shape[1]):
            counts = np.array(numbers).reshape(shape)
            alike[released(counts, table_reasons(counts, minimum))].append(counts)
        found = []
        for (cells, rows, columns), tables in alike.items():
            several = np.array(tables)
            known = [*zip(cells, several.reshape(len(tables), -1).T, strict=True),
                     *zip(rows, several.sum(axis=2).T, strict=True), *zip(columns, several.sum(axis=1).T, strict=True)]
            found += [tables[0] for shown, values in known if told(shown, set(values.tolist()), minimum)]
        assert found == [], (total, found[:1])


@pytest.mark.parametrize("seed", range(30))
def test_bounds_from_sums_reach_the_minimum_count(seed: int) -> None:
    """Whoever solves for a hidden small cell from all that is shown finds it may hold the minimum count."""
    rng = np.random.default_rng(seed)
    minimum, shape = 10, (int(rng.integers(2, 7)), int(rng.integers(2, 7)))
    rows, columns = rng.gamma(1.0, 1.0, shape[0]), rng.gamma(0.7, 1.0, shape[1])
    counts = rng.poisson(np.outer(rows, columns) * 25).astype(np.int64)
    hidden = table_reasons(counts, minimum)
    marks = np.array([[rule is not None for rule in row] for row in hidden.cells])
    small = (counts > 0) & (counts < minimum)
    assert marks[small].all()
    assert all(rule for rule, margin in zip(hidden.rows, counts.sum(axis=1), strict=True) if 0 < margin < minimum)
    places = np.argwhere(marks)
    if counts.sum() < 2 * minimum or not len(places):
        return
    lines = [places[:, 0] == i for i in range(shape[0]) if hidden.rows[i] is None]
    lines += [places[:, 1] == j for j in range(shape[1]) if hidden.columns[j] is None]
    known = np.array([*lines, np.ones(len(places), dtype=bool)], dtype=float)
    totals = known @ counts[marks]
    for place in np.flatnonzero(small[marks])[:6]:
        aim = np.zeros(len(places))
        aim[place] = -1.0
        solved = linprog(aim, A_eq=known, b_eq=totals, bounds=(0, None))
        assert (solved.status, -solved.fun >= minimum - 1e-6) == (0, True)


def test_a_small_cell_takes_a_rectangle_with_it_and_leaves_the_rest() -> None:
    counts = np.full((4, 5), 40, dtype=np.int64)
    counts[2, 3] = 4
    hidden = table_reasons(counts, 10)
    assert {(i, j) for i in range(4) for j in range(5) if hidden.cells[i][j]} == {(0, 0), (0, 3), (2, 0), (2, 3)}
    assert (set(hidden.rows), set(hidden.columns), hidden.number) == ({None}, {None}, 4)
    assert {rule for row in hidden.cells for rule in row} == {None, "minimum-count"}


def test_a_rare_row_is_hidden_with_its_margin_and_another() -> None:
    counts = np.full((4, 5), 40, dtype=np.int64)
    counts[3] = [1, 0, 2, 0, 3]
    hidden = table_reasons(counts, 10)
    assert hidden.rows == ("complementary", None, None, "minimum-count")
    assert hidden.cells == (("complementary",) * 5, (None,) * 5, (None,) * 5, ("minimum-count",) * 5)


def test_a_table_without_small_cells_or_too_few_rows() -> None:
    assert table_reasons(np.array([[10, 0], [40, 12]]), 10).number == 0
    everything = table_reasons(np.array([[9, 0], [1, 0]]), 10)
    assert everything.number == 4
    assert {*everything.rows, *everything.columns} == {"minimum-count", None}  # a column of all rows, and an empty one


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("uvw"), st.integers(0, 5)), min_size=20,
                max_size=120))
def test_no_count_of_few_rows_is_released(
    run_pooled: Callable[..., Any], rows: list[tuple[str, str, int]]
) -> None:
    """Whatever the rows: no count between 1 and the minimum is in a description, a table or a histogram."""
    frame = pd.DataFrame(rows, columns=["g", "h", "x"]).astype({"x": float})
    frame.loc[frame["x"] == 5, "x"] = np.nan
    contract = Contract(id="test.any/v1", fields=(
        Field(name="g", type="category", allowed=tuple("abcd")), Field(name="h", type="category", allowed=tuple("uvw")),
        Field(name="x", type="number", minimum=0, maximum=5, nullable=True)))
    parts, minimum = {"n": frame.iloc[::2], "s": frame.iloc[1::2]}, 6
    shown: list[float] = []
    found = run_pooled(parts, Describe(), {"columns": ["h", "x"], "by": "g"}, contract=contract, minimum_count=minimum)
    shown += found.levels["h"].to_numpy().ravel().tolist()
    shown += found.loc[:, (slice(None), ["count", "missing"])].to_numpy().ravel().tolist()
    table = run_pooled(parts, Table(), {"columns": ["g", "h"]}, contract=contract, minimum_count=minimum)
    shown += [*table.counts.to_numpy().ravel(), *table.row_totals, *table.column_totals]
    assert table.test is None or table.counts.iloc[:4, :3].notna().all(axis=None)
    bins = run_pooled(parts, Histogram(), {"column": "x", "bins": 4}, contract=contract, minimum_count=minimum)
    shown += [*bins.counts, bins.below, bins.above, bins.missing]
    assert [number for number in shown if 0 < number < minimum] == []
