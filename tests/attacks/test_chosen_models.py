"""An analyst who chooses the model to be judged, its bins, thresholds and groups learns nothing of one customer.

The model is a tree with a leaf for one income, so that one customer has a score of their own. Two worlds are told
apart by that customer alone: by the outcome (another's changes the other way, so that all totals stay), or by
whether there is such a customer at all. Whatever is released must be the same in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sealane

Frames = dict[str, pd.DataFrame]


def frames() -> Frames:
    rng = np.random.default_rng(7)
    rows = 3000
    frame = pd.DataFrame({"income": rng.lognormal(8, 1, rows).round(2), "age": rng.integers(18, 90, rows),
                          "sex": rng.choice(["f", "m"], rows), "wave": rng.choice(["1", "2"], rows)})
    frame["bad"] = (rng.random(rows) < 0.2).astype(int)
    # The victim and the other are alike in all but income, and that is alike: totals by group, period and step stay.
    frame.loc[[0, 3], ["age", "sex", "wave", "bad"]] = [[40, "f", "1", 1], [40, "f", "1", 0]]
    frame.loc[[0, 3], "income"] = [3000.57, 3001.11]
    return {name: frame.iloc[k::3].reset_index(drop=True) for k, name in enumerate("abc")}


def outcomes_changed(held: Frames) -> Frames:
    """Give the victim the other's outcome, and the other the victim's."""
    return held | {"a": held["a"].assign(bad=held["a"]["bad"].where(held["a"].index > 1, 1 - held["a"]["bad"]))}


def absent(held: Frames) -> Frames:
    """Let nobody have the victim's income."""
    return held | {"a": held["a"].assign(income=held["a"]["income"].where(held["a"].index > 0, 3000.67))}


def one_leaf(inside: float, around: float, income: float = 3000.57) -> dict[str, Any]:
    """Return a tree that gives all a probability, and another to whoever has an income."""
    logit, own = log(around / (1 - around)), log(inside / (1 - inside))
    return {"kind": "trees", "objective": "binary", "features": [{"name": "income"}], "leaves": ["3"], "sets": [],
            "feature": ["0 0"], "threshold": [f"{income + 0.004} {income - 0.004}"], "missing": ["1 1"],
            "left": ["1 -1"], "right": ["-3 -2"], "leaf": [f"{logit} {own} {logit}"]}


def by_income(inside: float) -> dict[str, Any]:
    """Return trees that order all by income as well, in twelve steps, and give one income a score of its own."""
    steps = np.exp(np.linspace(6.2, 9.8, 12))
    tree = one_leaf(inside, 0.2)
    for step in steps:
        tree["leaves"][0] += " 2"
        for name, value in (("feature", "0"), ("threshold", f"{step}"), ("missing", "1"), ("left", "-1"),
                            ("right", "-2"), ("leaf", "0.15 -0.15")):
            tree[name][0] += f" {value}"
    return tree


ATTACKS: list[dict[str, Any]] = [
    {"model": one_leaf(0.2009, 0.2001)},  # Brier's score and the mean as two equations
    {"model": one_leaf(0.2001, 0.2009), "bins": 10_000, "low": 0.1999, "high": 0.2011},
    {"model": one_leaf(0.9, 0.2), "bins": 2},  # first of all: the area is its outcome
    {"model": one_leaf(0.1, 0.2), "thresholds": [0.15, 0.1, 0.05]},
    {"model": one_leaf(0.9, 0.2), "thresholds": [0.85, 0.95, 0.3], "group": "sex"},
    {"model": by_income(0.2009), "bins": 10_000},
    {"model": by_income(0.2009), "bins": 10_000, "bands": 100, "thresholds": [0.5, 0.1, 0.1001], "group": "sex"},
    {"model": by_income(0.1991), "bins": 10_000, "higher": "no-event", "thresholds": [0.5, 0.1], "group": "sex"},
]


def released(held: Frames, computation: str, asked: Mapping[str, Any]) -> Any:
    return sealane.simulate(held).run(computation, **asked).to_dict()


@pytest.mark.parametrize("asked", ATTACKS)
def test_a_judgement_does_not_tell_one_outcome(asked: dict[str, Any]) -> None:
    held = frames()
    told = released(held, "metrics.ranking", {"outcome": "bad"} | asked)
    assert released(outcomes_changed(held), "metrics.ranking", {"outcome": "bad"} | asked) == told


@pytest.mark.parametrize("asked", [one for one in ATTACKS if one["model"]["leaves"] == ["3"]])
def test_a_judgement_does_not_tell_whether_somebody_is_there(asked: dict[str, Any]) -> None:
    held = frames()
    told = released(held, "metrics.ranking", {"outcome": "bad"} | asked)
    assert released(absent(held), "metrics.ranking", {"outcome": "bad"} | asked) == told


@pytest.mark.parametrize("model", [one_leaf(0.9, 0.2), one_leaf(0.1, 0.2), by_income(0.2009)])
def test_drift_does_not_tell_one_outcome(model: dict[str, Any]) -> None:
    held = frames()
    asked = {"period": "wave", "outcome": "bad", "model": model, "auc_bins": 10_000,
             "reference": {"score": {"edges": [0.15, 0.5], "shares": [0.1, 0.8, 0.1]}}}
    told = released(held, "monitor.drift", asked)
    assert released(outcomes_changed(held), "monitor.drift", asked) == told


def test_the_worlds_differ_in_what_a_large_leaf_tells() -> None:
    """The control: with half of all in the leaf, the same change is seen."""
    held, model = frames(), one_leaf(0.9, 0.2)
    model["threshold"] = ["3001 1000"]
    told = [released(world, "metrics.ranking", {"outcome": "bad", "model": model})
            for world in (held, outcomes_changed(held))]
    assert told[0]["nobs"] == told[1]["nobs"]
    assert told[0]["auc"] != told[1]["auc"]
