"""The card against the same recipe on pooled rows (tests/support/pooled_card.py), and what it refuses or merges."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from expected_error import raises
from pooled_card import pooled_card

import sealane
from sealane.computations.metrics.scoring_model import Card
from sealane.computations.scorecard.fit import Scorecard
from sealane.computations.scorecard.merging import Group, large_enough
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field, infer_contract

mpl.use("Agg")
FEATURES = ["income", "age", "debt", "copy", "noise", "region", "owner"]
ASKED: dict[str, Any] = {"outcome": "bad", "features": FEATURES}


def bank(seed: int, rows: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    income, age = rng.gamma(3, 900, rows).round(), rng.integers(18, 80, rows)
    debt = rng.normal(0, 1, rows).round(2)
    region = rng.choice(list("abcdef"), rows, p=[0.35, 0.3, 0.2, 0.1, 0.045, 0.005])
    odds = -1.2 - 0.0003 * (income - 2700) - 0.02 * (age - 45) + 0.7 * debt + 0.7 * np.isin(region, ["b", "d"])
    bad = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)
    frame = pd.DataFrame({"income": income, "age": age, "debt": debt,
                          "copy": (debt + rng.normal(0, 0.1, rows)).round(2), "noise": rng.normal(0, 1, rows).round(2),
                          "region": region, "owner": rng.choice(["no", "yes"], rows), "bad": bad})
    frame.loc[rng.random(rows) < 0.15, "income"] = np.nan
    frame.loc[rng.random(rows) < 0.002, "debt"] = np.nan
    return frame


FRAMES = {f"bank{k}": bank(k) for k in range(3)}
POOLED = pd.concat(FRAMES.values(), ignore_index=True)


def ask(run_pooled: Callable[..., Any], frames: dict[str, pd.DataFrame] = FRAMES, **change: Any) -> Any:
    options = {key: change.pop(key) for key in ("minimum_count", "contract", "exposed") if key in change}
    return run_pooled(frames, Scorecard(), ASKED | change, **options)


@pytest.mark.parametrize("binning", ["monotone", "quantile", "chi-merge"])
@pytest.mark.parametrize("stepwise", ["none", "forward", "backward", "both"])
def test_the_card_is_that_of_pooled_rows(run_pooled: Callable[..., Any], binning: str, stepwise: str) -> None:
    found = ask(run_pooled, binning=binning, stepwise=stepwise, minimum_iv=0.002)
    expected = pooled_card(POOLED, "bad", FEATURES, method=binning, stepwise=stepwise, minimum_iv=0.002)
    for name, table in expected.tables.items():
        if len(table) > 1:
            bins = found.bins.loc[name]
            np.testing.assert_array_equal(bins[["others", "events"]], table[["others", "events"]])
            np.testing.assert_allclose(bins[["woe", "iv"]], table[["woe", "iv"]], rtol=1e-6)
        else:
            assert found.dropped[name] == "one-bin"
    assert set(expected.vif) == set(found.vif.index)
    np.testing.assert_allclose(found.vif, [expected.vif[name] for name in found.vif.index], rtol=1e-6)
    np.testing.assert_allclose(found.steps["aic"], expected.steps, rtol=1e-6)
    assert sorted(found.params.index) == sorted(expected.fit.params.index)
    np.testing.assert_allclose(found.params, expected.fit.params[found.params.index], rtol=1e-6)
    np.testing.assert_allclose(found.bse, expected.fit.bse[found.params.index], rtol=1e-6)
    np.testing.assert_allclose([found.llf, found.aic, found.null_deviance],
                               [expected.fit.llf, expected.fit.aic, -2 * expected.fit.llnull], rtol=1e-6)
    x = expected.woe[found.params.index[1:]].to_numpy()
    risk = 1 / (1 + np.exp(-(found.params.iloc[0] + x @ found.params.iloc[1:].to_numpy())))
    np.testing.assert_allclose(found.predict(POOLED), risk, rtol=1e-6)


def test_the_recipe_meets_what_it_is_for(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled, minimum_iv=0.01)
    assert {"income", "age", "region"} <= set(found.params.index)
    assert len({"debt", "copy"} & set(found.params.index)) == 1
    assert {found.dropped["noise"], found.dropped["owner"]} <= {"iv", "one-bin"}
    assert "missing" in found.bins.loc["income"].index  # by itself; of debt too few
    assert any(label.endswith(", missing") for label in found.bins.loc["debt"].index)


def test_points_follow_from_odds(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled, base_score=500, base_odds=20, pdo=40, round_points=False)
    risk = found.predict(POOLED)
    np.testing.assert_allclose(found.score(POOLED), 500 + 40 * np.log2((1 - risk) / risk / 20), rtol=1e-9)
    rounded = ask(run_pooled, base_score=500, base_odds=20, pdo=40)
    assert rounded.points["points"].dtype.kind == "i"
    assert (rounded.score(POOLED) - found.score(POOLED)).abs().max() <= 0.5 * (len(found.params) - 1)


def test_reasons_are_where_points_are_lost(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled, round_points=False)
    rows = POOLED.head(6)
    for against in ("maximum", "neutral"):
        reasons = found.reasons(rows, n=2, against=against)
        for place in range(len(rows)):
            lost = {}
            for name in found.params.index[1:]:
                part = found.points.loc[name, "points"]
                level = part.max() if against == "maximum" else np.average(part, weights=found.bins.loc[name, "rows"])
                lost[name] = level - _points_of(found, name, rows.iloc[[place]])
            worst = [name for name in sorted(lost, key=lambda name: -lost[name]) if lost[name] > 1e-9][:2]
            assert [name for name in reasons.iloc[place] if name is not None] == worst
    with raises("scorecard.against", InputError):
        found.reasons(rows, against="nobody")


def _points_of(found: Any, name: str, row: pd.DataFrame) -> float:
    """Return one feature's points: the score less that of the same row in the feature's first bin, plus that bin's."""
    others = row.copy()
    first = found.points.loc[name, "points"]
    label = first.index[0]
    value: Any = label.split(", ")[0] if name in ("region", "owner") else float(label.split(" ")[2])
    others[name] = value
    return float((found.score(row) - found.score(others)).iloc[0] + first.iloc[0])


def test_no_bin_shows_few(run_pooled: Callable[..., Any]) -> None:
    for m in (10, 60):
        found = ask(run_pooled, minimum_count=m, minimum_share=0.0, fine_bins=100, bins=20, binning="quantile",
                    minimum_iv=0.0)
        assert found.bins[["events", "others"]].to_numpy().min() >= m
        for name in found.bins.index.unique("feature"):
            assert found.bins.loc[name, "rows"].sum() == len(POOLED)


def test_levels_that_nobody_has_or_few_have_are_scored_all_the_same(run_pooled: Callable[..., Any]) -> None:
    fields = [field.model_copy(update={"allowed": (*field.allowed, "z")}) if field.name == "region" else field
              for field in infer_contract(FRAMES).fields]
    contract = Contract(id="t.t/v1", title="t", fields=tuple(fields))
    found = ask(run_pooled, contract=contract)
    assert sum("z" in label.replace(", missing", "").split(", ") for label in found.bins.loc["region"].index) == 1
    row = POOLED.head(1).assign(region="z")
    assert np.isfinite(found.score(row).iloc[0])
    with raises("model.unknown-level", InputError):
        found.score(row.assign(region="elsewhere"))
    with raises("model.missing-column", InputError):
        found.score(row.drop(columns="region"))
    with raises("columns.not-numeric", InputError):
        found.score(row.assign(age="old"))


def test_given_edges_and_an_adjustment(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled, features=["age", "debt"], edges={"age": [30, 50]}, binning="quantile", adjustment=0.5)
    table = pd.crosstab(pd.cut(POOLED.age, [0, 30, 50, 100]), POOLED.bad)
    np.testing.assert_array_equal(found.bins.loc["age"][["others", "events"]], table)
    shares = (table + 0.5) / (table.sum() + 1.5)
    np.testing.assert_allclose(found.bins.loc["age", "woe"], np.log(shares[0] / shares[1]), rtol=1e-9)


def test_how_rows_are_spread_changes_nothing(run_pooled: Callable[..., Any]) -> None:
    contract = infer_contract(FRAMES)
    whole = ask(run_pooled, {"all": POOLED}, contract=contract)
    places = np.random.default_rng(1).integers(0, 5, len(POOLED))
    spread = ask(run_pooled, {f"n{k}": POOLED[places == k] for k in range(5)}, contract=contract)
    pd.testing.assert_frame_equal(spread.bins, whole.bins, rtol=1e-12)
    pd.testing.assert_series_equal(spread.params, whole.params, rtol=1e-8)
    pd.testing.assert_frame_equal(spread.points, whole.points, rtol=1e-8)


def test_between_nodes_under_rlwe_and_a_bank_without_events() -> None:
    frames = {name: frame[["region", "owner", "bad"]].head(300) for name, frame in FRAMES.items()}
    frames["bank2"] = frames["bank2"][frames["bank2"].bad == 0]
    asked: dict[str, Any] = {"outcome": "bad", "features": ["region", "owner"], "stepwise": "none",
                             "minimum_iv": 0.001}
    found = sealane.simulate(frames).run("glm.scorecard", scheme="rlwe", **asked)
    expected = pooled_card(pd.concat(frames.values(), ignore_index=True), "bad", ["region", "owner"],
                           stepwise="none", minimum_iv=0.001)
    np.testing.assert_allclose(found.params, expected.fit.params[found.params.index], rtol=1e-6)
    assert found.trace.rounds > 5


def test_a_bin_rests_on_enough_institutions() -> None:
    frames = {name: frame[["debt", "region", "bad"]].copy() for name, frame in FRAMES.items()}
    for name in ("bank1", "bank2"):
        frames[name].loc[frames[name].region == "b", "region"] = "a"  # only one bank knows b
    asked: dict[str, Any] = {"outcome": "bad", "features": ["debt", "region"], "minimum_iv": 0.001}
    found = sealane.simulate(frames).run("glm.scorecard", **asked)
    assert "b" not in found.bins.loc["region"].index
    assert any("b" in label.split(", ") for label in found.bins.loc["region"].index)
    exposed = sealane.simulate(frames).run("glm.scorecard", waive_differencing=list(frames), **asked)
    assert "b" in exposed.bins.loc["region"].index


def test_a_group_left_alone_and_not_allowed_is_not_shown() -> None:
    assert large_enough([Group((0,), 1, 1), Group((1,), 2, 2)], lambda group: False) == [Group((0, 1), 3, 3)]


def test_refusals(run_pooled: Callable[..., Any]) -> None:
    with raises("scorecard.too-few-events", RefusedError):
        ask(run_pooled, minimum_count=600)
    with raises("model.too-few-rows", RefusedError):
        ask(run_pooled, minimum_count=5000)
    with raises("scorecard.missing-at-institution", RefusedError) as caught:
        ask(run_pooled, FRAMES | {"bank0": FRAMES["bank0"].assign(income=np.nan)})
    assert (caught.value.got, "bank0" in str(caught.value)) == ("income", False)
    with raises("scorecard.no-features-left", RefusedError):
        ask(run_pooled, features=["noise"], minimum_iv=0.5)
    with raises("scorecard.no-features-left", RefusedError):
        ask(run_pooled, features=["noise"], minimum_share=0.5, bins=2, edges={"noise": [-50]})
    with raises("scorecard.edges-of-levels", InputError):
        ask(run_pooled, edges={"region": [1.0]})
    with raises("outcome.type", InputError):
        ask(run_pooled, outcome="age", features=["debt"])
    dated = {name: frame.assign(day=pd.Timestamp("2026-01-01")) for name, frame in FRAMES.items()}
    with raises("model.feature-type", InputError):
        ask(run_pooled, dated, features=["day"])
    contract = Contract(id="t.t/v1", title="t", fields=(
        Field(name="bad", type="boolean"), Field(name="age", type="integer")))
    with raises("columns.unbounded", InputError):
        ask(run_pooled, features=["age"], contract=contract)
    with raises("model.institutions-without-rows", RefusedError):
        sealane.simulate(FRAMES | {"bank0": FRAMES["bank0"].assign(bad=np.nan)}).run("glm.scorecard", **ASKED)
    few = {"a": POOLED[POOLED.bad == 1].head(12), "b": POOLED[POOLED.bad == 0].head(200)}
    with raises("model.events-per-parameter", RefusedError):
        ask(run_pooled, few, minimum_iv=0.0, maximum_vif=1000, minimum_count=3)


@pytest.mark.parametrize("wrong", [
    {"features": ["age", "age"]}, {"features": ["bad"]}, {"categorical": ["x"]}, {"edges": {"x": [1.0]}},
    {"edges": {"age": [2.0, 1.0]}}, {"bins": 1}, {"minimum_share": 0.9}, {"pdo": 0.0}, {"other": 1}])
def test_parameters_are_checked(wrong: dict[str, Any]) -> None:
    with raises("computation.bad-parameters", InputError):
        sealane.simulate(FRAMES).run("glm.scorecard", **(ASKED | wrong))


def test_the_result_reads_well(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled)
    assert "600 points at odds of 50 to 1" in found.summary()
    assert "not used: " in found.summary()
    assert "<pre>" in found._repr_html_()
    told = found.to_dict()
    assert [one["points"] for one in told["points"]] == found.points["points"].tolist()
    assert found.iv.dropna().is_monotonic_decreasing
    assert len(found.plot().patches) == found.iv.notna().sum()
    assert len(found.plot(feature="age").patches) == len(found.bins.loc["age"])
    with raises("scorecard.unknown-feature", InputError):
        found.plot(feature="shoe")
    assert found.conf_int().loc["age", 0] < found.params["age"] < found.conf_int().loc["age", 1]


def test_a_card_is_plain_parameters(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled)
    card = Card.model_validate(found.model)
    np.testing.assert_allclose(card.score(POOLED), found.predict(POOLED), rtol=1e-12)
    text = "".join(f"{key} = {value!r}\n" for key, value in found.model["features"][0].items())
    assert tomllib.loads(text) == found.model["features"][0]
