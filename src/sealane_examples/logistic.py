"""What examples of logistic regression share: the question, fits outside the federation, and rows of coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from sealane_examples.design import INTERCEPT, design_columns, design_matrix
from sealane_examples.question import parse
from sealane_examples.ranking import Ranking

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
    """A model fitted outside the federation."""

    params: dict[str, float]
    bse: dict[str, float]


def parse_question(text: str) -> Question:
    """Return the question, checked.

    Raises:
        InputError: it is not the JSON described by :class:`Question`.
    """
    shape = '{"features": [...], "categorical": [...], "joint": {"params": {...}, "bse": {...}}}'
    return parse(Question, text, shape)


def fit(rows: pd.DataFrame, outcome: str, question: Question) -> Fitted:
    """Fit the logistic model on the rows, on their own units, as statsmodels does."""
    # An extra; its whole API would take another second to import.
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    columns = design_columns(rows, question.features, question.categorical, question.joint.params)
    model = GLM(rows[outcome].to_numpy(), design_matrix(rows, columns), family=Binomial())
    result = model.fit(tol=1e-12, maxiter=100)
    return Fitted(
        params=dict(zip(columns, map(float, result.params), strict=True)),
        bse=dict(zip(columns, map(float, result.bse), strict=True)),
    )


def by_model(values: Mapping[str, float], institutions: Sequence[str]) -> dict[str, Any]:
    """Return ``{"alone": {institution: x}, "joint": x, "pooled": x}``."""
    alone = {name: values[name] for name in institutions}
    return {"alone": alone, "joint": values["joint"], "pooled": values["pooled"]}


def curve(ranking: Ranking) -> dict[str, list[float]]:
    """Return the thinned ROC curve."""
    return {"fpr": ranking.fpr, "tpr": ranking.tpr}


def coefficients(
    joint: Mapping[str, float], errors: Mapping[str, float], pooled: Mapping[str, float], rows: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return one row per coefficient of the joint model.

    ``scale`` is the standard deviation of a numeric column (1 for a level or a flag), by which a plot can put all on
    one axis.
    """
    table: list[dict[str, Any]] = []
    for name, value in joint.items():
        error = errors.get(name)
        numeric = name in rows.columns and name != INTERCEPT and not set(rows[name].dropna().unique()) <= {0, 1}
        table.append(
            {
                "name": name,
                "joint": value,
                "se": error,
                "low": None if error is None else value - NORMAL_975 * error,
                "high": None if error is None else value + NORMAL_975 * error,
                "pooled": pooled.get(name),
                "scale": float(rows[name].std()) if numeric else 1.0,
            }
        )
    return table
