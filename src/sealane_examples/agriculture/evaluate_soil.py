"""Compare clay predicted by each farm alone, by the joint model, by its slopes at home, and by pooled rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from sealane.errors import InputError
from sealane_examples.agriculture import judging
from sealane_examples.agriculture.at_home import Linear, with_own_level
from sealane_examples.agriculture.soil import EXAMPLE, IN_PERCENT, SEED, in_g_per_kg
from sealane_examples.design import INTERCEPT
from sealane_examples.fold import HELD_OUT
from sealane_examples.logistic import JointModel, coefficients
from sealane_examples.question import parse
from sealane_examples.written import read_part

SIZES = (10, 20, 40, 60, 80)


class Question(BaseModel):
    """What is asked: the joint model, and the slopes of the one with an intercept for each farm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    joint: JointModel
    slopes: dict[str, FiniteFloat] = Field(min_length=1)


def evaluate(directory: Path, text: str) -> dict[str, Any]:
    """Return errors, points, learning curves and coefficients as JSON-ready values.

    Raises:
        InputError: the prepared files or the question do not fit the example.
    """
    asked = parse(Question, text, '{"joint": {"params": {...}, "bse": {...}}, "slopes": {...}}')
    features = list(EXAMPLE.features)
    if set(asked.slopes) != set(features) or set(asked.joint.params) != {INTERCEPT, *features}:
        raise InputError("example.unknown-column", "the models are not those of the example",
                         got=", ".join(asked.slopes)[:200], expected=", ".join(features))
    tables = {name: read_part(directory, name, EXAMPLE.name) for name in EXAMPLE.institutions}
    tables[IN_PERCENT] = in_g_per_kg(tables[IN_PERCENT])
    fold = read_part(directory, HELD_OUT, EXAMPLE.name)
    parts = {name: part(rows, fold[fold["institution"] == name]) for name, rows in tables.items()}

    joint = Linear(asked.joint.params[INTERCEPT], np.array([asked.joint.params[name] for name in features]))
    slopes = np.array([asked.slopes[name] for name in features])
    level = {name: with_own_level(slopes, one.matrix, one.outcome) for name, one in parts.items()}
    models = judging.at_home(parts, joint, level, slopes)
    whole = pd.concat(list(tables.values()), ignore_index=True)
    return {
        "errors": {"outcome": "clay", "unit": "g/kg"} | judging.errors(parts, models) | {
            "points": judging.points(parts, models, (judging.JOINT, judging.TUNED)),
            "learning": judging.learning(parts, SIZES, SEED), "units": "own samples"},
        "heaviest": judging.heaviest(parts, models),
        "coefficients": coefficients(asked.joint.params, asked.joint.bse, pooled(whole, features), whole),
    }


def part(rows: pd.DataFrame, fold: pd.DataFrame) -> judging.Part:
    """Return one farm's rows as arrays."""
    features, outcome = list(EXAMPLE.features), EXAMPLE.outcome
    return judging.Part(rows[features].to_numpy(dtype=np.float64), rows[outcome].to_numpy(dtype=np.float64),
                        np.arange(len(rows)), fold[features].to_numpy(dtype=np.float64),
                        fold[outcome].to_numpy(dtype=np.float64))


def pooled(rows: pd.DataFrame, features: list[str]) -> dict[str, float]:
    """Return coefficients of statsmodels' fit on all rows together."""
    from statsmodels.regression.linear_model import OLS  # an extra; its whole API would take another second to import

    matrix = rows[features].assign(**{INTERCEPT: 1.0})
    return {str(name): float(value) for name, value in OLS(rows[EXAMPLE.outcome], matrix).fit().params.items()}
