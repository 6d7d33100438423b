"""Regression in a whole federation, under both schemes, with and without a waiver of every institution."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import sealane

smf = pytest.importorskip("statsmodels.formula.api")
sm = pytest.importorskip("statsmodels.api")
models = pytest.importorskip("sklearn.linear_model")


@pytest.fixture(scope="module")
def frames():
    random = np.random.default_rng(19)
    made = {}
    for place, name in enumerate(("north", "south", "west")):
        frame = pd.DataFrame({"age": random.normal(60, 9, 120).round(), "arm": random.choice(["a", "b"], 120),
                              "years": random.uniform(0.5, 3, 120), "w": random.integers(1, 4, 120)})
        mean = frame.years * np.exp(0.3 * place + 0.02 * (frame.age - 60) + 0.3 * (frame.arm == "b"))
        frame["falls"] = random.poisson(mean)
        frame["score"] = 10 + 0.2 * frame.age + random.normal(size=120)
        made[name] = frame
    return made


@pytest.fixture(scope="module")
def pooled(frames):
    return pd.concat([frame.assign(site=name) for name, frame in frames.items()], ignore_index=True)


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_intercepts_at_home_robust_errors_weights_and_exposure(frames, pooled, scheme):
    fit = sealane.simulate(frames).run(
        "glm.fit", outcome="falls", features=["age", "arm"], family="poisson", exposure="years", weights="w",
        institution_effects="fixed", covariance="robust", scheme=scheme)
    theirs = smf.glm("falls ~ C(site) - 1 + age + arm", pooled, family=sm.families.Poisson(), exposure=pooled.years,
                     freq_weights=pooled.w).fit(tol=1e-13, cov_type="HC0")
    names = ["age", "arm[T.b]"]
    np.testing.assert_allclose(fit.params[names], theirs.params[names], rtol=1e-6)
    np.testing.assert_allclose(fit.bse[names], theirs.bse[names], rtol=1e-6)
    assert fit.intercepts is None
    assert fit.trace.rounds >= 8


def test_a_waiver_of_all_shows_the_intercepts_and_one_of_some_does_not(frames, pooled):
    params = {"outcome": "falls", "features": ["age", "arm"], "family": "poisson", "exposure": "years",
              "institution_effects": "fixed"}
    some = sealane.simulate(frames).run("glm.fit", waive_differencing=["north", "south"], **params)
    assert some.intercepts is None
    every = sealane.simulate(frames).run("glm.fit", waive_differencing=list(frames), **params)
    theirs = smf.glm("falls ~ C(site) - 1 + age + arm", pooled, family=sm.families.Poisson(),
                     exposure=pooled.years).fit(tol=1e-13)
    for name in frames:
        assert every.intercepts[name] == pytest.approx(theirs.params[f"C(site)[{name}]"], rel=1e-6)


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_a_lasso_with_cross_validation(frames, pooled, scheme):
    path = sealane.simulate(frames).run("glm.fit", outcome="score", features=["age", "arm", "years"],
                                        family="gaussian", penalty={"kind": "lasso", "number": 6}, scheme=scheme)
    x = np.column_stack([pooled.age, pooled.arm == "b", pooled.years]).astype(float)
    z = (x - x.mean(0)) / x.std(0)
    for penalty in path.lambdas[1:]:
        theirs = models.Lasso(alpha=penalty, tol=1e-13, max_iter=100_000).fit(z, pooled.score)
        np.testing.assert_allclose(path.path.loc[penalty].iloc[1:], theirs.coef_ / x.std(0), rtol=1e-6, atol=1e-9)
    assert path.cv_["mean"].idxmin() == path.lambda_min
