"""The joint model against LightGBM on the pooled rows, with the same bins and parameters."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from sealane.computations.trees.fit import Gbdt

FEATURES = ["a", "b", "m", "whole", "grade"]
LEAST = 100  # 20 times a minimum count of 5


def fit(run_pooled, parts, outcome, rounds=10, features=FEATURES, more=None, **params):
    return run_pooled(parts, Gbdt(), {"outcome": outcome, "features": features, "rounds": rounds, "params": params,
                                      **(more or {})}, minimum_count=5)


def assert_same(result, booster, leaves):
    """The same trees, and leaf values that differ by rounding only."""
    assert result.sums["barred_splits"] == 0  # LightGBM estimates rows; where that let no split through, all is equal
    ours, theirs = leaves(result.booster), leaves(booster)
    assert [len(tree) for tree in ours] == [len(tree) for tree in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-11)


def test_squares_give_the_same_trees_as_pooled_rows(run_pooled, rows, parts, pooled, leaves):
    result = fit(run_pooled, parts, "amount", num_leaves=15)
    booster, expected = pooled(result, rows, rows["amount"], 10, objective="regression", num_leaves=15,
                               min_data_in_leaf=LEAST)
    assert_same(result, booster, leaves)
    assert result.predict(rows).to_numpy() == pytest.approx(expected, abs=1e-9)
    assert result.metrics["training"]["l2"] == pytest.approx(np.mean((expected - rows["amount"]) ** 2), rel=1e-6)


def test_a_binary_outcome_gives_the_same_trees_where_no_split_was_barred(run_pooled, rows, parts, pooled, leaves):
    result = fit(run_pooled, parts, "event", num_leaves=6, min_sum_hessian_in_leaf=60.0)
    booster, expected = pooled(result, rows, rows["event"], 10, objective="binary", num_leaves=6,
                               min_data_in_leaf=LEAST, min_sum_hessian_in_leaf=60.0)
    assert_same(result, booster, leaves)
    assert result.predict(rows).to_numpy() == pytest.approx(expected, abs=1e-9)


def test_a_binary_outcome_ranks_as_the_pooled_model_does(run_pooled, rows, parts, pooled):
    result = fit(run_pooled, parts, "event", rounds=25, num_leaves=15)
    _, expected = pooled(result, rows, rows["event"], 25, objective="binary", num_leaves=15, min_data_in_leaf=LEAST)
    found = roc_auc_score(rows["event"], result.predict(rows))
    assert found == pytest.approx(roc_auc_score(rows["event"], expected), abs=0.002)
    measured = result.metrics["training"]
    assert measured["auc"] == pytest.approx(found, abs=measured["auc_error"] + 1e-12)
    assert measured["binary_logloss"] == pytest.approx(log_loss(rows["event"], result.predict(rows)), rel=1e-6)


def test_weights_count_as_they_do_in_the_pooled_model(run_pooled, rows, parts, pooled, leaves):
    result = fit(run_pooled, parts, "amount", rounds=5, num_leaves=4, more={"weight": "weight"},
                 max_depth=2, min_sum_hessian_in_leaf=400.0)
    booster, expected = pooled(result, rows, rows["amount"], 5, weight=rows["weight"], objective="regression",
                               num_leaves=4, min_data_in_leaf=LEAST, max_depth=2, min_sum_hessian_in_leaf=400.0)
    assert_same(result, booster, leaves)
    assert result.predict(rows).to_numpy() == pytest.approx(expected, abs=1e-9)


def test_counts_give_the_same_trees(run_pooled, rows, parts, pooled, leaves):
    result = fit(run_pooled, parts, "number", rounds=6, num_leaves=4, objective="poisson",
                 min_sum_hessian_in_leaf=1000.0)
    booster, expected = pooled(result, rows, rows["number"], 6, objective="poisson", num_leaves=4,
                               min_data_in_leaf=LEAST, min_sum_hessian_in_leaf=1000.0)
    assert_same(result, booster, leaves)
    assert result.predict(rows).to_numpy() == pytest.approx(expected, rel=1e-8)


def test_three_classes_give_the_same_trees(run_pooled, rows, parts, pooled, leaves):
    result = fit(run_pooled, parts, "kind", rounds=4, num_leaves=4)
    label = rows["kind"].map({"low": 0, "middle": 1, "top": 2})
    booster, expected = pooled(result, rows, label, 4, objective="multiclass", num_class=3, num_leaves=4,
                               min_data_in_leaf=LEAST)
    assert_same(result, booster, leaves)
    found = result.predict(rows)
    assert list(found.columns) == ["low", "middle", "top"]
    assert found.to_numpy() == pytest.approx(expected, abs=1e-9)
    chosen = log_loss(label, expected)
    assert result.metrics["training"]["multi_logloss"] == pytest.approx(chosen, rel=1e-6)


@pytest.mark.parametrize("weight", [None, "weight"])
@pytest.mark.parametrize(("objective", "alpha"), [("quantile", 0.8), ("quantile", 0.3), ("regression_l1", 0.5)])
def test_quantiles_are_those_of_the_pooled_model(objective, alpha, weight, run_pooled, rows, parts, pooled):
    def loss(found):
        over = rows["amount"] - found
        return np.average(np.maximum(alpha * over, (alpha - 1) * over), weights=rows[weight] if weight else None)

    params = {"objective": objective, "alpha": alpha, "num_leaves": 8, "learning_rate": 0.3,
              "min_sum_hessian_in_leaf": 300.0}
    first = fit(run_pooled, parts, "amount", rounds=1, more={"weight": weight}, **params)
    assert first.sums["barred_splits"] == 0
    # LightGBM's weighted percentile does not interpolate between rows as the other one does.
    _, expected = pooled(first, rows, rows["amount"], 1, rows[weight] if weight else None, min_data_in_leaf=LEAST,
                         **params)
    assert first.predict(rows).to_numpy() == pytest.approx(expected, abs=0.03)
    result = fit(run_pooled, parts, "amount", rounds=12, more={"weight": weight}, **params)
    _, expected = pooled(result, rows, rows["amount"], 12, rows[weight] if weight else None, min_data_in_leaf=LEAST,
                         **params)
    found = result.predict(rows).to_numpy()
    assert loss(found) == pytest.approx(loss(expected), rel=0.03)
    assert np.average(rows["amount"] <= found) == pytest.approx(alpha, abs=0.03)
    measured = result.metrics["training"]["l1" if objective == "regression_l1" else "quantile"]
    assert measured == pytest.approx(loss(found) * (2 if objective == "regression_l1" else 1), rel=1e-6)


@pytest.mark.parametrize("params", [
    {"lambda_l1": 3.0, "lambda_l2": 5.0, "min_gain_to_split": 0.5, "max_depth": 3},
    {"max_delta_step": 0.3, "path_smooth": 2.0, "min_sum_hessian_in_leaf": 200.0},
    {"max_cat_to_onehot": 8, "cat_smooth": 1.0, "max_bin": 16},
    {"max_cat_threshold": 48, "max_cat_to_onehot": 1, "cat_l2": 1.0, "min_data_per_group": 150},
])
def test_parameters_mean_what_they_mean_to_lightgbm(params, run_pooled, rows, parts, pooled, leaves):
    result = fit(run_pooled, parts, "amount", rounds=5, num_leaves=8, **params)
    booster, _ = pooled(result, rows, rows["amount"], 5, objective="regression", num_leaves=8, min_data_in_leaf=LEAST,
                        **params | {"max_bin": 255})
    assert_same(result, booster, leaves)


def test_a_monotone_feature_is_monotone_and_the_trees_are_the_same(run_pooled, rows, parts, pooled, leaves):
    result = fit(run_pooled, parts, "amount", num_leaves=8, monotone_constraints={"a": 1, "whole": -1})
    booster, _ = pooled(result, rows, rows["amount"], 10, objective="regression", num_leaves=8, min_data_in_leaf=LEAST,
                        monotone_constraints=[1, 0, 0, -1, 0])
    assert_same(result, booster, leaves)
    grid = rows.iloc[[0] * 60].assign(a=np.linspace(-3, 3, 60))
    assert (np.diff(result.predict(grid)) >= 0).all()
    assert result.predict(grid).nunique() > 5


def test_how_rows_are_spread_over_institutions_does_not_matter(run_pooled, rows, parts):
    order = np.argsort(rows["a"].to_numpy() + np.random.default_rng(3).normal(size=len(rows)))
    uneven = {"one": rows.iloc[order[:300]], "two": rows.iloc[order[300:1500]], "three": rows.iloc[order[1500:2500]],
              "four": rows.iloc[order[2500:]]}
    params = {"outcome": "event", "features": FEATURES, "rounds": 6, "params": {"num_leaves": 8}}
    first = run_pooled(parts, Gbdt(), params, minimum_count=5)
    second = run_pooled({name: part.reset_index(drop=True) for name, part in uneven.items()}, Gbdt(), params,
                        minimum_count=5)
    assert first.bins == second.bins
    assert first.predict(rows).to_numpy() == pytest.approx(second.predict(rows).to_numpy(), abs=1e-9)
