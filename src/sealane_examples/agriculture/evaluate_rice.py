"""Compare output predicted by each village alone, jointly, with the mixed model's own levels, and by pooled rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from sealane.errors import InputError
from sealane_examples.agriculture import judging
from sealane_examples.agriculture.at_home import Linear, Rows, least_squares
from sealane_examples.agriculture.rice import EXAMPLE, SEED
from sealane_examples.design import INTERCEPT
from sealane_examples.fold import HELD_OUT, held_out
from sealane_examples.logistic import JointModel, coefficients
from sealane_examples.question import parse
from sealane_examples.written import read_part

COLUMNS = ("variety[T.high_yielding]", "variety[T.mixed]", "log(area)", "log(seed)", "log1p(urea)", "log1p(phosphate)",
           "log(labour)")
SIZES = (2, 4, 8, 15)
LAST_SEASON = 6


class Mixed(BaseModel):
    """The mixed model as it was released: coefficients, and each village's own level beside them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    params: dict[str, FiniteFloat] = Field(min_length=1)
    levels: dict[str, FiniteFloat] = Field(min_length=1)


class Question(BaseModel):
    """What is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    joint: JointModel
    mixed: Mixed


def evaluate(directory: Path, text: str) -> dict[str, Any]:
    """Return errors, points, learning curves, splits and coefficients as JSON-ready values.

    Raises:
        InputError: the prepared files or the question do not fit the example.
    """
    asked = parse(Question, text, '{"joint": {"params": {...}}, "mixed": {"params": {...}, "levels": {...}}}')
    named = {INTERCEPT, *COLUMNS}
    if set(asked.joint.params) != named or set(asked.mixed.params) != named or (
            set(asked.mixed.levels) != set(EXAMPLE.institutions)):
        raise InputError("example.unknown-column", "the models are not those of the example",
                         got=", ".join(asked.joint.params)[:200], expected=", ".join(sorted(named)))
    tables = {name: read_part(directory, name, EXAMPLE.name) for name in EXAMPLE.institutions}
    fold = read_part(directory, HELD_OUT, EXAMPLE.name)
    parts = {name: part(rows, fold[fold["institution"] == name]) for name, rows in tables.items()}

    slopes = slopes_of(asked.mixed.params)
    level = {name: Linear(asked.mixed.params[INTERCEPT] + asked.mixed.levels[name], slopes) for name in parts}
    models = judging.at_home(parts, Linear(asked.joint.params[INTERCEPT], slopes_of(asked.joint.params)), level, slopes)
    whole = pd.concat([*(rows.assign(institution=name) for name, rows in tables.items()), fold], ignore_index=True)
    training = pd.concat(list(tables.values()), ignore_index=True)
    everyone = models[judging.POOLED][EXAMPLE.institutions[0]]
    pooled = {INTERCEPT: everyone.level} | dict(zip(COLUMNS, map(float, everyone.slopes), strict=True))
    return {
        "errors": {"outcome": "log output", "unit": "log kg"} | judging.errors(parts, models) | {
            "points": judging.points(parts, models, (judging.JOINT, judging.LEVEL)),
            "learning": judging.learning(parts, SIZES, SEED), "units": "own farms", "splits": splits(whole)},
        "heaviest": judging.heaviest(parts, models),
        "coefficients": coefficients(asked.joint.params, asked.joint.bse, pooled, training),
    }


def slopes_of(params: dict[str, float]) -> Rows:
    """Return the slopes in the order of the columns."""
    return np.array([params[name] for name in COLUMNS])


def part(rows: pd.DataFrame, fold: pd.DataFrame) -> judging.Part:
    """Return one village's rows as arrays; a farm's seasons are one unit."""
    outcome = EXAMPLE.outcome
    farms = np.asarray(rows["parcel_key"].astype("category").cat.codes, dtype=np.int64)
    return judging.Part(design(rows), rows[outcome].to_numpy(dtype=np.float64), farms, design(fold),
                        fold[outcome].to_numpy(dtype=np.float64))


def design(rows: pd.DataFrame) -> Rows:
    """Return the formula's columns."""
    variety = rows["variety"].astype(str)
    return np.column_stack([
        variety == "high_yielding", variety == "mixed", np.log(rows["area"]), np.log(rows["seed"]),
        np.log1p(rows["urea"]), np.log1p(rows["phosphate"]), np.log(rows["labour"]),
    ]).astype(np.float64)


def splits(whole: pd.DataFrame) -> dict[str, float]:
    """Return the pooled model's error under other ways to hold rows out: none of them is a matter of taste.

    Random rows put the same farm on both sides; a season or a village that nobody trained on is what a model meets.
    """
    rows = pd.Series(range(len(whole)))
    random = held_out(rows, whole["institution"], SEED).to_numpy()
    season = (whole["season"] == LAST_SEASON).to_numpy()
    chosen = whole.drop_duplicates("parcel_key").reset_index(drop=True)
    kept = held_out(pd.Series(range(len(chosen))), chosen["institution"], SEED)
    farms = whole["parcel_key"].isin(set(chosen["parcel_key"][kept])).to_numpy()
    villages = [(whole["institution"] == name).to_numpy() for name in EXAMPLE.institutions]
    return {"random rows": lost(whole, [random]), "farms": lost(whole, [farms]),
            "the last season": lost(whole, [season]), "each village in turn": lost(whole, villages)}


def lost(whole: pd.DataFrame, folds: list[NDArray[np.bool_]]) -> float:
    """Return the error on rows held out, over one or several folds."""
    matrix, outcome = design(whole), whole[EXAMPLE.outcome].to_numpy(dtype=np.float64)
    return judging.root([outcome[fold] - least_squares(matrix[~fold], outcome[~fold]).predict(matrix[fold])
                         for fold in folds])
