"""Compare the joint model with each region alone and with all rows pooled, on the fold that nobody trained on.

This is the one place where the rows of all regions meet: it stands outside the federation, to say what the joint
model is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from sealane.errors import InputError
from sealane_examples.design import INTERCEPT, design_columns, design_matrix, linear_scores
from sealane_examples.finance import EXAMPLE
from sealane_examples.finance.split import assign_regions
from sealane_examples.fold import HELD_OUT
from sealane_examples.ranking import Ranking, rank
from sealane_examples.written import read_part

NORMAL_975 = 1.959963984540054
"""97.5 % point of the standard normal distribution: a 95 % interval has this many standard errors each side."""


class JointModel(BaseModel):
    """What the federation released; other fields of its result are let be."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    params: dict[str, FiniteFloat] = Field(min_length=1)
    bse: dict[str, FiniteFloat] = Field(default_factory=dict)


class Question(BaseModel):
    """What ``evaluate`` reads on standard input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: list[str] = Field(min_length=1)
    categorical: list[str] = Field(default_factory=list)
    joint: JointModel


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model fitted by statsmodels, outside the federation."""

    params: dict[str, float]
    bse: dict[str, float]


def parse_question(text: str) -> Question:
    """Return the question, checked.

    Raises:
        InputError: it is not the JSON described by :class:`Question`.
    """
    try:
        return Question.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            "example.question-malformed",
            "the question on standard input is malformed",
            got=first["msg"],
            expected='{"features": [...], "categorical": [...], "joint": {"params": {...}, "bse": {...}}}',
            hint=f"look at {'.'.join(map(str, first['loc'])) or 'the whole text'}",
        ) from error


def fit(rows: pd.DataFrame, question: Question) -> Fitted:
    """Fit the logistic model on the rows, on their own units, as statsmodels does."""
    # An extra; its whole API would take another second to import.
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    columns = design_columns(rows, question.features, question.categorical, question.joint.params)
    model = GLM(rows[EXAMPLE.outcome].to_numpy(), design_matrix(rows, columns), family=Binomial())
    result = model.fit(tol=1e-12, maxiter=100)
    return Fitted(
        params=dict(zip(columns, map(float, result.params), strict=True)),
        bse=dict(zip(columns, map(float, result.bse), strict=True)),
    )


def evaluate(directory: Path, question: Question) -> dict[str, Any]:
    """Return metrics, curves and coefficients as JSON-ready values.

    Raises:
        InputError: the prepared files or the question do not fit the example.
    """
    parts = {name: read_part(directory, name, EXAMPLE.name) for name in EXAMPLE.institutions}
    fold = read_part(directory, HELD_OUT, EXAMPLE.name)
    pooled_rows = pd.concat(list(parts.values()), ignore_index=True)

    pooled = fit(pooled_rows, question)
    models = {name: fit(rows, question).params for name, rows in parts.items()}
    models |= {"joint": question.joint.params, "pooled": pooled.params}

    outcome = fold[EXAMPLE.outcome].to_numpy(dtype=np.int64)
    scores = {name: linear_scores(fold, params) for name, params in models.items()}
    ranked = {name: rank(outcome, values) for name, values in scores.items()}
    return {
        "metrics": {
            "auc": by_model({name: ranking.auc for name, ranking in ranked.items()}),
            "auc_se": by_model({name: ranking.auc_se for name, ranking in ranked.items()}),
            "ks": by_model({name: ranking.ks for name, ranking in ranked.items()}),
            "within": within(fold, outcome, scores),
        },
        "roc": {name: curve(ranking) for name, ranking in ranked.items()},
        "coefficients": coefficients(question.joint, pooled, pooled_rows),
        "rows": {name: len(rows) for name, rows in parts.items()},
        "heldout": {"rows": len(fold), "bad": int(outcome.sum())},
    }


def by_model(values: Mapping[str, float]) -> dict[str, Any]:
    """Return ``{"alone": {region: x}, "joint": x, "pooled": x}``."""
    alone = {name: values[name] for name in EXAMPLE.institutions}
    return {"alone": alone, "joint": values["joint"], "pooled": values["pooled"]}


def curve(ranking: Ranking) -> dict[str, list[float]]:
    """Return the thinned ROC curve."""
    return {"fpr": ranking.fpr, "tpr": ranking.tpr}


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


def coefficients(joint: JointModel, pooled: Fitted, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one row per coefficient of the joint model.

    ``scale`` is the standard deviation of a numeric column (1 for a level), by which a plot can put all on one axis.
    """
    table: list[dict[str, Any]] = []
    for name, value in joint.params.items():
        error = joint.bse.get(name)
        numeric = name in rows.columns and name != INTERCEPT
        table.append(
            {
                "name": name,
                "joint": value,
                "se": error,
                "low": None if error is None else value - NORMAL_975 * error,
                "high": None if error is None else value + NORMAL_975 * error,
                "pooled": pooled.params.get(name),
                "scale": float(rows[name].std()) if numeric else 1.0,
            }
        )
    return table
