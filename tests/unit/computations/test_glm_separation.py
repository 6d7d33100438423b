"""What stands in for an estimate at infinity: Firth's, and a ridge, each against a fit of its own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from sealane.computations.glm.fit import GlmFit
from sealane.errors import RefusedError

linear_model = pytest.importorskip("sklearn.linear_model")


@pytest.fixture(scope="module")
def separated():
    random = np.random.default_rng(31)
    frame = pd.DataFrame({"age": random.normal(50, 10, 180), "dose": random.gamma(2, 1, 180),
                          "mark": (np.arange(180) % 9 == 0).astype(int), "w": random.integers(1, 4, 180)})
    slope = 0.05 * (frame.age - 50) - 0.2 * frame.dose
    frame["event"] = (random.random(180) < 1 / (1 + np.exp(-slope))).astype(int)
    frame.loc[frame.mark == 1, "event"] = 1
    return frame


def split(frame):
    return {f"n{i}": frame.iloc[i::3].reset_index(drop=True) for i in range(3)}


def firth(x, y, weights):
    """Maximise the log-likelihood plus half the log determinant of the information, by a general optimiser."""
    def loss(beta):
        predictor = x @ beta
        p = 1 / (1 + np.exp(-predictor))
        information = (x * (weights * p * (1 - p))[:, None]).T @ x
        return -(weights @ (y * predictor - np.logaddexp(0, predictor)) + np.linalg.slogdet(information)[1] / 2)

    start = np.zeros(x.shape[1])
    for _ in range(3):
        start = minimize(loss, start, method="BFGS", options={"gtol": 1e-9, "maxiter": 2000}).x
    p = 1 / (1 + np.exp(-x @ start))
    return start, np.linalg.inv((x * (weights * p * (1 - p))[:, None]).T @ x)


@pytest.mark.parametrize("weights", [None, "w"])
def test_firth(run_pooled, separated, weights):
    ours = run_pooled(split(separated), GlmFit(), {
        "outcome": "event", "features": ["age", "dose", "mark"], "family": "binomial", "on_separation": "firth",
        "weights": weights})
    age = (separated.age - 50) / 10
    x = np.column_stack([np.ones(180), age, separated.dose, separated.mark])
    w = np.ones(180) if weights is None else separated.w.to_numpy(dtype=float)
    beta, covariance = firth(x, separated.event.to_numpy(), w)
    back = np.array([[1, -5, 0, 0], [0, 0.1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    np.testing.assert_allclose(ours.params, back @ beta, rtol=1e-5)
    np.testing.assert_allclose(ours.bse, np.sqrt(np.diag(back @ covariance @ back.T)), rtol=1e-5)
    assert ours.method == "firth"
    assert "Firth" in ours.summary()


def test_a_two_by_two_table_by_firth(run_pooled):
    """With one 0/1 feature Firth's estimate is the log odds ratio with 1/2 added to each cell (Heinze 2006, 2.3)."""
    table = [(1, 1, 20), (1, 0, 0), (0, 1, 15), (0, 0, 25)]
    frame = pd.DataFrame([(x, y) for x, y, number in table for _ in range(number)], columns=["x", "y"])
    ours = run_pooled(split(frame), GlmFit(), {"outcome": "y", "features": ["x"], "family": "binomial",
                                               "on_separation": "firth"})
    assert ours.params["x"] == pytest.approx(np.log(20.5 * 25.5 / (0.5 * 15.5)), rel=1e-7)
    assert ours.params["Intercept"] == pytest.approx(np.log(15.5 / 25.5), rel=1e-7)


@pytest.mark.parametrize("rows", [60, 150, 300])
def test_firth_at_the_usual_patience_however_complete_the_separation(run_pooled, rows):
    random = np.random.default_rng(2)
    frame = pd.DataFrame({"x": random.normal(0, 1, rows)})
    frame["y"] = (frame.x > 0).astype(int)
    params = {"outcome": "y", "features": ["x"], "family": "binomial", "on_separation": "firth"}
    with pytest.raises(RefusedError) as caught:
        run_pooled(split(frame), GlmFit(), params)
    assert caught.value.code == "model.rests-on-few"  # all weight is with under ten rows at the border
    ours = run_pooled(split(frame), GlmFit(), params, minimum_count=1)
    beta, _ = firth(np.column_stack([np.ones(rows), frame.x]), frame.y.to_numpy(), np.ones(rows))
    np.testing.assert_allclose(ours.params, beta, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("family", "more"), [("poisson", {}), ("binomial", {"covariance": "robust"}),
                                              ("binomial", {})])
def test_a_penalty_is_named_where_it_may_be_asked_for(run_pooled, family, more):
    level = np.repeat(["a", "b", "c"], 60)
    frame = pd.DataFrame({"level": level, "y": np.where(level == "c", 0, np.arange(180) % 2)})
    params = {"outcome": "y", "features": ["level"], "family": family, **more}
    with pytest.raises(RefusedError) as caught:
        run_pooled(split(frame), GlmFit(), params)
    assert caught.value.code == "model.separation"
    assert ("firth" in caught.value.hint) == (family == "binomial" and not more)


def test_ridge(run_pooled, separated):
    ours = run_pooled(split(separated), GlmFit(), {
        "outcome": "event", "features": ["age", "dose", "mark"], "family": "binomial", "on_separation": "ridge"})
    x = separated[["age", "dose", "mark"]].to_numpy(dtype=float)
    theirs = linear_model.LogisticRegression(C=1.0, tol=1e-12, max_iter=1000, solver="newton-cholesky").fit(
        (x - x.mean(0)) / x.std(0), separated.event)
    np.testing.assert_allclose(ours.params[["age", "dose", "mark"]], theirs.coef_[0] / x.std(0), rtol=1e-6)
    assert ours.method == "ridge"
    assert "ridge" in ours.summary()


def test_where_nothing_is_separated_nothing_is_replaced(run_pooled, separated):
    params = {"outcome": "event", "features": ["age", "dose"], "family": "binomial"}
    plain = run_pooled(split(separated), GlmFit(), params)
    allowed = run_pooled(split(separated), GlmFit(), {**params, "on_separation": "firth"})
    assert allowed.method == "maximum-likelihood"
    pd.testing.assert_series_equal(allowed.params, plain.params)
