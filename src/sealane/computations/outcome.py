"""The outcome of a model that each institution has a part of its own in: which column, and a node's values of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import model_validator

from sealane.computations.columns import codes, floats, limits
from sealane.computations.design.parameters import FeatureParameters, Name
from sealane.computations.design.variables import Array
from sealane.errors import InputError
from sealane.governance.contract import Field

FamilyName = Literal["gaussian", "binomial", "poisson"]


class OutcomeParameters(FeatureParameters):
    """Parameters of a regression with one outcome and an intercept.

    Attributes:
        outcome: the column to explain; left out where a formula names it.
    """

    outcome: Name | None = None

    @property
    def outcome_column(self) -> str:
        """The column to explain."""
        return self.outcome or self.model.outcome or ""

    @model_validator(mode="after")
    def _one_outcome(self) -> OutcomeParameters:
        check_outcome(self)
        return self


def check_outcome(params: OutcomeParameters) -> None:
    """Raise ValueError unless one outcome is named, in one place, and the model has an intercept."""
    model = params.model
    if (params.outcome is None) == (model.outcome is None):
        raise ValueError("either outcome or the left side of the formula names the outcome")
    if params.outcome_column in model.variables:
        raise ValueError("the outcome is not one of the features")
    if not model.intercept:
        raise ValueError("this model has an intercept: leave 0 + or - 1 out of the formula")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the contract says of the outcome; ``levels`` where it is a category of two, the second the event."""

    field: Field
    low: float
    high: float
    levels: tuple[str, ...] = ()

    def read(self, values: pd.Series[float], family: FamilyName) -> Array:
        """Return a node's values, missing as NaN.

        Raises:
            InputError: the rows break the contract, or a value is none of the family's.
        """
        if self.levels:
            level = codes(values, self.levels, self.field.name)
            return np.where(level < 0, np.nan, level.astype(np.float64))
        y = floats(values, self.field)
        if family == "binomial" and bool((~np.isnan(y) & (y != 0) & (y != 1)).any()):
            raise InputError("outcome.values", f"column {self.field.name!r} holds values other than 0 and 1",
                             expected="0 or 1")
        return y


def read_outcome(field: Field, family: FamilyName) -> Outcome:
    """Hold a column of the contract against what a family takes.

    Raises:
        InputError: it cannot be the outcome.
    """
    def wrong(expected: str) -> InputError:
        return InputError("outcome.type", f"column {field.name!r} cannot be the outcome of a {family} model",
                          got=field.type, expected=expected)

    if family == "binomial":
        if field.type == "category" and len(field.allowed) == 2:
            return Outcome(field, 0.0, 1.0, field.allowed)
        if field.type not in ("boolean", "integer", "number") or limits(field) != (0.0, 1.0):
            raise wrong("a boolean, numbers from 0 to 1, or a category of two levels")
        return Outcome(field, 0.0, 1.0)
    if field.type not in ("number", "integer", "boolean"):
        raise wrong("a numeric field")
    low, high = limits(field)
    if family == "poisson" and low < 0:
        raise wrong("a field whose minimum is 0 or more")
    return Outcome(field, low, high)
