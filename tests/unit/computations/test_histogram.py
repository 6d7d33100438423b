"""``statistics.histogram`` against numpy, what it hides, and its noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from expected_error import raises

import sealane
from sealane.computations.statistics.histogram import Histogram, HistogramParameters
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field


def parts(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {f"n{k}": frame.iloc[k::3] for k in range(3)}


def made(rows: int = 2000) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame({"x": [*rng.uniform(0, 10, rows).round(1), *[np.nan] * 30], "g": "a"})


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_it_is_numpys_through_either_scheme(scheme: str) -> None:
    frame = made()
    edges = [0.0, 2.0, 2.5, 7.0, 9.0]
    found = sealane.simulate(parts(frame)).run("statistics.histogram", scheme=scheme, column="x", edges=edges)
    known = frame["x"].dropna()
    assert found.counts.tolist() == np.histogram(known, edges)[0].tolist()
    assert (found.below, found.above, found.missing) == (0, (known > 9).sum(), 30)
    assert found.rows == 2030
    np.testing.assert_allclose(found.density, np.histogram(known, edges, density=True)[0])
    assert found.trace.rounds == 1


def test_equal_bins_of_the_contracts_range(run_pooled: Callable[..., Any]) -> None:
    frame = made()
    found = run_pooled(parts(frame), Histogram(), {"column": "x", "bins": 8, "round_to": 10})
    expected, edges = np.histogram(frame["x"].dropna(), 8, range=(frame["x"].min(), frame["x"].max()))
    np.testing.assert_allclose(found.edges, edges)
    assert found.counts.tolist() == [round(number / 10 + 1e-9) * 10 for number in expected]


def test_small_bins_are_hidden_with_others(run_pooled: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"x": [0.5] * 40 + [1.5] * 30 + [2.5] * 4 + [3.5] * 50 + [4.0]})
    found = run_pooled(parts(frame), Histogram(), {"column": "x", "edges": [0, 1, 2, 3, 4]})
    assert found.counts.fillna(-1).tolist() == [-1, 30, -1, 51]
    assert found.rules.tolist() == ["complementary", None, "minimum-count", None]
    assert "hidden" in found.summary()


def test_narrow_bins_do_not_tell_where_single_rows_lie(run_pooled: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(3).normal(50, 10, 180)})
    found = run_pooled(parts(frame), Histogram(), {"column": "x", "bins": 10_000})
    exact = np.histogram(frame["x"], 10_000)[0]
    assert exact.max() < 10  # were the empty ones shown, every value could be read off to 1/10,000 of the range
    assert found.counts.isna().all()
    shown = run_pooled(parts(frame), Histogram(), {"column": "x", "edges": [-50, 0, 40, 60, 150]})
    assert shown.counts.tolist() == np.histogram(frame["x"], [-50, 0, 40, 60, 150])[0].tolist()


def test_a_picture_marks_what_is_hidden(run_pooled: Callable[..., Any]) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    frame = pd.DataFrame({"x": [0.5] * 40 + [1.5] * 30 + [2.5] * 4 + [3.5] * 50})
    axes = run_pooled(parts(frame), Histogram(), {"column": "x", "edges": [0, 1, 2, 3, 4]}).plot()
    assert [patch.get_height() for patch in axes.patches[:4]] == [0, 30, 0, 50]
    assert sum(patch.get_hatch() == "///" for patch in axes.patches) == 2
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "rows")
    again = run_pooled(parts(frame), Histogram(), {"column": "x", "edges": [0, 2, 4]}).plot(ax=axes)
    assert again is axes


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_with_noise(scheme: str) -> None:
    frame = made()
    found = sealane.simulate(parts(frame)).run("statistics.histogram", scheme=scheme, column="x", bins=5, epsilon="1",
                                               delta="1e-6")
    expected = np.histogram(frame["x"].dropna(), 5)[0]
    # dp-accounting's tests: a Gaussian of multiplier 4.530877117 is exactly (1, 1e-6); three nodes, two of them honest.
    assert found.standard_error == pytest.approx(1.5**0.5 * 4.5309, rel=1e-3)
    off = np.abs(found.counts.to_numpy() - expected)
    assert off.max() < 8 * found.standard_error
    assert off.max() > 0
    assert found.rows is None
    assert "epsilon 1" in found.summary()


def test_refusals(run_pooled: Callable[..., Any]) -> None:
    with raises("histogram.too-few-rows", RefusedError):
        run_pooled(parts(made()[:6]), Histogram(), {"column": "x"})
    with raises("statistics.not-a-number", InputError):
        run_pooled(parts(made()), Histogram(), {"column": "g"})
    point = Contract(id="test.point/v1", fields=(Field(name="x", type="number", minimum=1, maximum=1),))
    with raises("histogram.no-range", InputError):
        run_pooled(parts(pd.DataFrame({"x": [1.0] * 40})), Histogram(), {"column": "x"}, contract=point)


@pytest.mark.parametrize("wrong", [{"bins": 0}, {"edges": [1]}, {"edges": [2, 1]}, {"edges": [0, float("nan")]},
                                   {"round_to": 0}, {"epsilon": "1"}, {"by": "g"}])
def test_other_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        HistogramParameters(**({"column": "x"} | wrong))
