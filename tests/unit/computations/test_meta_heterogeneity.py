"""Combining estimates, against published results and statsmodels; and how many sums may be opened."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar

from sealane.computations.base import Parameters
from sealane.computations.meta.estimates import Estimates, check_openings
from sealane.computations.meta.heterogeneity import combine, openings
from sealane.errors import RefusedError

meta_analysis = pytest.importorskip("statsmodels.stats.meta_analysis")

# Thirteen trials of BCG vaccine against tuberculosis: ill and well, vaccinated and not. Source: Colditz et al. (1994),
# JAMA 271, table 1.
BCG = np.array([
    [4, 119, 11, 128], [6, 300, 29, 274], [3, 228, 11, 209], [62, 13536, 248, 12619], [33, 5036, 47, 5761],
    [180, 1361, 372, 1079], [8, 2537, 10, 619], [505, 87886, 499, 87892], [29, 7470, 45, 7232], [17, 1699, 65, 1600],
    [186, 50448, 141, 27197], [5, 2493, 3, 2338], [27, 16886, 29, 17825]], dtype=float)
TREATED, CONTROL = BCG[:, 0] + BCG[:, 1], BCG[:, 2] + BCG[:, 3]
EFFECT = np.log(BCG[:, 0] / TREATED) - np.log(BCG[:, 2] / CONTROL)
VARIANCE = 1 / BCG[:, 0] - 1 / TREATED + 1 / BCG[:, 2] - 1 / CONTROL


class Asked(Parameters):
    method: str
    hartung_knapp: bool = False
    iterations: int = 100


class Combination:
    """Each institution holds one estimate; the second column is of one that does not differ between them."""

    name, parameters = "test.combination", Asked

    async def run(self, data, cohort, params):
        row = data.frame(["effect", "variance"]).iloc[0]
        own = Estimates(cohort, np.array([row.effect, 0.5]), np.array([row.variance, row.variance]), 2.0**20)
        check_openings(cohort, openings(params.method, hartung_knapp=params.hartung_knapp))
        if cohort.exposed:
            await own.reveal()
        found = await combine(own, params.method, hartung_knapp=params.hartung_knapp, iterations=params.iterations)
        plain = {"iterations": found.iterations}
        for name, attribute in (("fixed", "fixed"), ("random", "varying")):
            mean = getattr(found, attribute)
            plain[name] = None if mean is None else [mean.mean.tolist(), mean.variance.tolist()]
        for name in ("hartung_knapp", "tau2", "q"):
            values = getattr(found, name)
            plain[name] = None if values is None else values.tolist()
        return plain

    def present(self, payload):
        return payload


@pytest.fixture
def combined(run_pooled):
    def run(method, effect=EFFECT, variance=VARIANCE, **options):
        exposed = options.pop("exposed", False)
        frames = {f"t{i}": pd.DataFrame({"effect": [e], "variance": [v]})
                  for i, (e, v) in enumerate(zip(effect, variance, strict=True))}
        return run_pooled(frames, Combination(), {"method": method, **options}, exposed=exposed)

    return run


def test_published_fixed_effect(combined):
    # Source: Viechtbauer (2010), J. Stat. Softw. 36(3), section 4: the same trials by log relative risk.
    found = combined("fixed")
    assert (round(found["fixed"][0][0], 4), round(found["fixed"][1][0] ** 0.5, 4)) == (-0.4303, 0.0405)
    assert found["q"][0] == pytest.approx(152.2330, abs=5e-5)
    assert found["random"] is None


@pytest.mark.parametrize("exposed", [False, True])
def test_published_der_simonian_laird(combined, exposed):
    found = combined("dl", exposed=exposed)
    assert (round(found["tau2"][0], 4), round(found["random"][0][0], 4)) == (0.3088, -0.7141)
    assert round(found["random"][1][0] ** 0.5, 4) == 0.1787
    assert found["tau2"][1] == 0.0
    assert found["random"][0][1] == pytest.approx(0.5, rel=1e-12)


def test_published_reml(combined):
    # Source: Viechtbauer (2010), section 4.
    found = combined("reml", exposed=True)
    assert (round(found["tau2"][0], 4), round(found["random"][0][0], 4)) == (0.3132, -0.7145)
    assert round(found["random"][1][0] ** 0.5, 4) == 0.1798


def test_reml_is_the_maximum_of_the_restricted_likelihood(combined):
    def minus(tau2):
        w = 1 / (VARIANCE + tau2)
        mean = (w * EFFECT).sum() / w.sum()
        return -np.log(w).sum() + np.log(w.sum()) + (w * (EFFECT - mean) ** 2).sum()

    best = minimize_scalar(minus, bounds=(0, 2), method="bounded", options={"xatol": 1e-12}).x
    assert combined("reml", exposed=True)["tau2"][0] == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize(("method", "exposed"), [("dl", False), ("pm", False), ("pm", True)])
def test_against_statsmodels(combined, method, exposed):
    exact = {"atol": 1e-13} if method == "pm" else {}
    theirs = meta_analysis.combine_effects(EFFECT, VARIANCE, method_re=method, **exact)

    found = combined(method, hartung_knapp=True, exposed=exposed)

    assert found["tau2"][0] == pytest.approx(theirs.tau2, rel=1e-9)
    assert found["q"][0] == pytest.approx(theirs.q, rel=1e-12)
    assert found["fixed"][0][0] == pytest.approx(theirs.mean_effect_fe, rel=1e-12)
    assert found["random"][0][0] == pytest.approx(theirs.mean_effect_re, rel=1e-9)
    assert found["random"][1][0] ** 0.5 == pytest.approx(theirs.sd_eff_w_re, rel=1e-9)
    assert found["hartung_knapp"][0] ** 0.5 == pytest.approx(theirs.sd_eff_w_re_hksj, rel=1e-9)


@pytest.mark.parametrize("method", ["pm", "reml", "dl"])
def test_no_heterogeneity(combined, method):
    effect = np.array([0.5, 0.51, 0.49, 0.5, 0.505, 0.495])
    found = combined(method, effect=effect, variance=np.full(6, 0.04), exposed=True)
    assert found["tau2"] == [0.0, 0.0]
    assert found["random"][0][0] == pytest.approx(0.5, rel=1e-12)


def test_unweighted(combined):
    found = combined("unweighted", effect=EFFECT[:3], variance=VARIANCE[:3], hartung_knapp=True)
    spread = np.var(EFFECT[:3], ddof=1)
    tau2 = max(spread - VARIANCE[:3].mean(), 0.0)
    assert found["random"][0][0] == pytest.approx(EFFECT[:3].mean(), rel=1e-12)
    assert found["random"][1][0] == pytest.approx((VARIANCE[:3].mean() + tau2) / 3, rel=1e-12)
    assert found["hartung_knapp"][0] == pytest.approx(spread / 3, rel=1e-12)


@pytest.mark.parametrize(("method", "institutions", "extra"), [
    ("fixed", 3, {}), ("unweighted", 3, {}), ("dl", 5, {}), ("dl", 5, {"hartung_knapp": True})])
def test_fewest_institutions_without_a_waiver(combined, method, institutions, extra):
    combined(method, effect=EFFECT[:institutions], variance=VARIANCE[:institutions], **extra)
    with pytest.raises(RefusedError) as caught:
        combined(method, effect=EFFECT[: institutions - 1], variance=VARIANCE[: institutions - 1], **extra)
    assert caught.value.code == "meta.not-waived"
    combined(method, effect=EFFECT[:3], variance=VARIANCE[:3], exposed=True, **extra)


def test_one_institution_with_nearly_all_of_the_weight(combined):
    variance = np.array([0.001, 0.04, 0.05, 0.02, 0.03])
    with pytest.raises(RefusedError) as caught:
        combined("dl", effect=EFFECT[:5], variance=variance)
    assert caught.value.code == "meta.dominated"
    combined("unweighted", effect=EFFECT[:5], variance=variance)
    assert combined("dl", effect=EFFECT[:5], variance=variance, exposed=True)["tau2"][0] > 0


def test_iterations_stop_before_they_give_estimates_away(combined):
    with pytest.raises(RefusedError) as caught:
        combined("reml", effect=EFFECT[:8], variance=VARIANCE[:8])
    assert caught.value.code == "meta.not-waived"


def test_too_few_iterations(combined):
    with pytest.raises(RefusedError) as caught:
        combined("reml", iterations=2, exposed=True)
    assert caught.value.code == "meta.not-converged"
