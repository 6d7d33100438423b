"""Compare a joint linear or logistic model with each institution alone and with all rows pooled, by statsmodels.

This stands outside the federation: it is the one place where rows of all institutions meet. Models are judged on rows
that nobody trained on, over all institutions and within each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane_examples.design import design_columns, design_matrix, linear_scores
from sealane_examples.example import Example
from sealane_examples.fold import HELD_OUT
from sealane_examples.logistic import Fitted, Question, by_model, coefficients
from sealane_examples.question import parse
from sealane_examples.ranking import rank
from sealane_examples.written import read_part

FEWEST = 5
"""Fewest held-out rows, of each outcome where there are two, for a figure within one institution."""


class GlmQuestion(Question):
    """What ``evaluate`` reads on standard input."""

    family: Literal["binomial", "gaussian"]


def parse_question(text: str) -> GlmQuestion:
    """Return the question, checked.

    Raises:
        InputError: it is not the JSON described by :class:`GlmQuestion`.
    """
    return parse(GlmQuestion, text, '{"family": "binomial" or "gaussian", "features": [...], "categorical": [...], '
                                    '"joint": {"params": {...}, "bse": {...}}}')


def evaluate(directory: Path, example: Example, question: GlmQuestion) -> dict[str, Any]:
    """Return the measure (AUC, or root mean square error), overall and within, and coefficients, as JSON-ready values.

    Raises:
        InputError: the prepared files or the question do not fit the example.
    """
    needed = [example.outcome, *question.features]
    parts = {name: complete(read_part(directory, name, example.name), needed) for name in example.institutions}
    everyone = read_part(directory, HELD_OUT, example.name)
    fold = complete(everyone, needed)
    rows = pd.concat(list(parts.values()), ignore_index=True)
    pooled = fit(rows, example, question)
    models = {name: fit(part, example, question).params for name, part in parts.items()}
    models |= {"joint": question.joint.params, "pooled": pooled.params}
    outcome = fold[example.outcome].to_numpy(dtype=np.float64)
    scores = {name: linear_scores(fold, params) for name, params in models.items()}
    homes = {name: (fold["institution"] == name).to_numpy() for name in example.institutions}
    return {
        "measure": "auc" if question.family == "binomial" else "rmse",
        "overall": by_model({name: measure(question, outcome, values) for name, values in scores.items()},
                            example.institutions),
        "within": {
            name: {label: measure(question, outcome[own], scores[model][own])
                   for label, model in (("alone", name), ("joint", "joint"), ("pooled", "pooled"))}
            | {"rows": int(own.sum())}
            for name, own in homes.items() if enough(question, outcome[own])
        },
        "coefficients": coefficients(question.joint.params, question.joint.bse, pooled.params, rows),
        "rows": {name: len(part) for name, part in parts.items()},
        "heldout": {"rows": len(fold), "incomplete": len(everyone) - len(fold)},
    }


def complete(rows: pd.DataFrame, needed: list[str]) -> pd.DataFrame:
    """Return the rows that have everything that is needed, as the federation takes them."""
    return rows.dropna(subset=[name for name in needed if name in rows.columns]).reset_index(drop=True)


def fit(rows: pd.DataFrame, example: Example, question: GlmQuestion) -> Fitted:
    """Fit the model on the rows. A level that they do not have gets the coefficient 0."""
    from statsmodels.genmod import families
    from statsmodels.genmod.generalized_linear_model import GLM

    columns = design_columns(rows, question.features, question.categorical, question.joint.params)
    family = families.Binomial() if question.family == "binomial" else families.Gaussian()
    model = GLM(rows[example.outcome].to_numpy(dtype=np.float64), design_matrix(rows, columns), family=family)
    result = model.fit(tol=1e-12, maxiter=100)
    return Fitted(params=dict(zip(columns, map(float, result.params), strict=True)),
                  bse=dict(zip(columns, map(float, result.bse), strict=True)))


def measure(question: GlmQuestion, outcome: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """Return the area under the ROC curve, or the root mean square error."""
    if question.family == "binomial":
        return rank(outcome.astype(np.int64), scores).auc
    return float(np.sqrt(np.mean((outcome - scores) ** 2)))


def enough(question: GlmQuestion, outcome: NDArray[np.float64]) -> bool:
    """Tell whether the held-out rows of one institution carry a figure of their own."""
    events = int((outcome == 1).sum())
    return len(outcome) >= FEWEST if question.family == "gaussian" else min(events, len(outcome) - events) >= FEWEST
