"""Reports of adverse events: measures against statsmodels and scipy on pooled rows, and what a reader can work out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from expected_error import raises
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import Table2x2

import sealane
from sealane.computations.surveillance.disproportionality import (
    Disproportionality,
    DisproportionalityParameters,
    _pairs,
)
from sealane.computations.surveillance.measures import measures
from sealane.computations.surveillance.pairs import Exposure
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field

mpl.use("Agg")
DRUGS = ("anakinra", "bosentan", "captopril", "digoxin")
ASKED = {"drugs": ["drug", "vaccine"], "events": ["cough", "reaction"]}
CONTRACT = Contract(id="test.reports/v1", fields=(
    Field(name="drug", type="category", allowed=DRUGS, nullable=True), Field(name="vaccine", type="boolean"),
    Field(name="cough", type="boolean"),
    Field(name="reaction", type="category", allowed=("rash", "fever", "fall", "never"), nullable=True),
    Field(name="age", type="integer", minimum=0, maximum=120)))


def reports(rows: int = 700, institutions: int = 3) -> dict[str, pd.DataFrame]:
    out = {}
    for k in range(institutions):
        rng = np.random.default_rng(k)
        drug = rng.choice(DRUGS, rows, p=[0.3, 0.3, 0.25, 0.15])
        cough = rng.random(rows) < np.where(drug == "captopril", 0.25, 0.06)
        out[f"h{k}"] = pd.DataFrame({
            "drug": drug, "vaccine": rng.random(rows) < 0.2, "cough": cough,
            "reaction": rng.choice(["rash", "fever", "fall"], rows, p=[0.5, 0.4, 0.1]),
            "age": rng.integers(0, 99, rows)})
    return out


def count(run_pooled: Callable[..., Any], frames: dict[str, pd.DataFrame], **change: Any) -> Any:
    options = {key: change.pop(key) for key in ("minimum_count", "contract") if key in change}
    return run_pooled(frames, Disproportionality(), ASKED | change, **({"contract": CONTRACT} | options))


def of(found: Any, drug: str, event: str) -> Any:
    return found.table[(found.table["drug"] == drug) & (found.table["event"] == event)].iloc[0]


def test_measures_are_those_of_statsmodels_and_scipy(run_pooled: Callable[..., Any]) -> None:
    frames = reports()
    found = count(run_pooled, frames, confidence=0.9)
    pooled = pd.concat(frames.values())
    assert (found.rows, len(found.table)) == (2100, 5 * 5)
    checked = 0
    for row in found.table.itertuples():
        if row.hidden_by is not None:
            continue
        flags = [pooled[name].astype(bool) if name in pooled else pooled[name.split("=")[0]] == name.split("=")[1]
                 for name in (row.drug, row.event)]
        cells = np.array([[(flags[0] & flags[1]).sum(), (flags[0] & ~flags[1]).sum()],
                          [(~flags[0] & flags[1]).sum(), (~flags[0] & ~flags[1]).sum()]])
        assert [row.a, row.b, row.c, row.d] == cells.ravel().tolist()
        if not cells.all():
            continue
        expected = Table2x2(cells, shift_zeros=False)
        np.testing.assert_allclose([row.ROR, row.ROR_low, row.ROR_high],
                                   [expected.oddsratio, *expected.oddsratio_confint(0.1)], rtol=1e-6)
        np.testing.assert_allclose([row.PRR, row.PRR_low, row.PRR_high],
                                   [expected.riskratio, *expected.riskratio_confint(0.1)], rtol=1e-6)
        chi2 = stats.chi2_contingency(cells, correction=True)
        np.testing.assert_allclose([row.chi2, row.expected], [chi2.statistic, chi2.expected_freq[0, 0]], rtol=1e-6)
        posterior = stats.gamma(row.a + 0.5, scale=1 / (row.expected + 0.5))
        np.testing.assert_allclose([row.IC_low, row.IC_high], np.log2(posterior.ppf([0.05, 0.95])), rtol=1e-6)
        checked += 1
    assert checked >= 12


def test_ic_limits_are_near_the_published_approximation() -> None:
    # Norén, Hopstadius and Bate (2013), for 95 % and x = a + ½:
    # IC - 3.3 x^-1/2 - 2 x^-3/2 and IC + 2.4 x^-1/2 - 0.5 x^-3/2.
    a = np.arange(3.0, 200.0)
    found = measures(np.array([a, 400 - a, 10 * a, 50_000 - 10 * a]), 0.95)
    x = a + 0.5
    np.testing.assert_allclose(found["IC_low"], found["IC"] - 3.3 * x**-0.5 - 2 * x**-1.5, atol=0.06)
    np.testing.assert_allclose(found["IC_high"], found["IC"] + 2.4 * x**-0.5 - 0.5 * x**-1.5, atol=0.06)


@pytest.mark.parametrize("rule", ["ror", "evans", "ic"])
def test_the_planted_signal_is_found_by_each_rule_and_others_are_not(run_pooled: Callable[..., Any], rule: str) -> None:
    found = count(run_pooled, reports(), rule=rule, drugs=["drug"], events=["cough"])
    assert found.signals["drug"].tolist() == ["drug=captopril"]
    assert "1 signals" in found.summary()
    assert not count(run_pooled, reports(), rule=rule, least_reports=100_000).table["signal"].any()


def test_pairs_with_a_small_cell_are_hidden_and_do_not_follow(run_pooled: Callable[..., Any]) -> None:
    frames = reports()
    for frame in frames.values():
        fall = (frame["drug"] == "digoxin") & (frame["reaction"] == "fall")
        frame.loc[fall[fall].index[1:], "reaction"] = "rash"  # one in each institution is left
    found = count(run_pooled, frames, drugs=["drug"], events=["reaction"])
    small = of(found, "drug=digoxin", "reaction=fall")
    assert small["hidden_by"] == "minimum-count"
    assert small[["a", "b", "c", "d", "ROR", "IC"]].isna().all()
    assert not small["signal"]
    hidden = found.table[found.table["hidden_by"].notna()]
    for by in ("drug", "event"):  # in each of its lines another pair is hidden, so no difference gives it
        assert (hidden[by] == small[by]).sum() >= 2
    never = of(found, "drug=anakinra", "reaction=never")
    assert (never["hidden_by"], never["a"], never["c"]) == (None, 0, 0)
    assert np.isnan(never["ROR"])
    assert "hidden pairs: " in found.summary()
    assert found.to_dict()["pairs"][0]["drug"] == "drug=anakinra"


def every_table(cells: int, total: int) -> Iterator[tuple[int, ...]]:
    if cells == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in every_table(cells - 1, total - first):
            yield (first, *rest)


@pytest.mark.parametrize(("shape", "totals"), [((2, 2), (8, 13)), ((2, 3), (9,)), ((3, 2), (9,))])
@pytest.mark.parametrize("rest", [False, True])
def test_no_small_cell_follows_for_a_reader_who_knows_the_rule(
    shape: tuple[int, int], totals: tuple[int, ...], rest: bool
) -> None:
    """Every table of these totals: where a pair is hidden, two tables look alike and differ in it."""
    names = [tuple("xyz"[:size]) for size in shape]
    drug, event = (Exposure(side, found, found[:-1] if rest else found, tuple(range(len(found))))
                   for side, found in zip(("d", "e"), names, strict=True))
    seen: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for total in totals:
        for cells in every_table(shape[0] * shape[1], total):
            seen[f"{total} {_pairs(drug, event, np.array(cells).reshape(shape), 3)}"].append(cells)
    for alike in seen.values():
        table = np.array(alike)
        settled = (table == table[0]).all(axis=0)
        assert not (settled & (table[0] > 0) & (table[0] < 3)).any()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 5), min_size=400, max_size=400), institutions=st.integers(2, 6))
def test_how_reports_are_spread_changes_nothing(
    run_pooled: Callable[..., Any], places: list[int], institutions: int
) -> None:
    (table,) = reports(400, 1).values()
    whole = count(run_pooled, {"all": table})
    where = np.array(places) % institutions
    parts = count(run_pooled, {f"n{k}": table[where == k] for k in range(institutions)})
    pd.testing.assert_frame_equal(parts.table, whole.table)


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_through_real_sums(scheme: str) -> None:
    frames = reports(200)
    frames["h1"].loc[:11, "reaction"] = None
    found = sealane.simulate(frames, contract=CONTRACT).run(
        "surveillance.disproportionality", scheme=scheme, drugs=["drug"], events=["cough", "reaction"],
        levels={"drug": ["captopril"]})
    assert (found.rows, found.to_dict()["dropped"]) == (588, 12)
    assert found.table["drug"].unique().tolist() == ["drug=captopril"]
    assert of(found, "drug=captopril", "cough")["signal"]
    assert found.to_dict()["basis"]["contributing"] == 3


def test_a_forest_is_drawn(run_pooled: Callable[..., Any]) -> None:
    found = count(run_pooled, reports())
    axes = found.plot(measure="IC", most=3)
    best = found.table.dropna(subset=["IC_low"]).sort_values("IC_low", ascending=False).head(3)
    assert [text.get_text() for text in axes.get_yticklabels()] == list((best["drug"] + " × " + best["event"])[::-1])
    assert found.plot().get_xscale() == "log"
    assert "<pre>" in found._repr_html_()
    with raises("disproportionality.unknown-measure", InputError):
        found.plot(measure="luck")


def test_refusals(run_pooled: Callable[..., Any]) -> None:
    with raises("model.too-few-rows", RefusedError):
        count(run_pooled, reports(3))
    with raises("disproportionality.column-type", InputError):
        count(run_pooled, reports(), drugs=["age"])
    for levels in ({"drug": ["aspirin"]}, {"cough": ["1"]}):
        with raises("disproportionality.unknown-level", InputError):
            count(run_pooled, reports(), levels=levels)
    many = tuple(Field(name=name, type="category", allowed=tuple(map(str, range(400)))) for name in ("d", "e"))
    frames = {name: pd.DataFrame({"d": ["1"], "e": ["2"]}) for name in ("h0", "h1")}
    with raises("disproportionality.too-many-pairs", InputError):
        count(run_pooled, frames, drugs=["d"], events=["e"], contract=Contract(id="test.many/v1", fields=many))
    frames = reports()
    frames["h1"]["reaction"] = None
    with raises("model.institutions-without-rows", RefusedError) as caught:
        sealane.simulate(frames, contract=CONTRACT).run("surveillance.disproportionality", **ASKED)
    assert "reaction" in str(caught.value.hint)


@pytest.mark.parametrize("change", [
    {"drugs": []}, {"drugs": ["cough"]}, {"levels": {"age": ["1"]}}, {"levels": {"drug": ["a", "a"]}},
    {"rule": "luck"}, {"confidence": 1}, {"least_reports": 0}, {"epsilon": "1"},
])
def test_other_parameters_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        DisproportionalityParameters(**(ASKED | change))
