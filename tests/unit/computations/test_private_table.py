"""Counts against pandas where noise is left out, and with it through both schemes; prices against published ones."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from expected_error import raises

import sealane
from sealane.computations.noise import least_sigma, mechanism_of
from sealane.computations.pricing import price_of, rows_of
from sealane.computations.private_table import PrivateTable, PrivateTableParameters
from sealane.errors import InputError
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
    found = run_pooled(frames, PrivateTable(), ASKED | {"columns": ["grade", "amount"], "bins": {"amount": [20, 50.5]}},
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
    found = run_pooled(frames, PrivateTable(), ASKED | {"columns": ["x"], "bins": {"x": [1, 2]}}, minimum_count=1)
    assert found.counts.to_dict() == {"under 1": 3, "1 to 2": 6, "2 and more": 6, "missing": 3}


def test_a_person_counts_so_many_rows_and_rows_about_nobody_none(run_pooled: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"who": ["p", "p", "p", "q", None], "bad": [True, True, False, False, True]})
    frames = dict.fromkeys(("a", "b", "c"), frame)
    found = run_pooled(frames, PrivateTable(), ASKED | {"columns": ["bad"], "unit": "who", "rows_per_unit": 2},
                       minimum_count=1)
    assert found.counts.fillna(0).to_dict() == {"0": 3, "1": 6, "missing": 0}  # p twice, q once, at each of three


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_at_a_huge_epsilon_counts_are_all_but_exact(scheme: str) -> None:
    frames = made()
    simulation = sealane.simulate(frames)
    found = simulation.run("statistics.private_table", scheme=scheme, minimum_count=1, columns=["grade", "bad"],
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
    price = price_of(PrivateTable(), PrivateTableParameters(**ASKED), infer_contract(made()), 2)
    assert price is not None
    assert (price.sums, price.unit, price.mechanism.entries) == (1, "row", 3)
    total = float(price.mechanism.sigma) * 2**0.5
    assert 4.530877117 <= total <= 4.532
    person = PrivateTableParameters(**ASKED, unit="who", rows_per_unit=3)
    price = price_of(PrivateTable(), person, infer_contract(made()), 4)
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
    assert rows_of(PrivateTable(), PrivateTableParameters(**ASKED)) == "all"


@pytest.mark.parametrize(("change", "code"), [
    ({"columns": ["amount"]}, "private-table.column-type"),
    ({"columns": ["who"], "unit": None}, "private-table.column-type"),
    ({"bins": {"grade": [1]}}, "private-table.column-type"),
    ({"unit": "amount"}, "promise.unit-type"),
    ({"columns": ["amount", "more"], "bins": {"amount": list(range(1000)), "more": list(range(1000))}},
     "private-table.too-many-cells"),
])
def test_tables_that_cannot_be_made_are_refused_before_they_are_priced(change: dict[str, Any], code: str) -> None:
    frames = {name: frame.assign(more=frame["amount"], who=[str(k) for k in range(len(frame))])
              for name, frame in made(12_000).items()}
    params = PrivateTableParameters(**(ASKED | change))
    with raises(code, InputError):
        price_of(PrivateTable(), params, infer_contract(frames), 2)


@pytest.mark.parametrize("change", [
    {"epsilon": 1.0}, {"epsilon": "0"}, {"epsilon": "-1"}, {"delta": "1"}, {"delta": "1e-99"}, {"columns": []},
    {"columns": ["a", "b", "c"]}, {"columns": ["a", "a"]}, {"bins": {"other": [1]}}, {"bins": {"grade": [2, 1]}},
    {"bins": {"grade": [float("inf")]}}, {"rows_per_unit": 2}, {"unit": "row"},
    {"unit": "who", "rows_per_unit": 0}, {"noise": "none"},
])
def test_other_parameters_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, InputError)):
        PrivateTableParameters(**(ASKED | change))
