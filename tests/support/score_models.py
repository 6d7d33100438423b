"""Models to score privately with, and what they give in the clear, by plain arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SCALED = {"int_rate": (0.0, 40.0), "annual_inc": (0.0, 2.5e5), "funded_amnt": (0.0, 1e6)}
LINEAR: dict[str, Any] = {
    "form": "linear", "link": "logistic", "intercept": -1.375,
    "columns": [{"name": name, "kind": "scaled", "lower": lower, "upper": upper}
                for name, (lower, upper) in SCALED.items()] + [
                    {"name": "term", "kind": "level", "levels": ["term_60"]}],
    "weights": [0.1234567, -7.654321e-06, 2.5e-07, 0.40625]}
CARD: dict[str, Any] = {
    "form": "scorecard", "intercept": 600, "whole": True,
    "columns": [{"name": "int_rate", "kind": "bin", "upper": 10},
                {"name": "int_rate", "kind": "bin", "lower": 10, "upper": 16},
                {"name": "int_rate", "kind": "bin", "lower": 16},
                {"name": "term", "kind": "level", "levels": ["term_36"]},
                {"name": "term", "kind": "level", "levels": ["term_60"]}],
    "weights": [41, 7, -38, 13, -29]}
NETWORK: dict[str, Any] = {
    "form": "network", "intercept": 0.25, "weights": [0.5, -0.25],
    "columns": [{"name": "int_rate", "kind": "scaled", "lower": 0, "upper": 40},
                {"name": "annual_inc", "kind": "scaled", "lower": 0, "upper": 250000}],
    "hidden": [{"weights": [1.5, -0.75], "bias": 0.125, "output": 2.0},
               {"weights": [-0.5, 2.0], "bias": -1.0, "output": -0.625}]}


def linear_scores(rows: pd.DataFrame) -> NDArray[np.float64]:
    """The linear model in the clear."""
    total = np.full(len(rows), -1.375)
    for name, weight in zip(SCALED, LINEAR["weights"], strict=False):
        total = total + weight * rows[name].to_numpy()
    return total + 0.40625 * (rows["term"] == "term_60").to_numpy()


def card_points(rows: pd.DataFrame) -> NDArray[np.float64]:
    """The scorecard in the clear."""
    rate = rows["int_rate"].to_numpy()
    points = np.where(rate <= 10, 41, np.where(rate <= 16, 7, -38))
    return 600.0 + points + np.where(rows["term"] == "term_36", 13, -29)


def network_scores(rows: pd.DataFrame) -> NDArray[np.float64]:
    """The network in the clear, layer by layer."""
    x = np.column_stack([rows["int_rate"] / 20 - 1, rows["annual_inc"] / 125000 - 1])
    first = (x @ np.array([1.5, -0.75]) + 0.125) ** 2
    second = (x @ np.array([-0.5, 2.0]) - 1.0) ** 2
    return np.asarray(0.25 + x @ np.array([0.5, -0.25]) + 2.0 * first - 0.625 * second)
