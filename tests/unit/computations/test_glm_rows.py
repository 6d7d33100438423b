"""Weights, offset and exposure: equal to statsmodels on the pooled rows, and what may not be weighed."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from sealane.computations.glm.fit import GlmFit
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field, infer_contract

sm = pytest.importorskip("statsmodels.api")
smf = pytest.importorskip("statsmodels.formula.api")

pytestmark = [pytest.mark.filterwarnings("ignore:.*does not respect the domain"),
              pytest.mark.filterwarnings("ignore:cov_type not fully supported")]

N = 600


@pytest.fixture(scope="module")
def people():
    random = np.random.default_rng(6)
    frame = pd.DataFrame({"age": random.normal(50, 12, N).round(1), "arm": random.choice(["a", "b", "c"], N),
                          "site": random.integers(0, 3, N), "w": random.integers(0, 5, N),
                          "years": random.uniform(0.5, 4, N), "shift": random.normal(0, 0.4, N)})
    slope = 0.03 * (frame.age - 50) + 0.5 * (frame.arm == "b")
    frame["event"] = (random.random(N) < 1 / (1 + np.exp(-slope))).astype(int)
    frame["visits"] = random.poisson(np.exp(0.4 + 0.5 * slope) * frame.years)
    frame["cost"] = random.gamma(3.0, np.exp(5 + 0.2 * slope))
    frame["pressure"] = 120 + 6 * slope + random.normal(0, 9, N)
    return frame


def split(frame):
    return {f"n{i}": part.reset_index(drop=True) for i, (_, part) in enumerate(frame.groupby("site"))}


def assert_equal(ours, theirs):
    names = list(theirs.params.index)
    np.testing.assert_allclose(ours.params[names], theirs.params, rtol=1e-6)
    np.testing.assert_allclose(ours.bse[names], theirs.bse, rtol=1e-6)
    for attribute in ("deviance", "null_deviance", "llf", "aic", "bic_llf", "scale", "pearson_chi2", "df_resid"):
        assert getattr(ours, attribute) == pytest.approx(getattr(theirs, attribute), rel=1e-6), attribute


FAMILIES = {"gaussian": ("pressure", sm.families.Gaussian()), "binomial": ("event", sm.families.Binomial()),
            "poisson": ("visits", sm.families.Poisson()), "gamma": ("cost", sm.families.Gamma())}


@pytest.mark.parametrize("family", list(FAMILIES))
def test_frequency_weights(run_pooled, people, family):
    outcome, theirs = FAMILIES[family]
    ours = run_pooled(split(people), GlmFit(),
                      {"outcome": outcome, "features": ["age", "arm"], "family": family, "weights": "w"})
    used = people[people.w > 0]
    assert_equal(ours, smf.glm(f"{outcome} ~ age + arm", used, family=theirs, freq_weights=used.w).fit(tol=1e-13))
    repeated = smf.glm(f"{outcome} ~ age + arm", used.loc[used.index.repeat(used.w)], family=theirs).fit(tol=1e-13)
    assert_equal(ours, repeated)
    assert ours.to_dict()["total_weight"] == people.w.sum()
    assert ours.nobs == len(used)


def test_weights_with_an_estimated_dispersion(run_pooled, people):
    discrete = pytest.importorskip("statsmodels.discrete.discrete_model")
    random = np.random.default_rng(2)
    frame = people.assign(visits=random.poisson(people.years * random.gamma(1.0, 1.0, N)))
    ours = run_pooled(split(frame), GlmFit(), {"outcome": "visits", "features": ["age"], "weights": "w",
                                               "family": "negative-binomial", "exposure": "years"})
    repeated = frame.loc[frame.index.repeat(frame.w)]
    theirs = discrete.NegativeBinomial.from_formula("visits ~ age", repeated, exposure=repeated.years).fit(
        method="newton", maxiter=100, disp=0, tol=1e-12)
    np.testing.assert_allclose(ours.params, theirs.params, rtol=1e-6)
    np.testing.assert_allclose(ours.bse, theirs.bse, rtol=1e-6)


@pytest.mark.parametrize(("family", "theirs"), [("gaussian", "pressure"), ("binomial", "event")])
def test_offset(run_pooled, people, family, theirs):
    outcome, their_family = FAMILIES[family]
    ours = run_pooled(split(people), GlmFit(),
                      {"outcome": outcome, "features": ["age", "arm"], "family": family, "offset": "shift"})
    fitted = smf.glm(f"{outcome} ~ age + arm", people, family=their_family, offset=people["shift"]).fit(tol=1e-13)
    assert_equal(ours, fitted)
    np.testing.assert_allclose(ours.predict(people, offset=people["shift"]), fitted.fittedvalues, rtol=1e-7)


def test_exposure_offset_and_weights_together(run_pooled, people):
    ours = run_pooled(split(people), GlmFit(), {"formula": "visits ~ age + arm", "family": "poisson", "weights": "w",
                                                "exposure": "years", "offset": "shift"})
    used = people[people.w > 0]
    theirs = smf.glm("visits ~ age + arm", used, family=sm.families.Poisson(), exposure=used.years,
                     offset=used["shift"], freq_weights=used.w).fit(tol=1e-13)
    assert_equal(ours, theirs)
    np.testing.assert_allclose(ours.predict(used, exposure=used.years, offset=used["shift"]), theirs.fittedvalues,
                               rtol=1e-7)


def test_an_offset_in_an_inverse_link(run_pooled, people):
    frame = people.assign(shift=people["shift"] * 1e-4)
    ours = run_pooled(split(frame), GlmFit(),
                      {"outcome": "cost", "features": ["age"], "family": "gamma", "offset": "shift"})
    assert_equal(ours, smf.glm("cost ~ age", frame, family=sm.families.Gamma(), offset=frame["shift"]).fit(tol=1e-13))


def test_rows_without_weight_or_exposure_are_left_out(run_pooled, people):
    frame = people.astype({"w": float})
    frame.loc[:40, "years"] = 0.0
    frame.loc[40:60, "w"] = np.nan
    ours = run_pooled(split(frame), GlmFit(), {"outcome": "visits", "features": ["age"], "family": "poisson",
                                               "weights": "w", "exposure": "years"})
    used = frame[(frame.w > 0) & (frame.years > 0)]
    assert ours.nobs == len(used)
    assert_equal(ours, smf.glm("visits ~ age", used, family=sm.families.Poisson(), exposure=used.years,
                               freq_weights=used.w).fit(tol=1e-13))


def test_exposure_in_a_prediction_needs_the_log_link(run_pooled, people):
    fit = run_pooled(split(people), GlmFit(), {"outcome": "event", "features": ["age"], "family": "binomial"})
    with pytest.raises(InputError, match=re.escape("glm.exposure-link")):
        fit.predict(people, exposure=1.0)


def refusal(run_pooled, frame, code, **params):
    contract = params.pop("contract", None) or infer_contract({"all": frame})
    with pytest.raises((RefusedError, InputError)) as caught:
        run_pooled(split(frame), GlmFit(), {"outcome": "event", "features": ["age", "arm"], "family": "binomial",
                                            **params}, contract=contract)
    assert caught.value.code == code
    return caught.value


def test_a_few_heavy_rows_are_no_cell(run_pooled, people):
    frame = people.assign(w=people.w.astype(float) + 1)
    heavy = frame.copy()
    heavy.loc[frame.index[frame.arm == "b"][:3], "w"] = 1e6
    assert "all" in refusal(run_pooled, heavy, "glm.effective-rows", weights="w").got
    level = frame.copy()
    level.loc[frame.arm == "b", "w"] = 1e-6
    level.loc[frame.index[frame.arm == "b"][:3], "w"] = 1.0
    assert "arm" in refusal(run_pooled, level, "glm.effective-rows", weights="w").got
    event = frame.copy()
    event.loc[frame.event == 1, "w"] = 1e-6
    event.loc[frame.index[frame.event == 1][:3], "w"] = 1.0
    assert "events" in refusal(run_pooled, event, "glm.effective-rows", weights="w", features=["age"]).got


@pytest.mark.parametrize(("family", "sign"), [("poisson", 1.0), ("negative-binomial", 1.0), ("gamma", -1.0)])
def test_a_steep_offset_would_tell_its_largest_value(run_pooled, people, family, sign):
    steep = people.assign(steep=sign * np.linspace(18.0, 22.0, N), visits=people.visits + 1.0)
    steep.loc[7, "steep"] = sign * 41.7
    if family == "poisson":  # what a reader could do: the intercept is log(sum of y) less nearly the largest offset
        fitted = smf.glm("visits ~ 1", steep, family=sm.families.Poisson(), offset=steep.steep).fit()
        assert np.log(steep.visits.sum()) - fitted.params["Intercept"] == pytest.approx(41.7, abs=1e-5)
    asked = {"family": family, "link": "log", "outcome": "visits", "features": ["age"], "offset": "steep"}
    assert "offset" in refusal(run_pooled, steep, "glm.effective-rows", **asked).got


def test_a_few_rows_of_much_exposure_are_no_cell(run_pooled, people):
    heavy = people.assign(years=np.where(people.arm == "b", 1e-3, 1.0))
    heavy.loc[heavy.index[heavy.arm == "b"][:3], "years"] = 1.0
    asked = {"family": "poisson", "outcome": "visits", "features": ["arm"], "exposure": "years"}
    assert "arm" in refusal(run_pooled, heavy, "glm.effective-rows", **asked).got


@pytest.mark.parametrize(("params", "code"), [
    ({"weights": "arm"}, "glm.column-type"), ({"weights": "shift"}, "glm.weights-range"),
    ({"exposure": "shift", "family": "poisson", "outcome": "visits"}, "glm.exposure-range"),
    ({"offset": "open"}, "columns.unbounded"), ({"offset": "nothing"}, "contract.unknown-field")])
def test_columns_that_cannot_be_weights_or_offsets(run_pooled, people, params, code):
    fields = (*infer_contract({"all": people}).fields, Field(name="open", type="number"))
    refusal(run_pooled, people.assign(open=1.0), code, contract=Contract(id="test.rows/v1", fields=fields), **params)


def test_an_offset_missing_everywhere_names_its_column(run_pooled, people):
    assert "'years'" in refusal(run_pooled, people.assign(years=np.where(np.arange(N) < 5, 1.0, np.nan)),
                                "model.too-few-rows", family="poisson", outcome="visits", exposure="years").hint


@pytest.mark.parametrize("wrong", [
    {"exposure": "years"}, {"alpha": 1.0}, {"link": "inverse"}, {"weights": "event"}, {"offset": "w", "weights": "w"},
    {"family": "gamma", "intercept": False}, {"family": "gamma", "institution_effects": "fixed"},
    {"institution_effects": "fixed", "intercept": False}, {"on_separation": "firth", "link": "probit"},
    {"on_separation": "ridge", "covariance": "robust"}, {"family": "negative-binomial", "covariance": "robust"},
    {"family": "gamma", "penalty": {"kind": "ridge"}}, {"covariance": "robust", "penalty": {"kind": "ridge"}},
    {"penalty": {"kind": "ridge", "l1_ratio": 0.5}}, {"penalty": {"kind": "elastic-net"}},
    {"penalty": {"kind": "lasso", "folds": 1}}, {"penalty": {"kind": "lasso", "lambdas": [0.1, 0.1]}}])
def test_parameters_that_do_not_go_together(wrong):
    from sealane.computations.registry import read_parameters

    with pytest.raises(InputError, match=re.escape("computation.bad-parameters")):
        read_parameters("glm.fit", {"outcome": "event", "features": ["age"], "family": "binomial", **wrong})
