"""Robust covariances: equal to statsmodels' sandwiches on the pooled rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sealane.computations.glm.fit import GlmFit
from sealane.errors import RefusedError

sm = pytest.importorskip("statsmodels.api")
smf = pytest.importorskip("statsmodels.formula.api")

pytestmark = [pytest.mark.filterwarnings("ignore:.*does not respect the domain"),
              pytest.mark.filterwarnings("ignore:cov_type not fully supported")]

L, F = sm.families.links, sm.families
KINDS = [
    ("gaussian", "identity", "pressure", F.Gaussian()), ("gaussian", "log", "pressure", F.Gaussian(L.Log())),
    ("binomial", "logit", "event", F.Binomial()), ("binomial", "probit", "event", F.Binomial(L.Probit())),
    ("binomial", "cloglog", "event", F.Binomial(L.CLogLog())), ("poisson", "log", "visits", F.Poisson()),
    ("gamma", "inverse", "cost", F.Gamma()), ("gamma", "log", "cost", F.Gamma(L.Log())),
    ("negative-binomial", "log", "visits", F.NegativeBinomial(alpha=0.4)),
]


@pytest.fixture(scope="module")
def people():
    random = np.random.default_rng(14)
    n = 700
    frame = pd.DataFrame({"age": random.uniform(30, 80, n), "arm": random.choice(["a", "b", "c"], n),
                          "site": random.integers(0, 7, n), "w": random.integers(1, 4, n)})
    slope = 0.02 * (frame.age - 55) + 0.4 * (frame.arm == "b") + 0.3 * random.normal(size=7)[frame.site]
    frame["event"] = (random.random(n) < 1 / (1 + np.exp(-slope))).astype(int)
    frame["visits"] = random.poisson(np.exp(0.5 + slope) * random.gamma(2, 0.5, n))
    frame["cost"] = random.gamma(3.0, 100 * np.exp(0.4 * slope))
    frame["pressure"] = 120 + 6 * slope + random.normal(0, 1 + (frame.age - 25) / 8, n)
    return frame


def split(frame):
    return {f"n{i}": part.reset_index(drop=True) for i, (_, part) in enumerate(frame.groupby("site"))}


@pytest.mark.parametrize(("covariance", "theirs"), [("robust", "HC0"), ("institution", "cluster")])
@pytest.mark.parametrize(("family", "link", "outcome", "their_family"), KINDS)
def test_sandwiches(run_pooled, people, family, link, outcome, their_family, covariance, theirs):
    ours = run_pooled(split(people), GlmFit(), {
        "outcome": outcome, "features": ["age", "arm"], "family": family, "link": link, "covariance": covariance,
        **({"alpha": 0.4} if family == "negative-binomial" else {})})

    keywords = {"cov_kwds": {"groups": people.site}} if theirs == "cluster" else {}
    fitted = smf.glm(f"{outcome} ~ age + arm", people, family=their_family).fit(tol=1e-14, maxiter=300,
                                                                              cov_type=theirs, **keywords)
    names = list(fitted.params.index)
    np.testing.assert_allclose(ours.bse[names], fitted.bse, rtol=1e-6)
    spread = np.sqrt(np.outer(np.diag(fitted.cov_params()), np.diag(fitted.cov_params())))
    np.testing.assert_allclose(ours.cov_params().loc[names, names] / spread, fitted.cov_params() / spread, atol=1e-6)
    assert ours.cov_type == covariance
    assert ("unreliable" in ours.summary()) == (covariance == "institution")


def test_the_small_sample_factor_of_hc1(run_pooled, people):
    """statsmodels applies it to its linear model only (its GLM gives HC0 under that name)."""
    ours = run_pooled(split(people), GlmFit(), {"outcome": "pressure", "features": ["age", "arm"],
                                                "family": "gaussian", "covariance": "robust-hc1"})
    theirs = smf.ols("pressure ~ age + arm", people).fit(cov_type="HC1")
    np.testing.assert_allclose(ours.bse[theirs.bse.index], theirs.bse, rtol=1e-8)


@pytest.mark.parametrize(("covariance", "theirs"), [("robust", "HC0"), ("institution", "cluster")])
def test_weights_in_a_sandwich(run_pooled, people, covariance, theirs):
    ours = run_pooled(split(people), GlmFit(), {"outcome": "event", "features": ["age"], "family": "binomial",
                                                "weights": "w", "covariance": covariance})
    keywords = {"cov_kwds": {"groups": people.site}} if theirs == "cluster" else {}
    fitted = smf.glm("event ~ age", people, family=F.Binomial(), freq_weights=people.w).fit(
        tol=1e-14, cov_type=theirs, **keywords)
    np.testing.assert_allclose(ours.bse, fitted.bse, rtol=1e-6)


def test_fewer_institutions_than_a_sandwich_needs(run_pooled, people):
    """Scores that sum to zero span one dimension less than there are institutions; two would show each other's."""
    frames = split(people)
    for kept, features in ((4, ["age", "arm"]), (2, ["age"])):
        some = dict(list(frames.items())[:kept])
        with pytest.raises(RefusedError) as caught:
            run_pooled(some, GlmFit(), {"outcome": "event", "features": features, "family": "binomial",
                                        "covariance": "institution"})
        assert caught.value.code == "glm.too-few-institutions"
    three = dict(list(frames.items())[:3])
    assert run_pooled(three, GlmFit(), {"outcome": "event", "features": ["age"], "family": "binomial",
                                        "covariance": "institution"}).bse.gt(0).all()


def test_the_split_of_rows_does_not_matter_to_a_robust_error(run_pooled, people):
    params = {"outcome": "visits", "features": ["age", "arm"], "family": "poisson", "covariance": "robust"}
    whole = run_pooled({"all": people}, GlmFit(), params)
    parts = run_pooled(split(people), GlmFit(), params)
    np.testing.assert_allclose(parts.cov_params(), whole.cov_params(), rtol=1e-7)
