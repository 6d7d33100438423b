"""Models made ready for encrypted columns, and how many scores give them away."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from expected_error import raises
from loans import CONTRACT, loans
from score_models import CARD, LINEAR, NETWORK, card_points, linear_scores, network_scores

import sealane
from sealane.errors import InputError
from sealane.governance.score_columns import matrix, revealing_rows
from sealane.governance.score_model import LARGEST, ScoreModel, parse_model, read_model
from sealane.sectors.registry import contract

ROWS = loans(11, 200)


def read(fields: dict[str, Any]) -> ScoreModel:
    return read_model(json.dumps(fields).encode())


@pytest.mark.parametrize(("fields", "plain"), [(LINEAR, linear_scores), (CARD, card_points),
                                               (NETWORK, network_scores)])
def test_weights_over_columns_give_the_models_scores(fields: dict[str, Any], plain: Any) -> None:
    model = read(fields)
    weights, bias = model.over_columns()
    table = matrix(model.columns, model.form, ROWS)
    assert np.abs(table).max() <= 1.0
    assert np.allclose(table @ weights + bias, plain(ROWS), rtol=1e-12, atol=1e-12)
    assert LARGEST / 2 < (np.abs(weights).sum() + abs(bias)) / model.scale <= LARGEST
    assert parse_model(model.canonical()) == model


@pytest.mark.parametrize("fields", [LINEAR, CARD, NETWORK])
def test_as_many_scores_reveal_a_model_as_its_columns_have_rank(fields: dict[str, Any]) -> None:
    model = read(fields)
    table = matrix(model.columns, model.form, ROWS)
    unknown = np.column_stack([np.ones(len(table)), table])
    assert np.linalg.matrix_rank(unknown) == revealing_rows(model.columns, model.form)


REGRESSION: dict[str, Any] = {
    "link": "logit", "institution_effects": "none", "offset": None, "exposure": None,
    "coefficients": {"Intercept": -1.25, "annual_inc": -7.5e-6, "term[T.term_60]": 0.5},
    "design": {"columns": [{"fill": None, "name": "Intercept", "parts": []},
                           {"fill": None, "name": "annual_inc", "parts": [["annual_inc", "", None]]},
                           {"fill": None, "name": "term[T.term_60]", "parts": [["term", "", "term_60"]]}]}}


def test_a_released_regression() -> None:
    model = read_model(json.dumps(REGRESSION).encode(), contract(CONTRACT), {"annual_inc": (0.0, 3e5)})
    weights, bias = model.over_columns()
    expected = -1.25 - 7.5e-6 * ROWS["annual_inc"] + 0.5 * (ROWS["term"] == "term_60")
    assert np.allclose(matrix(model.columns, model.form, ROWS) @ weights + bias, expected)
    assert (model.link, model.columns[0].upper) == ("logistic", 3e5)
    wide = read_model(json.dumps({"result": REGRESSION}).encode(), contract(CONTRACT))
    assert wide.columns[0].upper == 1e7  # the contract's own range


def test_a_released_scorecard_gives_its_own_points() -> None:
    frames = {name: loans(k) for k, name in enumerate(("a", "b", "c"))}
    card = sealane.simulate(frames, contract=contract(CONTRACT)).run(
        "glm.scorecard", outcome="bad", features=["int_rate", "annual_inc", "term", "grade"])
    model = read_model(json.dumps(card.to_dict()).encode())
    weights, bias = model.over_columns()
    assert model.whole
    assert len(weights) == len(card.points)
    assert (matrix(model.columns, model.form, ROWS) @ weights + bias).tolist() == card.score(ROWS).tolist()


def test_a_bin_takes_in_missing_values_where_the_card_says_so() -> None:
    card: dict[str, Any] = {
        "scaling": {"round_points": True}, "points": [{"points": p} for p in (1, 2, 3, 10, 20)],
        "features": [{"name": "x", "used": True, "edges": [0.5], "missing": 2, "bins": [{}, {}, {}]},
                     {"name": "y", "used": False, "levels": [["a"]], "missing": 0, "bins": [{}]},
                     {"name": "z", "used": True, "levels": [["a", "b"], ["c"]], "missing": 1, "bins": [{}, {}]}]}
    model = read(card)
    rows = pd.DataFrame({"x": [0.5, 0.6, np.nan], "z": ["b", None, "c"]})
    weights, bias = model.over_columns()
    assert (matrix(model.columns, model.form, rows) @ weights + bias).tolist() == [11.0, 22.0, 23.0]
    with raises("score.bad-model", InputError):
        read(card | {"points": []})


@pytest.mark.parametrize(("change", "code"), [
    ({"link": "log"}, "score.bad-model"), ({"institution_effects": "intercepts"}, "score.bad-model"),
    ({"offset": "exposure_days"}, "score.bad-model"), ({"coefficients": {}}, "score.bad-model"),
    ({}, "score.range-missing"),
    ({"design": {"columns": [{"name": "a:b", "parts": [["a", "", None], ["b", "", None]]}]}}, "score.bad-model"),
    ({"design": {"columns": [{"name": "a", "parts": [["a", "log", None]]}]}}, "score.bad-model"),
])
def test_regressions_that_score_nobody_else(change: dict[str, Any], code: str) -> None:
    with raises(code, InputError):
        read(REGRESSION | change)


@pytest.mark.parametrize("change", [
    {"weights": [1.0]}, {"weights": [1.0, 2.0, 3.0, float("nan")]}, {"weights": [0.0] * 4, "intercept": 0.0},
    {"form": "network"}, {"form": "scorecard"}, {"colums": []}, {"columns": [LINEAR["columns"][0]] * 4},
    {"columns": [{"name": "x", "kind": "scaled", "lower": 1, "upper": 1}] * 4}, {"intercept": "1"},
    {"columns": [{"name": f"x{k}", "kind": "missing"} for k in range(1025)], "weights": [1.0] * 1025},
    {"columns": [{"name": "x", "kind": "level"}] * 4}, {"whole": True}, {"columns": "x"},
])
def test_files_that_are_no_models(change: dict[str, Any]) -> None:
    with raises("score.bad-model", InputError):
        read(LINEAR | change)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b"{" + b" " * (1 << 22)])
def test_bytes_that_are_no_model(data: bytes) -> None:
    with raises("score.bad-model", InputError):
        read_model(data)


def test_points_too_large_to_be_rounded_back() -> None:
    with raises("score.bad-model", InputError):
        read(CARD | {"intercept": 10_000_000})
