"""Typologies against windows looked at one by one in pandas, refusals, what is hidden, and noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from expected_error import raises
from transfers import CONTRACT, transfers

import sealane
from sealane.computations.pricing import price_of
from sealane.computations.typology.rules import TypologyRules
from sealane.errors import InputError, RefusedError
from sealane.sectors.registry import contract

mpl.use("Agg")
ASKED: dict[str, Any] = {"until": "2026-07-15", "months": 6, "bands": [5000, 15_000, 35_000]}
NAMES = ("north", "south", "west")
RULES = contract(CONTRACT)


def banks(**change: Any) -> dict[str, pd.DataFrame]:
    return {name: transfers(seed, **change) for seed, name in enumerate(NAMES)}


def count(run_pooled: Callable[..., Any], frames: dict[str, pd.DataFrame], minimum_count: int = 3,
          **change: Any) -> Any:
    return run_pooled(frames, TypologyRules(), ASKED | change, contract=RULES, minimum_count=minimum_count)


def one_by_one(frame: pd.DataFrame, flagged: Callable[[pd.DataFrame, pd.Timestamp], bool], days: int,
               chosen: Callable[[pd.DataFrame], Any]) -> dict[str, tuple[str, int, float]]:
    """Return by account the first month, the transfers and the amount, window by window."""
    out = {}
    for account, rows in frame[chosen(frame)].groupby("account_key"):
        day = rows["time"].dt.normalize()
        seen: set[Any] = set()
        first = None
        for last in sorted(day.unique()):
            window = rows[(day > last - pd.Timedelta(days=days)) & (day <= last)]
            if flagged(window, last):
                first = first or f"{last:%Y-%m}"
                seen |= set(window.index)
        if first is not None:
            out[str(account)] = (first, len(seen), float(rows.loc[sorted(seen), "amount"].sum()))
    return out


def expected(frame: pd.DataFrame, name: str) -> dict[str, tuple[str, int, float]]:
    went = frame["direction"] == "out"
    match name:
        case "fan_in" | "fan_out":
            return one_by_one(frame, lambda window, _: window["counterparty_key"].nunique() >= 10, 7,
                              lambda rows: went if name == "fan_out" else ~went)
        case "structuring":
            return one_by_one(frame, lambda window, _: len(window) >= 3 and window["amount"].sum() >= 10_000, 7,
                              lambda rows: ~went & (rows["amount"] >= 8000) & (rows["amount"] < 10_000))

    def rapid(window: pd.DataFrame, last: pd.Timestamp) -> bool:
        out = window["direction"] == "out"
        if not (out & (window["time"].dt.normalize() == last)).any():
            return False
        came, gone = window.loc[~out, "amount"].sum(), window.loc[out, "amount"].sum()
        return bool(came >= 10_000 and 0.9 * came <= gone <= 1.1 * came)

    return one_by_one(frame, rapid, 2, lambda rows: went | ~went)


def test_counts_are_those_of_windows_looked_at_one_by_one(run_pooled: Callable[..., Any]) -> None:
    frames = banks(accounts=8)
    found = count(run_pooled, frames)
    assert found.table["accounts"].min() >= 15
    for name in ("fan_in", "fan_out", "structuring", "rapid_movement"):
        flagged = [one for frame in frames.values() for one in expected(frame, name).values()]
        assert found.table.loc[name, "accounts"] == len(flagged)
        assert found.table.loc[name, "transfers"] == sum(number for _, number, _ in flagged)
        assert found.table.loc[name, "banks"] == 3
        months = pd.Series([month for month, _, _ in flagged]).value_counts()
        shown = found.months.loc[name]
        assert shown["hidden_by"].isna().any()
        for month, row in shown[shown["hidden_by"].isna()].iterrows():
            assert row["accounts"] == months.get(month, 0)
            assert row["transfers"] == sum(number for at, number, _ in flagged if at == month)
        amounts = pd.cut([amount for _, _, amount in flagged], [-1, 5000, 15_000, 35_000, np.inf], right=False,
                         labels=found.bands.loc[name].index)
        bands = pd.Series(amounts).value_counts()
        for band, row in found.bands.loc[name].iterrows():
            assert row["hidden_by"] is not None or row["accounts"] == bands[band]
    active = sum(frame["account_key"].nunique() for frame in frames.values())
    assert found.table.loc["fan_in", "share"] == pytest.approx(found.table.loc["fan_in", "accounts"] / active)


def test_split_does_not_matter_as_long_as_accounts_stay_whole(run_pooled: Callable[..., Any]) -> None:
    pooled = pd.concat([frame.assign(account_key=name + frame["account_key"]) for name, frame in banks().items()])
    place = pd.factorize(pooled["account_key"])[0]
    one = count(run_pooled, {f"b{k}": pooled[place % 3 == k] for k in range(3)}).to_dict()
    other = count(run_pooled, {f"b{k}": pooled[place // 97 == k] for k in range(3)}).to_dict()
    for name in one["typologies"]:
        for part in ("accounts", "transfers", "by_month", "by_band"):
            assert one["typologies"][name][part] == other["typologies"][name][part]


def test_thresholds_columns_and_typologies_are_the_study_s(run_pooled: Callable[..., Any]) -> None:
    frames = banks()
    cash = {"structuring": {"transfers": 2, "column": "method", "levels": ["cash"]}, "typologies": ["structuring"]}
    found = count(run_pooled, frames, **cash)
    flagged = 0
    for frame in frames.values():
        rows = frame[frame["method"] == "cash"]
        flagged += len(one_by_one(rows, lambda window, _: len(window) >= 2, 7, lambda rows: (
            rows["direction"] == "in") & (rows["amount"] >= 8000) & (rows["amount"] < 10_000)))
    assert found.table["accounts"].tolist() == [flagged]
    assert "where method is cash" in found.definitions["structuring"]
    wide = count(run_pooled, frames, typologies=["fan_in"], fan_in={"counterparties": 16})
    assert wide.table["accounts"].tolist() == [0.0]
    assert wide.table["banks"].tolist() == [0.0]
    none = count(run_pooled, frames, typologies=["rapid_movement"], counterparty=None)
    assert none.table["accounts"].iloc[0] == count(run_pooled, frames).table.loc["rapid_movement", "accounts"]


def test_rows_that_cannot_be_used_are_counted_and_others_left_alone(run_pooled: Callable[..., Any]) -> None:
    frames = banks()
    frames["north"] = frames["north"].assign(
        account_key=frames["north"]["account_key"].where(np.arange(len(frames["north"])) >= 40, None))
    assert count(run_pooled, frames, minimum_count=10).to_dict()["left_out"] == 40
    assert count(run_pooled, frames, minimum_count=50).to_dict()["left_out"] is None


def test_small_counts_are_hidden_with_what_would_give_them_away(run_pooled: Callable[..., Any]) -> None:
    frames = banks(acting=2)
    found = count(run_pooled, frames, minimum_count=10)
    assert found.table["accounts"].isna().all()
    assert set(found.table["hidden_by"]) == {"minimum-count"}
    assert found.months["accounts"].isna().all()
    assert found.bands["transfers"].isna().all()
    some = count(run_pooled, banks(acting=12), minimum_count=8)
    for name in some.to_dict()["typologies"]:
        cells = some.months.loc[name]
        hidden = cells["hidden_by"].notna()
        rest = some.table.loc[name, "accounts"] - cells["accounts"].sum()
        assert not hidden.any() or (hidden.sum() > 1 and rest >= 16)


def test_what_rests_on_too_few_institutions_is_hidden() -> None:
    frames = {"north": transfers(0, acting=12), "south": transfers(1, acting=0), "west": transfers(2, acting=0)}
    asked = ASKED | {"typologies": ["structuring"]}
    found = sealane.simulate(frames, contract=RULES).run("typology.rules", minimum_count=5, **asked)
    assert found.table["hidden_by"].tolist() == ["minimum-cohort"]
    assert found.table["accounts"].isna().all()
    shown = sealane.simulate(frames, contract=RULES).run("typology.rules", minimum_count=5, waive_differencing=list(
        frames), **asked)
    assert shown.table["accounts"].tolist() == [12.0]
    assert shown.table["banks"].tolist() == [1.0]


def test_over_rlwe_the_same() -> None:
    frames = banks(accounts=10)
    masked, ring = (sealane.simulate(frames, contract=RULES).run("typology.rules", scheme=scheme, **ASKED).to_dict()
                    for scheme in ("masking", "rlwe"))
    assert masked == ring


@pytest.mark.parametrize(("change", "code", "branch"), [
    ({"account": "amount", "amount": "months_on_book"}, "typology.column-type", InputError),
    ({"time": "currency"}, "typology.column-type", InputError),
    ({"outgoing": "sideways"}, "typology.unknown-level", InputError),
    ({"amount": "amount_z_90d"}, "typology.negative-amount", InputError),
    ({"until": "yesterday"}, "typology.until", InputError),
    ({"until": "2020-01-01"}, "typology.too-few-accounts", RefusedError),
    ({"epsilon": "1", "delta": "1e-6", "unit": "amount"}, "promise.unit-type", InputError),
    ({"epsilon": "1", "delta": "1e-6", "unit": "counterparty_key"}, "promise.unit-counted", InputError),
])
def test_refusals(run_pooled: Callable[..., Any], change: dict[str, Any], code: str, branch: Any) -> None:
    frames = {name: frame.assign(months_on_book=1, currency="USD", amount_z_90d=0.0)
              for name, frame in banks(accounts=5).items()}
    with raises(code, branch):
        count(run_pooled, frames, **change)


@pytest.mark.parametrize("change", [
    {"epsilon": "1", "delta": "1e-6"}, {"counterparty": None}, {"typologies": ["fan_in", "fan_in"]},
    {"bands": [10, 5]}, {"account": "time"}, {"incoming": "out"}, {"structuring": {"column": "method"}},
    {"epsilon": "1", "delta": "1e-6", "unit": "account_key", "rows_per_unit": 2}, {"fan_in": {"counterparties": 1}},
])
def test_parameters_that_make_no_sense(change: dict[str, Any]) -> None:
    with raises("computation.bad-parameters", InputError):
        sealane.simulate(banks(accounts=5), contract=RULES).run("typology.rules", **(ASKED | change))


def test_dates_that_are_none_and_banks_without_any(run_pooled: Callable[..., Any]) -> None:
    frames = banks(accounts=5)
    with raises("typology.not-a-date", InputError):
        count(run_pooled, frames | {"west": frames["west"].assign(time="soon")})
    with raises("model.institutions-without-rows", RefusedError):
        sealane.simulate(frames | {"west": frames["west"].assign(counterparty_key=None, amount=np.nan)},
                         contract=RULES).run("typology.rules", **ASKED)


def test_a_promise_hides_accounts_or_who_holds_them(run_pooled: Callable[..., Any]) -> None:
    frames = banks(acting=20)
    promise = {"epsilon": "2", "delta": "1e-6"}
    by_account = count(run_pooled, frames, minimum_count=5, unit="account_key", **promise)
    exact = count(run_pooled, frames, minimum_count=5)
    assert by_account.table["accounts"].tolist() == exact.table["accounts"].tolist()  # this cohort adds no noise
    assert by_account.table["transfers"].isna().all()
    assert by_account.to_dict()["active"] is None
    two = {name: frame.assign(customer_key=frame["account_key"].str.extract(r"(\d+)")[0])
           for name, frame in frames.items()}  # each holds one acting account of every typology, and others
    once = count(run_pooled, two, minimum_count=5, unit="customer_key", **promise)
    assert once.table["accounts"].sum() < exact.table["accounts"].sum()
    all_of_them = count(run_pooled, two, minimum_count=5, unit="customer_key", rows_per_unit=8, **promise)
    assert all_of_them.table["accounts"].tolist() == exact.table["accounts"].tolist()
    with raises("typology.several-holders", InputError):
        count(run_pooled, {name: frame.assign(customer_key=frame["counterparty_key"]) for name, frame in
                           frames.items()}, unit="customer_key", **promise)


def test_the_price_is_that_of_two_cells_for_each_typology() -> None:
    promise = ASKED | {"epsilon": "1", "delta": "1e-6", "unit": "account_key"}
    made = TypologyRules().parameters.model_validate(promise)
    price = price_of(TypologyRules(), made, RULES, 2)
    assert price is not None
    assert price.unit == "account_key"
    assert price.mechanism.norm_squared == 8
    assert price.mechanism.entries == 4 * (6 + 4)
    assert price_of(TypologyRules(), TypologyRules().parameters.model_validate(ASKED), RULES, 2) is None


def test_noise_is_there_and_of_its_size() -> None:
    frames = banks(accounts=10, acting=40)
    sim = sealane.simulate(frames, contract=RULES)
    asked = ASKED | {"epsilon": "3", "delta": "1e-6", "unit": "account_key"}
    found = sim.run("typology.rules", minimum_count=1, **asked)
    exact = sim.run("typology.rules", minimum_count=1, **ASKED)
    off = (found.months["accounts"] - exact.months["accounts"]).dropna().to_numpy()
    assert len(off) > 12
    assert 0.4 < float(np.sqrt(np.mean(off**2))) / found.standard_error < 1.9
    assert "epsilon 3" in found.summary()


def test_tables_text_and_picture(run_pooled: Callable[..., Any]) -> None:
    found = count(run_pooled, banks())
    told = found.to_dict()
    assert "9,000" not in told["definitions"]["structuring"]
    assert "8,000 to under 10,000 USD" in told["definitions"]["structuring"]
    assert told["band_names"] == ["under 5,000", "5,000 to 15,000", "15,000 to 35,000", "from 35,000"]
    assert set(told["sources"]) == set(told["definitions"])
    text = found.summary()
    assert "rapid movement: 10,000 USD or more in, and 90% to 110% of it out, within 2 days" in text
    assert "2026-01 to 2026-06" in text
    assert found._repr_html_().startswith("<pre>")
    axes = found.plot()
    assert len(axes.lines) == 4
    axes.figure.clf()
