"""Metrics against scikit-learn, scipy and statsmodels on pooled rows, within the stated errors or exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from expected_error import raises
from scipy.stats import ks_2samp
from sklearn.metrics import brier_score_loss, confusion_matrix, roc_auc_score, roc_curve

import sealane
from sealane.computations.glm.fit import GlmFit
from sealane.computations.metrics.curves import Ranked, cut
from sealane.computations.metrics.groups import Groups, hidden_groups
from sealane.computations.metrics.ranking import MetricsRanking
from sealane.computations.metrics.scoring_model import Regression, model_of
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract

mpl.use("Agg")
ASKED: dict[str, Any] = {"outcome": "bad", "score": "p"}


def bank(seed: int, rows: int = 700, digits: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, sex = rng.normal(0, 1.3, rows), rng.choice(["f", "m", "x"], rows, p=[0.55, 0.44, 0.01])
    p = 1 / (1 + np.exp(1 - x))
    bad = rng.random(rows) < 1 / (1 + np.exp(1.3 - 0.8 * x - 0.3 * (sex == "m")))
    return pd.DataFrame({"x": x, "sex": sex, "p": p.round(digits), "points": (600 - 40 * x).round(1),
                         "bad": bad.astype(int)})


FRAMES = {f"bank{k}": bank(k) for k in range(3)}
POOLED = pd.concat(FRAMES.values(), ignore_index=True)


def ask(run_pooled: Callable[..., Any], frames: dict[str, pd.DataFrame] = FRAMES, **change: Any) -> Any:
    options = {key: change.pop(key) for key in ("minimum_count", "contract", "exposed") if key in change}
    return run_pooled(frames, MetricsRanking(), ASKED | change, **options)


def between_cuts(found: Any, scores: pd.Series) -> Any:
    """Return scores as far as the cuts that are shown tell them apart."""
    return np.searchsorted(np.sort(found.roc["threshold"].dropna()), scores, side="right")


def test_the_standard_error_is_that_of_all_pairs(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled, bins=50)
    assert len(found.roc) > 15
    binned = pd.Series(between_cuts(found, POOLED.p))
    events, others = (binned[POOLED.bad == bad].to_numpy() for bad in (1, 0))
    wins = (events[:, None] > others) + 0.5 * (events[:, None] == others)
    variance = wins.mean(axis=1).var(ddof=1) / len(events) + wins.mean(axis=0).var(ddof=1) / len(others)
    np.testing.assert_allclose(found.auc_se, math.sqrt(variance), rtol=1e-9)


@pytest.mark.parametrize("bins", [20, 200, 2000])
def test_the_curve_is_within_its_error(run_pooled: Callable[..., Any], bins: int) -> None:
    found = ask(run_pooled, bins=bins)
    exact = roc_auc_score(POOLED.bad, POOLED.p)
    assert abs(found.auc - exact) <= found.auc_error
    binned = between_cuts(found, POOLED.p)
    tied = pd.crosstab(binned, POOLED.bad)
    pairs = tied[0].sum() * tied[1].sum()
    np.testing.assert_allclose(found.auc_error, (tied[0] * tied[1]).sum() / 2 / pairs, rtol=1e-12)
    assert found.auc_error < max(0.04 if bins == 20 else 0.0, 0.02)
    ks = ks_2samp(POOLED.p[POOLED.bad == 1], POOLED.p[POOLED.bad == 0]).statistic
    assert found.ks - 1e-12 <= ks <= found.ks + found.ks_error + 1e-12
    np.testing.assert_allclose(found.auc, roc_auc_score(POOLED.bad, binned), rtol=1e-12)
    assert found.gini == 2 * found.auc - 1


def test_binned_scores_are_judged_exactly(run_pooled: Callable[..., Any]) -> None:
    # Every score but the largest has 10 rows with the event and 10 without.
    frames = {name: frame.assign(p=(frame.p * 8).round().clip(0, 7) / 8) for name, frame in FRAMES.items()}
    rows = pd.concat(frames.values())
    found = ask(run_pooled, frames, bins=1000)
    fpr, tpr, thresholds = roc_curve(rows.bad, rows.p, drop_intermediate=False)
    np.testing.assert_allclose(found.auc, roc_auc_score(rows.bad, rows.p), rtol=1e-12)
    np.testing.assert_allclose(found.ks, (tpr - fpr).max(), rtol=1e-12)
    np.testing.assert_allclose(found.ks, ks_2samp(rows.p[rows.bad == 1], rows.p[rows.bad == 0]).statistic, rtol=1e-12)
    shown = found.roc.iloc[1:-1]
    assert len(shown) >= 5
    for _, row in shown.iterrows():  # a cut lies anywhere between two scores
        at = np.flatnonzero(thresholds >= row.threshold)[-1]
        np.testing.assert_allclose([row.fpr, row.tpr], [fpr[at], tpr[at]], rtol=1e-12)


def test_confusion_at_thresholds(run_pooled: Callable[..., Any]) -> None:
    few = float(POOLED.p.nlargest(5).iloc[-1])  # only five rows lie there or above
    found = ask(run_pooled, thresholds=[0.37, 0.123456, 0.5, few])
    for threshold in (0.37, 0.123456, 0.5):
        tn, fp, fn, tp = confusion_matrix(POOLED.bad, POOLED.p >= threshold).ravel()
        row = found.confusion.loc[threshold]
        assert row[["tp", "fp", "fn", "tn"]].tolist() == [tp, fp, fn, tn]
        np.testing.assert_allclose([row.tpr, row.fpr, row.precision, row.accuracy, row.selection_rate],
                                   [tp / (tp + fn), fp / (fp + tn), tp / (tp + fp), (tp + tn) / len(POOLED),
                                    (tp + fp) / len(POOLED)])
    assert found.suppressed == {str(few): "minimum-count"}
    assert math.isnan(found.confusion.loc[few, "tp"])


def test_thresholds_that_no_row_parts_are_not_told_from_those_that_one_does(run_pooled: Callable[..., Any]) -> None:
    frames = {name: frame.assign(p=(frame.p * 8).round() / 8) for name, frame in FRAMES.items()}
    found = ask(run_pooled, frames, thresholds=[0.3, 0.31, 0.3001, 1.0, 0.0], group="sex")
    assert found.confusion.loc[0.3, ["tp", "fp", "fn", "tn"]].notna().all()
    assert found.confusion.loc[[0.31, 0.3001], ["tp", "fp", "fn", "tn"]].isna().all().all()
    assert {found.suppressed[name] for name in ("0.31", "0.3001")} == {"minimum-count"}
    # Every probability is 0 or more, whatever the rows: that all are selected is public.
    assert found.confusion.loc[0.0, ["fn", "tn"]].tolist() == [0, 0]
    assert set(found.fairness.index.get_level_values("threshold")) == {0.3, 0.0}
    assert len(found.bands) > 2
    assert found.bands["event_rate"].notna().all()


def test_a_model_outside_of_its_domain_has_no_score() -> None:
    model = Regression.model_validate({"kind": "regression", "link": "logit", "columns": [
        {"coefficient": 1.0, "parts": [{"variable": "x", "transform": "log"}]},
        {"coefficient": -1.0, "parts": [{"variable": "z"}], "fill": 2.0}]})
    rows = pd.DataFrame({"x": [1.0, 0.0, -1.0, np.nan], "z": [0.0, 0.0, 0.0, np.nan]})
    assert np.isnan(model.score(rows)).tolist() == [False, True, True, True]
    np.testing.assert_allclose(model.score(rows)[0], 0.5)


def test_points_that_are_good_when_high(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled, score="points", higher="no-event", thresholds=[590.0])
    assert abs(found.auc - roc_auc_score(POOLED.bad, -POOLED.points)) <= found.auc_error
    assert found.confusion.loc[590.0, "tp"] == ((POOLED.points < 590) & (POOLED.bad == 1)).sum()
    assert found.calibration is None
    assert found.bands["from"].iloc[1] == found.bands["to"].iloc[0]
    assert found.bands["event_rate"].iloc[0] > found.bands["event_rate"].iloc[-1]


def test_bands_and_calibration(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled, bands=8)
    table = found.bands
    assert len(table) == 8
    assert table.rows.sum() == len(POOLED)
    for _, row in table.iterrows():
        inside = POOLED[(POOLED.p >= (-1 if math.isnan(row["from"]) else row["from"]))
                        & (POOLED.p < (2 if math.isnan(row["to"]) else row["to"]))]
        assert [row.rows, row.events] == [len(inside), inside.bad.sum()]
        np.testing.assert_allclose([row.event_rate, row.lift],
                                   [inside.bad.mean(), inside.bad.mean() / POOLED.bad.mean()], rtol=1e-9)
        assert abs(row.mean_score - inside.p.mean()) <= row.mean_error < 0.01
    np.testing.assert_allclose(table.gain, table.events.cumsum() / POOLED.bad.sum(), rtol=1e-12)
    np.testing.assert_allclose(table.cumulative_lift, table.gain / table.reached, rtol=1e-12)
    assert abs(found.brier - brier_score_loss(POOLED.bad, POOLED.p)) <= min(found.calibration["brier_error"], 5e-4)
    assert abs(found.calibration["mean"] - POOLED.p.mean()) <= min(found.calibration["mean_error"], 5e-4)
    assert found.calibration["brier_error"] < 0.01
    logit = np.log(POOLED.p / (1 - POOLED.p))
    expected = sm.Logit(POOLED.bad, sm.add_constant(logit)).fit(disp=False, tol=1e-12)
    for name, value, moved in zip(("intercept", "slope"), expected.params, found.calibration["moved"], strict=True):
        assert abs(found.calibration[name] - value) <= min(moved, 0.01)
    np.testing.assert_allclose(found.calibration["errors"], expected.bse, rtol=0.01)


def test_scores_of_full_bins_are_calibrated_like_the_rows(run_pooled: Callable[..., Any]) -> None:
    # In the middles of bins, each of which is full and holds both outcomes: nothing is lost but what is not told.
    frames = {name: frame.assign(p=(frame.p * 8).round().clip(1, 6) / 8 + 0.0005) for name, frame in FRAMES.items()}
    rows = pd.concat(frames.values())
    found = ask(run_pooled, frames)
    np.testing.assert_allclose(found.auc, roc_auc_score(rows.bad, rows.p), rtol=1e-12)
    np.testing.assert_allclose(found.brier, brier_score_loss(rows.bad, rows.p), rtol=1e-9)
    np.testing.assert_allclose(found.calibration["mean"], rows.p.mean(), rtol=1e-9)
    expected = sm.Logit(rows.bad, sm.add_constant(np.log(rows.p / (1 - rows.p)))).fit(disp=False, tol=1e-12)
    np.testing.assert_allclose([found.calibration["intercept"], found.calibration["slope"]], expected.params, rtol=1e-6)
    np.testing.assert_allclose(found.calibration["errors"], expected.bse, rtol=1e-6)


def test_a_score_that_separates_has_no_slope(run_pooled: Callable[..., Any]) -> None:
    frames = {name: frame.assign(p=0.2 + 0.6 * frame.bad) for name, frame in FRAMES.items()}
    found = ask(run_pooled, frames)
    assert (found.auc, found.ks, found.calibration["refused"]) == (1.0, 1.0, "model.separation")
    assert "model.separation" in found.summary()


def test_groups_side_by_side(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled, group="sex", thresholds=[0.3, 0.5])
    # Few are x, so another group is hidden with them.
    assert found.suppressed == {"x": "minimum-count", "f": "complementary"} or "x" in found.suppressed
    two = {name: frame[frame.sex != "x"] for name, frame in FRAMES.items()}
    rows = pd.concat(two.values())
    found = ask(run_pooled, two, group="sex", thresholds=[0.3, 0.5])
    rates = {}
    for sex in ("f", "m"):
        part = rows[rows.sex == sex]
        tn, fp, fn, tp = confusion_matrix(part.bad, part.p >= 0.5).ravel()
        rates[sex] = [(tp + fp) / len(part), tp / (tp + fn), fp / (fp + tn)]
        np.testing.assert_allclose(found.fairness.loc[(sex, 0.5), ["selection_rate", "tpr", "fpr"]].astype(float),
                                   rates[sex])
    np.testing.assert_allclose(found.fairness_gaps.loc[0.5, ["selection_rate", "tpr", "fpr"]],
                               np.abs(np.subtract(rates["f"], rates["m"])))


@pytest.mark.parametrize(("cells", "institutions", "rules"), [
    ([[50, 50], [60, 40], [3, 70], [0, 0]], [3, 3, 3, 0], ["complementary", None, "minimum-count", None]),
    ([[50, 50], [60, 40], [30, 70], [0, 0]], [3, 3, 1, 0], ["complementary", None, "minimum-cohort", None]),
    ([[50, 50], [60, 40], [30, 70], [0, 0]], [3, 3, 3, 0], [None, None, None, None]),
    ([[50, 50], [60, 40], [30, 70], [2, 0]], [3, 3, 3, 1], ["complementary", None, None, "minimum-count"]),
])
def test_no_group_follows_from_the_rest(cells: Any, institutions: list[int], rules: list[Any]) -> None:
    groups = Groups(("a", "b", "c"), np.array(cells).reshape(4, 1, 2), institutions)
    found = hidden_groups(groups, 5, 3)
    assert [rule is None for rule in found] == [rule is None for rule in rules]
    hidden = np.array(cells)[[k for k, rule in enumerate(found) if rule]]
    assert ((hidden.sum(axis=0) == 0) | (hidden.sum(axis=0) >= 10)).all()


@pytest.mark.parametrize("seed", range(20))
def test_outcomes_are_told_of_as_many_rows_as_the_minimum_count(seed: int) -> None:
    """Whatever is released stays as it is if outcomes change places within an atom, whose end rows alone decide."""
    rng = np.random.default_rng(seed)
    rows = rng.poisson(rng.choice([0.7, 3.0, 8.0], 90))
    events = rng.binomial(rows, np.linspace(0.9, 0.05, 90))
    found = cut(Ranked(tuple(range(89, 0, -1)), tuple(events), tuple(rows - events)), [40, 41, 8], 10)
    assert len(found.atoms) > 12
    assert (np.diff(found.rows) >= 10).all()
    assert set(found.places) <= set(found.atoms)
    moved = events.copy()
    for a, b in zip(found.atoms, found.atoms[1:], strict=False):
        outcomes = rng.permutation(np.repeat([1, 0], [events[a:b].sum(), (rows - events)[a:b].sum()]))
        moved[a:b] = [part.sum() for part in np.split(outcomes, np.cumsum(rows[a:b])[:-1])]
    assert (moved != events).any()
    assert cut(Ranked(tuple(range(89, 0, -1)), tuple(moved), tuple(rows - moved)), [40, 41, 8], 10) == found


@pytest.mark.parametrize("seed", range(20))
def test_nothing_small_lies_between_two_cuts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    events, others = rng.poisson(2, 60), rng.poisson(4, 60)
    ranked = Ranked(tuple(range(59, 0, -1)), tuple(events.tolist()), tuple(others.tolist()))
    cuts = cut(ranked, [30, 31, 7], 10)
    between = np.array([np.diff(cuts.events), np.diff(cuts.others)])
    assert ((between == 0) | (between >= 10)).all()
    assert (between.sum(axis=0) >= 10).all()
    assert 30 in cuts.places
    assert 31 not in cuts.places


def test_models_score_at_the_nodes(run_pooled: Callable[..., Any]) -> None:
    fitted = run_pooled(FRAMES, GlmFit(), {"formula": "bad ~ x * sex + I(x**2)", "family": "binomial"},
                        minimum_count=3)
    np.testing.assert_allclose(Regression.model_validate(model_of(fitted)).score(POOLED), fitted.predict(POOLED),
                               rtol=1e-12)
    found = ask(run_pooled, score=None, model=model_of(fitted))
    assert abs(found.brier - brier_score_loss(POOLED.bad, fitted.predict(POOLED))) <= min(
        found.calibration["brier_error"], 5e-4)
    assert abs(found.calibration["slope"] - 1.0) < 0.01  # of the rows it was fitted to
    linear = run_pooled(FRAMES, GlmFit(), {"outcome": "points", "features": ["x"], "family": "gaussian"})
    with raises("metrics.score-range", InputError):
        ask(run_pooled, score=None, model=model_of(linear))
    found = ask(run_pooled, score=None, model=model_of(linear), low=400.0, high=800.0, higher="no-event")
    assert abs(found.auc - roc_auc_score(POOLED.bad, -linear.predict(POOLED))) <= found.auc_error
    with raises("scoring.not-a-model", InputError):
        model_of(found)
    with raises("scoring.not-a-model", InputError):
        model_of(run_pooled(FRAMES, GlmFit(), {"outcome": "bad", "features": ["x"], "family": "binomial",
                                               "offset": "p"}))


def test_between_nodes_as_parameters_of_a_study() -> None:
    fed = sealane.simulate(FRAMES)
    card = fed.run("glm.scorecard", outcome="bad", features=["x", "sex"])
    for scheme in ("masking", "rlwe"):
        found = fed.run("metrics.ranking", scheme=scheme, outcome="bad", model=card.model, bins=300, calibration=False)
        np.testing.assert_allclose(found.auc, roc_auc_score(POOLED.bad, between_cuts(found, card.predict(POOLED))),
                                   rtol=1e-9)


def test_how_rows_are_spread_changes_nothing(run_pooled: Callable[..., Any]) -> None:
    contract, asked = infer_contract(FRAMES), {"thresholds": [0.3], "group": "sex"}
    whole = ask(run_pooled, {"all": POOLED}, contract=contract, **asked).to_dict()
    places = np.random.default_rng(1).integers(0, 4, len(POOLED))
    spread = ask(run_pooled, {f"n{k}": POOLED[places == k] for k in range(4)}, contract=contract, **asked).to_dict()
    for key in ("auc", "ks", "roc", "thresholds", "groups", "bands"):
        assert spread[key] == whole[key]
    np.testing.assert_allclose(spread["calibration"]["slope"], whole["calibration"]["slope"], rtol=1e-8)


LINEAR = {"kind": "regression", "link": "log", "columns": [
    {"coefficient": 1.0, "parts": [{"variable": "x"}]}]}
STUMP = {"kind": "trees", "objective": "regression", "features": [{"name": "x"}], "leaves": ["2 2"], "feature": ["0 0"],
         "threshold": ["0 1"], "missing": ["1 1"], "left": ["-1 -1"], "right": ["-2 -2"], "leaf": ["1.5 3 0.25 -0.5"]}


@pytest.mark.parametrize("asked", [
    {"low": 300.0, "high": 900.0}, {"low": -1.0, "high": 1.0}, {"low": 0.5, "high": 1.5},
    {"score": "points", "low": 0.0, "high": 1.0}, {"score": None, "model": LINEAR, "low": -2.0, "high": -1.0},
    {"score": None, "model": STUMP, "low": 3.3, "high": 4.0}, {"score": None, "model": STUMP, "low": 0.0, "high": 1.0},
    {"score": None, "model": {"kind": "scorecard", "intercept": -1.0, "features": [
        {"name": "x", "edges": [0.0], "values": [1.0, -1.0], "missing": 0}]}, "low": 300.0, "high": 900.0}])
def test_a_range_that_holds_no_score_is_refused(run_pooled: Callable[..., Any], asked: dict[str, Any]) -> None:
    with raises("metrics.score-range", InputError):
        ask(run_pooled, **asked)


def test_a_range_that_holds_nearly_no_score_says_so(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled, low=0.95, high=1.0)
    assert (found.auc, found.gini, found.auc_se, found.ks, found.ks_threshold) == (None,) * 5
    assert found.auc_error == 0.5
    assert found.unranked == "nearly all scores lie in one bin, or beyond low and high"
    assert "no AUC and KS: nearly all scores" in found.summary()
    assert found.plot().lines
    few = {name: frame.head(20) for name, frame in FRAMES.items()}
    found = ask(run_pooled, few)
    assert found.unranked == "too few rows, events or others to part scores"
    assert found.calibration["refused"] == "model.collinear"
    found = ask(run_pooled, score=None, model=STUMP, low=0.9, high=1.2)
    assert found.auc is None
    found = ask(run_pooled, score=None, model=STUMP, low=0.9, high=4.0, higher="no-event")
    assert found.unranked is None


def test_refusals(run_pooled: Callable[..., Any]) -> None:
    with raises("model.too-few-rows", RefusedError):
        ask(run_pooled, minimum_count=3000)
    with raises("outcome.too-few-events", RefusedError):
        ask(run_pooled, minimum_count=900)
    with raises("metrics.group-type", InputError):
        ask(run_pooled, group="x", thresholds=[0.5])
    with raises("metrics.score-type", InputError):
        ask(run_pooled, score="sex")
    dated = {name: frame.assign(day=pd.Timestamp("2026-01-01")) for name, frame in FRAMES.items()}
    with raises("metrics.score-type", InputError):
        ask(run_pooled, dated, score="day")
    with raises("outcome.type", InputError):
        ask(run_pooled, outcome="x")
    with raises("model.institutions-without-rows", RefusedError):
        sealane.simulate(FRAMES | {"bank0": FRAMES["bank0"].assign(p=np.nan)}).run("metrics.ranking", **ASKED)


COLUMN = {"coefficient": 1.0, "parts": [{"variable": "x"}]}
BINS = {"name": "x", "edges": [0.0], "values": [1.0, -1.0], "missing": 0}


@pytest.mark.parametrize("wrong", [
    {"score": None}, {"model": {"kind": "regression", "link": "logit", "columns": [COLUMN]}}, {"score": "bad"},
    {"thresholds": [0.5, 0.5]}, {"group": "sex"}, {"low": 1.0, "high": 0.0}, {"bins": 1},
    *({"score": None, "model": model} for model in (
        {"kind": "pickle"}, {"kind": "regression", "link": "logit", "columns": []},
        {"kind": "regression", "link": "logit", "columns": [COLUMN | {"coefficient": math.inf}]},
        {"kind": "regression", "link": "logit", "columns": [{"coefficient": 1.0, "parts": [
            {"variable": "sex", "level": "f"}]}]},
        {"kind": "regression", "link": "logit", "levels": {"sex": ["m"]}, "columns": [{"coefficient": 1.0, "parts": [
            {"variable": "sex", "level": "f"}]}]},
        {"kind": "scorecard", "intercept": 0.0, "features": []},
        {"kind": "scorecard", "intercept": 0.0, "features": [BINS | {"values": [1.0]}]},
        {"kind": "scorecard", "intercept": 0.0, "features": [BINS | {"edges": [0.0, 0.0], "values": [1.0] * 3}]},
        {"kind": "scorecard", "intercept": 0.0, "features": [BINS | {"levels": [["f"], ["m"]]}]},
        {"kind": "scorecard", "intercept": 0.0, "features": [BINS | {"missing": 2}]},
        {"kind": "scorecard", "intercept": 0.0, "features": [BINS | {"values": [1.0] * 3, "missing": 0}]}))])
def test_parameters_are_checked(wrong: dict[str, Any]) -> None:
    with raises("computation.bad-parameters", InputError):
        sealane.simulate(FRAMES).run("metrics.ranking", **{key: value for key, value in (ASKED | wrong).items()
                                                           if value is not None})


def test_the_result_reads_well(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled, thresholds=[0.5])
    assert "AUC" in found.summary()
    assert "<pre>" in found._repr_html_()
    for kind in ("roc", "gain", "ks", "calibration"):
        assert found.plot(kind=kind).lines
    with raises("metrics.no-picture", InputError):
        ask(run_pooled, calibration=False).plot(kind="calibration")
