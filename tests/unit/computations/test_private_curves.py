"""Survival curves whose counts carry noise."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from survival_tables import later, patients, spread

from sealane import simulate
from sealane.computations.registry import read_parameters
from sealane.computations.survival.curves import estimate
from sealane.computations.survival.kaplan_meier import KaplanMeier
from sealane.computations.survival.private_counts import read_private, variance_of_noise
from sealane.errors import InputError
from sealane.governance.contract import infer_contract

PATIENTS = patients(3000, 5).assign(person=lambda rows: [f"p{i // 2}" for i in range(len(rows))])
ASKED = {"duration": "days", "event": "dead", "resolution": 35.0, "horizon": 350.0, "epsilon": "2", "delta": "1e-6"}


def grid_rows(frame):
    out = frame.assign(dead=np.where(frame.days > 350, 0, frame.dead), days=frame.days.clip(upper=350))
    ends = np.arange(0.0, 351.0, 35.0)
    return out.assign(days=later(out.days, {"times": ends, "until": ends}))


def test_without_the_noise_the_curve_is_that_of_the_grid(run_pooled):
    """The cohort in memory leaves noise out, so nothing is left but the grid."""
    result = run_pooled(spread(PATIENTS), KaplanMeier(), {**ASKED, "by": "sex"})
    for name, frame in grid_rows(PATIENTS).groupby("sex"):
        reference = KaplanMeierFitter().fit(frame.days, frame.dead)
        times = result.survival_function_.index
        np.testing.assert_allclose(result.survival_function_[name], reference.survival_function_at_times(times),
                                   atol=1e-12)
    assert result.logrank_ is None
    assert len(result.grid) == 6
    assert result.grid["merged"] == 0
    assert result.widest == {}


def test_with_it_curve_and_band_are_near():
    result = simulate(spread(PATIENTS)).run("survival.kaplan_meier", **ASKED)
    rows = grid_rows(PATIENTS)
    times = result.survival_function_.index
    exact = KaplanMeierFitter().fit(rows.days, rows.dead)
    away = result.survival_function_["KM_estimate"].to_numpy() - exact.survival_function_at_times(times).to_numpy()
    assert np.abs(away).max() < 0.03
    assert np.abs(away).max() > 0
    low, high = (result.confidence_interval_[f"KM_estimate_{end}_0.95"].to_numpy() for end in ("lower", "upper"))
    band = exact.confidence_interval_survival_function_.reindex(times).to_numpy()
    assert ((high - low)[1:] > (band[:, 1] - band[:, 0])[1:] - 0.01).all()
    assert result.trace.rounds == 1
    assert result.promise["epsilon"] == "2"
    assert "epsilon 2, delta 1e-6 for each row" in result.summary()
    assert "one standard error of the noise" in result.summary()


def test_small_groups_are_hidden_by_their_noised_count(run_pooled):
    frame = PATIENTS.assign(ward=np.where(np.arange(3000) < 6, "tiny", np.where(np.arange(3000) % 2, "a", "b")))
    result = run_pooled(spread(frame), KaplanMeier(), {**ASKED, "by": "ward"})
    assert result.hidden == {"tiny": "minimum-count"}
    assert sorted(result.to_dict()["groups"]) == ["a", "b"]


def test_the_price_keeps_the_promise():
    contract = infer_contract({"all": PATIENTS})
    params = read_parameters("survival.kaplan_meier", {**ASKED, "by": "arm"})
    price = KaplanMeier().price(params, contract, 2)
    assert price.sums == 1
    assert price.mechanism.entries == 2 * 3 * 11
    assert Decimal("1.9") < price.mechanism.epsilon(Decimal("1e-6")) <= Decimal(2)
    assert KaplanMeier().price(read_parameters("survival.kaplan_meier", {"duration": "days", "event": "dead"}),
                               contract, 2) is None


def test_a_person_counts_so_many_times_only(run_pooled):
    one = run_pooled({"all": PATIENTS}, KaplanMeier(), {**ASKED, "unit": "person", "rows_per_unit": 1})
    assert one.event_table.at_risk.iloc[0] == 1500
    two = run_pooled({"all": PATIENTS}, KaplanMeier(), {**ASKED, "unit": "person", "rows_per_unit": 2})
    assert two.event_table.at_risk.iloc[0] == 3000


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.1, 30.0), st.integers(2, 30))
def test_noised_counts_make_a_curve_that_could_be(seed, noise, size):
    random = np.random.default_rng(seed)
    group = {kind: np.rint(random.poisson(5, size) + random.normal(0, noise, size)).tolist()
             for kind in ("events", "leavings")}
    counts = read_private(group, np.arange(size, dtype=float))
    at_risk = counts.at_risk(counts.times)
    assert (np.diff(at_risk) <= 1e-6).all()
    assert (at_risk >= -1e-6).all()
    assert (counts.events.numbers >= 0).all()
    curve = estimate(counts.times, np.maximum(at_risk, 0.0), counts.events.on(counts.times), 0.95,
                     variance_of_noise(at_risk, counts.events.numbers, noise))
    assert (np.diff(curve.survival) <= 1e-9).all()
    assert ((curve.lower <= curve.survival + 1e-9) & (curve.survival <= curve.upper + 1e-9)).all()


def test_the_variance_of_the_noise_is_that_of_drawn_noise():
    random = np.random.default_rng(3)
    events, left, error = np.array([40.0, 30, 30, 20, 25]), np.array([10.0, 20, 30, 40, 400]), 4.0
    drawn = []
    for _ in range(20_000):
        d, c = events + random.normal(0, error, 5), left + random.normal(0, error, 5)
        drawn.append(np.cumsum(np.log(1 - d / (d + c)[::-1].cumsum()[::-1])))
    at_risk = (events + left)[::-1].cumsum()[::-1]
    np.testing.assert_allclose(variance_of_noise(at_risk, events, error), np.var(drawn, axis=0), rtol=0.05)


@pytest.mark.parametrize("params", [{"entry": "entered"}, {"by": "institution"}, {"delta": None},
                                    {"resolution": None}])
def test_what_a_promise_does_not_go_with(params):
    with pytest.raises(InputError) as caught:
        read_parameters("survival.kaplan_meier", {**ASKED, **params})
    assert caught.value.code == "computation.bad-parameters"


def test_a_unit_that_is_counted(run_pooled):
    with pytest.raises(InputError) as caught:
        run_pooled(spread(PATIENTS), KaplanMeier(), {**ASKED, "by": "sex", "unit": "sex"})
    assert caught.value.code == "promise.unit-counted"
