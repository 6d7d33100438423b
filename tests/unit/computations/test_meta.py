"""``model.meta`` against per-institution statsmodels fits, combined by statsmodels."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd
import pytest

import sealane
from sealane.computations.meta.fit import MetaFit
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract

sm = pytest.importorskip("statsmodels.api")
smf = pytest.importorskip("statsmodels.formula.api")
meta_analysis = pytest.importorskip("statsmodels.stats.meta_analysis")

FAMILIES = {"gaussian": sm.families.Gaussian, "binomial": sm.families.Binomial, "poisson": sm.families.Poisson}
SIZES = [150, 220, 300, 180, 260, 240]


@pytest.fixture(scope="module")
def hospitals():
    random = np.random.default_rng(20260301)
    frames = {}
    for i, n in enumerate(SIZES):
        age, arm = random.normal(55 + 2 * i, 10, n).round(1), random.choice(["a", "b"], n)
        effect = random.normal(0.5, 0.4)
        eta = -0.4 + 0.02 * (age - 55) + effect * (arm == "b") + random.normal(0, 0.3)
        frames[f"h{i}"] = pd.DataFrame({
            "age": age, "arm": arm, "ill": (random.random(n) < 1 / (1 + np.exp(-eta))).astype(int),
            "days": random.poisson(np.exp(0.7 + 0.5 * eta)), "level": 7 + 2 * eta + random.normal(0, 1.5, n)})
    return frames


def own_fits(frames, formula, family):
    fits = [smf.glm(formula, frame, family=FAMILIES[family]()).fit(tol=1e-13) for frame in frames.values()]
    return pd.DataFrame([fit.params for fit in fits]), pd.DataFrame([fit.bse**2 for fit in fits])


@pytest.mark.parametrize(("family", "outcome"), [("gaussian", "level"), ("binomial", "ill"), ("poisson", "days")])
@pytest.mark.parametrize("exposed", [False, True])
def test_der_simonian_laird(run_pooled, hospitals, family, outcome, exposed):
    ours = run_pooled(hospitals, MetaFit(), {"outcome": outcome, "features": ["age", "arm"], "family": family,
                                             "hartung_knapp": True}, exposed=exposed)

    params, variances = own_fits(hospitals, f"{outcome} ~ age + arm", family)
    assert list(ours.params.index) == ["Intercept", "age", "arm[T.b]"]
    for name in params.columns:
        theirs = meta_analysis.combine_effects(params[name].to_numpy(), variances[name].to_numpy(), method_re="dl")
        assert ours.mean_effect_fe[name] == pytest.approx(theirs.mean_effect_fe, rel=1e-7)
        assert ours.sd_eff_w_fe[name] == pytest.approx(theirs.sd_eff_w_fe, rel=1e-7)
        assert ours.q[name] == pytest.approx(theirs.q, rel=1e-7)
        assert ours.tau2[name] == pytest.approx(max(theirs.tau2, 0.0), rel=1e-6)
        assert ours.i2[name] == pytest.approx(max(theirs.i2, 0.0), rel=1e-6, abs=1e-12)
        assert ours.h2[name] == pytest.approx(theirs.h2, rel=1e-7)
        # A negative tau² is 0, as DerSimonian and Laird have it; statsmodels goes on with it.
        kind = "random" if theirs.tau2 > 0 else "fixed"
        short = "re" if theirs.tau2 > 0 else "fe"
        assert ours.mean_effect_re[name] == pytest.approx(getattr(theirs, f"mean_effect_{short}"), rel=1e-7)
        assert ours.sd_eff_w_re[name] == pytest.approx(getattr(theirs, f"sd_eff_w_{short}"), rel=1e-7)
        assert ours.sd_eff_w_re_hksj[name] == pytest.approx(getattr(theirs, f"sd_eff_w_{short}_hksj"), rel=1e-7)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of samples without a number of rows, which are not looked at
            table = theirs.summary_frame(use_t=True).loc[f"{kind} effect wls"]
        np.testing.assert_allclose(ours.conf_int().loc[name], table[["ci_low", "ci_upp"]], rtol=1e-6)
    assert (ours.k, ours.nobs, ours.institutions) == (6, sum(SIZES), None)


@pytest.mark.parametrize("method", ["fixed", "pm"])
def test_other_methods(run_pooled, hospitals, method):
    ours = run_pooled(hospitals, MetaFit(), {"formula": "ill ~ age + arm", "family": "binomial", "method": method},
                      exposed=method == "pm")

    params, variances = own_fits(hospitals, "ill ~ age + arm", "binomial")
    theirs = {name: meta_analysis.combine_effects(params[name].to_numpy(), variances[name].to_numpy(), method_re="pm",
                                                  atol=1e-13) for name in params.columns}
    random = method == "pm"
    for name, one in theirs.items():
        assert ours.params[name] == pytest.approx(one.mean_effect_re if random else one.mean_effect_fe, rel=1e-7)
        assert ours.bse[name] == pytest.approx(one.sd_eff_w_re if random else one.sd_eff_w_fe, rel=1e-7)
    if random:
        width = np.sqrt(ours.tau2 + ours.bse**2) * 2.7764451051977987  # Student's t, 4 degrees of freedom, 97.5 %
        np.testing.assert_allclose(ours.prediction_interval()[1], ours.params + width, rtol=1e-10)
    else:
        assert ours.tau2 is None
        with pytest.raises(InputError) as caught:
            ours.prediction_interval()
        assert caught.value.code == "meta.no-prediction"


def test_institutions_are_released_only_where_all_waived(run_pooled, hospitals):
    asked = {"outcome": "ill", "features": ["age"], "family": "binomial", "by_institution": True}
    with pytest.raises(RefusedError) as caught:
        run_pooled(hospitals, MetaFit(), asked)
    assert caught.value.code == "meta.not-waived"

    ours = run_pooled(hospitals, MetaFit(), asked, exposed=True)

    params, variances = own_fits(hospitals, "ill ~ age", "binomial")
    np.testing.assert_allclose(ours.institutions["coef"], params.to_numpy().reshape(-1), rtol=1e-7)
    np.testing.assert_allclose(ours.institutions["std err"], np.sqrt(variances.to_numpy()).reshape(-1), rtol=1e-7)
    assert list(ours.institutions.index.get_level_values("institution").unique()) == list(hospitals)
    assert "h3" in ours.summary()


def test_masking_and_rlwe_give_what_statsmodels_gives(hospitals):
    few = {name: hospitals[name] for name in ("h0", "h1", "h2")}
    params, variances = own_fits(few, "level ~ age", "gaussian")
    theirs = meta_analysis.combine_effects(params["age"].to_numpy(), variances["age"].to_numpy())
    for scheme in ("masking", "rlwe"):
        ours = sealane.simulate(few).run("model.meta", formula="level ~ age", family="gaussian", method="fixed",
                                         scheme=scheme)
        assert ours.params["age"] == pytest.approx(theirs.mean_effect_fe, rel=1e-7)
        assert ours.q["age"] == pytest.approx(theirs.q, rel=1e-7)
        assert "h1" not in str(ours.to_dict())


@pytest.fixture
def refused(run_pooled):
    def attempt(frames, code, *, branch=RefusedError, exposed=False, **params):
        asked = {"outcome": "ill", "features": ["age", "arm"], "family": "binomial", "method": "fixed", **params}
        with pytest.raises(branch) as caught:
            run_pooled(frames, MetaFit(), asked, exposed=exposed, contract=infer_contract(frames))
        assert caught.value.code == code
        assert not any(name in str(caught.value) for name in frames)
        return caught.value

    return attempt


def test_an_institution_with_few_rows_or_events_is_counted_and_not_named(refused, hospitals):
    few_rows = hospitals | {"h2": hospitals["h2"].iloc[:8]}
    assert refused(few_rows, "meta.too-few-rows").got == "1 of 6 institutions"
    few_events = hospitals | {name: pd.concat([f[f.ill == 0], f[f.ill == 1].iloc[:9]])
                              for name, f in list(hospitals.items())[:2]}
    assert refused(few_events, "meta.too-few-rows").got == "2 of 6 institutions"
    few_counts = hospitals | {"h5": hospitals["h5"].assign(days=np.r_[np.ones(9), np.zeros(SIZES[5] - 9)].astype(int))}
    refused(few_counts, "meta.too-few-rows", outcome="days", family="poisson", features=["age"])


def test_a_level_or_a_separation_at_one_institution(refused, hospitals):
    one_arm = hospitals | {"h1": hospitals["h1"].assign(arm="a")}
    assert refused(one_arm, "meta.not-estimable").got == "1 of 6 institutions"
    separated = hospitals | {"h4": hospitals["h4"].assign(ill=(hospitals["h4"].arm == "b").astype(int))}
    refused(separated, "meta.not-estimable")
    exact = hospitals | {"h0": hospitals["h0"].assign(level=hospitals["h0"].age / 10)}
    refused(exact, "meta.not-estimable", outcome="level", family="gaussian")
    wide = hospitals | {"h0": hospitals["h0"].iloc[:11]}
    refused(wide, "meta.not-estimable", outcome="level", family="gaussian", features=["age", "arm", "days", "ill"])


def test_few_institutions_without_a_waiver(refused, hospitals):
    four = {name: hospitals[name] for name in list(hospitals)[:4]}
    refused(four, "meta.not-waived", method="dl")
    refused(four, "meta.not-waived", method="reml")


def test_outcomes_that_no_family_takes(refused, hospitals):
    refused(hospitals, "outcome.type", branch=InputError, outcome="level", features=["age"])
    halves = {name: frame.assign(ill=frame.ill / 2.0 + 0.0) for name, frame in hospitals.items()}
    halves["h0"].loc[0, "ill"] = 1.0
    refused(halves, "outcome.values", branch=InputError)


def test_a_picture_without_matplotlib(run_pooled, hospitals, monkeypatch):
    ours = run_pooled(hospitals, MetaFit(), {"formula": "ill ~ age", "family": "binomial", "method": "fixed"})
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError) as caught:
        ours.plot()
    assert caught.value.code == "plot.no-matplotlib"
    with pytest.raises(InputError) as caught:
        ours.conf_int(0.0)
    assert caught.value.code == "meta.alpha"


def test_forest_plots(run_pooled, hospitals):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    asked = {"outcome": "ill", "features": ["age", "arm"], "family": "binomial", "by_institution": True}
    ours = run_pooled(hospitals, MetaFit(), asked, exposed=True)
    axes = ours.plot(column="arm[T.b]", exponentiate=True)
    assert [label.get_text() for label in axes.get_yticklabels()] == [*hospitals, "all institutions"]
    assert [label.get_text() for label in ours.plot().get_yticklabels()] == ["age", "arm[T.b]"]
    with pytest.raises(InputError) as caught:
        run_pooled(hospitals, MetaFit(), {**asked, "by_institution": False}).plot(column="age")
    assert caught.value.code == "meta.no-forest"
