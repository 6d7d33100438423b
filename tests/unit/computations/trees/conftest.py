"""Rows for trees, and pooled LightGBM over the same bins: what a joint model is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest


def make_rows(rows: int = 4000, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "m"])
    frame["m"] = frame["m"].where(rng.random(rows) > 0.15)
    frame["whole"] = rng.integers(0, 12, rows)
    frame["grade"] = rng.choice(list("pqrstuv"), rows, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05])
    frame["signal"] = (1.5 * frame["a"] + frame["b"] ** 2 - frame["m"].fillna(0) * frame["a"]
                       + frame["grade"].isin(["p", "s"]) + 0.1 * frame["whole"] - 1.5)
    frame["event"] = (rng.random(rows) < 1 / (1 + np.exp(-frame["signal"]))).astype(int)
    frame["amount"] = frame["signal"] + rng.normal(size=rows)
    frame["number"] = rng.poisson(np.exp(np.clip(0.3 * frame["signal"], -2, 2)))
    frame["kind"] = pd.cut(frame["amount"], [-99, -1, 1, 99], labels=["low", "middle", "top"]).astype(str)
    frame["weight"] = rng.uniform(0.5, 2.0, rows)
    return frame.drop(columns="signal")


FEATURES = ["a", "b", "m", "whole", "grade"]
PARTS = {"north": slice(0, None, 3), "south": slice(1, None, 3), "west": slice(2, None, 3)}


def split_rows(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {name: frame.iloc[part].reset_index(drop=True) for name, part in PARTS.items()}


def binned(result: Any, frame: pd.DataFrame) -> tuple[np.ndarray, list[int]]:
    """Return rows as numbers of the agreed bins, which LightGBM puts into bins of one number each."""
    columns, categorical = [], []
    for place, name in enumerate(result.features):
        if frame[name].dtype == object:
            levels = {level: float(k) for k, level in enumerate(sorted(frame[name].unique()))}
            told_apart = {level: levels[level] for level in result.bins[name]}
            columns.append(frame[name].map(told_apart).to_numpy(float))
            categorical.append(place)
        else:
            values = np.searchsorted(result.bins[name], frame[name].to_numpy(float)).astype(float)
            columns.append(np.where(frame[name].isna(), np.nan, values))
    return np.column_stack(columns), categorical


def train_pooled(result: Any, frame: pd.DataFrame, label: Any, rounds: int, weight: Any = None,
                 **params: Any) -> tuple[lightgbm.Booster, np.ndarray]:
    matrix, categorical = binned(result, frame)
    settings = {"max_bin": 255, "min_data_in_bin": 1, "feature_pre_filter": False, "enable_bundle": False,
                "verbosity": -1, "num_threads": 1, **params}
    data = lightgbm.Dataset(matrix, label=label, weight=weight, categorical_feature=categorical, params=settings)
    booster = lightgbm.train(settings, data, rounds)
    return booster, booster.predict(matrix)


def leaf_values(booster: lightgbm.Booster) -> list[list[float]]:
    def walk(node: dict[str, Any]) -> list[float]:
        if "leaf_value" in node:
            return [node["leaf_value"]]
        return walk(node["left_child"]) + walk(node["right_child"])

    return [walk(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]


@pytest.fixture(scope="session")
def rows() -> pd.DataFrame:
    return make_rows()


@pytest.fixture(scope="session")
def parts(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return split_rows(rows)


@pytest.fixture(scope="session")
def pooled() -> Callable[..., tuple[lightgbm.Booster, np.ndarray]]:
    return train_pooled


@pytest.fixture(scope="session")
def leaves() -> Callable[[lightgbm.Booster], list[list[float]]]:
    return leaf_values
