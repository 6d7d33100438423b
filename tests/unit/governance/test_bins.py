from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.governance.bins import PRESENT, bins, count_values
from sealane.governance.contract import Field
from sealane.governance.quality import MISSING


def number(low: float | None, high: float | None, kind: str = "number") -> Field:
    return Field(name="x", type=kind, minimum=low, maximum=high)  # type: ignore[arg-type]


def test_bins_follow_from_the_contract() -> None:
    assert [(one.low, one.high) for one in bins(number(0.0, 10.0))][-3:] == [(7.0, 8.0), (8.0, 9.0), (9.0, 10.0)]
    lows = [one.low for one in bins(number(0.0, 1e6))]
    assert {0.0, 100.0, 200.0, 500.0, 1000.0, 1e5, 2e5, 9e5} <= set(lows)
    assert [one.label for one in bins(number(0.0, 3.0, "integer"))] == ["0", "1", "2", "3"]
    assert [one.label for one in bins(number(None, None, "boolean"))] == ["0", "1"]
    assert bins(number(None, 3.0)) == []
    assert [one.label for one in bins(number(2.0, 2.0))] == ["2"]
    assert 0.0 in [one.low for one in bins(number(-7.0, 9.0))]


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.lists(st.floats(0, 1), max_size=30))
def test_every_legal_value_falls_into_one_bin_that_holds_it(low: float, width: float, parts: list[float]) -> None:
    field = number(low, low + width)
    values = [min(max(low + width * part, low), low + width) for part in parts]
    counted = count_values(field, pd.Series(values, dtype=float))
    assert sum(counted.values()) == len(values)
    for value in values:
        one = count_values(field, pd.Series([value]))
        where, = [b for b in bins(field) if one[b.label]]
        assert where.low <= value <= where.high


def test_levels_years_and_what_has_no_cells() -> None:
    levels = Field(name="g", type="category", allowed=("A", MISSING))
    assert count_values(levels, pd.Series(["A", "A", MISSING])) == {"A": 2, f"={MISSING}": 1}
    days = pd.to_datetime(pd.Series(["2020-01-01", "2021-05-05", "2020-12-31"]))
    assert count_values(Field(name="d", type="date"), days) == {"2020": 2, "2021": 1}
    assert count_values(Field(name="t", type="text"), pd.Series(["x", "y"])) == {PRESENT: 2}
    assert count_values(number(None, None), pd.Series([1.0])) == {PRESENT: 1}


@pytest.mark.parametrize("kind", ["number", "integer"])
def test_edges_are_shared_by_neighbours(kind: str) -> None:
    found = bins(number(0.0, 5000.0, kind))
    assert all(a.high == b.low for a, b in pairwise(found))
    assert len({one.label for one in found}) == len(found)
