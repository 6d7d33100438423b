"""Drift against scipy's divergences and scikit-learn's areas on pooled rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from expected_error import raises
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score

import sealane
from sealane.computations.monitor.drift import MonitorDrift
from sealane.computations.monitor.stability import joined, stability
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field, infer_contract

mpl.use("Agg")
MONTHS = ["2025-11", "2025-12", "2026-01", "2026-02"]
ASKED: dict[str, Any] = {"period": "day", "since": "2025-11", "months": 4, "score": "p", "outcome": "bad",
                         "features": ["age", "income", "region"]}


def bank(seed: int, rows: int = 1200) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    day = pd.Timestamp("2025-11-01") + pd.to_timedelta(rng.integers(0, 120, rows), unit="D")
    late = np.asarray(day >= pd.Timestamp("2026-01-01"))
    x = rng.normal(0.6 * late, 1, rows)
    frame = pd.DataFrame({
        "day": day, "p": 1 / (1 + np.exp(1 - x)), "age": rng.integers(18, 80, rows),
        "income": rng.gamma(3, 900, rows), "region": rng.choice(list("abc"), rows, p=[0.5, 0.3, 0.2]),
        "bad": (rng.random(rows) < 1 / (1 + np.exp(1 - x * np.where(late, 0.3, 1.5)))).astype(int),
        "wave": rng.integers(1, 4, rows)})
    frame.loc[rng.random(rows) < np.where(late, 0.2, 0.05), "income"] = np.nan
    return frame


FRAMES = {f"bank{k}": bank(k) for k in range(3)}
POOLED = pd.concat(FRAMES.values(), ignore_index=True)
MONTH = POOLED.day.dt.strftime("%Y-%m")


def ask(run_pooled: Callable[..., Any], frames: dict[str, pd.DataFrame] = FRAMES, **change: Any) -> Any:
    options = {key: change.pop(key) for key in ("minimum_count", "contract", "exposed") if key in change}
    asked = {key: value for key, value in (ASKED | change).items() if value is not None}
    return run_pooled(frames, MonitorDrift(), asked, **options)


def divergence(now: Any, then: Any) -> float:
    """Return Jeffreys' divergence of two lists of counts, half a row added to each cell."""
    now, then = np.asarray(now) + 0.5, np.asarray(then) + 0.5
    return float(entropy(now, then) + entropy(then, now))


def binned(values: pd.Series, first: pd.Series) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(values):
        return values
    edges = np.unique(np.quantile(first.dropna(), np.arange(1, 10) / 10))
    return pd.Series(np.where(values.isna(), 99, np.searchsorted(edges, values, side="left")), index=values.index)


def test_the_index_is_jeffreys_divergence(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled)
    assert found.psi.index.tolist() == MONTHS
    alarms = set()
    for name, column in (("score", "p"), ("age", "age"), ("income", "income"), ("region", "region")):
        cells = pd.crosstab(MONTH, binned(POOLED[column], POOLED.loc[MONTHS[0] == MONTH, column]))
        cells = cells.reindex(columns=[*cells.columns, *(["missing"] if name != "income" else [])], fill_value=0)
        for month in MONTHS:
            expected = divergence(cells.loc[month], cells.iloc[0])
            np.testing.assert_allclose(found.psi.loc[month, name], expected, rtol=1e-6, atol=1e-12)
            if expected > 0.25:
                alarms.add((month, name))
    assert {("2026-01", "score"), ("2026-02", "score")} <= alarms
    assert set(zip(found.alarms["period"], found.alarms["variable"], strict=True)) == alarms
    np.testing.assert_array_equal(found.table.query("variable == 'age'")["rows"], MONTH.value_counts()[MONTHS])


def test_the_area_by_month(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled, auc_band=[0.75, 1.0], auc_bins=2000)
    for _, row in found.auc.iterrows():
        part = POOLED[row.period == MONTH]
        assert abs(row.auc - roc_auc_score(part.bad, part.p)) <= row.auc_error
        assert row.events == part.bad.sum()
    assert found.auc["alarm"].tolist() == [False, False, True, True]
    assert {"psi", "auc"} == set(found.alarms["measure"])
    assert "alarm: auc of score in 2026-01" in found.summary()


def test_points_as_a_score(run_pooled: Callable[..., Any]) -> None:
    frames = {name: frame.assign(p=600 - 100 * frame.p) for name, frame in FRAMES.items()}
    found = ask(run_pooled, frames, higher="no-event", auc_bins=2000)
    part = POOLED[MONTHS[0] == MONTH]
    assert abs(found.auc["auc"][0] - roc_auc_score(part.bad, part.p)) <= found.auc["auc_error"][0]


def test_a_reference_from_elsewhere(run_pooled: Callable[..., Any]) -> None:
    reference = {"score": {"edges": [0.2, 0.4], "shares": [0.4, 0.35, 0.25]},
                 "region": {"shares": [0.5, 0.3, 0.1], "missing": 0.1}}
    found = ask(run_pooled, features=["region"], reference=reference, period="wave", since=None, months=None)
    assert found.psi.index.tolist() == ["1", "2", "3"]
    for name, cells, shares in (
            ("score", pd.crosstab(POOLED.wave, np.searchsorted([0.2, 0.4], POOLED.p, side="left")), [0.4, 0.35, 0.25]),
            ("region", pd.crosstab(POOLED.wave, POOLED.region), [0.5, 0.3, 0.1])):
        missing = 1 - sum(shares)
        for wave in (1, 2, 3):
            now = np.array([*cells.loc[wave], 0])
            np.testing.assert_allclose(found.psi.loc[str(wave), name],
                                       divergence(now, np.array([*shares, missing]) * now.sum()), rtol=1e-9)


def test_a_model_in_use() -> None:
    fed = sealane.simulate(FRAMES)
    card = fed.run("glm.scorecard", outcome="bad", features=["age", "income", "region"], minimum_iv=0.0)
    for scheme in ("masking", "rlwe"):
        found = fed.run("monitor.drift", scheme=scheme, period="wave", model=card.model, resolution=0.001,
                        reference={"score": {"edges": [0.3], "shares": [0.5, 0.5]}})
        now = np.array([*np.bincount((card.predict(POOLED) > 0.3)[POOLED.wave == 2]), 0])
        np.testing.assert_allclose(found.psi.loc["2", "score"], divergence(now, np.array([0.5, 0.5, 0]) * now.sum()),
                                   rtol=1e-9)


def test_single_institutions_only_where_all_waived(run_pooled: Callable[..., Any]) -> None:
    with raises("drift.not-waived", RefusedError):
        ask(run_pooled, by_institution=True)
    found = ask(run_pooled, by_institution=True, exposed=True)
    first = POOLED.loc[MONTHS[0] == MONTH, "region"].value_counts().sort_index()
    own = FRAMES["bank1"]
    now = own.loc[own.day.dt.strftime("%Y-%m") == "2026-01", "region"].value_counts().sort_index()
    row = found.table.query("institution == 'bank1' and period == '2026-01' and variable == 'region'").iloc[0]
    np.testing.assert_allclose(row.psi, divergence([*now, 0], [*first, 0]), rtol=1e-9)
    assert set(found.auc["institution"].dropna()) == set(FRAMES)
    assert set(found.psi.index) == set(MONTHS)  # the pooled one is there all the same


def test_few_rows_are_not_shown(run_pooled: Callable[..., Any]) -> None:
    few = pd.concat([POOLED[MONTH != "2026-01"], POOLED[MONTH == "2026-01"].head(7)])
    frames = {f"n{k}": few.iloc[k::3] for k in range(3)}
    found = ask(run_pooled, frames, months=6)
    hidden = found.table[found.table.period == "2026-01"]
    assert set(hidden["rule"]) == {"minimum-count"}
    assert hidden[["rows", "psi"]].isna().all().all()
    assert found.auc.set_index("period").loc["2026-01", "rule"] == "minimum-count"
    empty = found.table[found.table.period == "2026-04"]
    assert (set(empty["rows"]), empty["psi"].isna().all()) == ({0}, True)
    assert "2026-01: hidden by minimum-count" in found.summary()


def test_few_institutions_are_not_shown() -> None:
    frames = dict(FRAMES)
    for name in ("bank1", "bank2"):
        frames[name] = frames[name][frames[name].day < "2026-02-01"]
    found = sealane.simulate(frames).run("monitor.drift", **(ASKED | {"features": ["region"]}))
    assert set(found.table[found.table.period == "2026-02"]["rule"]) == {"minimum-cohort"}
    assert found.auc.set_index("period").loc["2026-02", "rule"] == "minimum-cohort"
    told = found.to_dict()
    assert (told["rows"][3], told["hidden"]) == (None, {"2026-02": "minimum-cohort"})
    assert not found.table[found.table.period == "2026-02"]["rows"].notna().any()


def test_small_cells_are_joined_in_both_lists() -> None:
    assert joined([50, 3, 40, 0], [30, 30, 30, 0], 10, counted=True) == [(50, 30), (43, 60), (0, 0)]
    assert joined([50, 40, 4], [30, 30, 2], 10, counted=True) == [(50, 30), (44, 32)]
    assert joined([50, 40, 0], [30, 30, 2], 10, counted=True) == [(50, 30), (40, 32)]
    assert joined([50, 40, 0], [0.5, 0.4, 0.1], 10, counted=False) == [(50, 0.5), (40, 0.4), (0, 0.1)]
    assert joined([3, 1], [9, 2], 10, counted=True) == [(4, 11)]
    np.testing.assert_allclose(stability([(50, 30), (43, 60)], 0.5, counted=True), divergence([50, 43], [30, 60]))


def test_how_rows_are_spread_changes_nothing(run_pooled: Callable[..., Any]) -> None:
    contract = infer_contract(FRAMES)
    whole = ask(run_pooled, {"all": POOLED}, contract=contract)
    places = np.random.default_rng(1).integers(0, 5, len(POOLED))
    spread = ask(run_pooled, {f"n{k}": POOLED[places == k] for k in range(5)}, contract=contract)
    assert spread.to_dict() == whole.to_dict()


def test_refusals(run_pooled: Callable[..., Any]) -> None:
    with raises("drift.reference-too-small", RefusedError):
        ask(run_pooled, since="2024-01")
    with raises("drift.months", InputError):
        ask(run_pooled, period="wave")
    with raises("drift.months", InputError):
        ask(run_pooled, since=None, months=None)
    with raises("drift.period-type", InputError):
        ask(run_pooled, period="income", features=["age"], since=None, months=None)
    with raises("drift.period-type", InputError):
        long = {name: frame.assign(wave=frame.wave * 100) for name, frame in FRAMES.items()}
        ask(run_pooled, long, period="wave", since=None, months=None)
    with raises("drift.column-type", InputError):
        ask(run_pooled, period="wave", since=None, months=None, features=["day"])
    with raises("drift.reference-shape", InputError):
        ask(run_pooled, reference={"region": {"shares": [0.5, 0.5]}})
    with raises("drift.reference-shape", InputError):
        ask(run_pooled, reference={"age": {"shares": [0.5, 0.5]}})
    with raises("metrics.score-type", InputError):
        ask(run_pooled, score="region", features=["age"])
    contract = Contract(id="t.t/v1", title="t", fields=(
        Field(name="day", type="date"), *(field for field in infer_contract(FRAMES).fields if field.name != "day")))
    bent = {name: frame.assign(day=frame.day.astype(str).where(frame.index > 0, "someday"))
            for name, frame in FRAMES.items()}
    with raises("drift.not-a-date", InputError):
        ask(run_pooled, bent, contract=contract)


@pytest.mark.parametrize("wrong", [
    {"score": None, "outcome": None, "features": []}, {"features": ["age", "age"]}, {"features": ["day"]},
    {"score": None}, {"outcome": "p"}, {"reference": {"wave": {"shares": [1.0]}}}, {"since": "2025-13"},
    {"months": None}, {"auc_band": [0.9, 0.8]}, {"outcome": None, "auc_band": [0.7, 0.8]},
    {"reference": {"region": {"shares": [0.5, 0.3, 0.1]}}}, {"reference": {"age": {"edges": [1.0], "shares": [1.0]}}}])
def test_parameters_are_checked(wrong: dict[str, Any]) -> None:
    asked = {key: value for key, value in (ASKED | wrong).items() if value is not None}
    with raises("computation.bad-parameters", InputError):
        sealane.simulate(FRAMES).run("monitor.drift", **asked)


@pytest.mark.parametrize(("since", "hint"), [("2025-01-01", "write 2025-01"), ("January", "such as 2025-01"),
                                             ("2025-13", "such as 2025-01")])
def test_a_first_month_in_another_form_is_told_the_one_that_is_taken(since: str, hint: str) -> None:
    with raises("computation.bad-parameters", InputError) as caught:
        sealane.simulate(FRAMES).run("monitor.drift", **ASKED | {"since": since})
    assert "YYYY-MM" in caught.value.expected
    assert hint in caught.value.hint


def test_the_result_reads_well(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled)
    assert "population stability index by day" in found.summary()
    assert "<pre>" in found._repr_html_()
    assert len(found.plot().lines) == 5
