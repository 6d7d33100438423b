"""Survival curves equal lifelines' over the pooled rows on the same grid."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test, pairwise_logrank_test
from lifelines.utils import median_survival_times
from matplotlib import pyplot as plt
from survival_tables import on_grid, patients, spread

from sealane import simulate
from sealane.computations.survival.kaplan_meier import KaplanMeier

mpl.use("Agg")
PATIENTS = patients()
ASKED = {"duration": "days", "event": "dead", "resolution": 7.0}


def fit(frame, confidence=0.95, **options):
    fitter = KaplanMeierFitter(alpha=1 - confidence)
    return fitter.fit(frame.days, frame.dead, **options)


def released(result, name="all"):
    group = result.to_dict()["groups"][name]
    return {kind: group[kind] for kind in ("events", "leavings", "entries")}


def compare(result, column, reference):
    times = result.survival_function_.index
    ours = result.survival_function_[column].to_numpy()
    np.testing.assert_allclose(ours, reference.survival_function_at_times(times), atol=1e-12)
    bands = reference.confidence_interval_survival_function_.reindex(times)
    ends = [f"{column}_lower_0.95", f"{column}_upper_0.95"]
    known = bands.notna().all(axis=1).to_numpy() & (ours > 0)
    assert known.sum() > 10
    np.testing.assert_allclose(result.confidence_interval_[ends].to_numpy()[known], bands.to_numpy()[known], atol=1e-9)


def test_one_curve(run_pooled):
    result = run_pooled(spread(PATIENTS), KaplanMeier(), ASKED)
    reference = fit(on_grid(PATIENTS, released(result)))
    compare(result, "KM_estimate", reference)
    assert result.median_survival_time_ == reference.median_survival_time_
    assert result.percentile(0.75) == reference.percentile(0.75)
    limits = median_survival_times(reference.confidence_interval_).to_numpy()[0]
    assert result.median_confidence_interval_.loc["KM_estimate"].tolist() == limits.tolist()
    theirs = reference.event_table[["removed", "observed", "censored", "entrance", "at_risk"]]
    pd.testing.assert_frame_equal(result.event_table, theirs, check_dtype=False, check_names=False)


def test_greenwood(run_pooled):
    result = run_pooled(spread(PATIENTS), KaplanMeier(), ASKED)
    reference = fit(on_grid(PATIENTS, released(result)))
    logs = reference._cumulative_sq_.reindex(result.variance_.index)  # lifelines keeps the sum of d / (n (n - d)) here
    expected = logs * reference.survival_function_at_times(result.variance_.index) ** 2
    np.testing.assert_allclose(result.variance_["KM_estimate"].to_numpy()[:-1], expected.to_numpy()[:-1], rtol=1e-9)


def test_groups(run_pooled):
    result = run_pooled(spread(PATIENTS), KaplanMeier(), {**ASKED, "by": "arm"})
    for name, frame in PATIENTS.groupby("arm"):
        placed = fit(on_grid(frame, released(result, name)))
        compare(result, name, placed)
        assert result.median_survival_time_[name] == placed.median_survival_time_
        theirs = placed.event_table[["removed", "observed", "censored", "entrance", "at_risk"]]
        pd.testing.assert_frame_equal(result.event_table.loc[name], theirs, check_dtype=False, check_names=False)


def test_log_rank_on_times_that_groups_share(run_pooled):
    result = run_pooled(spread(PATIENTS), KaplanMeier(), {**ASKED, "by": "arm"})
    shared = result.to_dict()["shared"]
    assert len(shared["times"]) > 8
    placed = pd.concat(on_grid(frame, {**released(result, name), "events": shared})
                       for name, frame in PATIENTS.groupby("arm"))
    reference = multivariate_logrank_test(placed.days, placed.arm, placed.dead)
    assert result.logrank_.test_statistic == pytest.approx(reference.test_statistic, rel=1e-9)
    assert result.logrank_.p_value == pytest.approx(reference.p_value, rel=1e-9)
    assert result.logrank_.degrees_of_freedom == 2
    pairs = pairwise_logrank_test(placed.days, placed.arm, placed.dead).summary
    ours = result.pairwise_logrank()
    for pair in ours.index:
        assert ours.loc[pair, "test_statistic"] == pytest.approx(pairs.loc[pair, "test_statistic"], rel=1e-9)
    assert result.logrank_.observed == placed.groupby("arm").dead.sum().to_dict()


def test_log_rank_is_near_that_of_exact_times(run_pooled):
    result = run_pooled(spread(PATIENTS), KaplanMeier(), {**ASKED, "by": "arm"})
    exact = multivariate_logrank_test(PATIENTS.days, PATIENTS.arm, PATIENTS.dead)
    assert result.logrank_.test_statistic == pytest.approx(exact.test_statistic, rel=0.1)


def test_late_entry(run_pooled):
    result = run_pooled(spread(PATIENTS), KaplanMeier(), {**ASKED, "entry": "entered"})
    placed = on_grid(PATIENTS, released(result), begin="entered")
    assert (placed.entered > 0).sum() > 300
    reference = fit(placed, entry=placed.entered)
    compare(result, "KM_estimate", reference)
    theirs = reference.event_table[["removed", "observed", "censored", "entrance", "at_risk"]]
    pd.testing.assert_frame_equal(result.event_table, theirs, check_dtype=False, check_names=False)


def test_horizon(run_pooled):
    result = run_pooled(spread(PATIENTS), KaplanMeier(), {**ASKED, "horizon": 210.0})
    placed = on_grid(PATIENTS, released(result), horizon=210.0)
    assert placed.days.max() == 210.0
    compare(result, "KM_estimate", fit(placed))


@pytest.mark.parametrize("asked", [{}, {"by": "arm"}, {"entry": "entered", "by": "sex"}])
def test_no_released_count_is_small(run_pooled, asked):
    result = run_pooled(spread(PATIENTS), KaplanMeier(), {**ASKED, "resolution": 1.0, **asked})
    for name, group in result.to_dict()["groups"].items():
        assert all(min(group[kind]["numbers"], default=10) >= 10 for kind in ("events", "leavings", "entries"))
        column = name if "by" in asked else "KM_estimate"
        assert result.at_risk(group["events"]["times"])[column].min() >= 10
    assert result.grid["merged"] > 50
    assert result.grid["merged_because"] == "minimum-count"


def test_an_ungridded_curve_is_near(run_pooled):
    result = run_pooled(spread(PATIENTS), KaplanMeier(), ASKED)
    exact = fit(PATIENTS)
    away, _ = apart(result, exact, [time for time in released(result)["events"]["until"] if time < 350])
    assert away < 0.003  # at ends of intervals, where no part of a step is still to come; few are at risk later on


def apart(result, exact, times):
    curve = result.survival_function_["KM_estimate"]
    ours = curve.to_numpy()[np.searchsorted(curve.index, times, side="right") - 1]
    away = np.abs(ours - exact.survival_function_at_times(times).to_numpy())
    return away.max(), away.mean()


def test_wide_intervals_at_the_end_do_not_pull_the_curve(run_pooled):
    """Few events are spread over a time in which nearly everybody leaves."""
    random = np.random.default_rng(17)
    event, left = random.exponential(2000.0, 600), random.uniform(200.0, 2000.0, 600)
    frame = pd.DataFrame({"days": np.ceil(np.minimum(event, left)), "dead": (event <= left).astype(int)})
    result = run_pooled(spread(frame), KaplanMeier(), {**ASKED, "resolution": 1.0})
    exact, everywhere = fit(frame), np.arange(0.0, frame.days.max())
    ladders = released(result)
    ends = fit(on_grid(frame, {kind: {"times": ladders[kind]["until"], "until": ladders[kind]["until"]}
                               for kind in ("events", "leavings")}))
    at_the_end = np.abs(ends.survival_function_at_times(everywhere) - exact.survival_function_at_times(everywhere))
    furthest, mean = apart(result, exact, everywhere)
    assert furthest < 0.7 * at_the_end.max()
    assert mean < 0.5 * at_the_end.mean()
    begin, end = result.widest["KM_estimate"]
    until = [0.0, *ladders["events"]["until"]]
    assert end - begin == np.diff(until).max()
    assert (begin, end) in list(pairwise(until))
    assert f"widest interval of events, KM_estimate: {begin:g} to {end:g}" in result.summary()


def test_numbers_in_bins(run_pooled):
    result = run_pooled(spread(PATIENTS), KaplanMeier(), {**ASKED, "by": "age", "bins": [50.0, 65.0]})
    assert list(result.survival_function_) == ["under 50", "50 to 65", "65 and more"]
    middle = PATIENTS[(PATIENTS.age >= 50) & (PATIENTS.age < 65)]
    compare(result, "50 to 65", fit(on_grid(middle, released(result, "50 to 65"))))


def test_at_risk_at_any_time(run_pooled):
    result = run_pooled(spread(PATIENTS), KaplanMeier(), {**ASKED, "by": "arm"})
    asked = [0.0, 70.0, 70.5, 77.0, 200.0, 1e6]
    for name, frame in PATIENTS.groupby("arm"):
        days = on_grid(frame, released(result, name)).days
        assert result.at_risk(asked)[name].tolist() == [int((days >= time).sum()) for time in asked]


def test_institutions_when_they_allow_it(run_pooled):
    frames = {name: patients(300, seed) for name, seed in (("north", 1), ("south", 2), ("west", 3))}
    result = run_pooled(frames, KaplanMeier(), {**ASKED, "by": "institution"}, exposed=True)
    for name, frame in frames.items():
        compare(result, name, fit(on_grid(frame, released(result, name))))


def test_how_rows_are_spread_does_not_matter(run_pooled):
    asked = {**ASKED, "by": "arm", "entry": "entered"}
    whole = run_pooled({"all": PATIENTS}, KaplanMeier(), asked).to_dict()
    for number in (2, 5):
        parts = run_pooled(spread(PATIENTS, number), KaplanMeier(), asked).to_dict()
        assert parts["basis"] == {**whole["basis"], "contributing": number, "institutions": number}
        assert {**parts, "basis": None} == {**whole, "basis": None}


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_under_encryption(scheme):
    asked = {**ASKED, "by": "sex", "resolution": 14.0}
    result = simulate(spread(PATIENTS)).run("survival.kaplan_meier", scheme=scheme, **asked)
    for name, frame in PATIENTS.groupby("sex"):
        compare(result, name, fit(on_grid(frame, released(result, name))))
    assert result.trace.rounds == 2


def test_words_and_picture(run_pooled):
    result = run_pooled(spread(PATIENTS), KaplanMeier(), {**ASKED, "by": "arm"})
    assert "log-rank: chi2" in result.summary()
    assert "merged into others (minimum-count)" in result.summary()
    axes = result.plot()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["control", "new", "old"]
    written = {text.get_text() for text in axes.texts}
    assert {"at risk", f"{int((PATIENTS.arm == 'control').sum()):,}"} <= written
    axes.figure.canvas.draw()
    plt.close("all")
