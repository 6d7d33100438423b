"""``model.meta`` over the institutions' own Cox models, against lifelines at each and statsmodels over them."""

from __future__ import annotations

import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from statsmodels.stats.meta_analysis import combine_effects
from survival_tables import patients, spread

import sealane
from sealane.computations.meta.fit import MetaFit
from sealane.computations.meta.local_cox import fit_cox
from sealane.errors import RefusedError
from sealane.governance.contract import infer_contract

mpl.use("Agg")
ASKED = {"family": "cox", "duration": "days", "event": "dead", "features": ["age", "dose", "arm"]}
HOSPITALS = spread(patients(1500, 31), 6)


def own_fits(frames, formula="age + dose + arm"):
    fits = [CoxPHFitter().fit(frame, "days", "dead", formula=formula, fit_options={"precision": 1e-12})
            for frame in frames.values()]
    return pd.DataFrame([fit.params_ for fit in fits]), pd.DataFrame([fit.standard_errors_**2 for fit in fits])


def test_der_simonian_laird_over_cox_models(run_pooled):
    ours = run_pooled(HOSPITALS, MetaFit(), {**ASKED, "hartung_knapp": True})

    params, variances = own_fits(HOSPITALS)
    assert sorted(ours.params.index) == sorted(params.columns)
    for name in params.columns:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of square roots after a negative tau², which are not looked at
            theirs = combine_effects(params[name].to_numpy(), variances[name].to_numpy(), method_re="dl")
        kind = "re" if theirs.tau2 > 0 else "fe"
        assert ours.mean_effect_fe[name] == pytest.approx(theirs.mean_effect_fe, rel=1e-6)
        assert ours.mean_effect_re[name] == pytest.approx(getattr(theirs, f"mean_effect_{kind}"), rel=1e-6)
        assert ours.sd_eff_w_re_hksj[name] == pytest.approx(getattr(theirs, f"sd_eff_w_{kind}_hksj"), rel=1e-6)
        assert ours.q[name] == pytest.approx(theirs.q, rel=1e-6)
    assert "cox, log hazard link" in ours.summary()


def test_each_institution_where_all_waived(run_pooled):
    ours = run_pooled(HOSPITALS, MetaFit(), {**ASKED, "by_institution": True}, exposed=True)
    params, variances = own_fits(HOSPITALS)
    columns = list(ours.params.index)
    np.testing.assert_allclose(ours.institutions["coef"], params[columns].to_numpy().reshape(-1), rtol=1e-6)
    errors = np.sqrt(variances[columns].to_numpy()).reshape(-1)
    np.testing.assert_allclose(ours.institutions["std err"], errors, rtol=1e-6)
    axes = ours.plot(column="age", exponentiate=True)
    assert len(axes.get_yticklabels()) == 7
    assert len(ours.plot().get_yticklabels()) == 4


def test_masking_and_rlwe():
    few = dict(list(HOSPITALS.items())[:3])
    params, variances = own_fits(few, "age")
    theirs = combine_effects(params["age"].to_numpy(), variances["age"].to_numpy())
    for scheme in ("masking", "rlwe"):
        ours = sealane.simulate(few).run("model.meta", scheme=scheme, method="fixed", **{**ASKED, "features": ["age"]})
        assert ours.params["age"] == pytest.approx(theirs.mean_effect_fe, rel=1e-6)


def test_refusals(run_pooled):
    def refused(frames, code, **params):
        with pytest.raises(RefusedError) as caught:
            run_pooled(frames, MetaFit(), {**ASKED, "method": "fixed", **params}, contract=infer_contract(frames))
        assert caught.value.code == code
        assert caught.value.got == "1 of 6 institutions"

    first = HOSPITALS["n0"]
    refused(HOSPITALS | {"n0": first.assign(dead=(np.arange(len(first)) < 8).astype(int))}, "meta.too-few-rows")
    refused(HOSPITALS | {"n0": first.assign(dead=(np.arange(len(first)) < 11).astype(int))}, "meta.not-estimable")
    refused(HOSPITALS | {"n0": first.assign(arm="new")}, "meta.not-estimable")
    # Nobody of one arm has the event: its hazard falls without end.
    refused(HOSPITALS | {"n0": first.assign(dead=first.dead.where(first.arm != "old", 0))}, "meta.not-estimable")


def test_own_fit_without_an_answer():
    time, x = np.arange(1.0, 41.0), np.arange(40.0)[:, None]
    assert fit_cox(-x / 10, time, np.ones(40)) is None  # who goes first has the largest value, to the last row
    assert fit_cox(np.column_stack([x, 2 * x]), time, np.ones(40)) is None


def test_parameters_that_contradict_each_other():
    for change in ({"outcome": "age", "features": ["dose"]}, {"duration": None}, {"features": ["days"]},
                   {"family": "binomial", "outcome": "dead"}, {"features": (), "formula": "dead ~ age"}):
        with pytest.raises(ValueError, match=r"no outcome|columns of their own|family"):
            MetaFit().parameters.model_validate({**ASKED, **change})
