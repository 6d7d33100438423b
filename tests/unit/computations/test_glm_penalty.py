"""Penalised paths: each penalty equal to scikit-learn's fit of the pooled, standardised columns, folds included."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pandas as pd
import pytest

from sealane.computations.glm.descent import Pull, Quadratic, minimise
from sealane.computations.glm.fit import GlmFit
from sealane.computations.glm.folds import memberships
from sealane.core.canonical import canonical_bytes
from sealane.errors import InputError, RefusedError

models = pytest.importorskip("sklearn.linear_model")

N, NAMES = 600, ["age", "dose", "arm[T.b]", "arm[T.c]", "noise"]
OUTCOMES = {"gaussian": "pressure", "binomial": "event", "poisson": "visits"}


@pytest.fixture(scope="module")
def frames():
    random = np.random.default_rng(77)
    frame = pd.DataFrame({"age": random.normal(50, 12, N), "dose": random.gamma(2, 3, N),
                          "noise": random.normal(size=N), "arm": random.choice(["a", "b", "c"], N),
                          "site": random.integers(0, 3, N),
                          "w": random.integers(1, 4, N), "years": random.uniform(0.5, 3, N)})
    slope = 0.03 * (frame.age - 50) - 0.1 * frame.dose + 0.5 * (frame.arm == "b")
    frame["event"] = (random.random(N) < 1 / (1 + np.exp(-slope))).astype(int)
    frame["visits"] = random.poisson(np.exp(0.4 + 0.5 * slope))
    frame["pressure"] = 120 + 6 * slope + random.normal(0, 9, N)
    return {f"n{i}": part.reset_index(drop=True) for i, (_, part) in enumerate(frame.groupby("site"))}


@pytest.fixture(scope="module")
def pooled(frames):
    frame = pd.concat(frames.values(), ignore_index=True)
    x = np.column_stack([frame.age, frame.dose, frame.arm == "b", frame.arm == "c", frame.noise]).astype(float)
    return frame, x


def fit(run_pooled, frames, family, meeting=None, **penalty):
    params = {"outcome": OUTCOMES[family], "features": ["age", "dose", "arm", "noise"], "family": family,
              "penalty": {"number": 8, **penalty}}
    return run_pooled(frames, GlmFit(), params, meeting=meeting)


def theirs(family, penalty, share, x, y, weights=None):
    """Return intercept and coefficients of the same objective: scikit-learn's, on columns that are standardised."""
    n = len(y) if weights is None else weights.sum()
    if family == "gaussian" and share:
        model = models.ElasticNet(alpha=penalty, l1_ratio=share, tol=1e-13, max_iter=100_000)
    elif family == "gaussian":
        model = models.Ridge(alpha=n * penalty, solver="cholesky")
    elif family == "poisson":
        model = models.PoissonRegressor(alpha=penalty, tol=1e-11, max_iter=5000, solver="newton-cholesky")
    elif share:
        model = models.LogisticRegression(l1_ratio=share, C=1 / (n * penalty), solver="saga", tol=1e-10,
                                          max_iter=50_000, random_state=0)
    else:
        model = models.LogisticRegression(C=1 / (n * penalty), tol=1e-11, max_iter=5000, solver="newton-cholesky")
    model.fit(x, y, sample_weight=weights)
    return float(np.ravel(model.intercept_)[0]), np.ravel(model.coef_)


def deviance(family, y, predictor):
    if family == "gaussian":
        return (y - predictor) ** 2
    if family == "binomial":
        return 2 * (np.logaddexp(0, predictor) - y * predictor)
    mean = np.exp(predictor)
    return 2 * (np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / mean), 0) - (y - mean))


KINDS = [("gaussian", "ridge", 0.0), ("gaussian", "lasso", 1.0), ("gaussian", "elastic-net", 0.4),
         ("binomial", "ridge", 0.0), ("binomial", "lasso", 1.0), ("binomial", "elastic-net", 0.4),
         ("poisson", "ridge", 0.0)]


@pytest.mark.filterwarnings("ignore:.*penalty.*:FutureWarning")
@pytest.mark.parametrize(("family", "kind", "share"), KINDS)
def test_path_and_cross_validation(run_pooled, frames, pooled, family, kind, share):
    ours = fit(run_pooled, frames, family, kind=kind, **({"l1_ratio": share} if kind == "elastic-net" else {}))

    frame, x = pooled
    y, mean, spread = frame[OUTCOMES[family]].to_numpy(dtype=float), x.mean(0), x.std(0)
    z = (x - mean) / spread
    member = np.concatenate([memberships(len(part), 5, i) for i, part in enumerate(frames.values())])
    sizes = np.bincount(member)
    for place in (2, 5) if family == "binomial" and share else (1, 4, 7):  # saga is slow
        penalty = ours.lambdas[place]
        intercept, beta = theirs(family, penalty, share, z, y)
        np.testing.assert_allclose(ours.path.iloc[place][NAMES], beta / spread, rtol=1e-6, atol=1e-9)
        assert ours.path.iloc[place]["Intercept"] == pytest.approx(intercept - (beta * mean / spread).sum(), rel=1e-6)
        errors = []
        for fold in range(5):
            unseen = member == fold
            b0, b = theirs(family, penalty, share, z[~unseen], y[~unseen])
            errors.append(deviance(family, y[unseen], b0 + z[unseen] @ b).mean())
        average = np.average(errors, weights=sizes)
        se = np.sqrt(np.average((np.array(errors) - average) ** 2, weights=sizes) / 4)
        np.testing.assert_allclose(ours.cv_.iloc[place][["mean", "se"]], [average, se], rtol=1e-6)
        assert ours.deviance.iloc[place] == pytest.approx(
            deviance(family, y, intercept + z @ beta).sum(), rel=1e-7)


def test_poisson_lasso_meets_the_conditions_of_its_minimum(run_pooled, frames, pooled):
    """scikit-learn has no such model: the slopes of the pooled loss are held against the penalty instead."""
    ours = fit(run_pooled, frames, "poisson", kind="lasso", folds=0)
    frame, x = pooled
    z = (x - x.mean(0)) / x.std(0)
    for place in (1, 3, 7):
        row = ours.path.iloc[place]
        mean = np.exp(row["Intercept"] + x @ row[NAMES].to_numpy())
        slope = z.T @ (frame.visits.to_numpy() - mean) / N
        assert np.abs((frame.visits - mean).mean()) < 1e-8
        zero = row[NAMES].to_numpy() == 0
        np.testing.assert_allclose(slope[~zero], ours.lambdas[place] * np.sign(row[NAMES].to_numpy()[~zero]), atol=1e-8)
        assert (np.abs(slope[zero]) <= ours.lambdas[place] + 1e-8).all()
    assert ours.cv_ is None
    assert ours.lambda_ == ours.lambdas[-1]


def test_weights_and_exposure(run_pooled, frames, pooled):
    frame, x = pooled
    z = (x - x.mean(0)) / x.std(0)
    params = {"outcome": "event", "features": ["age", "dose", "arm", "noise"], "family": "binomial", "weights": "w",
              "penalty": {"kind": "ridge", "lambdas": [0.1], "folds": 0}}
    ours = run_pooled(frames, GlmFit(), params)
    _, beta = theirs("binomial", 0.1, 0.0, z, frame.event, frame.w.to_numpy(dtype=float))
    np.testing.assert_allclose(ours.params[NAMES], beta / x.std(0), rtol=1e-6)
    counted = run_pooled(frames, GlmFit(), {**params, "weights": None, "outcome": "visits", "family": "poisson",
                                            "exposure": "years"})
    rate = models.PoissonRegressor(alpha=0.1, tol=1e-11, max_iter=5000, solver="newton-cholesky").fit(
        z, frame.visits / frame.years, sample_weight=frame.years)  # the same up to the scale of the loss
    assert np.corrcoef(counted.params[NAMES], rate.coef_ / x.std(0))[0, 1] > 0.99
    np.testing.assert_allclose(counted.predict(frame, exposure=frame.years).sum(), frame.visits.sum(), rtol=1e-8)


def test_one_sum_serves_a_linear_path_and_all_its_folds(run_pooled, frames, new_meeting):
    meeting = new_meeting(list(frames))
    fit(run_pooled, frames, "gaussian", meeting, kind="lasso", number=50, folds=10)
    assert meeting.sums == 4  # counts, moments, rows by fold, cross-products


def test_the_rounds_of_a_logistic_path_with_all_its_folds(run_pooled, frames, new_meeting):
    meeting = new_meeting(list(frames))
    fit(run_pooled, frames, "binomial", meeting, kind="lasso", number=20, folds=5)
    assert meeting.sums <= 4 + 4 * 20
    assert meeting.agreements <= 8


def test_the_rules_and_what_a_reader_finds(run_pooled, frames):
    least = fit(run_pooled, frames, "gaussian", kind="lasso", number=20)
    simple = fit(run_pooled, frames, "gaussian", kind="lasso", number=20, rule="1se")
    assert least.lambda_ == least.lambda_min == least.cv_["mean"].idxmin()
    limit = least.cv_["mean"].min() + least.cv_.loc[least.lambda_min, "se"]
    assert simple.lambda_ == least.lambda_1se == least.cv_.index[least.cv_["mean"] <= limit].max()
    assert least.path.iloc[0][NAMES].abs().max() == pytest.approx(0, abs=1e-12)
    assert least.cv_["nonzero"].is_monotonic_increasing
    pd.testing.assert_series_equal(least.params, least.path.loc[least.lambda_].rename("coef"))
    frame = pd.concat(frames.values())
    by_hand = least.path.iloc[7]["Intercept"] + frame.age * least.path.iloc[7]["age"] + (
        frame.dose * least.path.iloc[7]["dose"] + (frame.arm == "b") * least.path.iloc[7]["arm[T.b]"]
        + (frame.arm == "c") * least.path.iloc[7]["arm[T.c]"] + frame.noise * least.path.iloc[7]["noise"])
    np.testing.assert_allclose(least.predict(frame, lambda_=least.lambdas[7]), by_hand, rtol=1e-12)
    with pytest.raises(InputError, match=re.escape("glm.unknown-lambda")):
        least.predict(frame, lambda_=1e5)
    assert "no standard errors" in least.summary().replace("\n", " ")
    assert repr(type(least)(json.loads(canonical_bytes(least.to_dict())))) == repr(least)


def test_a_picture(run_pooled, frames):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    axes = fit(run_pooled, frames, "gaussian", kind="lasso").plot()
    assert len([line for line in axes.lines if line.get_label() in NAMES]) == len(NAMES)
    assert axes.get_xscale() == "log"


def test_a_picture_without_matplotlib(run_pooled, frames, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError) as caught:
        fit(run_pooled, frames, "gaussian", kind="ridge").plot()
    assert caught.value.code == "plot.no-matplotlib"


@pytest.mark.parametrize("institutions", [1, 2, 4])
def test_a_path_does_not_depend_on_the_split(run_pooled, frames, institutions):
    frame = pd.concat(frames.values(), ignore_index=True)
    whole = fit(run_pooled, {"all": frame}, "poisson", kind="lasso", folds=0)
    parts = fit(run_pooled, {f"n{i}": frame.iloc[i::institutions] for i in range(institutions)}, "poisson",
                kind="lasso", folds=0)
    np.testing.assert_allclose(parts.path, whole.path, rtol=1e-7, atol=1e-10)


def test_a_fold_with_too_few_rows(run_pooled, frames):
    small = {name: frame.iloc[:20] for name, frame in frames.items()}
    with pytest.raises(RefusedError) as caught:
        fit(run_pooled, small, "gaussian", kind="ridge", folds=10)
    assert caught.value.code == "glm.fold-too-small"


def test_folds_are_even_and_mixed():
    member = memberships(1003, 5, 2)
    assert sorted(np.bincount(member)) == [200, 200, 201, 201, 201]
    assert len(set(memberships(4, 5, 0))) == 4
    # Neighbours in a sorted dataset do not go together, and no period shows.
    assert 0.1 < np.mean(member[1:] == member[:-1]) < 0.3
    assert not (np.bincount(memberships(4, 5, 3), minlength=5) == np.bincount(memberships(4, 5, 0), minlength=5)).all()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_minimum_of_a_quadratic(seed, share):
    """Against scikit-learn's coordinate descent on rows that have these cross-products, some columns nearly alike."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(80, 12))
    x[:, 5] = x[:, 4] + 0.01 * random.normal(size=80)
    y = x[:, :3] @ [2.0, -1.0, 0.5] + random.normal(size=80)
    pull = Pull(np.full(12, 0.1 * share), np.full(12, 0.1 * (1 - share)))
    ours = minimise(Quadratic(x.T @ x / 80, x.T @ y / 80), pull, np.zeros(12))
    model = models.ElasticNet(alpha=0.1, l1_ratio=share, fit_intercept=False, tol=1e-15, max_iter=1_000_000) if share \
        else models.Ridge(alpha=8.0, fit_intercept=False)
    np.testing.assert_allclose(ours, model.fit(x, y).coef_, rtol=1e-6, atol=1e-8)
