"""A logistic random intercept against adaptive integration by scipy over the pooled rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

import sealane
from sealane.computations.mixed.fit import MixedFit
from sealane.errors import RefusedError
from sealane.governance.contract import infer_contract

smf = pytest.importorskip("statsmodels.formula.api")
sm = pytest.importorskip("statsmodels.api")
SIZES = {"north": 90, "south": 120, "east": 70, "west": 100, "coast": 80, "hills": 110}
ASKED = {"outcome": "died", "features": ["age", "arm"], "family": "binomial"}


def draw(seed, spread):
    random = np.random.default_rng(seed)
    frames = {}
    for name, n in SIZES.items():
        age, arm = random.normal(60, 8, n).round(1), random.choice(["a", "b"], n)
        eta = -0.3 + 0.05 * (age - 60) + 0.6 * (arm == "b") + spread * random.normal()
        frames[name] = pd.DataFrame({"age": age, "arm": arm, "died": (random.random(n) < 1 / (1 + np.exp(-eta)))})
    return frames


def pooled(frames):
    return pd.concat([frame.assign(site=name) for name, frame in frames.items()], ignore_index=True)


def log_likelihood(values, frame):
    """Integrate each institution's likelihood; the integrand is scaled by its largest value on a lattice."""
    total, sigma = 0.0, values[-1]
    x = np.column_stack([np.ones(len(frame)), frame.age, frame.arm == "b"]).astype(float)
    for site in frame.site.unique():
        here = (frame.site == site).to_numpy()
        fixed, y = x[here] @ values[:-1], frame.died.to_numpy()[here].astype(float)

        def logs(u, fixed=fixed, y=y):
            eta = fixed + sigma * u
            return (y * eta - np.logaddexp(0, eta)).sum() - u * u / 2 - np.log(2 * np.pi) / 2

        lattice = np.linspace(-6, 6, 121)
        heights = [logs(u) for u in lattice]
        top, at = max(heights), lattice[int(np.argmax(heights))]
        value = quad(lambda u, logs=logs, top=top: np.exp(logs(u) - top), at - 3, at + 3, epsabs=1e-13, epsrel=1e-12,
                     limit=200)[0]
        total += top + np.log(value)
    return total


@pytest.fixture(scope="module")
def hospitals():
    return draw(4, 0.9)


def test_is_the_maximum_by_another_integration(run_pooled, hospitals):
    ours = run_pooled(hospitals, MixedFit(), ASKED, exposed=True)

    frame = pooled(hospitals)
    at = np.append(ours.fe_params.to_numpy(), ours.cov_re.iloc[0, 0] ** 0.5)
    assert list(ours.fe_params.index) == ["Intercept", "age", "arm[T.b]"]
    assert ours.llf == pytest.approx(log_likelihood(at, frame), rel=1e-10)
    # In units of standard errors (0.1 for the deviation): the gradient vanishes, and its slope is the information.
    unit = np.append(ours.bse_fe.to_numpy(), 0.1)
    steps = np.diag(unit) * 0.02

    def gradient(point):
        return np.array([(log_likelihood(point + h, frame) - log_likelihood(point - h, frame)) / 0.04 for h in steps])

    centre = gradient(at)
    np.testing.assert_allclose(centre, 0.0, atol=2e-3)
    information = -np.array([(gradient(at + h) - gradient(at - h)) / 0.04 for h in steps])
    covariance = np.linalg.inv((information + information.T) / 2) * np.outer(unit, unit)
    np.testing.assert_allclose(ours.cov_params(), covariance[:3, :3], rtol=2e-3)
    # A step by the slope found here would move no coefficient by a thousandth of its error.
    assert np.abs(np.linalg.solve(information, centre)).max() < 1e-3
    logistic = smf.glm("died ~ age + arm", frame.assign(died=frame.died.astype(int)),
                       family=sm.families.Binomial()).fit(tol=1e-13)
    assert ours.llf_pooled == pytest.approx(logistic.llf, rel=1e-10)
    assert ours.icc == pytest.approx(at[-1] ** 2 / (at[-1] ** 2 + np.pi**2 / 3))
    assert pytest.approx(-2 * ours.llf + 8) == ours.aic


def test_predicted_intercepts(run_pooled, hospitals):
    ours = run_pooled(hospitals, MixedFit(), ASKED, exposed=True)
    sigma, frame = ours.cov_re.iloc[0, 0] ** 0.5, hospitals["west"]
    fixed = np.column_stack([np.ones(len(frame)), frame.age, frame.arm == "b"]).astype(float) @ ours.fe_params

    def weight(b):
        eta = fixed + b
        return np.exp((frame.died * eta - np.logaddexp(0, eta)).sum() - b * b / (2 * sigma**2) + 60)

    whole = quad(weight, -4, 4, epsrel=1e-10)[0]
    mean = quad(lambda b: b * weight(b), -4, 4, epsrel=1e-10)[0] / whole
    square = quad(lambda b: b * b * weight(b), -4, 4, epsrel=1e-10)[0] / whole
    assert ours.random_effects["west"] == pytest.approx(mean, rel=1e-6)
    assert ours.random_effects_sd["west"] == pytest.approx((square - mean**2) ** 0.5, rel=1e-6)
    assert ours.rows.to_dict() == SIZES


def test_no_variance_between_institutions(run_pooled):
    frame = pooled(draw(9, 0.0)).sort_values(["died", "age"], ignore_index=True)
    frames = {f"n{i}": frame.iloc[i::5] for i in range(5)}
    ours = run_pooled(frames, MixedFit(), ASKED, exposed=True)
    theirs = smf.glm("died ~ age + arm", frame.assign(died=frame.died.astype(int)),
                     family=sm.families.Binomial()).fit(tol=1e-13)
    assert ours.cov_re.iloc[0, 0] == 0.0
    np.testing.assert_allclose(ours.fe_params, theirs.params[ours.fe_params.index], rtol=1e-6)
    np.testing.assert_allclose(ours.bse_fe, theirs.bse[ours.fe_params.index], rtol=1e-6)
    assert (ours.random_effects == 0.0).all()
    assert ours.errors == "conditional on the variances"
    assert ours.test_heterogeneity() == (0.0, 1.0)


def test_number_of_points_hardly_matters(run_pooled, hospitals):
    few, many = (run_pooled(hospitals, MixedFit(), {**ASKED, "quadrature": points}, exposed=True)
                 for points in (15, 60))
    np.testing.assert_allclose(few.fe_params, many.fe_params, rtol=1e-7)
    assert few.cov_re.iloc[0, 0] == pytest.approx(many.cov_re.iloc[0, 0], rel=1e-7)


def test_masking_and_rlwe(run_pooled, hospitals):
    frames = {name: hospitals[name] for name in ("north", "south", "east")}
    memory = run_pooled(frames, MixedFit(), ASKED, exposed=True)
    for scheme in ("masking", "rlwe"):
        ours = sealane.simulate(frames).run("model.mixed", scheme=scheme, waive_differencing=list(frames), **ASKED)
        np.testing.assert_allclose(ours.fe_params, memory.fe_params, rtol=1e-7)
        assert "Logistic" in ours.summary()


@pytest.fixture
def refused(run_pooled):
    def attempt(frames, code, **params):
        with pytest.raises(RefusedError) as caught:
            run_pooled(frames, MixedFit(), {**ASKED, **params}, exposed=True, contract=infer_contract(frames))
        assert caught.value.code == code
        return caught.value

    return attempt


def test_refusals(refused, hospitals):
    few = hospitals | {"north": hospitals["north"].assign(died=np.arange(90) < 4)}
    assert refused(few, "mixed.too-few-rows").got == "1 of 6 institutions"
    nobody = {name: frame.assign(died=pd.Series([False] * len(frame))) for name, frame in hospitals.items()}
    contract_rows = {name: frame.assign(died=False) for name, frame in nobody.items()}
    refused(contract_rows, "outcome.constant")
    refused({n: f.assign(again=2 * f.age) for n, f in hospitals.items()}, "model.collinear", features=["age", "again"])
    refused({n: f.assign(died=f.age > 60) for n, f in hospitals.items()}, "model.separation", features=["age"])
    refused(hospitals, "model.not-converged", maximum_iterations=1, tolerance=1e-12)
