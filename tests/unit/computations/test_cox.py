"""A Cox model equals lifelines' (and for Breslow's ties statsmodels') over the pooled rows on the same grid."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from lifelines import CoxPHFitter
from lifelines.statistics import proportional_hazard_test
from matplotlib import pyplot as plt
from scipy.stats import rankdata
from survival_tables import on_grid, patients, spread

from sealane import simulate
from sealane.computations.survival.cox import Cox
from sealane.errors import InputError

PATIENTS = patients(900, 11)
NAMES = ["age", "dose", "arm[T.new]", "arm[T.old]"]
ASKED = {"duration": "days", "event": "dead", "features": ["age", "dose", "arm"], "resolution": 7.0}
NEAR = {"rtol": 1e-6, "atol": 1e-9}


def placed(frame, result, strata=(), **options):
    """Return the pooled rows on the grid that the run settled on, categories as columns of 0 and 1."""
    parts = [on_grid(frame[(frame[list(strata)] == one["stratum"]).all(axis=1)], one, **options)
             for one in result.grid["strata"]]
    return with_levels(pd.concat(parts))


def with_levels(rows):
    return rows.assign(**{f"arm[T.{level}]": (rows.arm == level).astype(float) for level in ("new", "old")})


def lifelines_fit(frame, features, penalizer=0.0, **options):
    columns = [*features, "days", "dead", *options.pop("more", [])]
    fitter = CoxPHFitter(penalizer=penalizer)
    return fitter.fit(frame[columns], "days", "dead", fit_options={"precision": 1e-13, "r_precision": 1e-15}, **options)


def compare(result, reference):
    names = list(result.params_.index)
    np.testing.assert_allclose(result.params_, reference.params_[names], **NEAR)
    np.testing.assert_allclose(result.standard_errors_, reference.standard_errors_[names], **NEAR)
    np.testing.assert_allclose(result.variance_matrix_, reference.variance_matrix_.loc[names, names], **NEAR)
    np.testing.assert_allclose(result.log_likelihood_, reference.log_likelihood_, rtol=1e-9)
    np.testing.assert_allclose(result.AIC_partial_, reference.AIC_partial_, rtol=1e-9)
    ours, theirs = result.log_likelihood_ratio_test(), reference.log_likelihood_ratio_test()
    np.testing.assert_allclose([ours.test_statistic, ours.p_value], [theirs.test_statistic, theirs.p_value], rtol=1e-6)
    pd.testing.assert_frame_equal(result.summary.loc[names], reference.summary.loc[names], rtol=1e-5, check_names=False)
    pd.testing.assert_frame_equal(result.confidence_intervals_.loc[names], reference.confidence_intervals_.loc[names],
                                  rtol=1e-6, atol=1e-9, check_names=False)


def test_efron(run_pooled):
    result = run_pooled(spread(PATIENTS), Cox(), ASKED)
    rows = placed(PATIENTS, result)
    assert rows[rows.dead == 1].days.value_counts().min() >= 10
    reference = lifelines_fit(rows, NAMES)
    compare(result, reference)
    theirs = reference.baseline_cumulative_hazard_.loc[result.baseline_cumulative_hazard_.index]
    pd.testing.assert_frame_equal(result.baseline_cumulative_hazard_, theirs, rtol=1e-6)
    theirs = reference.baseline_survival_.loc[result.baseline_survival_.index].to_numpy()
    np.testing.assert_allclose(result.baseline_survival_.to_numpy(), theirs, rtol=1e-6)
    few, few_coded = PATIENTS.iloc[:7], rows.loc[PATIENTS.index[:7]]
    theirs = reference.predict_partial_hazard(few_coded)
    np.testing.assert_allclose(result.predict_partial_hazard(few), theirs, rtol=1e-6)
    times = result.baseline_survival_.index[[3, 20]].tolist()
    theirs = reference.predict_survival_function(few_coded, times=times)
    np.testing.assert_allclose(result.predict_survival_function(few, times), theirs, rtol=1e-6)
    theirs = reference.predict_median(few_coded)
    assert result.predict_median(few).tolist() == theirs.tolist()


def test_concordance_lies_within_its_bound(run_pooled):
    result = run_pooled(spread(PATIENTS), Cox(), ASKED)
    reference = lifelines_fit(placed(PATIENTS, result), NAMES).concordance_index_
    assert 0.0 < result.concordance_error_ < 0.02
    assert abs(result.concordance_index_ - reference) <= result.concordance_error_


def test_concordance_of_levels_alone_is_exact(run_pooled):
    result = run_pooled(spread(PATIENTS), Cox(), {**ASKED, "features": ["arm"]})
    reference = lifelines_fit(placed(PATIENTS, result), NAMES[2:]).concordance_index_
    assert result.concordance_index_ == pytest.approx(reference, abs=1e-9)


def test_proportionality(run_pooled):
    result = run_pooled(spread(PATIENTS), Cox(), ASKED)
    rows = placed(PATIENTS, result)
    reference = lifelines_fit(rows, NAMES)
    columns = [*NAMES, "days", "dead"]
    for transform in ("identity", "log", "km"):
        theirs = proportional_hazard_test(reference, rows[columns], time_transform=transform).summary
        ours = result.proportional_hazard_test(transform)
        np.testing.assert_allclose(ours.loc[NAMES, "test_statistic"], theirs.loc[NAMES, "test_statistic"], rtol=1e-6)
        np.testing.assert_allclose(ours.loc[NAMES, "p"], theirs.loc[NAMES, "p"], rtol=1e-6)
    # Ranks: events of one time have their middle rank, whereas lifelines goes by the order of rows.
    residuals = reference.compute_residuals(rows[columns], "scaled_schoenfeld")
    ranks = rankdata(rows.days[residuals.index])
    away = ranks - ranks.mean()
    expected = (away @ residuals) ** 2 / (len(ranks) * reference.standard_errors_**2 * (away**2).sum())
    ours = result.proportional_hazard_test().loc[NAMES, "test_statistic"]
    np.testing.assert_allclose(ours, expected[NAMES], rtol=1e-6)
    assert len(result.check_proportional_hazards_) == 16


def test_proportionality_is_seen_to_fail(run_pooled):
    random = np.random.default_rng(5)
    x = random.normal(size=2000)
    early = random.exponential(100 * np.exp(-x))
    time = np.where(early < 50, early, 50 + random.exponential(100 * np.exp(x)))
    frame = pd.DataFrame({"days": np.ceil(time).clip(max=400), "dead": (time < 400).astype(int), "x": x})
    result = run_pooled(spread(frame), Cox(), {**ASKED, "features": ["x"]})
    assert result.proportional_hazard_test().p["x"] < 1e-6


def test_strata(run_pooled):
    asked = {**ASKED, "features": ["age", "dose"], "strata": ["arm", "sex"]}
    result = run_pooled(spread(PATIENTS), Cox(), asked)
    rows = placed(PATIENTS, result, strata=["arm", "sex"])
    reference = lifelines_fit(rows, NAMES[:2], more=["arm", "sex"], strata=["arm", "sex"])
    compare(result, reference)
    for stratum, ours in result.baseline_cumulative_hazard_.items():
        times = next(one["events"]["times"] for one in result.grid["strata"] if tuple(one["stratum"]) == stratum)
        theirs = reference.baseline_cumulative_hazard_[stratum].loc[times]
        np.testing.assert_allclose(ours.loc[times], theirs, rtol=1e-6)
    assert abs(result.concordance_index_ - reference.concordance_index_) <= result.concordance_error_
    for transform in ("identity", "km"):
        columns = [*NAMES[:2], "arm", "sex", "days", "dead"]
        theirs = proportional_hazard_test(reference, rows[columns], time_transform=transform).summary
        ours = result.proportional_hazard_test(transform)
        np.testing.assert_allclose(ours.test_statistic, theirs.loc[ours.index, "test_statistic"], rtol=1e-6)
    few = PATIENTS.iloc[:5]
    ours = result.predict_survival_function(few)
    for row, patient in few.iterrows():
        cumulative = reference.baseline_cumulative_hazard_[patient.arm, patient.sex].loc[:200.0].iloc[-1]
        expected = np.exp(-cumulative * reference.predict_partial_hazard(rows.loc[[row]]).iloc[0])
        assert ours[row].loc[:200.0].iloc[-1] == pytest.approx(expected, rel=1e-6)


def test_late_entry(run_pooled):
    result = run_pooled(spread(PATIENTS), Cox(), {**ASKED, "entry": "entered"})
    rows = placed(PATIENTS, result, begin="entered")
    assert (rows.entered > 0).sum() > 300
    reference = lifelines_fit(rows, NAMES, more=["entered"], entry_col="entered")
    compare(result, reference)


def test_rows_that_start_and_stop(run_pooled):
    """A dose that changes at day 70: two rows for whoever is still there; lifelines takes the start as an entry."""
    first = PATIENTS.assign(start=0.0)
    second = first[first.days > 70].assign(start=70.0, dose=lambda rows: rows.dose + 0.5)
    first.loc[first.days > 70, ["days", "dead"]] = [70.0, 0]
    frame = pd.concat([first, second], ignore_index=True)
    asked = {**ASKED, "start": "start", "stop": "days"}
    del asked["duration"]
    result = run_pooled(spread(frame), Cox(), asked)
    rows = placed(frame, result, begin="start")
    reference = lifelines_fit(rows, NAMES, more=["start"], entry_col="start")
    compare(result, reference)
    assert result.grid["strata"][0]["entries"]["times"] == [70.0]


@pytest.mark.parametrize("entry", [None, "entered"])
@pytest.mark.parametrize("strata", [[], ["sex"]])
def test_breslow(run_pooled, entry, strata):
    result = run_pooled(spread(PATIENTS), Cox(), {**ASKED, "ties": "breslow", "entry": entry, "strata": strata})
    rows = placed(PATIENTS, result, strata=strata, begin=entry)
    # statsmodels counts who enters at a time as at risk then; lifelines, R and this one from then on.
    begin = None if entry is None else rows[entry] + 0.5
    model = sm.PHReg(rows.days, rows[NAMES], status=rows.dead, ties="breslow", entry=begin,
                     strata=rows.sex if strata else None)
    fitted = model.fit(tol=1e-12, disp=0)
    np.testing.assert_allclose(result.params_[NAMES], fitted.params, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(result.standard_errors_[NAMES], fitted.bse, rtol=1e-6)
    np.testing.assert_allclose(result.log_likelihood_, fitted.llf, rtol=1e-9)


def test_a_baseline_per_institution_is_a_stratum_per_institution(run_pooled):
    result = run_pooled(spread(PATIENTS), Cox(), {**ASKED, "stratify_by_institution": True})
    assert result.grid["strata"] is None
    assert result.grid["merged"] == 0
    rows = with_levels(PATIENTS.assign(days=np.ceil(PATIENTS.days / 7) * 7))
    rows["place"] = rows.index % 3
    reference = lifelines_fit(rows, NAMES, more=["place"], strata=["place"])
    compare(result, reference)
    assert abs(result.concordance_index_ - reference.concordance_index_) <= result.concordance_error_
    for transform in ("identity", "log", "km"):
        theirs = proportional_hazard_test(reference, rows[[*NAMES, "place", "days", "dead"]], time_transform=transform)
        ours = result.proportional_hazard_test(transform).test_statistic
        np.testing.assert_allclose(ours, theirs.summary.loc[ours.index, "test_statistic"], rtol=1e-6)
    with pytest.raises(InputError) as caught:
        result.baseline_hazard_  # noqa: B018  (a property that refuses)
    assert caught.value.code == "survival.no-baseline"


def test_ridge(run_pooled):
    result = run_pooled(spread(PATIENTS), Cox(), {**ASKED, "penalizer": 0.05})
    compare(result, lifelines_fit(placed(PATIENTS, result), NAMES, penalizer=0.05))


def test_formula(run_pooled):
    asked = {**ASKED, "formula": "age * sex + log1p(dose) + I(age**2)"}
    del asked["features"]
    result = run_pooled(spread(PATIENTS), Cox(), asked)
    rows = placed(PATIENTS, result)
    rows["m"] = (rows.sex == "m").astype(float)
    rows = rows.assign(**{"sex[T.m]": rows.m, "log1p(dose)": np.log1p(rows.dose), "I(age ** 2)": rows.age**2,
                          "age:sex[T.m]": rows.age * rows.m})
    names = {name: name.replace("I(age**2)", "I(age ** 2)").replace("sex[T.m]:age", "age:sex[T.m]")
             for name in result.params_.index}
    reference = lifelines_fit(rows, list(names.values()))
    theirs = reference.params_[list(names.values())]
    np.testing.assert_allclose(result.params_, theirs, rtol=1e-5, atol=1e-7)


def test_horizon(run_pooled):
    result = run_pooled(spread(PATIENTS), Cox(), {**ASKED, "horizon": 210.0})
    compare(result, lifelines_fit(placed(PATIENTS, result, horizon=210.0), NAMES))


def test_how_rows_are_spread_does_not_matter(run_pooled):
    asked = {**ASKED, "entry": "entered", "strata": ["sex"]}
    whole = run_pooled({"all": PATIENTS}, Cox(), asked)
    for number in (2, 5):
        parts = run_pooled(spread(PATIENTS, number), Cox(), asked)
        np.testing.assert_allclose(parts.params_, whole.params_, rtol=1e-9)
        np.testing.assert_allclose(parts.variance_matrix_, whole.variance_matrix_, rtol=1e-8)
        np.testing.assert_allclose(parts.baseline_hazard_, whole.baseline_hazard_, rtol=1e-7)
        assert parts.concordance_index_ == whole.concordance_index_
        assert parts.grid == whole.grid


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_under_encryption(scheme):
    asked = {**ASKED, "features": ["age", "dose"], "resolution": 70.0}
    result = simulate(spread(PATIENTS)).run("survival.cox", scheme=scheme, **asked)
    compare(result, lifelines_fit(placed(PATIENTS, result), NAMES[:2]))


def test_words_and_picture(run_pooled, capsys):
    mpl.use("Agg")
    result = run_pooled(spread(PATIENTS), Cox(), ASKED)
    result.print_summary()
    printed = capsys.readouterr().out
    assert "481 events in 900 rows, efron ties" in printed
    assert "concordance 0." in printed
    axes = result.plot()
    assert [text.get_text() for text in axes.get_yticklabels()] == list(result.params_.index)
    plt.close("all")
    assert set(result.to_dict()["summary"]) == set(result.params_.index)
