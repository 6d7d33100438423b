"""Families and links that are not canonical: equal to statsmodels' Fisher scoring on the pooled rows."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from sealane.computations.glm.families import ALLOWED
from sealane.computations.glm.fit import GlmFit
from sealane.computations.glm.links import LINKS
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract

sm = pytest.importorskip("statsmodels.api")
smf = pytest.importorskip("statsmodels.formula.api")

pytestmark = [pytest.mark.filterwarnings("ignore:.*does not respect the domain"),
              pytest.mark.filterwarnings("ignore:cov_type not fully supported")]

L = sm.families.links
THEIRS = {"identity": L.Identity, "log": L.Log, "logit": L.Logit, "probit": L.Probit, "cloglog": L.CLogLog,
          "inverse": L.InversePower}
OUTCOMES = {"gaussian": "pressure", "binomial": "event", "poisson": "visits", "gamma": "cost",
            "negative-binomial": "nights"}
ALPHA = 0.5
EVERY = [(family, link) for family, links in ALLOWED.items() for link in links]


def their_family(family, link):
    made = THEIRS[link]()
    return {"gaussian": sm.families.Gaussian, "binomial": sm.families.Binomial, "poisson": sm.families.Poisson,
            "gamma": sm.families.Gamma}[family](made) if family != "negative-binomial" else (
        sm.families.NegativeBinomial(made, alpha=ALPHA))


@pytest.fixture(scope="module")
def people():
    random = np.random.default_rng(41)
    n = 800
    frame = pd.DataFrame({"age": random.uniform(30, 80, n).round(1), "dose": random.gamma(2.0, 1.0, n).clip(0, 8),
                          "arm": random.choice(["a", "b", "c"], n), "site": random.integers(0, 3, n)})
    share = 0.08 + 0.004 * (frame.age - 30) + 0.03 * frame.dose + 0.1 * (frame.arm == "b")
    frame["event"] = (random.random(n) < share).astype(int)
    frame["visits"] = random.poisson(8 * share)
    frame["nights"] = random.poisson(8 * share * random.gamma(2.0, 0.5, n))
    frame["cost"] = random.gamma(3.0, 300 * (0.5 + share))
    frame["pressure"] = 90 + 100 * share + random.normal(0, 9, n)
    return frame


def split(frame, by="site"):
    return {f"n{i}": part.reset_index(drop=True) for i, (_, part) in enumerate(frame.groupby(by))}


@pytest.mark.parametrize(("family", "link"), EVERY)
def test_every_family_and_link(run_pooled, people, family, link):
    outcome = OUTCOMES[family]
    params = {"outcome": outcome, "features": ["age", "dose", "arm"], "family": family, "link": link,
              **({"alpha": ALPHA} if family == "negative-binomial" else {})}

    ours = run_pooled(split(people), GlmFit(), params)

    theirs = smf.glm(f"{outcome} ~ age + dose + arm", people, family=their_family(family, link)).fit(
        tol=1e-14, maxiter=300)
    names = list(theirs.params.index)
    np.testing.assert_allclose(ours.params[names], theirs.params, rtol=1e-6)
    np.testing.assert_allclose(ours.bse[names], theirs.bse, rtol=1e-6)
    for attribute in ("deviance", "null_deviance", "llf", "aic", "bic_llf", "scale", "pearson_chi2"):
        assert getattr(ours, attribute) == pytest.approx(getattr(theirs, attribute), rel=1e-6), attribute
    assert (ours.nobs, ours.df_model, ours.df_resid) == (theirs.nobs, theirs.df_model, theirs.df_resid)
    np.testing.assert_allclose(ours.predict(people), theirs.predict(people), rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-4, 1e5])
@pytest.mark.parametrize(("family", "link"), [("gamma", "inverse"), ("gamma", "log"), ("gamma", "identity"),
                                              ("gaussian", "log"), ("gaussian", "inverse")])
def test_the_unit_of_an_amount_does_not_matter(run_pooled, people, family, link, unit):
    params = {"outcome": "cost", "features": ["age", "dose"], "family": family, "link": link}
    whole = run_pooled(split(people), GlmFit(), params)
    other = run_pooled(split(people.assign(cost=people.cost * unit)), GlmFit(), params)
    power = {"identity": 1.0, "inverse": -1.0, "log": 0.0}[link]
    np.testing.assert_allclose(other.params[["age", "dose"]], whole.params[["age", "dose"]] * unit**power, rtol=1e-6)
    np.testing.assert_allclose(other.tvalues[["age", "dose"]], whole.tvalues[["age", "dose"]], rtol=1e-6)


@pytest.mark.parametrize("link", list(THEIRS))
@pytest.mark.parametrize("predictor", [-3.0, -0.4, 0.3, 1.7])
def test_derivatives_of_links(link, predictor):
    at, theirs = np.array([predictor]), THEIRS[link]()
    mean = LINKS[link].evaluate(at)
    assert mean.value == pytest.approx(theirs.inverse(at), rel=1e-12)
    assert mean.other == pytest.approx(1 - theirs.inverse(at), rel=1e-9, abs=1e-12)
    assert mean.slope == pytest.approx(theirs.inverse_deriv(at), rel=1e-9)
    assert LINKS[link].bend(at, mean) == pytest.approx(theirs.inverse_deriv2(at), rel=1e-6, abs=1e-9)
    if mean.value[0] > 0:
        assert LINKS[link].predictor(float(mean.value[0])) == pytest.approx(predictor, rel=1e-9)


def test_a_mean_on_the_edge_of_what_the_link_takes_has_no_answer(run_pooled):
    """An additive risk that would have to fall under 0: the steps end at the border."""
    frame = pd.DataFrame({"x": np.tile(np.arange(6.0), 30)})
    frame["k"] = np.where(frame.x == 0, 9, np.where(frame.x == 1, 1, 0))
    with pytest.raises(RefusedError) as caught:
        run_pooled(split(frame, np.arange(180) % 3), GlmFit(),
                   {"outcome": "k", "features": ["x"], "family": "poisson", "link": "identity"})
    assert caught.value.code == "glm.boundary"


def test_a_mean_that_the_link_does_not_take(run_pooled, people):
    frames = split(people.assign(pressure=-people.pressure))
    with pytest.raises(RefusedError) as caught:
        run_pooled(frames, GlmFit(), {"outcome": "pressure", "features": ["age"], "family": "gaussian", "link": "log"})
    assert caught.value.code == "glm.no-start"


def test_gamma_amounts_are_above_zero(run_pooled, people):
    frame = people.copy()
    frame.loc[3, "cost"] = 0.0
    with pytest.raises(InputError) as caught:
        run_pooled(split(frame), GlmFit(), {"outcome": "cost", "features": ["age"], "family": "gamma"})
    assert caught.value.code == "outcome.values"
    contract = infer_contract({"all": people.assign(cost=people.cost - 50)})
    with pytest.raises(InputError) as caught:
        run_pooled(split(people), GlmFit(), {"outcome": "cost", "features": ["age"], "family": "gamma"},
                   contract=contract)
    assert caught.value.code == "outcome.type"


def test_ratios(run_pooled, people):
    logistic = run_pooled(split(people), GlmFit(), {"outcome": "event", "features": ["age"], "family": "binomial"})
    np.testing.assert_allclose(logistic.odds_ratios["odds ratio"], np.exp(logistic.params), rtol=1e-12)
    np.testing.assert_allclose(logistic.odds_ratios[[0, 1]], np.exp(logistic.conf_int()), rtol=1e-12)
    counts = run_pooled(split(people), GlmFit(), {"outcome": "visits", "features": ["age"], "family": "poisson"})
    assert list(counts.exp_params.columns) == ["exp(coef)", 0, 1]
    with pytest.raises(InputError, match=re.escape("glm.no-odds-ratios")):
        _ = counts.odds_ratios
    linear = run_pooled(split(people), GlmFit(), {"outcome": "cost", "features": ["age"], "family": "gaussian"})
    with pytest.raises(InputError, match=re.escape("glm.no-ratios")):
        _ = linear.exp_params


def test_counts_in_millions(run_pooled):
    """Weights of a million: a slope that is rounding in their unit is no border."""
    random = np.random.default_rng(12)
    frame = pd.DataFrame({"x": random.normal(size=300)})
    frame["k"] = random.poisson(1e6 * np.exp(0.5 * frame.x))
    for link in ("log", "identity"):
        outcome = frame.assign(k=random.poisson(1e6 * (3 + 0.2 * frame.x))) if link == "identity" else frame
        ours = run_pooled(split(outcome, np.arange(300) % 3), GlmFit(),
                          {"outcome": "k", "features": ["x"], "family": "poisson", "link": link})
        theirs = smf.glm("k ~ x", outcome, family=sm.families.Poisson(THEIRS[link]())).fit(tol=1e-14)
        np.testing.assert_allclose(ours.params, theirs.params, rtol=1e-9)
        np.testing.assert_allclose(ours.bse, theirs.bse, rtol=1e-6)
