"""The same loans scored by a card and by trees: each region alone, joint and pooled, on rows that nobody trained on.

It stands outside the federation, as ``evaluate`` does: only here do rows of all regions meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

import sealane
from sealane.computations.scorecard.result import ScorecardResult
from sealane.computations.trees.result import GbdtResult
from sealane.sectors.registry import contract
from sealane_examples.calibration import calibration, wilson
from sealane_examples.finance import EXAMPLE
from sealane_examples.logistic import by_model, curve
from sealane_examples.ranking import rank

TENTHS = 10
PARTS = 3
"""In how many parts the rows of one region are dealt out, so that the recipe of the joint card runs on them alone."""
Scored = Callable[[pd.DataFrame], NDArray[np.float64]]


class Released(BaseModel):
    """A model that the federation released, and what the study said of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    result: dict[str, Any]
    parameters: dict[str, Any]


def compare_cards(asked: Released, parts: Mapping[str, pd.DataFrame], fold: pd.DataFrame) -> dict[str, Any]:
    """Return how the joint card ranks, beside cards that the same recipe makes of each region's rows and of all.

    How rows are spread over institutions does not change a card, so a region's rows, dealt out to three nodes in this
    process, give the card of that region alone.
    """
    joint = ScorecardResult(asked.result)
    models: dict[str, Scored] = {"joint": card_scores(joint)}
    for name, rows in {**parts, "pooled": pd.concat(list(parts.values()), ignore_index=True)}.items():
        dealt = {f"part-{k}": rows.iloc[k::PARTS] for k in range(PARTS)}
        made = sealane.simulate(dealt, contract=contract(EXAMPLE.contract)).run("glm.scorecard", **asked.parameters)
        models[name] = card_scores(made)
    return judge(models, fold)


def card_scores(card: ScorecardResult) -> Scored:
    """Return what gives rows the log odds behind a card's points, before they are rounded."""

    def scored(rows: pd.DataFrame) -> NDArray[np.float64]:
        return logit(np.asarray(card.predict(rows), dtype=np.float64))

    return scored


def compare_trees(asked: Released, parts: Mapping[str, pd.DataFrame], fold: pd.DataFrame) -> dict[str, Any]:
    """Return how the joint trees rank, beside stock LightGBM with the same parameters on a region's rows and on all."""
    joint = GbdtResult(asked.result)
    models: dict[str, Scored] = {"joint": lambda rows: logit(np.asarray(joint.predict(rows), dtype=np.float64))}
    for name, rows in {**parts, "pooled": pd.concat(list(parts.values()), ignore_index=True)}.items():
        models[name] = stock_trees(joint, asked.parameters, rows)
    found = judge(models, fold)
    return found | {"shap": mean_shap(joint, fold)}


def stock_trees(joint: GbdtResult, parameters: Mapping[str, Any], rows: pd.DataFrame) -> Scored:
    """Train LightGBM on rows that lie in one place; ``joint`` only says which number a category has."""
    import lightgbm as lgb

    categories = [name for name in joint.features if name in EXAMPLE.categorical]
    data = lgb.Dataset(joint.matrix(rows), rows[parameters["outcome"]].to_numpy(), feature_name=list(joint.features),
                       categorical_feature=categories)
    params = {"objective": "binary", "verbosity": -1, "num_threads": 1, "seed": 0, **parameters["params"]}
    booster = lgb.train(params, data, parameters["rounds"])
    return lambda other: np.asarray(booster.predict(joint.matrix(other), raw_score=True), dtype=np.float64)


def mean_shap(trees: GbdtResult, rows: pd.DataFrame) -> dict[str, float]:
    """Return the mean size of each feature's SHAP value on rows, the largest first."""
    sizes = trees.contributions(rows).drop(columns="base").abs().mean().sort_values(ascending=False, kind="stable")
    return {str(name): float(value) for name, value in sizes.items()}


def judge(models: Mapping[str, Scored], fold: pd.DataFrame) -> dict[str, Any]:
    """Return metrics, curves, calibration and lift of linear scores as JSON-ready values."""
    outcome = fold[EXAMPLE.outcome].to_numpy(dtype=np.int64)
    scores = {name: model(fold) for name, model in models.items()}
    ranked = {name: rank(outcome, values) for name, values in scores.items()}
    of = EXAMPLE.institutions
    return {
        "metrics": {
            "auc": by_model({name: one.auc for name, one in ranked.items()}, of),
            "auc_se": by_model({name: one.auc_se for name, one in ranked.items()}, of),
            "ks": by_model({name: one.ks for name, one in ranked.items()}, of),
        },
        "roc": {name: curve(one) for name, one in ranked.items()},
        "calibration": {name: calibration(outcome, scores[name]) for name in ("joint", "pooled")},
        "lift": lift(outcome, scores["joint"]),
    }


def lift(outcome: NDArray[np.int64], scores: NDArray[np.float64]) -> list[dict[str, float]]:
    """Return the tenths of the rows, the riskiest first: events, their rate over that of all rows, with 95 % limits."""
    order, overall = np.argsort(-scores, kind="stable"), float(outcome.mean())
    found, before = [], 0
    for rows in np.array_split(order, TENTHS):
        events = int(outcome[rows].sum())
        before += events
        low, high = wilson(events / len(rows), len(rows))
        found.append({"rows": len(rows), "events": events, "lift": events / len(rows) / overall,
                      "low": low / overall, "high": high / overall, "gain": before / int(outcome.sum())})
    return found


def logit(chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log odds."""
    inside = np.clip(chance, 1e-12, 1.0 - 1e-12)
    return np.asarray(np.log(inside / (1.0 - inside)), dtype=np.float64)
