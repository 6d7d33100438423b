"""The search follows the values and not the contract's range: against numpy on pooled values, over ranges far too wide.

Money's contracts go to 1e9 and beyond, where a millionth of the range is a hundred times a usual payment.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sealane
from sealane.computations.scorecard.features import quantile_edges
from sealane.computations.statistics.grid import equal_cells
from sealane.computations.statistics.moments import Sample
from sealane.computations.statistics.quantile_search import quantiles
from sealane.sectors.registry import contract

ROWS = 6000
TWENTIETHS = [part / 20 for part in range(1, 20)]
COARSE_STEPS = 5
"""Steps of sixteenths to a millionth of the range."""


class Adding:
    """All institutions of a cohort at once: every sum is over the rows given."""

    minimum_count = 10

    def __init__(self) -> None:
        self.sums = 0
        self.numbers = 0

    async def sum(self, terms: Any) -> Any:
        self.sums += 1
        assert self.sums < 100, "the search does not end"
        self.numbers += sum(len(term.values) for term in terms.values())
        return {name: term.values for name, term in terms.items()}


def made(kind: str) -> Any:
    rng = np.random.default_rng(7)
    skewed = rng.lognormal(2.0, 1.0, ROWS).clip(0, 99).round(2)
    return {
        "uniform": rng.uniform(0, 90, ROWS), "skewed": skewed, "heavy": (rng.pareto(0.7, ROWS) * 5).clip(0, 99),
        "zeros": np.where(rng.random(ROWS) < 0.7, 0.0, skewed), "negative": rng.normal(-40, 10, ROWS).clip(-99, 99),
        "around": rng.normal(0, 10, ROWS), "constant": np.full(ROWS, 12.34), "nothing": np.zeros(ROWS),
        "doses": rng.choice([0.0, 0.5, 1.25, 60.0], ROWS), "odd": rng.choice([1 / 3, np.pi, np.e * 20], ROWS),
        "close": rng.normal(50, 0.01, ROWS), "small": rng.lognormal(-6, 1, ROWS), "few": rng.lognormal(1, 1, 60),
    }[kind]


KINDS = ("uniform", "skewed", "heavy", "zeros", "negative", "around", "constant", "nothing", "doses", "odd", "close",
         "small", "few")


@pytest.mark.parametrize("reach", [1e2, 1e6, 1e9, 1e12])
@pytest.mark.parametrize(("kind", "signed"), [(kind, signed) for kind in KINDS for signed in (False, True)
                                              if signed or kind not in ("negative", "around")])
def test_the_search_follows_the_values(kind: str, signed: bool, reach: float) -> None:
    values, low = made(kind), -reach if signed else 0.0
    asked = TWENTIETHS if kind != "few" else [0.25, 0.5, 0.75]
    cohort, before = Adding(), Adding()
    sample = Sample(values, len(values), low, reach)
    (found,) = asyncio.run(quantiles(cohort, [sample], [False], asked))  # type: ignore[arg-type]
    asyncio.run(quantiles(before, [sample], [False], asked, 1e-6))  # type: ignore[arg-type]
    exact = np.quantile(values, asked)
    told = np.array([one.value for one in found], np.float64)
    errors = np.array([one.error for one in found], np.float64)
    assert (np.abs(told - exact) <= errors * (1 + 1e-9) + 1e-12).all()
    distinct = np.unique(exact)
    if len(distinct) > 1:
        nearest = np.array([np.abs(one - distinct[distinct != one]).min() for one in exact])
        assert (errors <= 0.02 * nearest).all()
    steps = {1e2: 5, 1e6: 9, 1e9: 12, 1e12: 15}[reach]  # to a thousandth of what lies between two of them
    assert before.sums == COARSE_STEPS
    assert cohort.sums <= (17 if kind in ("odd", "close", "small") else steps + 1)


@pytest.mark.parametrize("reach", [1e2, 1e6, 1e12])
@pytest.mark.parametrize("kind", ["skewed", "heavy", "zeros", "doses", "odd", "constant"])
def test_bins_hold_the_rows_of_pooled_quantiles(kind: str, reach: float) -> None:
    values = made(kind)
    (edges,) = asyncio.run(quantile_edges(
        Adding(), [Sample(values, ROWS, 0.0, reach)], [False], 20, None))  # type: ignore[arg-type]
    pooled = np.unique(np.quantile(values, TWENTIETHS))
    assert len(edges) == len(pooled)
    assert all(before < after for before, after in pairwise(edges))
    ours = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    theirs = np.bincount(np.searchsorted(pooled, values, side="left"), minlength=len(pooled) + 1)
    assert np.abs(np.cumsum(ours) - np.cumsum(theirs)).max() <= ROWS * 0.002


def test_ranks_that_share_an_interval_ask_once() -> None:
    cohort = Adding()
    sample = Sample(made("nothing"), ROWS, 0.0, 100.0)
    asyncio.run(quantiles(cohort, [sample], [False], TWENTIETHS, 1e-6))  # type: ignore[arg-type]
    assert cohort.numbers == COARSE_STEPS * 15


def test_a_range_of_neighbouring_numbers_comes_to_an_end() -> None:
    values = np.repeat([1e15, 1e15 + 0.125], 30)
    sample = Sample(values, 60, 1e15, 1e15 + 0.25)
    for resolution in (None, 1e-9):
        (found,) = asyncio.run(quantiles(Adding(), [sample], [False], [0.25, 0.75], resolution))  # type: ignore[arg-type]
        assert [one.value for one in found] == [1e15, 1e15 + 0.125]


def accounts() -> pd.DataFrame:
    """Return accounts as the finance pack has them: every amount may go to 1e9."""
    rng = np.random.default_rng(0)
    rows = 6000
    frame = pd.DataFrame({
        "account_key": [f"k{k}" for k in range(rows)], "month": pd.Timestamp("2026-03-31"), "product": "current",
        "balance": rng.lognormal(6.5, 1, rows).round(2), "payment_due": rng.lognormal(4, 1, rows).round(2),
        "payment": rng.lognormal(4, 1, rows).round(2), "transactions": rng.poisson(20, rows)})
    risk = np.log(frame["payment_due"]) - 4 - (np.log(frame["balance"]) - 6.5)
    frame["default_12m"] = rng.random(rows) < 1 / (1 + np.exp(1.8 - risk))
    for field in contract("finance.account-month/v1").fields:
        if field.name not in frame:
            frame[field.name] = np.nan if field.type in ("number", "integer") else None
    return frame


def federation(frame: pd.DataFrame) -> Any:
    return sealane.simulate({name: frame.iloc[k::3].reset_index(drop=True) for k, name in enumerate("xyz")},
                            contract=contract("finance.account-month/v1"))


def test_a_card_on_the_packs_own_contract_keeps_what_predicts() -> None:
    from sklearn.metrics import roc_auc_score

    frame = accounts()
    card = federation(frame).run("glm.scorecard", outcome="default_12m", features=["balance", "payment_due", "payment"])
    assert card.dropped == {"payment": "iv"}
    pooled = np.log(frame["payment_due"]) - np.log(frame["balance"])  # what the outcome was drawn from
    assert roc_auc_score(frame["default_12m"], -card.score(frame)) > roc_auc_score(frame["default_12m"], pooled) - 0.02


def test_drift_of_tripled_amounts_is_that_of_pooled_deciles() -> None:
    frame = accounts()
    later = frame.assign(month=pd.Timestamp("2026-04-30"), payment_due=frame["payment_due"] * 3)
    found = federation(pd.concat([frame, later])).run(
        "monitor.drift", features=["payment_due", "balance"], period="month", since="2026-03", months=2)
    cuts = np.quantile(frame["payment_due"], [part / 10 for part in range(1, 10)])
    np.testing.assert_allclose(found.edges["payment_due"], cuts, rtol=0.01)
    first, second = ((np.bincount(np.searchsorted(cuts, part["payment_due"]), minlength=10) + 0.5) / (len(part) + 5.5)
                     for part in (frame, later))
    expected = float(((second - first) * np.log(second / first)).sum())
    assert found.psi.loc["2026-04", "payment_due"] == pytest.approx(expected, rel=0.01)
    assert found.alarms["variable"].tolist() == ["payment_due"]


def test_quantiles_and_descriptions_are_told_to_the_digits_of_the_values() -> None:
    frame = accounts()
    fed = federation(frame)
    exact = frame["payment_due"].quantile([0.05, 0.25, 0.5, 0.75, 0.95]).to_numpy()
    found = fed.run("statistics.quantiles", columns=["payment_due"])
    np.testing.assert_allclose(found.values["payment_due"], exact[1:4], rtol=1e-3)
    described = fed.run("statistics.describe", columns=["payment_due"])
    np.testing.assert_allclose(described["payment_due"][["5%", "25%", "50%", "75%", "95%"]], exact, rtol=5e-3)
    coarse = fed.run("statistics.quantiles", columns=["payment_due"], resolution=1e-4)
    assert (coarse.errors["payment_due"] > 1000).all()  # what was asked for


def test_boxes_of_isolation_trees_reach_as_far_as_the_values() -> None:
    frame = accounts()
    forest = federation(frame).run("anomaly.isolation", features=["payment", "payment_due"], trees=10, sample=32)
    reach = np.array(forest.to_dict()["highs"])
    for place, name in enumerate(["payment", "payment_due"]):
        ends = np.quantile(frame[name], [1 - share / 32 for share in (1 / 8, 1 / 2, 1.0, 2.0)])
        np.testing.assert_allclose(reach[:, place], ends, rtol=0.02)


@pytest.mark.parametrize(("low", "high"), [
    (0, 2**53), (2**53, 2**53), (2**53, 2**53 + 2), (2**53 + 10, 2**53 + 10_000), (0, 2**54), (-(2**54), 2**55),
    (2**60, 2**60 + 4096), (0, 2**63)])
def test_whole_numbers_past_all_exact_ones_are_found_as_the_floats_they_are(low: int, high: int) -> None:
    values = np.random.default_rng(4).integers(low, high, 500, endpoint=high < 2**63).astype(np.float64)
    sample = Sample(values, len(values), float(values.min()), float(values.max()))
    (found,) = asyncio.run(quantiles(Adding(), [sample], [True], TWENTIETHS))  # type: ignore[arg-type]
    assert [one.error for one in found] == [0.0] * len(TWENTIETHS)
    np.testing.assert_allclose([one.value for one in found], np.quantile(values, TWENTIETHS), rtol=2.0**-51)


def test_whole_numbers_past_all_exact_ones_have_cells_of_their_own() -> None:
    values = 2.0**60 + 256.0 * np.arange(10)  # each is the next float
    grid = equal_cells(values[0], values[-1], 10_000, whole=True)
    assert grid.places(values).tolist() == list(range(10))
    assert (np.diff(grid.tops) > 0.0).all()
