"""Contracts that allow far more than any row holds: the same trees, leaves and losses as of the pooled rows."""

from __future__ import annotations

import numpy as np
import pytest
from expected_error import raises

from sealane.computations.trees.fit import Gbdt
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, infer_contract

FEATURES = ["a", "b", "whole"]
RANGES = [1e2, 1e8, 1e12, 1e35]


def wide(parts, **highest):
    """Return the contract that the rows fit, with columns that may hold any number up to one of their own."""
    fields = [one.model_copy(update={"type": "number", "minimum": 0.0, "maximum": highest[one.name]})
              if one.name in highest else one for one in infer_contract(parts).fields]
    return Contract(id="test.wide/v1", fields=tuple(fields))


@pytest.fixture(scope="module")
def sums(rows):
    return rows.assign(amount=(40 + 5 * rows["amount"]).clip(0.5, 99))


@pytest.fixture(scope="module")
def banks(sums):
    return {name: sums.iloc[k::3].reset_index(drop=True) for k, name in enumerate(("north", "south", "west"))}


def fit(run_pooled, banks, contract, rounds=8, more=None, **params):
    return run_pooled(banks, Gbdt(), {"outcome": "amount", "features": FEATURES, "rounds": rounds,
                                      "params": {"num_leaves": 8} | params, **(more or {})},
                      minimum_count=5, contract=contract)


def same_leaves(result, booster, leaves):
    assert result.sums["barred_splits"] == 0
    for one, other in zip(leaves(result.booster), leaves(booster), strict=True):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("top", RANGES)
def test_leaves_of_squares_are_those_of_pooled_rows(top, run_pooled, sums, banks, pooled, leaves):
    result = fit(run_pooled, banks, wide(banks, amount=top))
    booster, expected = pooled(result, sums, sums["amount"], 8, objective="regression", num_leaves=8,
                               min_data_in_leaf=100)
    same_leaves(result, booster, leaves)
    assert result.metrics["training"]["l2"] == pytest.approx(np.mean((expected - sums["amount"]) ** 2), rel=1e-6)


@pytest.mark.parametrize("top", RANGES)
def test_leaves_of_counts_are_those_of_pooled_rows(top, run_pooled, sums, banks, pooled, leaves):
    result = fit(run_pooled, banks, wide(banks, amount=top), rounds=4, objective="poisson", num_leaves=4)
    booster, expected = pooled(result, sums, sums["amount"], 4, objective="poisson", num_leaves=4,
                               min_data_in_leaf=100)
    same_leaves(result, booster, leaves)
    losses = expected - sums["amount"] * np.log(expected)
    assert result.metrics["training"]["poisson"] == pytest.approx(losses.mean(), rel=1e-6)


def test_heavy_weights_that_no_row_has_change_nothing(run_pooled, sums, banks, pooled, leaves):
    result = fit(run_pooled, banks, wide(banks, amount=1e8, weight=1e12), rounds=3, more={"weight": "weight"},
                 num_leaves=4, min_sum_hessian_in_leaf=400.0)
    booster, _ = pooled(result, sums, sums["amount"], 3, weight=sums["weight"], objective="regression", num_leaves=4,
                        min_data_in_leaf=100, min_sum_hessian_in_leaf=400.0)
    same_leaves(result, booster, leaves)


@pytest.mark.parametrize(("objective", "alpha"), [("quantile", 0.8), ("regression_l1", 0.5)])
@pytest.mark.parametrize("top", RANGES)
def test_quantiles_are_those_of_pooled_rows(objective, alpha, top, run_pooled, sums, banks, pooled):
    params = {"objective": objective, "alpha": alpha, "num_leaves": 6, "learning_rate": 0.3}
    result = fit(run_pooled, banks, wide(banks, amount=top), rounds=6, **params)
    _, expected = pooled(result, sums, sums["amount"], 6, min_data_in_leaf=100, **params)

    def loss(found):
        over = sums["amount"] - found
        return np.mean(np.maximum(alpha * over, (alpha - 1) * over))

    found = result.predict(sums).to_numpy()
    assert loss(found) == pytest.approx(loss(expected), rel=0.02)
    one = fit(run_pooled, banks, wide(banks, amount=top), rounds=1, **params)
    _, expected = pooled(one, sums, sums["amount"], 1, min_data_in_leaf=100, **params)
    assert one.predict(sums).to_numpy() == pytest.approx(expected, abs=0.1)  # outcomes are 10 apart at one deviation
    factor = 2 if objective == "regression_l1" else 1
    assert [*result.metrics["training"].values()] == [pytest.approx(factor * loss(found), rel=1e-6)]


@pytest.mark.parametrize("objective", ["regression", "regression_l1"])
def test_early_stopping_does_not_depend_on_what_a_contract_allows(objective, run_pooled, banks):
    more = {"validation_fraction": 0.3, "early_stopping_rounds": 2}
    few = {"objective": objective, "num_leaves": 6, "learning_rate": 1.0}
    near, far = (fit(run_pooled, banks, wide(banks, amount=top), rounds=20, more=more, **few) for top in (1e2, 1e12))
    assert near.rounds == far.rounds < 20
    assert near.history["validation"] == pytest.approx(far.history["validation"], rel=1e-3)


def test_outcomes_far_from_zero_that_lie_close_together(run_pooled, sums, banks, pooled, leaves):
    far = {name: bank.assign(amount=2.0**20 + np.round(bank["amount"], 1)) for name, bank in banks.items()}
    rows = sums.assign(amount=2.0**20 + np.round(sums["amount"], 1))
    result = fit(run_pooled, far, wide(far, amount=1e12))
    booster, expected = pooled(result, rows, rows["amount"], 8, objective="regression", num_leaves=8,
                               min_data_in_leaf=100)
    same_leaves(result, booster, leaves)
    held = rows["amount"].astype(np.float32)  # as LightGBM holds them
    assert result.metrics["training"]["l2"] == pytest.approx(np.mean((expected - held) ** 2), rel=1e-6)


@pytest.mark.parametrize(("highest", "column"), [({"amount": 1e37}, "amount"), ({"weight": 1e37}, "weight"),
                                                 ({"amount": 1e20, "weight": 1e18}, "amount")])
def test_what_single_precision_cannot_hold_is_refused_before_any_row_is_read(highest, column, run_pooled, banks):
    with raises("trees.range-too-wide", InputError) as caught:
        fit(run_pooled, banks, wide(banks, **highest), more={"weight": "weight"} if "weight" in highest else None)
    assert repr(column) in str(caught.value)
    assert repr(column) in caught.value.hint
    assert f"{highest[column]:g}" in caught.value.got


def test_an_outcome_that_nothing_explains_is_not_blamed_on_institutions(run_pooled, banks):
    same = {name: bank.assign(amount=3.0) for name, bank in banks.items()}
    with raises("trees.no-split", RefusedError) as caught:
        fit(run_pooled, same, wide(banks, amount=1e9))
    assert "institutions" not in caught.value.hint
