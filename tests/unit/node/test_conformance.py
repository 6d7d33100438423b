from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.governance.contract import Contract, Field
from sealane.node import conformance
from sealane.node.conformance import check_column, check_rows, narrow

NUMBER = Field(name="x", type="number", minimum=0.0, maximum=10.0)
INTEGER = Field(name="x", type="integer", minimum=-5.0, maximum=5.0, nullable=True)
BOOLEAN = Field(name="x", type="boolean")
CATEGORY = Field(name="x", type="category", allowed=("A", "NA", "36"))
DATE = Field(name="x", type="date")


def broken(raw: list[Any] | pd.Series[Any], field: Field) -> dict[str, list[int]]:
    series = raw if isinstance(raw, pd.Series) else pd.Series(raw, dtype=object)
    rules = check_column(series, field)[1]
    return {rule: list(np.flatnonzero(mask)) for rule, mask in rules.items() if mask.any()}


def test_numbers_from_text() -> None:
    raw = ["1", " 2.5 ", "1e1", "-1", "11", "x", "inf", "1_0", "NA", "", None, "nan"]
    assert broken(raw, NUMBER) == {"range": [3, 4], "type": [5, 6, 7], "missing": [8, 9, 10, 11]}
    values = check_column(pd.Series(raw, dtype=object), NUMBER)[0]
    assert list(values[:3]) == [1.0, 2.5, 10.0]


def test_numbers_as_stored() -> None:
    assert broken(pd.Series([1.0, 10.5, np.nan, np.inf]), NUMBER) == {"range": [1], "missing": [2], "type": [3]}
    assert broken(pd.Series(pd.to_datetime(["2026-01-01"])), NUMBER) == {"type": [0]}
    assert broken(pd.Series([True, False]), NUMBER) == {}
    assert broken(pd.Series(pd.to_timedelta([1, 2], unit="ns")), NUMBER) == {"type": [0, 1]}
    decimals = pd.Series([Decimal("2.5"), Decimal(11), None], dtype=object)  # PostgreSQL's numeric
    assert broken(decimals, NUMBER) == {"range": [1], "missing": [2]}
    assert check_column(decimals, NUMBER)[0][0] == 2.5


def test_integers() -> None:
    assert broken(["1", "1.0", "1.5", "6", None], INTEGER) == {"type": [2], "range": [3]}
    assert broken(pd.Series([1, 2], dtype="int64"), INTEGER) == {}
    assert broken(pd.array([1, None], dtype="Int64").to_numpy(object).tolist(), INTEGER) == {}


def test_booleans() -> None:
    assert broken(["1", "0", "TRUE", "f", "yes", "No", "2", "maybe"], BOOLEAN) == {"type": [6, 7]}
    values = check_column(pd.Series(["1", "0", "TRUE", "f", "yes", "No"], dtype=object), BOOLEAN)[0]
    assert list(values) == [1, 0, 1, 0, 1, 0]
    assert broken(pd.Series([0, 1, 2]), BOOLEAN) == {"type": [2]}
    assert broken(pd.Series([True, None, False], dtype=object), BOOLEAN) == {"missing": [1]}


def test_categories() -> None:
    assert broken(["A", "NA", "a", "", None, 36, 36.0], CATEGORY) == {"allowed": [2], "missing": [3, 4]}
    assert broken(pd.Series([36.0, np.nan]), CATEGORY) == {"missing": [1]}
    assert broken(pd.Series(pd.Categorical(["A", "Z"])), CATEGORY) == {"allowed": [1]}


def test_dates() -> None:
    raw = ["2026-01-31", "2026-01-31T10:00:00+02:00", "31.01.2026", "2026-02-30", None]
    assert broken(raw, DATE) == {"type": [2, 3], "missing": [4]}
    values = check_column(pd.Series(raw, dtype=object), DATE)[0]
    assert values[1] == pd.Timestamp("2026-01-31 08:00")
    assert broken(pd.Series([20260131]), DATE) == {"type": [0]}


def test_a_row_that_breaks_two_rules_is_one_invalid_row() -> None:
    contract = Contract(id="test.x/v1", fields=(NUMBER, Field(name="c", type="category", allowed=("A",))))
    checked = check_rows(contract, {"x": pd.Series([1, 99, 99]), "c": pd.Series(["A", "B", "A"])}, 3)
    assert list(checked.invalid) == [False, True, True]
    assert [str(one) for one in checked.failures] == ["x: range (2 rows)", "c: allowed (1 row)"]


def test_narrowing() -> None:
    contract = Contract(id="test.x/v1", fields=(INTEGER, Field(name="y", type="integer", nullable=True)))
    frame = narrow(pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, np.nan]}), contract)
    assert frame.dtypes.astype(str).to_dict() == {"x": "int64", "y": "float64"}


ANYTHING = st.none() | st.text(max_size=6) | st.integers() | st.floats() | st.booleans() | st.binary(max_size=3)


@pytest.mark.parametrize("field", [NUMBER, INTEGER, BOOLEAN, CATEGORY, DATE, Field(name="x", type="text")])
@given(raw=st.lists(ANYTHING, max_size=8))
def test_whatever_the_source_holds_each_value_is_typed_or_counted(field: Field, raw: list[Any]) -> None:
    values, rules = check_column(pd.Series(raw, dtype=object), field)
    assert len(values) == len(raw)
    clean = ~np.logical_or.reduce(list(rules.values()))
    kept = values[clean].dropna()
    if field.type in ("number", "integer"):
        assert kept.between(field.minimum, field.maximum).all()
    if field.type == "integer":
        assert (kept == kept.round()).all()
    if field.type == "category":
        assert set(kept) <= set(field.allowed)


def test_dates_that_have_not_come_to_pass() -> None:
    raw = pd.Series(["2026-06-01", "2026-06-02T23:59:59", "2026-06-03", "2031", None], dtype=object)
    seen = Field(name="seen", type="date", past=True, nullable=True)
    assert check_column(raw, seen, date(2026, 6, 1))[1]["future"].tolist() == [False, False, True, True, False]
    assert not check_column(raw, seen)[1]["future"].any()
    assert not check_column(raw, seen.model_copy(update={"past": False}), date(2026, 6, 1))[1]["future"].any()


TEXTS = st.floats().map(str) | st.sampled_from(
    ["1", "-2.5", " 3 ", "1e3", "1_000", "", "NA", "nan", "inf", "x", "0x1", "١"])


@given(raw=st.lists(TEXTS | st.none()), field=st.sampled_from([
    Field(name="x", type="number", minimum=-5, maximum=1e6), Field(name="x", type="integer", nullable=True)]))
def test_a_column_read_at_once_is_typed_like_its_values_by_themselves(raw: list[str | None], field: Field) -> None:
    column = pd.Series(raw, dtype=object)
    values, broken = check_column(column, field)
    with mock.patch.object(conformance, "_plain_numbers", return_value=None):
        expected, broken_alone = check_column(column, field)
    pd.testing.assert_series_equal(values, expected)
    assert {rule: mask.tolist() for rule, mask in broken.items()} == {
        rule: mask.tolist() for rule, mask in broken_alone.items()}
