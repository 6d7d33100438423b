"""``survival.fine_gray`` against a dense evaluation of its own: every row, every time, every weight, in loops."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from competing import draw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from scipy.optimize import root
from survival_tables import later, spread

from sealane import simulate
from sealane.computations.survival import fine_gray, influence
from sealane.computations.survival.cox import Cox
from sealane.computations.survival.fine_gray import FineGray
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract

mpl.use("Agg")
ROWS = draw(500, 21)
ASKED = {"duration": "days", "event": "cause", "censored": "alive", "cause": "cancer", "features": ["age", "arm"],
         "resolution": 14.0}


class Dense:
    """The weighted score with a weight for each row, from its definition."""

    def __init__(self, frame, cause, grid):
        kind = np.where(frame.cause == cause, 1, np.where(frame.cause == "alive", 0, 2))
        stop = frame.days.to_numpy(dtype=float).copy()
        for number, name in enumerate(("leavings", "events", "competing")):
            stop[kind == number] = later(pd.Series(stop[kind == number]), grid[name])
        self.kind, self.stop = kind, stop
        self.x = np.column_stack([frame.age - frame.age.mean(), frame.arm == "new"]).astype(float)
        self.times = np.unique(stop[kind == 1])

    def stay(self, time, v):
        """Return G(time-)."""
        chance = 1.0
        for u in np.unique(self.stop[(self.kind == 0) & (self.stop < time)]):
            chance *= 1 - v[(self.kind == 0) & (self.stop == u)].sum() / v[self.stop >= u].sum()
        return chance

    def weights(self, v):
        own = np.array([self.stay(time, v) for time in self.stop])
        out = {}
        for time in self.times:
            w = (self.stop >= time).astype(float)
            after = (self.kind == 2) & (self.stop < time)
            w[after] = self.stay(time, v) / own[after]
            out[time] = w * v
        return out

    def score(self, beta, v, weights=None):
        risk, total = np.exp(self.x @ beta), np.zeros(self.x.shape[1])
        for time, w in (weights or self.weights(v)).items():
            mean = (w * risk) @ self.x / (w * risk).sum()
            here = (self.kind == 1) & (self.stop == time)
            total += (v[here, None] * (self.x[here] - mean)).sum(axis=0)
        return total

    def fit(self):
        v = np.ones(len(self.stop))
        weights = self.weights(v)
        found = root(self.score, np.zeros(self.x.shape[1]), args=(v, weights), tol=1e-12)
        assert found.success
        return found.x

    def variance(self, beta):
        """Return Σ (dβ / dv_i)², each by a change of the row's weight: the infinitesimal jackknife."""
        v, h = np.ones(len(self.stop)), 1e-5
        information = np.column_stack([(self.score(beta - step, v) - self.score(beta + step, v)) / (2 * h)
                                       for step in h * np.eye(len(beta))])
        moved = []
        for i in range(len(v)):
            up, down = v.copy(), v.copy()
            up[i] += h
            down[i] -= h
            moved.append(np.linalg.solve(information, self.score(beta, up) - self.score(beta, down)) / (2 * h))
        return np.array(moved).T @ np.array(moved), np.linalg.inv(information)


def test_equals_the_definition(run_pooled, new_meeting):
    frame = ROWS.head(240)
    meeting = new_meeting(["n0", "n1", "n2"])
    ours = run_pooled(spread(frame), FineGray(), {**ASKED, "resolution": 30.0}, meeting=meeting)
    dense = Dense(frame, "cancer", ours.grid)
    beta = dense.fit()
    np.testing.assert_allclose(ours.params_, beta, rtol=1e-6)
    robust, naive = dense.variance(beta)
    np.testing.assert_allclose(ours.variance_matrix_, robust, rtol=1e-5)
    np.testing.assert_allclose(ours.naive_variance_matrix_, naive, rtol=1e-5)
    risk, total = np.exp(dense.x @ beta), []
    for time, w in dense.weights(np.ones(len(frame))).items():
        total.append(((dense.kind == 1) & (dense.stop == time)).sum() / (w * risk).sum())
    # The dense baseline is at arm "control", ours at the mean of it.
    shift = beta[1] * (frame.arm == "new").mean()
    np.testing.assert_allclose(ours.baseline_cumulative_hazard_, np.cumsum(total) * np.exp(shift), rtol=1e-6)
    curve = ours.predict_cumulative_incidence(frame.head(3))
    np.testing.assert_allclose(curve.to_numpy(), 1 - np.exp(-np.outer(np.cumsum(total), risk[:3])), rtol=1e-6)
    assert (ours.predict_cumulative_incidence(frame.head(3), [0.0]) == 0.0).all().all()
    assert meeting.sums <= 22


def test_without_competing_events_it_is_a_cox_model(run_pooled):
    frame = ROWS.assign(cause=np.where(ROWS.cause == "heart", "alive", ROWS.cause.astype(str)))
    ours = run_pooled(spread(frame), FineGray(), ASKED)
    grid = ours.grid
    placed = pd.DataFrame({"age": frame.age, "new": (frame.arm == "new").astype(int), "days": frame.days,
                           "dead": (frame.cause == "cancer").astype(int)})
    for dead, name in ((1, "events"), (0, "leavings")):
        placed.loc[placed.dead == dead, "days"] = later(placed.loc[placed.dead == dead, "days"], grid[name])
    breslow = run_pooled(spread(frame.assign(dead=placed.dead)), Cox(),
                         {"duration": "days", "event": "dead", "features": ["age", "arm"], "resolution": 14.0,
                          "ties": "breslow"})
    np.testing.assert_allclose(ours.params_, breslow.params_, rtol=1e-6)
    np.testing.assert_allclose(ours.naive_variance_matrix_, breslow.variance_matrix_, rtol=1e-6)
    # lifelines has Efron's ties only: near, since few rows share a time.
    theirs = CoxPHFitter().fit(placed, "days", "dead")
    np.testing.assert_allclose(ours.params_, theirs.params_, rtol=0.2)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 4), min_size=300, max_size=300))
def test_how_rows_are_spread_changes_nothing(run_pooled, places):
    table = ROWS.head(300)
    contract = infer_contract({"all": table})
    whole = run_pooled({"all": table}, FineGray(), ASKED, contract=contract)
    parts = run_pooled({f"n{i}": table[np.array(places) == i] for i in set(places)}, FineGray(), ASKED,
                       contract=contract)
    np.testing.assert_allclose(parts.params_, whole.params_, rtol=1e-9)
    np.testing.assert_allclose(parts.variance_matrix_, whole.variance_matrix_, rtol=1e-8)


def test_masking_and_rlwe(run_pooled):
    whole = run_pooled({"all": ROWS}, FineGray(), ASKED)
    for scheme in ("masking", "rlwe"):
        ours = simulate(spread(ROWS)).run("survival.fine_gray", scheme=scheme, **ASKED)
        np.testing.assert_allclose(ours.params_, whole.params_, rtol=1e-9)
        np.testing.assert_allclose(ours.standard_errors_, whole.standard_errors_, rtol=1e-9)


def test_nobody_leaves_without_an_event(run_pooled):
    frame = ROWS[ROWS.cause != "alive"].assign(cause=lambda rows: rows.cause.astype(str))
    ours = run_pooled(spread(frame), FineGray(), {**ASKED, "censored": "alive"},
                      contract=infer_contract({"all": ROWS}))
    dense = Dense(frame.head(240), "cancer", run_pooled(spread(frame.head(240)), FineGray(), ASKED,
                                                        contract=infer_contract({"all": ROWS})).grid)
    assert ours.grid["leavings"] == {"times": [], "until": []}
    small = run_pooled(spread(frame.head(240)), FineGray(), ASKED, contract=infer_contract({"all": ROWS}))
    np.testing.assert_allclose(small.params_, dense.fit(), rtol=1e-6)


@pytest.fixture
def refused(run_pooled):
    def attempt(frame, code, *, branch=RefusedError, **params):
        with pytest.raises(branch) as caught:
            run_pooled(spread(frame), FineGray(), {**ASKED, **params}, contract=infer_contract({"all": frame}))
        assert caught.value.code == code
        return caught.value

    return attempt


def test_refusals(refused, monkeypatch):
    refused(ROWS, "fine-gray.unknown-cause", branch=InputError, cause="stroke")
    few = ROWS.assign(cause=np.where((ROWS.cause == "cancer") & (np.arange(len(ROWS)) > 20), "heart",
                                     ROWS.cause.astype(str)))
    refused(few, "fine-gray.too-few-events")
    rare = ROWS.assign(cause=np.where((ROWS.cause == "heart") & (np.arange(len(ROWS)) > 8), "cancer",
                                      ROWS.cause.astype(str)))
    refused(rare, "fine-gray.rare-kind")
    refused(ROWS.assign(again=ROWS.age * 2), "model.collinear", features=["age", "again"])
    refused(ROWS, "model.not-converged", maximum_iterations=1, tolerance=1e-12)
    monkeypatch.setattr(influence, "LARGEST", 2.0**-20)
    refused(ROWS, "fine-gray.unbounded")
    monkeypatch.setattr(fine_gray, "RUNAWAYS", 1)
    monkeypatch.setattr("sealane.computations.survival.bounds.HEADROOM", 0.01)
    refused(ROWS, "fine-gray.monotone")


def test_parameters_that_contradict_each_other():
    for extra in ({"entry": "entered"}, {"features": (), "formula": "days ~ age"}, {"features": ["days"]}):
        with pytest.raises(ValueError, match=r"late entries|left side|columns of their own"):
            FineGray().parameters.model_validate({**ASKED, **extra})


def test_result(run_pooled):
    ours = run_pooled(spread(ROWS), FineGray(), ASKED)
    assert "heart" in repr(ours)
    assert ours.wald_test(["age"])["p"] == pytest.approx(ours.summary["p"]["age"], rel=1e-9)
    assert ours.wald_test()["degrees_freedom"] == 2
    with pytest.raises(InputError) as caught:
        ours.wald_test(["dose"])
    assert caught.value.code == "fine-gray.unknown-column"
    assert ours.to_dict()["summary"]["age"]["coef"] == ours.params_["age"]
    assert [label.get_text() for label in ours.plot().get_yticklabels()] == ["age", "arm[T.new]"]
