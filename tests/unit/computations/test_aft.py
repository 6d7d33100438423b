"""``survival.aft`` against lifelines on the pooled rows."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sealane
from sealane.computations.design.layout import Column, Placement
from sealane.computations.survival.aft import AftFit
from sealane.computations.survival.aft_distributions import DISTRIBUTIONS
from sealane.computations.survival.aft_likelihood import Likelihood
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract

lifelines = pytest.importorskip("lifelines")

FITTERS = {"weibull": lifelines.WeibullAFTFitter, "log_logistic": lifelines.LogLogisticAFTFitter,
           "log_normal": lifelines.LogNormalAFTFitter}
N = 600


@pytest.fixture(scope="module")
def patients():
    random = np.random.default_rng(20260320)
    frame = pd.DataFrame({"age": random.normal(60, 10, N).round(1), "arm": random.choice(["a", "b", "c"], N),
                          "marker": random.gamma(2.0, 1.5, N).round(3)})
    location = 3.0 - 0.02 * (frame.age - 60) + 0.5 * (frame.arm == "b") - 0.1 * frame.marker
    time = np.exp(location) * random.weibull(1.4, N)
    follow = random.uniform(2, 60, N)
    frame["time"] = np.minimum(time, follow).clip(0.05).round(3)
    frame["dead"] = (time <= follow).astype(int)
    return frame


def spread(frame, institutions=4):
    return {f"n{i}": frame.iloc[i::institutions].reset_index(drop=True) for i in range(institutions)}


def pooled_fit(frame, distribution, formula="age + arm + marker"):
    # lifelines' own tolerance leaves an error of 1e-4 in a small coefficient.
    model = FITTERS[distribution]()
    model._scipy_fit_method = "SLSQP"
    return model.fit(frame, duration_col="time", event_col="dead", formula=formula,
                     fit_options={"ftol": 1e-16, "maxiter": 2000})


@pytest.mark.parametrize("distribution", list(FITTERS))
def test_equals_lifelines(run_pooled, new_meeting, patients, distribution):
    meeting = new_meeting([f"n{i}" for i in range(4)])

    ours = run_pooled(spread(patients), AftFit(), {"duration": "time", "event": "dead", "distribution": distribution,
                                                   "features": ["age", "arm", "marker"]}, meeting=meeting)

    theirs = pooled_fit(patients, distribution)
    index = ours.params_.index
    np.testing.assert_allclose(ours.params_, theirs.params_[index], rtol=1e-6)
    np.testing.assert_allclose(ours.standard_errors_, theirs.standard_errors_[index], rtol=1e-5)
    unit = np.sqrt(np.outer(np.diag(ours.variance_matrix_), np.diag(ours.variance_matrix_)))
    expected = theirs.variance_matrix_.loc[index, index]
    np.testing.assert_allclose(ours.variance_matrix_ / unit, expected / unit, atol=1e-5)
    assert ours.log_likelihood_ == pytest.approx(theirs.log_likelihood_, rel=1e-9)
    assert pytest.approx(theirs.AIC_, rel=1e-9) == ours.AIC_
    table = theirs.summary.loc[index]
    for column in table.columns.drop(["cmp to"]):
        np.testing.assert_allclose(ours.summary[column], table[column], rtol=1e-4, err_msg=column)
    test = theirs.log_likelihood_ratio_test()
    assert ours.log_likelihood_ratio_test()["test_statistic"] == pytest.approx(test.test_statistic, rel=1e-6)
    new = patients.head(7)
    for method in ("predict_median", "predict_expectation"):
        np.testing.assert_allclose(getattr(ours, method)(new), getattr(theirs, method)(new), rtol=1e-5)
    np.testing.assert_allclose(ours.predict_percentile(new, 0.2), theirs.predict_percentile(new, p=0.2), rtol=1e-5)
    for method in ("predict_survival_function", "predict_cumulative_hazard"):
        expected = getattr(theirs, method)(new, times=[1, 5, 20])
        np.testing.assert_allclose(getattr(ours, method)(new, [1, 5, 20]), expected, rtol=1e-5)
    assert (ours.nobs, ours.event_observed) == (N, int(patients.dead.sum()))
    assert meeting.sums <= 22


def test_the_average_row(run_pooled, patients):
    ours = run_pooled(spread(patients), AftFit(), {"duration": "time", "event": "dead", "formula": "~ age + marker"})
    theirs = pooled_fit(patients, "weibull", "age + marker")
    middle = patients[["age", "marker"]].mean().to_frame().T
    assert ours.median_survival_time_ == pytest.approx(theirs.predict_median(middle).squeeze(), rel=1e-6)
    assert ours.mean_survival_time_ == pytest.approx(theirs.predict_expectation(middle).squeeze(), rel=1e-6)


CONTRACT_ROWS = 150


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 4), min_size=CONTRACT_ROWS, max_size=CONTRACT_ROWS))
def test_how_rows_are_spread_changes_nothing(run_pooled, patients, places):
    table = patients.head(CONTRACT_ROWS)
    contract = infer_contract({"all": table})
    asked = {"duration": "time", "event": "dead", "features": ["age"]}
    whole = run_pooled({"all": table}, AftFit(), asked, contract=contract)
    groups = {f"n{i}": table[np.array(places) == i] for i in set(places)}
    parts = run_pooled(groups, AftFit(), asked, contract=contract)
    np.testing.assert_allclose(parts.params_, whole.params_, rtol=1e-9)
    np.testing.assert_allclose(parts.variance_matrix_, whole.variance_matrix_, rtol=1e-7)


def test_masking_and_rlwe(patients):
    theirs = pooled_fit(patients, "weibull", "age")
    for scheme in ("masking", "rlwe"):
        ours = sealane.simulate(spread(patients, 3)).run("survival.aft", duration="time", event="dead",
                                                         features=["age"], scheme=scheme)
        np.testing.assert_allclose(ours.params_, theirs.params_[ours.params_.index], rtol=1e-6)


def test_few_censored_rows_hide_the_number_of_events(run_pooled, patients):
    frame = pd.concat([patients[patients.dead == 1], patients[patients.dead == 0].head(4)])
    ours = run_pooled(spread(frame, 3), AftFit(), {"duration": "time", "event": "dead", "features": ["age"]})
    assert ours.event_observed is None
    assert "hidden events" in repr(ours)
    assert ours.to_dict()["events"] is None


@pytest.fixture
def refused(run_pooled):
    def attempt(frame, code, *, branch=RefusedError, contract=None, **params):
        asked = {"duration": "time", "event": "dead", "features": ["age"], **params}
        with pytest.raises(branch) as caught:
            run_pooled(spread(frame, 3), AftFit(), asked, contract=contract or infer_contract({"all": frame}))
        assert caught.value.code == code
        return caught.value

    return attempt


def with_range(frame, name, low, high):
    contract = infer_contract({"all": frame})
    fields = [f.model_copy(update={"minimum": low, "maximum": high}) if f.name == name else f for f in contract.fields]
    return contract.model_copy(update={"fields": tuple(fields)})


def test_refusals(refused, patients):
    few = patients.assign(dead=np.where(np.arange(N) < 9, 1, 0))
    refused(few, "aft.too-few-events")
    few = patients.assign(dead=np.where(np.arange(N) < 14, 1, 0))
    refused(few.assign(square=few.age**2), "model.events-per-parameter", features=["age", "marker", "square"])
    refused(patients.assign(again=2 * patients.age), "model.collinear", features=["age", "again"])
    refused(patients.assign(arm=np.where(np.arange(N) < 5, "x", patients.arm)), "model.rare-level", features=["arm"])
    refused(patients, "model.not-converged", maximum_iterations=1)
    never = patients.assign(dead=patients.dead.where(patients.arm != "b", 0))
    assert refused(never, "model.separation", features=["age", "arm"]).got == "arm[T.b]"


def test_few_events_at_a_level_would_follow_from_the_covariance(refused, patients):
    at_level = patients.index[patients.arm == "b"]
    few = patients.assign(dead=patients.dead.where(patients.arm != "b", 0), level=(patients.arm == "b").astype(int))
    few.loc[at_level[:3], "dead"] = 1
    fit = pooled_fit(few, "weibull", "level")
    information = np.linalg.inv(fit.variance_matrix_.to_numpy())
    place = list(fit.variance_matrix_.index).index(("lambda_", "level"))
    shape = np.exp(fit.params_["rho_", "Intercept"])
    assert information[place, place] / shape**2 == pytest.approx(3.0, rel=1e-3)  # what a reader could work out
    assert "level" in refused(few, "model.rare-outcome", features=["age", "level"]).got


def test_times_without_a_logarithm(refused, run_pooled, patients):
    zero = patients.assign(time=patients.time.where(np.arange(N) != 3, 0.0))
    refused(zero, "aft.no-time", branch=InputError)
    wide = with_range(patients, "time", 0.0, 1e6)
    refused(patients, "aft.too-short", branch=InputError, contract=wide)
    refused(patients, "survival.no-time", branch=InputError, contract=with_range(patients, "time", -5.0, 0.0))
    theirs = pooled_fit(patients, "weibull", "age")
    ours = run_pooled(spread(patients), AftFit(), {"duration": "time", "event": "dead", "features": ["age"]},
                      contract=with_range(patients, "time", 0.0, 5e4))
    np.testing.assert_allclose(ours.params_, theirs.params_[ours.params_.index], rtol=1e-6)


def test_ranges_too_wide():
    wide = Column("x", (), Placement(), -(2.0**32), 2.0**32)
    cohort = SimpleNamespace(size=3, minimum_count=10, sum=None)  # refused before anything is summed
    own = Likelihood(cohort, [wide], wide, DISTRIBUTIONS["weibull"], np.ones((5, 1)), np.ones(5), np.ones(5),
                     rows=100, events=50)
    with pytest.raises(RefusedError) as caught:
        asyncio.run(own.at(np.array([0.0, 1.0])))
    assert caught.value.code == "aft.range-too-wide"


def test_parameters_that_contradict_each_other():
    for asked in ({"formula": "time ~ age"}, {"formula": "~ 0 + age"}, {"features": ["time"]}):
        with pytest.raises(ValueError, match=r"right side|intercept|columns of their own"):
            AftFit().parameters.model_validate({"duration": "time", "event": "dead", **asked})


def test_result_refuses_what_is_no_percentile(run_pooled, patients):
    ours = run_pooled(spread(patients), AftFit(), {"duration": "time", "event": "dead", "features": ["age"]})
    with pytest.raises(InputError) as caught:
        ours.predict_percentile(patients, 1.0)
    assert caught.value.code == "aft.percentile"
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    assert [label.get_text() for label in ours.plot().get_yticklabels()] == ["age"]
