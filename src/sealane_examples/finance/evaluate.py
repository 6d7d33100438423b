"""Compare the joint model with each region alone and with all rows pooled, on the fold that nobody trained on.

This is the one place where the rows of all regions meet: it stands outside the federation, to say what the joint
model is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane_examples.design import linear_scores
from sealane_examples.finance import EXAMPLE
from sealane_examples.finance.split import assign_regions
from sealane_examples.fold import HELD_OUT
from sealane_examples.logistic import Question, by_model, coefficients, curve, fit
from sealane_examples.ranking import rank
from sealane_examples.written import read_part


def evaluate(directory: Path, question: Question) -> dict[str, Any]:
    """Return metrics, curves and coefficients as JSON-ready values.

    Raises:
        InputError: the prepared files or the question do not fit the example.
    """
    parts = {name: read_part(directory, name, EXAMPLE.name) for name in EXAMPLE.institutions}
    fold = read_part(directory, HELD_OUT, EXAMPLE.name)
    pooled_rows = pd.concat(list(parts.values()), ignore_index=True)

    pooled = fit(pooled_rows, EXAMPLE.outcome, question)
    models = {name: fit(rows, EXAMPLE.outcome, question).params for name, rows in parts.items()}
    joint = question.joint
    models |= {"joint": joint.params, "pooled": pooled.params}

    outcome = fold[EXAMPLE.outcome].to_numpy(dtype=np.int64)
    scores = {name: linear_scores(fold, params) for name, params in models.items()}
    ranked = {name: rank(outcome, values) for name, values in scores.items()}
    of = EXAMPLE.institutions
    return {
        "metrics": {
            "auc": by_model({name: ranking.auc for name, ranking in ranked.items()}, of),
            "auc_se": by_model({name: ranking.auc_se for name, ranking in ranked.items()}, of),
            "ks": by_model({name: ranking.ks for name, ranking in ranked.items()}, of),
            "within": within(fold, outcome, scores),
        },
        "roc": {name: curve(ranking) for name, ranking in ranked.items()},
        "coefficients": coefficients(joint.params, joint.bse, pooled.params, pooled_rows),
        "rows": {name: len(rows) for name, rows in parts.items()},
        "heldout": {"rows": len(fold), "bad": int(outcome.sum())},
    }


def within(
    fold: pd.DataFrame, outcome: NDArray[np.int64], scores: Mapping[str, NDArray[np.float64]]
) -> dict[str, dict[str, float]]:
    """Return AUC on each region's own held-out rows: differences between regions cannot flatter it."""
    regions = assign_regions(fold["addr_state"])
    found: dict[str, dict[str, float]] = {}
    for name in EXAMPLE.institutions:
        own = (regions == name).to_numpy()
        shown = {"alone": name, "joint": "joint", "pooled": "pooled"}
        found[name] = {label: rank(outcome[own], scores[model][own]).auc for label, model in shown.items()}
        found[name] |= {"rows": int(own.sum()), "bad": int(outcome[own].sum())}
    return found
