"""``statistics.quantiles`` against numpy on pooled values, within the error that it states."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from expected_error import raises
from hypothesis import given, settings
from hypothesis import strategies as st

import sealane
from sealane.computations.pricing import price_of
from sealane.computations.statistics.quantile_search import ranks
from sealane.computations.statistics.quantiles import Quantiles, QuantilesParameters
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract

TENTHS = tuple(k / 10 for k in range(1, 10))


def made(rows: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"whole": rng.poisson(40, rows), "real": rng.lognormal(1, 1, rows),
                          "g": rng.choice(["a", "b", "c"], rows, p=[0.5, 0.49, 0.01])})
    frame.loc[:99, "real"] = np.nan
    return frame


def parts(frame: pd.DataFrame, number: int = 3) -> dict[str, pd.DataFrame]:
    return {f"n{k}": frame.iloc[k::number] for k in range(number)}


def test_all_are_searched_side_by_side_and_lie_within_their_error(
    run_pooled: Callable[..., Any], new_meeting: Callable[..., Any]
) -> None:
    frame = made()
    meeting = new_meeting(list(parts(frame)))
    found = run_pooled(parts(frame), Quantiles(), {"columns": ["whole", "real"], "probabilities": TENTHS,
                                                   "resolution": 1e-6}, meeting=meeting)
    assert meeting.sums == 1 + 5  # 16^5 parts of the range are finer than a millionth
    assert found.values["whole"].tolist() == np.quantile(frame["whole"], TENTHS).tolist()
    assert (found.errors["whole"] == 0).all()
    exact = np.quantile(frame["real"].dropna(), TENTHS)
    assert (np.abs(found.values["real"] - exact) <= found.errors["real"] + 1e-12).all()
    assert (found.errors["real"] <= np.ptp(frame["real"].dropna()) / 1e6).all()
    assert found.rules.isna().all(axis=None)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.lists(st.floats(0.001, 0.999), min_size=1, max_size=6, unique=True), st.integers(1, 20))
def test_enough_values_lie_beyond_each_and_between_two(rows: int, asked: list[float], minimum: int) -> None:
    numbers = np.arange(rows)
    shown = [one for one in ranks(rows, sorted(asked), minimum) if one is not None]
    for lower, upper, weight in shown:
        assert (numbers <= lower).sum() >= minimum
        assert (numbers >= upper).sum() >= minimum
        assert 0 <= weight < 1
    assert all(later[0] - earlier[0] >= minimum for earlier, later in pairwise(shown))
    for probability, found in zip(sorted(asked), ranks(rows, sorted(asked), 1), strict=True):
        if found is not None:
            assert found[0] + found[2] * (found[1] - found[0]) == pytest.approx(np.quantile(numbers, probability))


def test_groups_under_the_minimum_are_hidden_with_another(run_pooled: Callable[..., Any]) -> None:
    frame = made(600)
    found = run_pooled(parts(frame), Quantiles(), {"columns": ["whole"], "by": "g", "digits": 1})
    assert found.values.columns.tolist() == [("whole", "a"), ("whole", "b"), ("whole", "c")]
    assert found.rules["whole"].iloc[0].to_dict() == {"a": "complementary", "b": None, "c": "minimum-count"}
    exact = np.quantile(frame.loc[frame.g == "b", "whole"], [0.25, 0.5, 0.75])
    assert found.values["whole", "b"].tolist() == [float(f"{one:.1g}") for one in exact]
    assert "\nhidden by complementary, minimum-count\n" in found.summary()


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_through_either_scheme(scheme: str) -> None:
    frame = made(300)
    fed = sealane.simulate(parts(frame))
    found = fed.run("statistics.quantiles", scheme=scheme, columns=["real"], by="g", resolution=1e-3)
    exact = frame[frame.g == "b"].real.quantile([0.25, 0.5, 0.75]).to_numpy()
    assert (np.abs(found.values["real", "b"] - exact) <= found.errors["real", "b"]).all()


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_with_a_promise_they_are_read_off_one_noised_sum(scheme: str) -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"x": rng.uniform(0, 100, 9000), "y": rng.normal(0, 1, 9000)})
    asked = {"columns": ["x", "y"], "epsilon": "1", "delta": "1e-6", "cells": 50}
    found = sealane.simulate(parts(frame)).run("statistics.quantiles", scheme=scheme, **asked)
    for name in frame:
        exact = frame[name].quantile([0.25, 0.5, 0.75]).to_numpy()
        assert (np.abs(found.values[name] - exact) <= found.errors[name]).all()
    assert (found.errors["x"] > 1.9).all()
    price = price_of(Quantiles(), QuantilesParameters(**asked), infer_contract(parts(frame)), 2)
    assert price is not None
    assert (price.sums, price.mechanism.norm_squared, price.mechanism.entries) == (1, 2, 100)
    # dp-accounting's tests: a Gaussian of multiplier 4.530877117 is exactly (1, 1e-6); three nodes, two of them honest.
    assert found.standard_error == pytest.approx((2 * 1.5) ** 0.5 * 4.5309, rel=2e-3)
    assert "standard error" in found.summary()


def test_how_rows_are_spread_changes_nothing(run_pooled: Callable[..., Any]) -> None:
    frame = made(200)
    contract = infer_contract({"all": frame})
    asked = {"columns": ["whole", "real"]}
    one = run_pooled({"all": frame}, Quantiles(), asked, contract=contract)
    other = run_pooled({"a": frame.iloc[:7], "b": frame.iloc[7:]}, Quantiles(), asked, contract=contract)
    pd.testing.assert_frame_equal(one.values, other.values)
    pd.testing.assert_frame_equal(one.errors, other.errors)


@pytest.mark.parametrize(("frame", "change", "error", "code"), [
    (made(9), {"columns": ["whole"]}, RefusedError, "quantiles.too-few-rows"),
    (made(90), {"columns": ["g"]}, InputError, "statistics.not-a-number"),
    (made(90), {"columns": ["real"], "by": "whole"}, InputError, "statistics.group-type"),
])
def test_refusals(run_pooled: Callable[..., Any], frame: pd.DataFrame, change: Any, error: Any, code: str) -> None:
    with raises(code, error):
        run_pooled(parts(frame), Quantiles(), change)


@pytest.mark.parametrize("wrong", [
    {"columns": []}, {"columns": ["x", "x"]}, {"by": "x"}, {"probabilities": [0.5, 0.2]}, {"probabilities": [0.0]},
    {"resolution": 0.0}, {"cells": 1}, {"delta": "1e-6"},
])
def test_other_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        QuantilesParameters(**({"columns": ["x"]} | wrong))


def test_a_value_is_told_with_the_fewest_digits_that_its_error_allows(run_pooled: Callable[..., Any]) -> None:
    values = np.repeat([0.0, 0.5, 1.1, 2.3], 60)
    frame = pd.DataFrame({"dose": values})
    found = run_pooled(parts(frame), Quantiles(), {"columns": ["dose"], "probabilities": [0.1, 0.4, 0.6, 0.9]})
    assert found.values["dose"].tolist() == [0.0, 0.5, 1.1, 2.3]


@pytest.mark.parametrize("by", [None, "g"])
def test_a_summary_bounds_the_error_by_column(run_pooled: Callable[..., Any], by: str | None) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"whole": rng.poisson(9, 600), "pay": rng.lognormal(10, 1, 600), "share": rng.random(600),
                          "g": rng.choice(["a", "b"], 600)})
    asked = {"columns": ["whole", "pay", "share"], "probabilities": [0.25, 0.5, 0.75], "resolution": 1e-3}
    found = run_pooled(parts(frame), Quantiles(), asked | ({"by": by} if by else {}))
    line = next(line for line in found.summary().splitlines() if "exact quantile" in line)
    bounds = {name: float(bound) for name, bound in (one.split() for one in line.split(": ")[1].split(", "))}
    assert list(bounds) == ["whole", "pay", "share"]
    assert bounds["whole"] == 0.0
    for name, bound in bounds.items():
        groups = [frame[name]] if by is None else [part for _, part in frame.groupby("g")[name]]
        told = found.values[name].to_numpy().reshape(3, -1)
        exact = np.array([np.quantile(part, asked["probabilities"]) for part in groups]).T
        assert (np.abs(told - exact) <= bound * 1.01).all()
        width = (frame[name].max() - frame[name].min()) * 1e-3
        assert bound <= width * 1.01
