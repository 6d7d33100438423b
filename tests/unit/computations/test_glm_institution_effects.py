"""An intercept per institution that stays at home: equal to a pooled model with a column per institution."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from sealane.computations.glm.fit import GlmFit
from sealane.errors import InputError, RefusedError

sm = pytest.importorskip("statsmodels.api")
smf = pytest.importorskip("statsmodels.formula.api")

pytestmark = [pytest.mark.filterwarnings("ignore:.*does not respect the domain"),
              pytest.mark.filterwarnings("ignore:cov_type not fully supported")]

L, F = sm.families.links, sm.families
KINDS = [
    ("gaussian", "identity", "pressure", F.Gaussian()), ("binomial", "logit", "event", F.Binomial()),
    ("binomial", "probit", "event", F.Binomial(L.Probit())), ("binomial", "cloglog", "event", F.Binomial(L.CLogLog())),
    ("poisson", "log", "visits", F.Poisson()), ("gamma", "log", "cost", F.Gamma(L.Log())),
    ("negative-binomial", "log", "visits", F.NegativeBinomial(alpha=0.4)),
]
FEATURES = ["age", "arm[T.b]", "arm[T.c]"]


@pytest.fixture(scope="module")
def people():
    random = np.random.default_rng(23)
    n = 700
    frame = pd.DataFrame({"arm": random.choice(["a", "b", "c"], n), "site": random.integers(0, 4, n),
                          "years": random.uniform(0.5, 3.0, n), "w": random.integers(1, 4, n)})
    frame["age"] = random.normal(40 + 8 * frame.site, 8)
    frame["region"] = np.where(frame.site < 2, "north", "south")
    slope = 0.03 * (frame.age - 50) + 0.4 * (frame.arm == "b") - 0.6 * frame.site
    frame["event"] = (random.random(n) < 1 / (1 + np.exp(-1 - slope))).astype(int)
    frame["visits"] = random.poisson(np.exp(1 + slope) * frame.years * random.gamma(2, 0.5, n))
    frame["cost"] = random.gamma(3.0, 100 * np.exp(0.4 * slope))
    frame["pressure"] = 120 + 6 * slope + random.normal(0, 9, n)
    return frame


def split(frame):
    return {f"n{i}": part.reset_index(drop=True) for i, (_, part) in enumerate(frame.groupby("site"))}


def pooled(people, outcome, family, **keywords):
    return smf.glm(f"{outcome} ~ C(site) - 1 + age + arm", people, family=family,
                   **keywords).fit(tol=1e-14, maxiter=300)


@pytest.mark.parametrize(("family", "link", "outcome", "their_family"), KINDS)
def test_equal_to_a_column_per_institution(run_pooled, people, family, link, outcome, their_family):
    ours = run_pooled(split(people), GlmFit(), {
        "outcome": outcome, "features": ["age", "arm"], "family": family, "link": link, "institution_effects": "fixed",
        **({"alpha": 0.4} if family == "negative-binomial" else {})}, exposed=True)

    theirs = pooled(people, outcome, their_family)
    assert list(ours.params.index) == FEATURES
    np.testing.assert_allclose(ours.params, theirs.params[FEATURES], rtol=1e-6)
    np.testing.assert_allclose(ours.bse, theirs.bse[FEATURES], rtol=1e-6)
    for attribute in ("deviance", "null_deviance", "llf", "aic", "bic_llf", "scale", "df_resid", "df_model"):
        assert getattr(ours, attribute) == pytest.approx(getattr(theirs, attribute), rel=1e-6), attribute
    np.testing.assert_allclose(ours.intercepts, theirs.params[[f"C(site)[{k}]" for k in range(4)]], rtol=1e-6)
    at_home = people[people.site == 2]
    np.testing.assert_allclose(ours.predict(at_home, institution="n2"), theirs.fittedvalues[people.site == 2],
                               rtol=1e-6)


@pytest.mark.parametrize("covariance", ["robust", "institution"])
def test_with_exposure_weights_and_robust_errors(run_pooled, people, covariance):
    frame = people.assign(site=np.arange(len(people)) % 6)
    ours = run_pooled(split(frame), GlmFit(), {
        "outcome": "visits", "features": ["age", "arm"], "family": "poisson", "institution_effects": "fixed",
        "exposure": "years", "weights": "w", "covariance": covariance})
    model = smf.glm("visits ~ C(site) - 1 + age + arm", frame, family=F.Poisson(), exposure=frame.years,
                    freq_weights=frame.w)
    theirs = model.fit(tol=1e-14, **({"cov_type": "HC0"} if covariance == "robust" else {
        "cov_type": "cluster", "cov_kwds": {"groups": frame.site}}))
    np.testing.assert_allclose(ours.params, theirs.params[FEATURES], rtol=1e-6)
    np.testing.assert_allclose(ours.bse, theirs.bse[FEATURES], rtol=1e-6)


def test_dispersion_estimated_beside_intercepts(run_pooled, people):
    discrete = pytest.importorskip("statsmodels.discrete.discrete_model")
    ours = run_pooled(split(people), GlmFit(), {"outcome": "visits", "features": ["age", "arm"],
                                                "family": "negative-binomial", "institution_effects": "fixed"})
    theirs = discrete.NegativeBinomial.from_formula("visits ~ C(site) + age + arm", people).fit(
        method="newton", maxiter=200, disp=0, tol=1e-12)
    names = [*FEATURES, "alpha"]
    np.testing.assert_allclose(ours.params[names], theirs.params[names], rtol=1e-6)
    np.testing.assert_allclose(ours.bse[names], theirs.bse[names], rtol=1e-6)
    assert (ours.llf, ours.aic) == pytest.approx((theirs.llf, theirs.aic), rel=1e-8)


def test_intercepts_stay_at_home_unless_all_let_them_show(run_pooled, people):
    params = {"outcome": "event", "features": ["age"], "family": "binomial", "institution_effects": "fixed"}
    hidden = run_pooled(split(people), GlmFit(), params)
    assert hidden.intercepts is None
    assert "n2" not in str(hidden.to_dict())
    with pytest.raises(RefusedError, match=re.escape("glm.intercepts-not-waived")):
        hidden.predict(people, institution="n2")
    with pytest.raises(InputError, match=re.escape("glm.whose-intercept")):
        hidden.predict(people)
    shown = run_pooled(split(people), GlmFit(), params, exposed=True)
    np.testing.assert_allclose(hidden.predict(people, intercept=float(shown.intercepts["n1"])),
                               shown.predict(people, institution="n1"), rtol=1e-12)
    with pytest.raises(InputError, match=re.escape("glm.unknown-institution")):
        shown.predict(people, institution="n9")
    plain = run_pooled(split(people), GlmFit(), {**params, "institution_effects": "none"})
    with pytest.raises(InputError, match=re.escape("glm.no-institution-effects")):
        plain.predict(people, institution="n1")


def refusal(run_pooled, frame, code, **params):
    with pytest.raises(RefusedError) as caught:
        run_pooled(split(frame), GlmFit(), {"outcome": "event", "features": ["age"], "family": "binomial",
                                            "institution_effects": "fixed", **params})
    assert caught.value.code == code
    return caught.value


def test_an_institution_that_has_no_intercept_is_counted_and_not_named(run_pooled, people):
    without = people.copy()
    without.loc[without.site == 3, "event"] = 0
    error = refusal(run_pooled, without, "glm.institution-without-intercept")
    assert error.got.startswith("1 institutions")
    assert "n3" not in str(error)
    few = people[(people.site != 1) | (np.arange(len(people)) < 12)]
    refusal(run_pooled, few, "glm.institution-without-intercept")
    none = people.copy()
    none.loc[none.site == 2, "visits"] = 0
    refusal(run_pooled, none, "glm.institution-without-intercept", outcome="visits", family="poisson")


def test_a_column_that_no_institution_varies_in(run_pooled, people):
    assert refusal(run_pooled, people, "model.collinear", features=["age", "region"]).got == "region[T.south]"
