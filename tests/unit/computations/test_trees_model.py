"""Boosted trees as a model that is judged and watched: stock LightGBM's predictions, and hostile models refused."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from expected_error import raises
from sklearn.metrics import roc_auc_score

import sealane
from sealane.computations.metrics import trees_model
from sealane.computations.metrics.scoring_model import model_of
from sealane.computations.metrics.trees_model import Trees
from sealane.computations.registry import read_parameters
from sealane.errors import InputError

lightgbm = pytest.importorskip("lightgbm")
FEATURES = ["income", "age", "grade", "branch"]


def bank(seed: int, rows: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"income": rng.normal(size=rows), "age": rng.integers(18, 80, rows),
                          "grade": rng.choice(list("abcdef"), rows), "branch": rng.integers(3, 9, rows),
                          "wave": rng.choice([1, 2], rows)})
    risk = frame["income"] + frame["grade"].isin(["b", "e"]) + (frame["branch"] % 2) - 1
    frame["bad"] = (rng.random(rows) < 1 / (1 + np.exp(-risk))).astype(int)
    frame["number"] = rng.poisson(np.exp(0.3 * risk))
    frame["kind"] = np.where(risk < -1, "low", np.where(risk < 0, "middle", "top"))
    frame["income"] = frame["income"].mask(rng.random(rows) < 0.15)
    return frame


FRAMES = {f"bank{k}": bank(k) for k in range(3)}
POOLED = pd.concat(FRAMES.values(), ignore_index=True)


def trained(outcome: str, **params: Any) -> Any:
    return sealane.simulate(FRAMES).run("trees.gbdt", outcome=outcome, features=FEATURES, categorical=["branch"],
                                        rounds=6, minimum_count=5, params={"num_leaves": 8} | params)


@pytest.fixture(scope="module")
def binary() -> Any:
    return trained("bad")


@pytest.fixture(scope="module")
def model(binary: Any) -> dict[str, Any]:
    return binary.model


def odd() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    frame = POOLED[FEATURES].astype({"age": float, "branch": float})
    for name in FEATURES:
        frame[name] = frame[name].mask(rng.random(len(frame)) < 0.2)
    return frame.assign(grade=frame["grade"].mask(rng.random(len(frame)) < 0.1, "nowhere"))


@pytest.mark.parametrize(("outcome", "objective"), [("number", "poisson"), ("number", "quantile"), ("age", None)])
def test_numbers_are_those_of_stock_lightgbm(outcome: str, objective: str | None) -> None:
    features = [name for name in FEATURES if name != outcome]
    asked = {"objective": objective} if objective else {}
    result = sealane.simulate(FRAMES).run("trees.gbdt", outcome=outcome, features=features, categorical=["branch"],
                                          rounds=3, minimum_count=5, params={"num_leaves": 8} | asked)
    found = Trees(**result.model)
    assert not found.probability
    expected = lightgbm.Booster(model_str=result.model_text).predict(result.matrix(odd()))
    np.testing.assert_allclose(found.score(odd()), expected, rtol=1e-12)


def test_probabilities_are_those_of_stock_lightgbm(binary: Any, model: dict[str, Any]) -> None:
    assert model == model_of(binary)
    found = Trees(**model)
    assert found.probability
    assert found.variables == FEATURES
    assert found.sets
    expected = lightgbm.Booster(model_str=binary.model_text).predict(binary.matrix(odd()))
    assert len(np.unique(expected)) > 50
    np.testing.assert_allclose(found.score(odd()), expected, rtol=1e-12)


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_trees_are_judged_over_the_cohort(scheme: str, binary: Any, model: dict[str, Any]) -> None:
    found = sealane.simulate(FRAMES).run("metrics.ranking", scheme=scheme, outcome="bad", model=model,
                                         calibration=False)
    expected = lightgbm.Booster(model_str=binary.model_text).predict(binary.matrix(POOLED))
    between_cuts = np.searchsorted(np.sort(found.roc["threshold"].dropna()), expected, side="right")
    np.testing.assert_allclose(found.auc, roc_auc_score(POOLED["bad"], between_cuts), rtol=1e-12)
    assert abs(found.auc - roc_auc_score(POOLED["bad"], expected)) <= found.auc_error


def test_trees_are_watched(binary: Any, model: dict[str, Any]) -> None:
    drifted = {name: frame.assign(income=frame["income"].where(frame["wave"] == 1, frame["income"].abs()))
               for name, frame in FRAMES.items()}
    found = sealane.simulate(drifted).run("monitor.drift", period="wave", model=model, outcome="bad", resolution=0.001)
    expected = lightgbm.Booster(model_str=binary.model_text)
    for period, one in zip((1, 2), found.to_dict()["auc"], strict=True):
        rows = pd.concat([frame[frame["wave"] == period] for frame in drifted.values()])
        exact = roc_auc_score(rows["bad"], expected.predict(binary.matrix(rows)))
        assert abs(one["auc"] - exact) <= one["auc_error"]
    psi = {one["period"]: one["psi"] for one in found.to_dict()["psi"] if one["variable"] == "score"}
    assert psi["2"] > 0.1 > psi["1"]


def test_a_hundred_trees_of_31_leaves_fit_into_a_study(model: dict[str, Any]) -> None:
    """As many values as such a model has: the splits and leaves of the small one, repeated."""
    times = 3100 // 48
    large = model | {name: [text for _ in range(times) for text in model[name]]
                     for name in ("leaves", "feature", "threshold", "missing", "left", "right", "leaf")}
    assert 3000 < len(Trees(**large).leaf) <= 3100
    found = sealane.simulate(FRAMES).run("monitor.drift", period="wave", model=large, resolution=0.01)
    assert {one["variable"] for one in found.to_dict()["psi"]} == {"score"}


def test_several_scores_and_too_many_leaves(monkeypatch: pytest.MonkeyPatch, binary: Any) -> None:
    with raises("scoring.not-a-model", InputError):
        _ = trained("kind").model
    monkeypatch.setattr(trees_model, "MOST_LEAVES", 40)
    with raises("scoring.too-large", InputError):
        _ = binary.model


def put(name: str, place: int, value: object) -> Any:
    """Return what changes one number of a line, which a study has as texts."""
    def change(model: dict[str, Any]) -> None:
        words = " ".join(model[name]).split()
        words[place] = str(value)
        model[name] = [" ".join(words[k : k + 20]) for k in range(0, len(words), 20)]

    return change


HOSTILE: dict[str, Any] = {
    "a way round": put("left", 3, 0),
    "a split led to from itself": put("left", 1, 1),
    "a split that does not exist": put("left", 0, 900),
    "a leaf that does not exist": put("right", 0, -900),
    "a leaf that is led to twice": lambda m: m.update(left=m["right"]),
    "a split that looks at no feature": put("feature", 0, 4),
    "a split that looks before the first": put("feature", 0, -1),
    "a threshold that is no number": put("threshold", 0, "nan"),
    "a leaf without end": put("leaf", 0, "inf"),
    "a tree of fewer leaves": put("leaves", 0, 7),
    "a tree of more leaves": put("leaves", 0, 1 << 20),
    "no tree": lambda m: m.update({name: [] for name in m if name not in ("kind", "objective", "features")}),
    "a text": lambda m: m.update(leaf="tree version=v4"),
    "words": lambda m: m.update(leaf=["tree", "version=v4"]),
    "a set that does not exist": lambda m: m["features"][0].update(levels=["x"], zero=0),
    "a set that is too short": lambda m: m["sets"].append("9"),
    "an unknown objective": lambda m: m.update(objective="custom"),
    "an unknown field": lambda m: m.update(model="tree"),
    "leaves without end": lambda m: m.update(leaf=m["leaf"] * 400),
    "features of one name": lambda m: m["features"].__setitem__(0, m["features"][1]),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_model_is_refused_before_any_row_is_read(what: str, model: dict[str, Any]) -> None:
    read_parameters("metrics.ranking", {"outcome": "bad", "model": model})
    changed = copy.deepcopy(model)
    HOSTILE[what](changed)
    with raises("computation.bad-parameters", InputError):
        read_parameters("metrics.ranking", {"outcome": "bad", "model": changed})
