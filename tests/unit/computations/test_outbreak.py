"""Weekly counts against pandas, alarms against methods written a second way and published run lengths, and noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from expected_error import raises
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sealane
from sealane.computations.pricing import price_of
from sealane.computations.surveillance.detection import judge, series_of
from sealane.computations.surveillance.outbreak import Outbreak, OutbreakParameters
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field

mpl.use("Agg")
CONTRACT = Contract(id="test.visits/v1", fields=(
    Field(name="day", type="date", nullable=True), Field(name="week", type="integer", minimum=0, maximum=5000),
    Field(name="syndrome", type="category", allowed=("flu", "cough", "fall")),
    Field(name="who", type="integer", minimum=0, maximum=10_000),
    Field(name="weight", type="number", minimum=0, maximum=9)))
UNTIL = "2026-06-24"  # a Wednesday: the last whole week ends on Sunday the 21st
ASKED = {"time": "day", "until": UNTIL, "weeks": 40, "code": "syndrome", "codes": ["flu", "cough"]}


def visits(institutions: int = 3, rows: int = 900, seed: int = 0) -> dict[str, pd.DataFrame]:
    out = {}
    for k in range(institutions):
        rng = np.random.default_rng([seed, k])
        days = pd.Timestamp(UNTIL) - pd.to_timedelta(rng.integers(0, 7 * 45, rows), unit="D")
        frame = pd.DataFrame({
            "day": days, "syndrome": rng.choice(["flu", "cough", "fall"], rows), "who": rng.integers(0, 500, rows),
            "week": 3000 - (pd.Timestamp(UNTIL) - days).days // 7, "weight": 1.0})
        extra = frame.head(60).assign(day=pd.Timestamp("2026-06-17"), week=2999, syndrome="flu")
        out[f"h{k}"] = pd.concat([frame, extra], ignore_index=True)
    return out


def watch(run_pooled: Callable[..., Any], frames: dict[str, pd.DataFrame], **change: Any) -> Any:
    minimum = change.pop("minimum_count", 10)
    return run_pooled(frames, Outbreak(), ASKED | change, contract=CONTRACT, minimum_count=minimum)


@pytest.mark.parametrize("as_text", [False, True])
def test_counts_are_those_of_pandas(run_pooled: Callable[..., Any], as_text: bool) -> None:
    frames = visits()
    pooled = pd.concat(frames.values())
    seen = pooled[pooled["syndrome"].isin(["flu", "cough"])].set_index("day").resample("W-SUN")["who"].size()
    if as_text:
        frames = {name: frame.assign(day=frame["day"].dt.strftime("%Y-%m-%d")) for name, frame in frames.items()}
    found = watch(run_pooled, frames)
    assert found.table.index[-1] == pd.Timestamp("2026-06-21")
    assert found.table["count"].tolist() == seen.loc[:"2026-06-21"].tail(40).tolist()
    assert found.alarms == ["2026-06-21"]
    assert "1 alarms: 2026-06-21" in found.summary()


def test_weeks_may_be_numbers(run_pooled: Callable[..., Any]) -> None:
    frames = visits()
    found = watch(run_pooled, frames, time="week", until=3000, code=None, codes=[])
    expected = pd.concat(frames.values())["week"].value_counts().sort_index().loc[2961:3000]
    assert found.table["count"].to_dict() == expected.to_dict()
    assert found.alarms == [2999]


def reference_ears(counts: np.ndarray, method: str) -> tuple[pd.Series, pd.Series]:
    """C1 to C3 written with pandas' windows."""
    series = pd.Series(counts, dtype=float)
    before = series.shift(1 if method == "c1" else 3).rolling(7)
    score = (series - before.mean()) / before.std().clip(lower=0.5)
    if method == "c3":
        return before.mean(), (score - 1).clip(lower=0).where(score.notna()).rolling(3).sum()
    return before.mean(), score


@pytest.mark.parametrize("method", ["c1", "c2", "c3"])
def test_ears_is_what_its_definition_gives_in_pandas(run_pooled: Callable[..., Any], method: str) -> None:
    found = watch(run_pooled, visits(), method=method).table
    expected, statistic = reference_ears(found["count"].to_numpy(), method)
    np.testing.assert_allclose(found["expected"], expected, rtol=1e-12)
    np.testing.assert_allclose(found["statistic"], statistic, rtol=1e-9, atol=1e-12)
    assert found["alarm"].tolist() == (statistic > (2 if method == "c3" else 3)).tolist()
    assert found["alarm"].any()


def test_a_steady_rise_is_found_by_the_lagged_method_only() -> None:
    counts = [20, 22, 19, 21, 20, 18, 21, 20, 22, 24, 27, 30, 33]
    c1, c2 = (judge(series_of(counts, 10, 0.0), method, baseline=7, threshold=3.0, reference=0.0)  # type: ignore[arg-type]
              for method in ("c1", "c2"))
    for found, method in ((c1, "c1"), (c2, "c2")):
        assert found.alarm.tolist() == (reference_ears(np.array(counts), method)[1] > 3).tolist()
    assert c1.alarm.sum() < c2.alarm.sum()


def test_the_cusum_runs_as_long_as_published_tables_say() -> None:
    # Montgomery, Introduction to Statistical Quality Control, table 9.3 (two-sided, k = ½, h = 4: 168): one side 336.
    rng = np.random.default_rng(5)
    runs = []
    baseline = [400 + (-1) ** k * 20 for k in range(400)]  # mean 400, and as much scatter as Poisson's
    for _ in range(12):
        later = rng.poisson(400, 30_000)
        found = judge(series_of([*baseline, *later], 10, 0.0), "cusum", baseline=400, threshold=4.0, reference=0.5)
        runs.append(30_000 / found.alarm.sum())
    assert np.mean(runs) == pytest.approx(336, rel=0.1)
    # A shift of one standard deviation is found after 8.4 weeks on average (the same table).
    found = judge(series_of([*baseline, *rng.poisson(420, 60_000)], 10, 0.0), "cusum", baseline=400, threshold=4.0,
                  reference=0.5)
    assert 60_000 / found.alarm.sum() == pytest.approx(8.38, rel=0.05)


def test_the_cusum_adds_up_and_begins_again() -> None:
    counts = [90, 110] * 10 + [108, 112, 118, 121, 130, 100, 100]
    found = judge(series_of(counts, 10, 0.0), "cusum", baseline=20, threshold=4.0, reference=0.5)
    spread = np.sqrt(max(100.0, np.var([90, 110] * 10, ddof=1)))
    heights, height = [], 0.0
    for value in counts[20:]:
        height = max(0.0, height + (value - 100) / spread - 0.5)
        heights.append(height)
        height = 0.0 if height >= 4 else height
    np.testing.assert_allclose(found.statistic[20:], heights, rtol=1e-12)
    assert found.alarm[20:].tolist() == [False, False, False, False, True, False, False]


def test_small_weeks_are_hidden_and_alarms_follow_from_what_is_shown(run_pooled: Callable[..., Any]) -> None:
    frames = {name: frame.head(60) for name, frame in visits(rows=60).items()}
    extra = frames["h0"].head(12).assign(day=pd.Timestamp("2026-06-02"), syndrome="flu")
    frames["h0"] = pd.concat([frames["h0"], extra])
    found = watch(run_pooled, frames)
    hidden = found.table["hidden_by"] == "minimum-count"
    assert hidden.sum() > 10
    assert (found.table["count"].isna() == hidden).all()
    assert not found.table["count"].between(1, 9).any()
    again = [None if np.isnan(number) else int(number) for number in found.table["count"]]
    same = judge(series_of(again, 10, 0.0), "c2", baseline=7, threshold=3.0, reference=0.5)
    np.testing.assert_array_equal(same.statistic, found.table["statistic"])
    # Twelve after weeks of anything from 1 to 9 is no alarm; the uniform of 1 to 9 has a variance of 20/3.
    few = judge(series_of([None] * 12 + [12], 10, 0.0), "c2", baseline=7, threshold=3.0, reference=0.5)
    assert few.statistic[-1] == pytest.approx(7 / (20 / 3 + 0.25) ** 0.5)
    assert not few.alarm.any()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 5), min_size=960, max_size=960), institutions=st.integers(2, 6))
def test_how_rows_are_spread_changes_nothing(
    run_pooled: Callable[..., Any], places: list[int], institutions: int
) -> None:
    (table,) = visits(1).values()
    whole = watch(run_pooled, {"all": table})
    where = np.array(places) % institutions
    parts = watch(run_pooled, {f"n{k}": table[where == k] for k in range(institutions)})
    pd.testing.assert_frame_equal(parts.table, whole.table)


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_noise_is_as_wide_as_it_says_and_the_outbreak_is_still_seen(scheme: str) -> None:
    frames = visits(rows=1800)
    exact = sealane.simulate(frames, contract=CONTRACT).run("surveillance.outbreak", **ASKED)
    found = sealane.simulate(frames, contract=CONTRACT).run(
        "surveillance.outbreak", scheme=scheme, **ASKED, epsilon="1", delta="1e-6")
    # dp-accounting's tests: (1, 1e-6) is a Gaussian of multiplier 4.5309; two of three nodes carry it, all three add.
    assert found.standard_error == pytest.approx(4.531 * 1.5**0.5, rel=1e-3)
    off = (found.table["count"] - exact.table["count"]).dropna()
    assert 0.5 * found.standard_error < off.std() < 1.6 * found.standard_error
    assert "2026-06-21" in found.alarms
    assert "epsilon 1, delta 1e-6 for each row" in found.summary()


def test_a_baseline_is_never_steadier_than_its_noise() -> None:
    counts = [100] * 12 + [112]
    plain, noised = (judge(series_of(counts, 10, error), "c2", baseline=7, threshold=3.0, reference=0.0)
                     for error in (0.0, 5.0))
    assert plain.statistic[-1] == pytest.approx(24.0)  # by half a case, the least spread there is
    assert noised.statistic[-1] == pytest.approx(12 / 5)
    cusum = judge(series_of(counts, 10, 5.0), "cusum", baseline=12, threshold=4.0, reference=0.5)
    assert cusum.statistic[-1] == pytest.approx(12 / (100 + 25) ** 0.5 - 0.5)


def test_a_person_counts_once_and_the_price_says_so(run_pooled: Callable[..., Any]) -> None:
    params = OutbreakParameters(**ASKED, epsilon="1", delta="1e-6", unit="who", rows_per_unit=2)
    price = price_of(Outbreak(), params, CONTRACT, 2)
    assert price is not None
    assert (price.sums, price.unit, price.mechanism.entries, price.mechanism.norm_squared) == (1, "who", 42, 4)
    assert price_of(Outbreak(), OutbreakParameters(**ASKED), CONTRACT, 2) is None
    frames = visits()
    found = watch(run_pooled, frames, epsilon="1000", delta="1e-6", unit="who")  # in memory no noise is added
    first = pd.concat([frame.groupby("who", sort=False).head(1) for frame in frames.values()])
    seen = first[first["syndrome"].isin(["flu", "cough"])].set_index("day").resample("W-SUN")["who"].size()
    shown = found.table["count"].dropna()
    assert shown.to_dict() == seen[seen >= 10].loc[shown.index[0] : "2026-06-21"].to_dict()


def test_dates_to_come_are_refused_with_noise_and_without(run_pooled: Callable[..., Any]) -> None:
    frames = visits()
    frames["h1"].loc[0, ["day", "syndrome"]] = pd.Timestamp("2026-06-25"), "flu"
    with raises("outbreak.future-dates", RefusedError) as caught:
        watch(run_pooled, frames)
    assert "h1" not in str(caught.value)
    # With a promise one row cannot be told from noise, many can.
    watch(run_pooled, frames, epsilon="1", delta="1e-6")
    frames["h1"].loc[:200, ["day", "syndrome"]] = pd.Timestamp("2027-06-25"), "flu"
    with raises("outbreak.future-dates", RefusedError):
        watch(run_pooled, frames, epsilon="1", delta="1e-6")


def test_rows_of_the_week_that_is_not_over_count_nowhere(run_pooled: Callable[..., Any]) -> None:
    frames = visits()
    before = watch(run_pooled, frames).table["count"]
    frames["h0"] = pd.concat([frames["h0"], frames["h0"].head(40).assign(day=pd.Timestamp(UNTIL), syndrome="flu")])
    pd.testing.assert_series_equal(watch(run_pooled, frames).table["count"], before)


def test_a_curve_is_drawn(run_pooled: Callable[..., Any]) -> None:
    axes = watch(run_pooled, visits(), epsilon="1", delta="1e-6").plot()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "count", "± 2 standard errors of the noise", "expected", "hidden: under 10", "alarm"]
    found = watch(run_pooled, visits())
    assert len(found.plot().collections[-1].get_offsets()) == 1
    assert "<pre>" in found._repr_html_()
    assert found.to_dict()["alarms"] == ["2026-06-21"]


def test_refusals(run_pooled: Callable[..., Any]) -> None:
    frames = visits()
    for change, code in [({"time": "weight"}, "outbreak.column-type"), ({"until": "soon"}, "outbreak.until"),
                         ({"time": "week"}, "outbreak.until"), ({"code": "weight"}, "outbreak.code-type"),
                         ({"codes": ["plague"]}, "outbreak.unknown-code")]:
        with raises(code, InputError):
            watch(run_pooled, frames, **change)
    with raises("promise.unit-type", InputError):
        watch(run_pooled, frames, epsilon="1", delta="1e-6", unit="weight")
    with raises("outbreak.nothing-to-show", RefusedError):
        watch(run_pooled, {name: frame.head(20) for name, frame in frames.items()})
    with raises("model.too-few-rows", RefusedError):
        watch(run_pooled, {name: frame.head(2) for name, frame in frames.items()})
    undated = frames | {"h1": frames["h1"].assign(day=pd.NaT)}
    with raises("model.institutions-without-rows", RefusedError):
        sealane.simulate(undated, contract=CONTRACT).run("surveillance.outbreak", **ASKED)
    with raises("outbreak.not-a-date", InputError) as caught:
        watch(run_pooled, frames | {"h1": frames["h1"].assign(day="yesterday")})
    assert "yesterday" not in str(caught.value)


@pytest.mark.parametrize("change", [
    {"codes": []}, {"code": None}, {"code": "day"}, {"codes": ["a", "a"]}, {"weeks": 9}, {"weeks": 11},
    {"method": "cusum", "weeks": 28}, {"threshold": 0}, {"baseline": 1}, {"epsilon": "1"}, {"unit": "who"},
    {"method": "luck"},
])
def test_other_parameters_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        OutbreakParameters(**(ASKED | change))
