"""``statistics.correlation`` against pandas and scipy on pooled rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from expected_error import raises
from scipy import stats

import sealane
from sealane.computations.statistics.correlation import Correlation, CorrelationParameters
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract


def made(rows: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    x = rng.normal(50, 4, rows)
    frame = pd.DataFrame({"x": x, "y": 0.5 * x + rng.normal(0, 3, rows), "k": rng.poisson(np.exp(x / 40), rows),
                          "few": np.nan, "flat": 3.0})
    frame.loc[:49, "y"] = np.nan
    frame.loc[50:55, "few"] = np.arange(6.0) + 0.5
    frame.loc[rows - 5 :, "x"] = np.nan
    return frame


def parts(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {f"n{k}": frame.iloc[k::3] for k in range(3)}


def test_pearson_equals_pandas(run_pooled: Callable[..., Any], new_meeting: Callable[..., Any]) -> None:
    frame = made()
    meeting = new_meeting(list(parts(frame)))
    found = run_pooled(parts(frame), Correlation(), {"columns": list(frame)}, meeting=meeting)
    assert meeting.sums == 3
    names = ["x", "y", "k"]
    np.testing.assert_allclose(found.r.loc[names, names], frame[names].corr(), rtol=1e-9)
    kept = frame[["y", "k"]].dropna()
    assert found.n.loc["y", "k"] == len(kept)
    assert found.pvalues.loc["k", "y"] == pytest.approx(stats.pearsonr(kept.y, kept.k).pvalue, rel=1e-6)
    assert np.isnan(found.n.loc["x", "k"])  # five rows lack x: their number does not follow
    assert found.rules.loc["x", "few"] == "minimum-count"
    assert found.r.loc[["few", "flat"], "x"].isna().all()
    assert found.rules.loc["flat", "x"] == "nothing-varies"


def test_spearman_equals_scipy_on_the_grid(run_pooled: Callable[..., Any]) -> None:
    frame = made()
    asked = {"columns": ["x", "y", "k"], "method": "spearman", "cells": 64}
    found = run_pooled(parts(frame), Correlation(), asked)
    cells = frame[["x", "y", "k"]].copy()
    for name in ("x", "y"):
        low, high = frame[name].min(), frame[name].max()
        cells[name] = np.floor((frame[name] - low) / (high - low) * 64).clip(0, 63)
        assert found.grid[name] == pytest.approx((high - low) / 64)
    assert found.grid["k"] == 0
    np.testing.assert_allclose(found.r, cells.corr(method="spearman"), rtol=1e-10)
    finer = run_pooled(parts(frame), Correlation(), asked | {"cells": 10_000})
    np.testing.assert_allclose(finer.r, frame[["x", "y", "k"]].corr(method="spearman"), atol=2e-4)
    kept = cells[["y", "k"]].dropna()
    assert found.pvalues.loc["y", "k"] == pytest.approx(stats.spearmanr(kept.y, kept.k).pvalue, rel=1e-6)
    assert "grid" in found.summary()


@pytest.mark.parametrize("digits", [9, 0])
def test_spearman_follows_the_values_however_wide_the_contract(
    run_pooled: Callable[..., Any], digits: int
) -> None:
    frame = made()[["x", "y", "k"]].round(digits)
    ends = [frame.min().to_frame().T - 1e9, frame.max().to_frame().T + 1e13]
    contract = infer_contract({"all": pd.concat([frame, *ends])})
    found = run_pooled(parts(frame), Correlation(), {"columns": ["x", "y", "k"], "method": "spearman"},
                       contract=contract)
    np.testing.assert_allclose(found.r, frame.corr(method="spearman"), atol=1e-3)


@pytest.mark.parametrize("reach", [1e2, 1e11, 1e15])
def test_pearson_follows_the_values_however_wide_the_contract(
    run_pooled: Callable[..., Any], new_meeting: Callable[..., Any], reach: float
) -> None:
    frame = made()[["x", "y", "k"]].assign(flat=7.3)
    ends = pd.DataFrame({name: [-reach, reach] for name in ("x", "y", "flat")} | {"k": frame.k.max()})
    contract = infer_contract({"all": pd.concat([frame, ends])})
    meeting = new_meeting(list(parts(frame)))
    found = run_pooled(parts(frame), Correlation(), {"columns": list(frame)}, contract=contract, meeting=meeting)
    names = ["x", "y", "k"]
    np.testing.assert_allclose(found.r.loc[names, names], frame[names].corr(), rtol=1e-9)
    assert found.rules.loc["flat", names].tolist() == ["nothing-varies"] * 3
    assert found.r.loc["flat", names].isna().all()
    assert meeting.sums <= 3 + 2 * 2 + 2


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_a_correlation_that_there_is_not_says_why(run_pooled: Callable[..., Any], method: str) -> None:
    frame = made()[["x", "k"]].assign(flat=7.3, zero=0)
    ends = pd.DataFrame({"x": [0.0, 99.0], "k": frame.k.max(), "flat": [-1e3, 1e3], "zero": [0, 900]})
    contract = infer_contract({"all": pd.concat([frame, ends])})
    found = run_pooled(parts(frame), Correlation(), {"columns": list(frame), "method": method}, contract=contract)
    for name in ("flat", "zero"):
        assert found.rules.loc[name, ["x", "k"]].tolist() == ["nothing-varies"] * 2
        assert frame.corr(method=method)[name].isna().all()
    assert np.isnan(found.pvalues.loc["flat", "x"])
    assert "nothing-varies" in found.summary()
    assert "hidden" not in found.summary()


def test_ranks_that_the_grid_does_not_tell_apart_say_so(run_pooled: Callable[..., Any]) -> None:
    frame = made()[["x", "k"]].dropna().iloc[:12]  # a cell of so few rows is not divided
    contract = infer_contract({"all": pd.concat([frame, pd.DataFrame({"x": [-1e9, 1e9], "k": 0})])})
    found = run_pooled(parts(frame), Correlation(), {"columns": ["x", "k"], "method": "spearman"}, contract=contract,
                       minimum_count=12)
    assert found.rules.loc["x", "k"] == "range-too-wide"
    assert "range-too-wide" in found.summary()


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_through_either_scheme(scheme: str, method: str) -> None:
    frame = made(240)[["x", "k"]].dropna()
    found = sealane.simulate(parts(frame)).run("statistics.correlation", scheme=scheme, columns=["x", "k"],
                                               method=method, cells=10_000)
    assert found.r.loc["x", "k"] == pytest.approx(frame.corr(method=method).loc["x", "k"], abs=1e-3)
    assert found.to_dict()["pairs"][0]["rows"] == len(frame)
    assert 0 <= found.to_dict()["pairs"][0]["pvalue"] <= 1


def test_how_rows_are_spread_changes_nothing(run_pooled: Callable[..., Any]) -> None:
    frame = made(200)
    contract = infer_contract({"all": frame})
    for method in ("pearson", "spearman"):
        asked = {"columns": ["x", "y", "k"], "method": method}
        one = run_pooled({"all": frame}, Correlation(), asked, contract=contract)
        other = run_pooled({"a": frame.iloc[:7], "b": frame.iloc[7:]}, Correlation(), asked, contract=contract)
        np.testing.assert_allclose(one.r, other.r, rtol=1e-12)


def test_a_pair_known_at_too_few_institutions_is_hidden() -> None:
    frames = {name: made(90)[["x", "k"]].assign(only=np.arange(90.0) if name == "n0" else np.nan)
              for name in ("n0", "n1", "n2")}
    fed = sealane.simulate(frames)
    found = fed.run("statistics.correlation", columns=["x", "k", "only"], waive_differencing=list(frames))
    assert found.basis == {("x", "only"): 1, ("k", "only"): 1}
    assert "x and only: rows at 1 of 3 institutions" in found.summary()
    found = sealane.simulate(frames).run("statistics.correlation", columns=["x", "k", "only"])
    assert found.basis == {}
    assert found.rules.loc["only"].tolist() == ["minimum-cohort", "minimum-cohort", None]
    assert found.r.loc["x", "only":].isna().all()
    assert not np.isnan(found.r.loc["x", "k"])


def test_two_valued_columns_are_correlated_where_each_value_has_rows(run_pooled: Callable[..., Any]) -> None:
    frame = made()[["x", "k"]].dropna()
    frame["yes"] = frame["x"] > 50
    frame["rare"] = np.arange(len(frame)) < 4
    for method in ("pearson", "spearman"):
        found = run_pooled(parts(frame), Correlation(), {"columns": list(frame), "method": method, "cells": 10_000})
        exact = frame[["x", "k", "yes"]].astype(float).corr(method=method)
        within = 1e-9 if method == "pearson" else 2e-4
        np.testing.assert_allclose(found.r.loc[exact.index, exact.index], exact, atol=within)
        assert found.rules.loc["rare"].tolist() == ["minimum-count"] * 3 + [None]


def test_a_line_and_rounding(run_pooled: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"x": np.arange(60.0), "y": -2 * np.arange(60.0) + 7, "z": np.arange(60.0) ** 2})
    found = run_pooled(parts(frame), Correlation(), {"columns": ["x", "y", "z"], "digits": 2})
    assert found.r.loc["x", "y"] == pytest.approx(-1.0)
    assert found.r.loc["x", "z"] == pytest.approx(0.97, abs=1e-12)


def test_refusals(run_pooled: Callable[..., Any]) -> None:
    frame = made(60)
    with raises("correlation.too-few-rows", RefusedError):
        run_pooled(parts(frame[:9]), Correlation(), {"columns": ["x", "k"]})
    with raises("statistics.not-a-number", InputError):
        run_pooled(parts(frame.assign(g="a")), Correlation(), {"columns": ["x", "g"]})
    wide = pd.DataFrame({f"c{k}": np.arange(60.0) + 0.5 * (np.arange(60) % 2) for k in range(24)})
    with raises("correlation.too-many-cells", InputError):
        run_pooled(parts(wide), Correlation(), {"columns": list(wide), "method": "spearman", "cells": 10_000})


@pytest.mark.parametrize("wrong", [{"columns": ["x"]}, {"columns": ["x", "x"]}, {"method": "kendall"}, {"cells": 1},
                                   {"epsilon": "1"}])
def test_other_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        CorrelationParameters(**({"columns": ["x", "y"]} | wrong))
