"""Rows that the benchmarks of trees train on, under a contract of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from sealane.governance.contract import Contract, Field
from sealane.sectors.registry import packs

CONTRACT = "finance.bench-trees/v1"
OUTCOME = "event"
EDGE = 6.0


def names(features: int) -> list[str]:
    """Return the features' names."""
    return [f"x{k}" for k in range(features)]


def install_contract(features: int) -> None:
    """Make the contract known in this process."""
    fields = [Field(name=name, type="number", minimum=-EDGE, maximum=EDGE) for name in names(features)]
    contract = Contract(id=CONTRACT, fields=(*fields, Field(name=OUTCOME, type="boolean")))
    packs()["finance"] = replace(packs()["finance"], contracts={**packs()["finance"].contracts, CONTRACT: contract})


def make_rows(rows: int, features: int) -> pd.DataFrame:
    """Return rows whose outcome depends on the first six features, with products and steps."""
    rng = np.random.default_rng(1)
    x = np.clip(rng.normal(size=(rows, features)), -EDGE, EDGE).round(6)
    signal = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 0.5 * x[:, 3] + (x[:, 4] > 0) * x[:, 5] - 1
    frame = pd.DataFrame(x, columns=names(features))
    frame[OUTCOME] = (rng.random(rows) < 1 / (1 + np.exp(-signal))).astype(int)
    return frame


def auc(frame: pd.DataFrame, score: Any) -> float:
    """Return the area under the ROC curve, by ranks."""
    ranks = pd.Series(np.asarray(score)).rank()
    events = frame[OUTCOME].to_numpy() == 1
    number = int(events.sum())
    return float((ranks[events].sum() - number * (number + 1) / 2) / (number * (len(frame) - number)))
