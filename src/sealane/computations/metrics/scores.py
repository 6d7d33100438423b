"""The score that is judged: a column that holds it, or a model evaluated at each node."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import model_validator

from sealane.computations.base import Parameters
from sealane.computations.columns import floats, limits
from sealane.computations.design.parameters import Name
from sealane.computations.metrics.scoring_model import Number, ScoringModel
from sealane.errors import InputError
from sealane.governance.contract import Contract


class ScoreParameters(Parameters):
    """Parameters of what judges a score.

    Attributes:
        score: a numeric column that holds it.
        model: or the model that gives it; :func:`.scoring_model.model_of` makes one of a result.
        low: where bins of the score begin; 0 for a probability, else the contract's minimum.
        high: where they end.
    """

    score: Name | None = None
    model: ScoringModel | None = None
    low: Number | None = None
    high: Number | None = None

    @property
    def score_columns(self) -> list[str]:
        """The columns that the score is read from."""
        return [self.score] if self.score is not None else self.model.variables if self.model else []

    @model_validator(mode="after")
    def _one_score(self) -> ScoreParameters:
        if self.score is not None and self.model is not None:
            raise ValueError("a score is a column or a model's, not both")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low lies under high")
        return self


@dataclass(frozen=True, slots=True)
class Scale:
    """The public range of a score, and whether it is a probability.

    Attributes:
        low: where its bins begin.
        high: where they end.
        probability: whether it is one.
        reach: the least and the largest score that there can be; infinite where nobody can tell.
    """

    low: float
    high: float
    probability: bool
    reach: tuple[float, float]


def read_scale(contract: Contract, params: ScoreParameters) -> Scale:
    """Return the range of a score.

    Raises:
        InputError: a column that does not exist or holds no numbers, a range that nobody gives, or one that
            holds none of the scores that there can be.
    """
    for name in params.score_columns:
        if contract.field(name).type in ("date", "text"):
            raise InputError("metrics.score-type", f"column {name!r} cannot be scored", got=contract.field(name).type,
                             expected="number, integer, boolean or category")
    if params.score is not None:
        field = contract.field(params.score)
        if field.type == "category":
            raise InputError("metrics.score-type", f"column {params.score!r} holds no score", got=field.type,
                             expected="a number")
        reach = limits(field)
        probability = reach[0] >= 0.0 and reach[1] <= 1.0
    else:
        reach = (-math.inf, math.inf) if params.model is None else params.model.reach
        probability = params.model is not None and params.model.probability
    low, high = (0.0, 1.0) if probability else reach if params.score is not None else (math.nan, math.nan)
    low = low if params.low is None else params.low
    high = high if params.high is None else params.high
    if not low < high:
        raise InputError("metrics.score-range", "bins of the score have no range", got=f"{low:g} to {high:g}",
                         expected="low under high", hint="give low and high")
    if low >= reach[1] or high <= reach[0] or (probability and (low < 0.0 or high > 1.0)):
        raise InputError("metrics.score-range", "no score lies where its bins do", got=f"{low:g} to {high:g}",
                         expected=f"some of {reach[0]:g} to {reach[1]:g}" + ", within 0 to 1" * probability,
                         hint="give low and high that hold the scores")
    return Scale(low, high, probability, reach)


def scores_of(frame: pd.DataFrame, contract: Contract, params: ScoreParameters) -> NDArray[np.float64]:
    """Return a node's own scores, NaN where there is none, shape ``(n_rows,)``. Private.

    Raises:
        InputError: the rows break the contract, or hold a level that the model does not know.
    """
    if params.score is not None:
        return floats(frame[params.score], contract.field(params.score))
    assert params.model is not None
    return params.model.score(frame)


def even_edges(scale: Scale, bins: int, further: tuple[float, ...] = ()) -> list[float]:
    """Return the edges between bins of equal width, and further ones among them; a score at an edge lies above it."""
    width = scale.high - scale.low
    return sorted({scale.low + width * (k / bins) for k in range(1, bins)} | set(further))
