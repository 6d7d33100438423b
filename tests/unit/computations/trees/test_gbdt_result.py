"""The model file in stock LightGBM, what is measured, early stopping, and how new rows are read."""

from __future__ import annotations

import json

import lightgbm
import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from sklearn.metrics import log_loss, roc_auc_score, roc_curve

import sealane
from sealane.computations.trees.fit import Gbdt
from sealane.computations.trees.ranking import cells_of, masses_of, ranked
from sealane.errors import InputError

FEATURES = ["a", "b", "m", "whole", "grade"]


@pytest.fixture(scope="module")
def result(run_pooled, parts):
    return run_pooled(parts, Gbdt(), {"outcome": "event", "features": FEATURES, "rounds": 8,
                                      "categorical": ["whole"], "params": {"num_leaves": 8}}, minimum_count=5)


def test_the_file_loads_in_stock_lightgbm_and_predicts_the_same(result, rows, tmp_path):
    result.save_model(tmp_path / "model.txt")
    booster = lightgbm.Booster(model_file=str(tmp_path / "model.txt"))
    assert booster.feature_name() == FEATURES
    assert booster.num_trees() == 8
    as_pandas = rows[FEATURES].assign(grade=pd.Categorical(rows["grade"], categories=sorted(rows["grade"].unique())))
    assert booster.predict(as_pandas) == pytest.approx(result.predict(rows).to_numpy(), abs=0)
    again = lightgbm.Booster(model_str=booster.model_to_string())
    assert again.predict(as_pandas) == pytest.approx(result.predict(rows).to_numpy(), abs=0)
    assert booster.dump_model()["objective"] == "binary sigmoid:1"


def test_thresholds_are_in_the_contract_s_units(result, rows):
    tree = result.booster.dump_model()["tree_info"][0]["tree_structure"]
    stack, found = [tree], 0
    while stack:
        node = stack.pop()
        if "split_feature" not in node:
            continue
        name = result.features[node["split_feature"]]
        if node["decision_type"] == "<=":
            found += 1
            assert node["threshold"] in result.bins[name] or node["threshold"] > 1e200
            assert rows[name].min() < node["threshold"] < rows[name].max()
        stack += [node["left_child"], node["right_child"]]
    assert found >= 3


def test_what_is_measured_is_what_it_says(result, rows):
    expected, found = result.predict(rows), result.metrics["training"]
    assert found["binary_logloss"] == pytest.approx(log_loss(rows["event"], expected), rel=1e-6)
    assert found["auc"] == pytest.approx(roc_auc_score(rows["event"], expected), abs=found["auc_error"])
    distance = ks_2samp(expected[rows["event"] == 1], expected[rows["event"] == 0]).statistic
    assert found["ks"] <= distance + 1e-12
    assert distance <= found["ks"] + found["ks_error"] + 1e-12
    history = result.history["training"]
    assert len(history) == 9
    assert history[0] == pytest.approx(log_loss(rows["event"], np.full(len(rows), rows["event"].mean())), rel=1e-6)
    assert history == sorted(history, reverse=True)


@pytest.mark.parametrize("stopping", [{}, {"validation_fraction": 0.4, "early_stopping_rounds": 2, "rounds": 40,
                                           "params": {"num_leaves": 8, "learning_rate": 0.9}}])
def test_of_weighted_rows_ranking_is_weighted(run_pooled, rows, parts, stopping, monkeypatch):
    heavy = {name: part.assign(weight=np.where(part["b"] > 0, 0.05, 3.0)) for name, part in parts.items()}
    held = []
    monkeypatch.setattr("sealane.computations.trees.boosting.masses_of",
                        lambda score, event, weight: held.append((score, event, weight)) or masses_of(
                            score, event, weight))
    result = run_pooled(heavy, Gbdt(), {"outcome": "event", "features": FEATURES, "rounds": 8, "weight": "weight",
                                        "params": {"num_leaves": 8}} | stopping, minimum_count=5)
    score, event, weight = (np.concatenate(one) for one in zip(*held, strict=True))
    found = result.metrics["validation" if stopping else "training"]
    if not stopping:
        everyone = pd.concat(heavy.values())
        assert roc_auc_score(everyone["event"], result.predict(everyone), sample_weight=everyone["weight"]) == (
            pytest.approx(roc_auc_score(event, score, sample_weight=weight), abs=1e-9))
    expected = roc_auc_score(event, score, sample_weight=weight)
    assert found["auc"] == pytest.approx(expected, abs=found["auc_error"])
    assert abs(expected - roc_auc_score(event, score)) > 4 * found["auc_error"]
    wrong, right, _ = roc_curve(event, score, sample_weight=weight, drop_intermediate=False)
    distance = np.abs(right - wrong).max()
    assert found["ks"] <= distance + 1e-9
    assert distance <= found["ks"] + found["ks_error"] + 1e-9


def test_a_ranking_by_one_heavy_row_is_not_told(run_pooled, rows, parts):
    asked = {"outcome": "event", "features": FEATURES, "rounds": 1, "weight": "weight", "validation_fraction": 0.2,
             "params": {"num_leaves": 2}}
    even = {name: part.assign(weight=1.0 + (part.index == 0)) for name, part in parts.items()}
    assert "auc" in run_pooled(even, Gbdt(), asked, minimum_count=5).metrics["validation"]
    # Rows without the event weigh as much as a few of them do.
    lean = {name: part.assign(weight=np.where((part["event"] == 1) | (part.index < 8), 1.0, 1e-4))
            for name, part in parts.items()}
    told = run_pooled(lean, Gbdt(), asked, minimum_count=5).metrics["validation"]
    assert set(told) == {"binary_logloss"}


def test_ranking_of_scores_in_cells_against_scikit_learn():
    rng = np.random.default_rng(0)
    score = np.concatenate([rng.normal(size=3000), rng.normal(1.0, 2.0, size=1500), [-50.0, 50.0]])
    event = np.arange(4502) >= 3000
    found = ranked(cells_of(score[:2000], event[:2000]) + cells_of(score[2000:], event[2000:]))
    assert found["auc"] == pytest.approx(roc_auc_score(event, score), abs=found["auc_error"])
    assert 0 < found["auc_error"] < 2e-3
    distance = ks_2samp(score[event], score[~event]).statistic
    assert found["ks"] <= distance + 1e-12 <= found["ks"] + found["ks_error"] + 2e-12


def test_shap_values_add_up_to_the_score(result, rows):
    parts_of = result.contributions(rows.head(50))
    assert list(parts_of.columns) == [*FEATURES, "base"]
    score = np.log(result.predict(rows.head(50)) / (1 - result.predict(rows.head(50))))
    assert parts_of.sum(axis=1).to_numpy() == pytest.approx(score.to_numpy(), abs=1e-9)


def test_importance_and_the_summary(result):
    table = result.feature_importance
    assert list(table.index) == FEATURES
    assert table["split"].sum() == 8 * 7
    assert (table["gain"] >= 0).all()
    assert "Gradient-boosted trees" in repr(result)
    assert repr(result) in result._repr_html_()
    assert json.loads(json.dumps(result.to_dict()))["rounds"] == 8
    assert result.sums["rounds_per_tree"] < 15  # two for each split would be 15
    assert result.bytes_per_tree is None  # nobody measured it
    assert "Sent per tree" not in repr(result)


def test_new_rows_with_missing_and_unknown_values(result, rows):
    odd = rows.head(3).assign(m=[np.nan, None, 1.0], grade=["nowhere", None, "p"])
    assert result.predict(odd).notna().all()
    with pytest.raises(InputError) as caught:
        result.predict(rows.drop(columns="b"))
    assert caught.value.code == "model.missing-column"
    with pytest.raises(InputError) as caught:
        result.predict(rows.head(2).assign(a="text"))
    assert caught.value.code == "columns.not-numeric"
    assert result.predict(rows.assign(a=rows["a"].astype(object))).equals(result.predict(rows))


def test_early_stopping_keeps_the_round_with_the_smallest_validation_loss(run_pooled, parts):
    rng = np.random.default_rng(8)
    noise = {name: part[["a", "b"]].assign(amount=0.05 * part["a"] + rng.normal(size=len(part)))
             for name, part in parts.items()}
    params = {"outcome": "amount", "features": ["a", "b"], "rounds": 60, "validation_fraction": 0.3,
              "early_stopping_rounds": 4, "params": {"num_leaves": 8, "learning_rate": 0.3}}
    result = run_pooled(noise, Gbdt(), params, minimum_count=5)
    losses = result.history["validation"]
    assert result.rounds == max(int(np.argmin(losses)), 1) == result.booster.num_trees()
    assert len(losses) - 1 < 60
    assert result.metrics["validation"]["l2"] == min(losses[1:])


def test_validation_ranks_the_rounds_that_are_kept(run_pooled, parts):
    params = {"outcome": "event", "features": ["a", "b"], "rounds": 40, "validation_fraction": 0.4,
              "early_stopping_rounds": 2, "params": {"num_leaves": 12, "learning_rate": 0.5}}
    result = run_pooled(parts, Gbdt(), params, minimum_count=5)
    assert result.sums["trees_grown"] > result.rounds
    assert 0.6 < result.metrics["validation"]["auc"] < 0.9
    assert "auc" not in result.metrics["training"]


def test_in_a_simulation_the_trace_is_set(parts):
    small = {name: part.iloc[:300] for name, part in parts.items()}
    fed = sealane.simulate(small)
    result = fed.run("trees.gbdt", outcome="event", features=["a", "b"], rounds=2, minimum_count=5,
                     params={"num_leaves": 3, "learning_rate": 0.1})
    assert result.trace.rounds > 4
    assert set(result.trace.bytes_sent) == set(parts)
    assert isinstance(result.booster, lightgbm.Booster)


@pytest.mark.parametrize("outcome", ["event", "grade"])
def test_no_rows_have_no_contributions(outcome, run_pooled, parts, rows):
    features = ["a", "b", "m"]
    result = run_pooled(parts, Gbdt(), {"outcome": outcome, "features": features, "rounds": 1,
                                        "params": {"num_leaves": 4}}, minimum_count=5)
    some, none = result.contributions(rows.head(2)), result.contributions(rows.head(0))
    assert (len(none), list(none)) == (0, list(some))
    assert (none.dtypes == some.dtypes).all()
    assert len(result.predict(rows.head(0))) == 0


def test_what_a_tree_takes_is_what_was_sent_under_the_scheme(parts):
    fed = sealane.simulate({name: part.iloc[:300] for name, part in parts.items()})
    found = {scheme: fed.run("trees.gbdt", outcome="event", features=["a", "b"], rounds=2, minimum_count=5,
                             scheme=scheme, params={"num_leaves": 3}) for scheme in ("masking", "rlwe")}
    for result in found.values():
        mean = sum(result.trace.bytes_sent.values()) / 3
        assert result.bytes_per_tree == pytest.approx(mean / 2)
        assert f"{mean / 2 / 1000:,.1f} kB a node" in result.summary()
        assert "bytes_per_tree" not in result.sums
    assert found["rlwe"].bytes_per_tree > 5 * found["masking"].bytes_per_tree
