"""Counts against pandas and scipy, exact and through both schemes with noise; prices against published ones."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from expected_error import raises
from scipy import stats

import sealane
from sealane.computations.noise import least_sigma, mechanism_of
from sealane.computations.pricing import price_of, rows_of
from sealane.computations.statistics.table import Table, TableParameters
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract

ASKED = {"columns": ["grade"], "epsilon": "1", "delta": "1e-6"}
DELTA = Decimal("1e-6")


def made(rows: int = 3000) -> dict[str, pd.DataFrame]:
    frames = {}
    for k, name in enumerate(("north", "south", "west")):
        rng = np.random.default_rng(k)
        frames[name] = pd.DataFrame({
            "grade": rng.choice(["A", "B", None], rows, p=[0.5, 0.3, 0.2]),
            "bad": rng.integers(0, 2, rows).astype(bool), "amount": rng.integers(0, 101, rows).astype(float),
            "who": [f"p{number}" for number in rng.integers(0, rows // 3, rows)]})
    return frames


def test_without_noise_it_is_the_cross_table_of_pandas(run_pooled: Callable[..., Any]) -> None:
    frames = made()
    found = run_pooled(frames, Table(), ASKED | {"columns": ["grade", "amount"], "bins": {"amount": [20, 50.5]}},
                       minimum_count=1).counts
    pooled = pd.concat(frames.values())
    bins = pd.cut(pooled["amount"], [-1, 19.999, 50.5, 101], labels=["under 20", "20 to 50.5", "50.5 and more"])
    expected = pd.crosstab(pooled["grade"].fillna("missing"), bins)
    assert found.columns.tolist() == [*expected.columns.tolist(), "missing"]
    assert found.index.tolist() == expected.index.tolist()
    assert found.iloc[:, :3].to_numpy().tolist() == expected.to_numpy().tolist()
    assert found["missing"].isna().all()  # nothing there, which is under the minimum count


def test_a_value_at_an_edge_is_in_the_bin_above(run_pooled: Callable[..., Any]) -> None:
    frames = {name: pd.DataFrame({"x": [0.0, 1.0, 1.5, 2.0, np.nan, 3.0]}) for name in ("a", "b", "c")}
    found = run_pooled(frames, Table(), ASKED | {"columns": ["x"], "bins": {"x": [1, 2]}}, minimum_count=1)
    assert found.counts.to_dict() == {"under 1": 3, "1 to 2": 6, "2 and more": 6, "missing": 3}


def test_a_person_counts_so_many_rows_and_rows_about_nobody_none(run_pooled: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"who": ["p", "p", "p", "q", None], "bad": [True, True, False, False, True]})
    frames = dict.fromkeys(("a", "b", "c"), frame)
    found = run_pooled(frames, Table(), ASKED | {"columns": ["bad"], "unit": "who", "rows_per_unit": 2},
                       minimum_count=1)
    assert found.counts.fillna(0).to_dict() == {"0": 3, "1": 6, "missing": 0}  # p twice, q once, at each of three


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_at_a_huge_epsilon_counts_are_all_but_exact(scheme: str) -> None:
    frames = made()
    simulation = sealane.simulate(frames)
    found = simulation.run("statistics.table", scheme=scheme, minimum_count=1, columns=["grade", "bad"],
                           epsilon="1000", delta="1e-6")
    pooled = pd.concat(frames.values())
    expected = pd.crosstab(pooled["grade"].fillna("missing"), pooled["bad"])
    assert found.standard_error == pytest.approx(0.5 * 3**0.5, rel=0.01)  # the narrowest share there is, three times
    off = found.counts.iloc[:, :2].to_numpy() - expected.to_numpy()
    assert np.abs(off).max() <= 10
    assert expected.to_numpy().sum() == 9000
    assert f"+- {found.standard_error:.3g}" in found.summary()
    assert "for each row" in repr(found)


def test_noise_is_of_the_width_that_others_publish() -> None:
    # dp-accounting's tests: a Gaussian of multiplier 4.530877117 is exactly (1, 1e-6).
    price = price_of(Table(), TableParameters(**ASKED), infer_contract(made()), 2)
    assert price is not None
    assert (price.sums, price.unit, price.mechanism.entries) == (1, "row", 3)
    total = float(price.mechanism.sigma) * 2**0.5
    assert 4.530877117 <= total <= 4.532
    person = TableParameters(**ASKED, unit="who", rows_per_unit=3)
    price = price_of(Table(), person, infer_contract(made()), 4)
    assert (price.unit, price.mechanism.honest, price.mechanism.norm_squared) == ("who", 4, 9)
    assert 3 * 4.530877117 <= float(price.mechanism.sigma) * 4**0.5 <= 3 * 4.535


@pytest.mark.parametrize(("epsilon", "honest", "norm"), [("0.01", 2, 1), ("1", 5, 4), ("7", 2, 1)])
def test_noise_is_no_wider_than_needed(epsilon: str, honest: int, norm: int) -> None:
    sigma = least_sigma(Decimal(epsilon), DELTA, honest=honest, entries=50, norm_squared=norm)

    def costs(deviation: Decimal) -> Decimal:
        return mechanism_of(deviation, honest=honest, entries=50, norm_squared=norm).epsilon(DELTA)

    assert len(sigma.normalize().as_tuple().digits) <= 4
    assert costs(sigma) <= Decimal(epsilon) < costs(sigma * Decimal("0.998"))


def test_a_promise_that_no_noise_keeps_is_refused() -> None:
    with raises("noise.promise-too-strong", InputError):
        least_sigma(Decimal("1e-9"), Decimal("1e-9"), honest=2, entries=10, norm_squared=1)


def test_a_table_reads_all_rows() -> None:
    assert rows_of(Table(), TableParameters(**ASKED)) == "all"


def test_a_cross_table_and_its_test_equal_pandas_and_scipy(run_pooled: Callable[..., Any]) -> None:
    frames = made()
    pooled = pd.concat(frames.values())
    found = run_pooled(frames, Table(), {"columns": ["grade", "bad"]})
    exact = pd.crosstab(pooled["grade"], pooled["bad"])
    assert found.counts.iloc[:2, :2].to_numpy().tolist() == exact.to_numpy().tolist()
    assert found.counts.loc["missing", "0"] == ((pooled["grade"].isna()) & ~pooled["bad"]).sum()
    assert (found.rows, found.dropped, found.standard_error, found.epsilon) == (9000, 0, None, None)
    assert found.row_totals["A"] == (pooled["grade"] == "A").sum()
    assert found.column_totals["1"] == pooled["bad"].sum()
    expected = stats.chi2_contingency(exact)
    assert (found.chi2, found.dof, found.pvalue) == pytest.approx((expected[0], expected[2], expected[1]), rel=1e-10)
    np.testing.assert_allclose(found.test.expected, expected[3], rtol=1e-12)
    assert found.cramers_v == pytest.approx(stats.contingency.association(exact))
    plain = run_pooled(frames, Table(), {"columns": ["grade", "bad"], "correction": False, "missing": "drop"})
    expected = stats.chi2_contingency(exact, correction=False)
    assert (plain.chi2, plain.pvalue) == pytest.approx((expected[0], expected[1]), rel=1e-10)
    assert (plain.counts.shape, plain.dropped) == ((2, 2), pooled["grade"].isna().sum())
    assert "chi-square" in plain.summary()
    wide = run_pooled(frames, Table(), {"columns": ["amount", "grade"], "bins": {"amount": [20, 40, 60]}})
    binned = np.searchsorted([20, 40, 60], pooled["amount"], side="right")
    expected = stats.chi2_contingency(pd.crosstab(binned, pooled["grade"]))
    assert (wide.chi2, wide.dof, wide.pvalue) == pytest.approx((expected[0], expected[2], expected[1]), rel=1e-10)
    assert wide.to_dict()["test"]["dof"] == 3


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_exact_counts_through_either_scheme(scheme: str) -> None:
    frames = made(200)
    found = sealane.simulate(frames).run("statistics.table", scheme=scheme, columns=["grade", "bad"])
    pooled = pd.concat(frames.values())
    assert found.counts.to_numpy()[:2, :2].tolist() == pd.crosstab(pooled["grade"], pooled["bad"]).to_numpy().tolist()
    assert found.trace.rounds == 1


def test_small_cells_are_hidden_with_others_and_then_there_is_no_test(run_pooled: Callable[..., Any]) -> None:
    rows = [("a", "x")] * 40 + [("a", "y")] * 4 + [("b", "x")] * 30 + [("b", "y")] * 25 + [("c", "x")] * 50
    frame = pd.DataFrame([*rows, *[("c", "y")] * 60], columns=["g", "h"])
    halves = {"n": frame.iloc[::2], "s": frame.iloc[1::2]}
    found = run_pooled(halves, Table(), {"columns": ["g", "h"], "missing": "drop"})
    assert found.counts.isna().to_numpy().tolist() == [[True, True], [True, True], [True, True]]
    assert set(found.rules.to_numpy().ravel()) == {"minimum-count"}
    assert found.row_totals.tolist() == [44.0, 55.0, 110.0]
    assert (found.test, np.isnan(found.chi2), found.to_dict()["test"]) == (None, True, None)
    assert "no test" in found.summary()
    one = run_pooled(halves, Table(), {"columns": ["g"], "round_to": 20})
    assert one.counts.to_dict() == {"a": 40, "b": 60, "c": 120, "missing": 0}
    assert one.rows == 200
    few = run_pooled({"n": frame.iloc[40:50], "s": frame.iloc[80:120]}, Table(), {"columns": ["h"], "missing": "drop"})
    assert few.rules.to_dict() == {"x": None, "y": None}
    lone = run_pooled({"n": frame.iloc[30:60], "s": frame.iloc[60:74]}, Table(), {"columns": ["h"], "missing": "drop"})
    assert lone.rules.to_dict() == {"x": "complementary", "y": "minimum-count"}


def test_too_few_rows_are_not_counted(run_pooled: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"g": ["a", "b", None, None]})
    with raises("table.too-few-rows", RefusedError):
        run_pooled({"n": frame, "s": frame}, Table(), {"columns": ["g"]})


@pytest.mark.parametrize(("change", "code"), [
    ({"columns": ["amount"]}, "table.column-type"),
    ({"columns": ["who"], "unit": None}, "table.column-type"),
    ({"bins": {"grade": [1]}}, "table.column-type"),
    ({"unit": "amount"}, "promise.unit-type"),
    ({"columns": ["amount", "more"], "bins": {"amount": list(range(1000)), "more": list(range(1000))}},
     "table.too-many-cells"),
])
def test_tables_that_cannot_be_made_are_refused_before_they_are_priced(change: dict[str, Any], code: str) -> None:
    frames = {name: frame.assign(more=frame["amount"], who=[str(k) for k in range(len(frame))])
              for name, frame in made(12_000).items()}
    params = TableParameters(**(ASKED | change))
    with raises(code, InputError):
        price_of(Table(), params, infer_contract(frames), 2)


@pytest.mark.parametrize("change", [
    {"epsilon": 1.0}, {"epsilon": "0"}, {"epsilon": "-1"}, {"delta": "1"}, {"delta": "1e-99"}, {"columns": []},
    {"columns": ["a", "b", "c"]}, {"columns": ["a", "a"]}, {"bins": {"other": [1]}}, {"bins": {"grade": [2, 1]}},
    {"bins": {"grade": [float("inf")]}}, {"rows_per_unit": 2}, {"unit": "row"},
    {"unit": "who", "rows_per_unit": 0}, {"noise": "none"},
])
def test_other_parameters_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, InputError)):
        TableParameters(**(ASKED | change))


def test_narrow_bins_do_not_tell_where_single_rows_lie(run_pooled):
    frame = pd.DataFrame({"x": np.random.default_rng(3).normal(50, 10, 180), "g": np.tile(["a", "b"], 90)})
    frames = {f"n{k}": frame.iloc[k::3] for k in range(3)}
    edges = np.linspace(frame["x"].min() - 5, frame["x"].max() + 5, 500).tolist()
    assert run_pooled(frames, Table(), {"columns": ["x"], "bins": {"x": edges}}).counts.isna().all()
    both = run_pooled(frames, Table(), {"columns": ["x", "g"], "bins": {"x": edges}})
    assert both.counts[["a", "b"]].isna().all(axis=None)
    assert both.row_totals.isna().all()
    assert both.column_totals[["a", "b"]].tolist() == [90, 90]
