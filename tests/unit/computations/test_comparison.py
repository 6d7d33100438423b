"""``statistics.test`` against scipy on pooled rows, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from expected_error import raises
from scipy import stats

import sealane
from sealane.computations.statistics.comparison import Comparison, ComparisonParameters
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract


def made(rows: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(21)
    frame = pd.DataFrame({"g": rng.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2])})
    shift = frame["g"].map({"a": 0.0, "b": 0.8, "c": 1.1})
    frame["y"] = rng.normal(120 + 3 * shift, 8 + 2 * shift)
    frame["k"] = rng.poisson(3 + shift)
    frame["event"] = np.where(rng.random(rows) < 0.3 + 0.1 * shift, "yes", "no")
    frame.loc[:39, "y"] = np.nan
    return frame


FRAME = made()
SAMPLES = [FRAME.loc[FRAME.g == name, "y"].dropna() for name in "abc"]
COUNTS = [FRAME.loc[FRAME.g == name, "k"] for name in "abc"]


def parts(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {f"n{k}": frame.iloc[k::3] for k in range(3)}


@pytest.mark.parametrize("equal", [True, False])
def test_t_equals_scipy(run_pooled: Callable[..., Any], new_meeting: Callable[..., Any], equal: bool) -> None:
    meeting = new_meeting(list(parts(FRAME)))
    found = run_pooled(parts(FRAME), Comparison(), {"method": "t", "outcome": "y", "by": "g", "groups": ["a", "c"],
                                                    "equal_variances": equal, "confidence": 0.9}, meeting=meeting)
    expected = stats.ttest_ind(SAMPLES[0], SAMPLES[2], equal_var=equal)
    assert meeting.sums == 3
    assert (found.statistic, found.pvalue, found.df) == pytest.approx(
        (expected.statistic, expected.pvalue, expected.df), rel=1e-9)
    interval = expected.confidence_interval(0.9)
    assert found.confidence_interval == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert found.difference == pytest.approx(SAMPLES[0].mean() - SAMPLES[2].mean(), rel=1e-9)
    assert found.groups["n"].tolist() == [len(SAMPLES[0]), len(SAMPLES[2])]
    np.testing.assert_allclose(found.groups["std"], [SAMPLES[0].std(), SAMPLES[2].std()], rtol=1e-9)
    pooled = np.sqrt(((len(SAMPLES[0]) - 1) * SAMPLES[0].var() + (len(SAMPLES[2]) - 1) * SAMPLES[2].var())
                     / (len(SAMPLES[0]) + len(SAMPLES[2]) - 2))
    assert found.effect["cohens_d"] == pytest.approx(found.difference / pooled, rel=1e-9)
    assert found.left_out == len(FRAME) - len(SAMPLES[0]) - len(SAMPLES[2])


def test_anova_equals_scipy(run_pooled: Callable[..., Any]) -> None:
    found = run_pooled(parts(FRAME), Comparison(), {"method": "anova", "outcome": "y", "by": "g", "digits": 3})
    expected = stats.f_oneway(*SAMPLES)
    assert (found.statistic, found.pvalue) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
    assert found.df == (2.0, sum(map(len, SAMPLES)) - 3.0)
    total = pd.concat(SAMPLES)
    between = sum(len(one) * (one.mean() - total.mean()) ** 2 for one in SAMPLES)
    assert found.effect["eta_squared"] == pytest.approx(between / ((total - total.mean()) ** 2).sum(), rel=1e-9)
    assert found.groups["mean"].tolist() == [float(f"{one.mean():.3g}") for one in SAMPLES]
    assert "df 2 and" in found.summary()


def test_rank_tests_equal_scipy_ties_included(run_pooled: Callable[..., Any]) -> None:
    asked = {"outcome": "k", "by": "g"}  # few whole numbers: exact, with many ties
    found = run_pooled(parts(FRAME), Comparison(), asked | {"method": "kruskal"})
    expected = stats.kruskal(*COUNTS)
    assert (found.statistic, found.pvalue) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-10)
    assert (found.df, found.grid) == (2.0, 0)
    found = run_pooled(parts(FRAME), Comparison(), asked | {"method": "mann-whitney", "groups": ["b", "a"]})
    expected = stats.mannwhitneyu(COUNTS[1], COUNTS[0], method="asymptotic")
    assert (found.statistic, found.pvalue) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-10)
    assert found.effect["rank_biserial"] == pytest.approx(
        2 * expected.statistic / len(COUNTS[0]) / len(COUNTS[1]) - 1, rel=1e-12)


def test_rank_tests_on_a_grid_equal_scipy_on_the_gridded_values(run_pooled: Callable[..., Any]) -> None:
    low, high = FRAME["y"].min(), FRAME["y"].max()
    gridded = [np.floor((one - low) / (high - low) * 40).clip(0, 39) for one in SAMPLES]
    found = run_pooled(parts(FRAME), Comparison(), {"method": "kruskal", "outcome": "y", "by": "g", "cells": 40})
    expected = stats.kruskal(*gridded)
    assert (found.statistic, found.pvalue) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-10)
    assert found.grid == pytest.approx((high - low) / 40)
    assert "grid" in found.summary()
    finer = run_pooled(parts(FRAME), Comparison(), {"method": "kruskal", "outcome": "y", "by": "g", "cells": 10_000})
    assert finer.statistic == pytest.approx(stats.kruskal(*SAMPLES).statistic, rel=1e-3)


@pytest.mark.parametrize("shape", [
    pytest.param(lambda y: y, id="every value once"), pytest.param(lambda y: y.round(), id="many rows of one value"),
    pytest.param(lambda y: (y - 118).clip(lower=0).round(1), id="half of them zero"),
    pytest.param(lambda y: np.exp(y / 6), id="skewed")])
@pytest.mark.parametrize("reach", [1e3, 1e12])
def test_rank_tests_follow_the_values_however_wide_the_contract(
    run_pooled: Callable[..., Any], shape: Callable[[pd.Series], pd.Series], reach: float
) -> None:
    frame = FRAME.assign(y=shape(FRAME["y"]))
    samples = [frame.loc[frame.g == name, "y"].dropna() for name in "abc"]
    contract = infer_contract({"all": pd.concat([frame, pd.DataFrame({"g": "a", "y": [-reach, reach * 1e9]})])})
    asked = {"outcome": "y", "by": "g"}
    found = run_pooled(parts(frame), Comparison(), asked | {"method": "kruskal"}, contract=contract)
    assert found.statistic == pytest.approx(stats.kruskal(*samples).statistic, rel=5e-3)
    found = run_pooled(parts(frame), Comparison(), asked | {"method": "mann-whitney", "groups": ["c", "a"]},
                       contract=contract)
    expected = stats.mannwhitneyu(samples[2], samples[0], method="asymptotic")
    assert found.statistic == pytest.approx(expected.statistic, rel=2e-3)
    assert found.pvalue == pytest.approx(expected.pvalue, rel=0.05)


def test_chi2_equals_scipy(run_pooled: Callable[..., Any]) -> None:
    table = pd.crosstab(FRAME["event"], FRAME["g"])
    found = run_pooled(parts(FRAME), Comparison(), {"method": "chi2", "outcome": "event", "by": "g"})
    expected = stats.chi2_contingency(table)
    assert (found.statistic, found.pvalue, found.df) == pytest.approx((expected[0], expected[1], expected[2]))
    assert found.counts.to_numpy().tolist() == table.to_numpy().tolist()
    two = run_pooled(parts(FRAME), Comparison(), {"method": "chi2", "outcome": "event", "by": "g",
                                                  "groups": ["a", "b"], "correction": False})
    expected = stats.chi2_contingency(table[["a", "b"]], correction=False)
    assert (two.statistic, two.pvalue) == pytest.approx((expected[0], expected[1]))
    assert "cramers v" in two.summary()


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
@pytest.mark.parametrize(("method", "outcome", "exact"), [
    ("t", "y", lambda: stats.ttest_ind(*SAMPLES[:2], equal_var=False)),
    ("mann-whitney", "k", lambda: stats.mannwhitneyu(*COUNTS[:2], method="asymptotic"))])
def test_through_either_scheme(scheme: str, method: str, outcome: str, exact: Callable[[], Any]) -> None:
    found = sealane.simulate(parts(FRAME)).run("statistics.test", scheme=scheme, method=method, outcome=outcome, by="g",
                                               groups=["a", "b"])
    assert (found.statistic, found.pvalue) == pytest.approx((exact().statistic, exact().pvalue), rel=1e-8)
    assert json.loads(json.dumps(found.to_dict()))["pvalue"] == found.pvalue
    assert found.trace.rounds >= 2


@pytest.mark.parametrize("method", ["anova", "kruskal", "chi2"])
def test_how_rows_are_spread_changes_nothing(run_pooled: Callable[..., Any], method: str) -> None:
    asked = {"method": method, "outcome": "event" if method == "chi2" else "y", "by": "g"}
    contract = infer_contract({"all": FRAME})
    one = run_pooled({"all": FRAME}, Comparison(), asked, contract=contract)
    other = run_pooled({"a": FRAME.iloc[:70], "b": FRAME.iloc[70:]}, Comparison(), asked, contract=contract)
    assert (one.statistic, one.pvalue) == pytest.approx((other.statistic, other.pvalue), rel=1e-10)


def test_means_that_would_tell_of_few_others_are_hidden(run_pooled: Callable[..., Any]) -> None:
    frame = FRAME.dropna().copy()
    frame.iloc[:4, frame.columns.get_loc("g")] = None  # with all rows' mean known, theirs would follow
    found = run_pooled(parts(frame), Comparison(), {"method": "t", "outcome": "y", "by": "g", "groups": ["a", "b"]})
    assert found.rules == [None, None]  # group c is left out with them: together they are enough
    found = run_pooled(parts(frame), Comparison(), {"method": "anova", "outcome": "y", "by": "g"})
    assert (found.rules, found.left_out) == (["complementary"] * 3, None)
    assert found.summary().splitlines()[-1] == "hidden by complementary"
    assert found.groups.isna().all(axis=None)
    kept = frame.dropna()
    assert found.statistic == pytest.approx(stats.f_oneway(*(kept.y[kept.g == g] for g in "abc")).statistic, rel=1e-9)
    largest = np.arange(len(frame)) == np.flatnonzero(frame.g == "a")[9]
    amounts = frame.assign(y=np.where(largest, 1e6, 1.0 + frame["k"]))
    asked = {"outcome": "y", "by": "g", "groups": ["a", "b"]}
    with raises("test.dominated", RefusedError):
        run_pooled(parts(amounts), Comparison(), asked | {"method": "t"})
    assert 0 <= run_pooled(parts(amounts), Comparison(), asked | {"method": "mann-whitney"}).pvalue <= 1


def test_refusals(run_pooled: Callable[..., Any]) -> None:
    def ask(code: str, frame: pd.DataFrame, error: type = RefusedError, **change: Any) -> None:
        with raises(code, error):
            run_pooled(parts(frame), Comparison(), {"method": "t", "outcome": "y", "by": "g", **change})

    ask("test.number-of-groups", FRAME)
    ask("test.number-of-groups", FRAME[FRAME.g == "a"], method="anova")
    few = FRAME[(FRAME.g == "a") | (np.arange(600) < 70)]
    ask("test.small-group", few, method="anova")
    ask("test.unknown-group", FRAME, InputError, groups=["a", "z"])
    ask("test.nothing-varies", FRAME.assign(y=np.where(FRAME.g == "a", 1.5, 2.5)), method="anova")
    ask("test.nothing-varies", FRAME.assign(y=np.where(FRAME.g == "a", 1.5, 2.5)), groups=["a", "b"])
    ask("test.nothing-varies", FRAME.assign(k=7), method="kruskal", outcome="k", cells=2)
    ask("test.not-a-category", FRAME, InputError, method="chi2")
    ask("statistics.not-a-number", FRAME, InputError, outcome="event")
    ask("statistics.group-type", FRAME, InputError, by="k")
    ask("test.hidden-cells", FRAME.assign(event=np.where(np.arange(600) < 5, "yes", "no")), method="chi2",
        outcome="event")


def test_a_group_of_one_institution_is_refused() -> None:
    frames = {name: FRAME.iloc[k::3].assign(at="here" if k == 0 else "there")
              for k, name in enumerate(("n0", "n1", "n2"))}
    asked = {"method": "t", "outcome": "y", "by": "at"}
    with raises("test.few-institutions", RefusedError):
        sealane.simulate(frames).run("statistics.test", **asked)
    found = sealane.simulate(frames).run("statistics.quantiles", columns=["y"], by="at",
                                         waive_differencing=list(frames))
    assert found.basis == {("y", "here"): 1, ("y", "there"): 2}
    assert "y of there: values at 2 of 3 institutions" in found.summary()
    found = sealane.simulate(frames).run("statistics.test", waive_differencing=list(frames), **asked)
    expected = stats.ttest_ind(frames["n0"].y.dropna(), pd.concat([frames["n1"], frames["n2"]]).y.dropna(),
                               equal_var=False)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.basis == {"here": 1, "there": 2}
    assert "here: rows at 1 of 3 institutions" in found.summary()


@pytest.mark.parametrize("wrong", [{"method": "z"}, {"by": "y"}, {"groups": ["a"]}, {"groups": ["a", "a"]},
                                   {"confidence": 1.0}, {"cells": 0}, {"alternative": "less"}])
def test_other_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ComparisonParameters(**({"method": "t", "outcome": "y", "by": "g"} | wrong))


@pytest.mark.parametrize("method", ["t", "anova", "mann-whitney", "kruskal"])
def test_every_test_can_be_read(run_pooled: Callable[..., Any], method: str) -> None:
    two = FRAME[FRAME.g.isin(sorted(FRAME.g.unique())[:2])].reset_index(drop=True)
    found = run_pooled(parts(two), Comparison(), {"method": method, "outcome": "y", "by": "g"})
    assert f"p {found.pvalue:.4g}" in found.summary()
