"""Compare the joint heart model with each hospital alone and with all rows pooled, on rows that nobody trained on.

This stands outside the federation: it is the one place where rows of all hospitals meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane_examples.calibration import calibration
from sealane_examples.design import INTERCEPT, design_columns, design_matrix, linear_scores
from sealane_examples.fold import HELD_OUT
from sealane_examples.healthcare.heart_disease import EXAMPLE
from sealane_examples.logistic import Question, by_model, coefficients, curve, fit
from sealane_examples.ranking import rank
from sealane_examples.written import read_part

FEWEST_OF_EACH = 5
"""Fewest held-out rows with and without disease at one hospital for an AUC of its own."""


def evaluate(directory: Path, question: Question) -> dict[str, Any]:
    """Return metrics, curves, calibration and coefficients as JSON-ready values, all over complete rows.

    Raises:
        InputError: the prepared files or the question do not fit the example.
    """
    needed = [EXAMPLE.outcome, *question.features]
    parts = {name: complete(read_part(directory, name, EXAMPLE.name), needed) for name in EXAMPLE.institutions}
    everyone = read_part(directory, HELD_OUT, EXAMPLE.name)
    fold = complete(everyone, needed)
    rows = pd.concat(list(parts.values()), ignore_index=True)

    pooled = fit(rows, EXAMPLE.outcome, question)
    joint = question.joint
    models = {name: alone(part, question) for name, part in parts.items()}
    models |= {"joint": joint.params, "pooled": pooled.params}

    outcome = fold[EXAMPLE.outcome].to_numpy(dtype=np.int64)
    scores = {name: linear_scores(fold, params) for name, params in models.items()}
    ranked = {name: rank(outcome, values) for name, values in scores.items()}
    of = EXAMPLE.institutions
    return {
        "metrics": {
            "auc": by_model({name: ranking.auc for name, ranking in ranked.items()}, of),
            "auc_se": by_model({name: ranking.auc_se for name, ranking in ranked.items()}, of),
            "within": within(fold, outcome, scores),
        },
        "roc": {name: curve(ranking) for name, ranking in ranked.items()},
        "calibration": {name: calibration(outcome, values) for name, values in scores.items()},
        "coefficients": coefficients(joint.params, joint.bse, pooled.params, rows),
        "rows": {name: len(part) for name, part in parts.items()},
        "heldout": {"rows": len(fold), "bad": int(outcome.sum()), "incomplete": len(everyone) - len(fold)},
    }


def complete(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return the rows in which nothing that the model needs is missing."""
    kept = rows.dropna(subset=[name for name in columns if name in rows.columns]).reset_index(drop=True)
    numeric = [name for name in columns if name in kept.columns and pd.api.types.is_numeric_dtype(kept[name])]
    return kept.astype(dict.fromkeys(numeric, "float64"))


def alone(rows: pd.DataFrame, question: Question) -> dict[str, float]:
    """Fit one hospital's own model: scikit-learn's logistic regression as it comes, a ridge on standard units.

    Without the ridge Switzerland and Long Beach have no model: a level separates the few rows of one outcome.
    So each hospital alone is given its best case here, not the joint model's plain likelihood.
    """
    from sklearn.linear_model import LogisticRegression

    columns = [name for name in design_columns(rows, question.features, question.categorical, question.joint.params)
               if name != INTERCEPT]
    matrix = design_matrix(rows, columns)
    centre, spread = matrix.mean(axis=0), matrix.std(axis=0)
    spread[spread == 0] = 1.0
    model = LogisticRegression(max_iter=1000).fit((matrix - centre) / spread, rows[EXAMPLE.outcome])
    slopes = model.coef_[0] / spread
    params = dict(zip(columns, map(float, slopes), strict=True))
    return {INTERCEPT: float(model.intercept_[0] - slopes @ centre), **params}


def within(
    fold: pd.DataFrame, outcome: NDArray[np.int64], scores: Mapping[str, NDArray[np.float64]]
) -> dict[str, dict[str, float]]:
    """Return AUC on each hospital's own held-out rows: that sicker people go to one hospital cannot flatter it.

    A hospital with too few rows of one outcome is left out: Switzerland has two without disease.
    """
    found: dict[str, dict[str, float]] = {}
    for name in EXAMPLE.institutions:
        own = (fold["institution"] == name).to_numpy()
        events = int(outcome[own].sum())
        if min(events, int(own.sum()) - events) < FEWEST_OF_EACH:
            continue
        shown = {"alone": name, "joint": "joint", "pooled": "pooled"}
        found[name] = {label: rank(outcome[own], scores[model][own]).auc for label, model in shown.items()}
        found[name] |= {"rows": int(own.sum()), "bad": events}
    return found
