"""The outcome of a model: which column, what the contract says of it, a node's values, and whether events suffice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import model_validator

from sealane.computations.columns import codes, floats, limits
from sealane.computations.design.parameters import FeatureParameters, Name
from sealane.computations.design.variables import Array
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Field

FamilyName = Literal["gaussian", "binomial", "poisson", "gamma", "negative-binomial"]
AMOUNTS = ("gaussian", "gamma")
"""Families without events."""


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
    """The outcome: numeric, or a category of two ``levels`` of which the second is the event."""

    field: Field
    low: float
    high: float
    levels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.field.name

    def read(self, values: pd.Series[float], family: FamilyName) -> Array:
        """Return a node's own outcomes, shape ``(n_rows,)``, missing as NaN.

        Raises:
            InputError: rows break the contract, or an outcome is no legal value of the family.
        """
        if self.levels:
            level = codes(values, self.levels, self.name)
            return np.where(level < 0, np.nan, level.astype(np.float64))
        y = floats(values, self.field)
        if family == "binomial" and bool((~np.isnan(y) & (y != 0) & (y != 1)).any()):
            raise InputError("outcome.values", f"column {self.name!r} holds values other than 0 and 1",
                             expected="0 or 1")
        if family == "gamma" and bool((y <= 0).any()):
            raise InputError("outcome.values", f"column {self.name!r} holds values that are not above 0",
                             expected="amounts above 0")
        return y


def read_outcome(field: Field, family: FamilyName, none: str | None = None) -> Outcome:
    """Hold a column of the contract against what a family explains.

    Args:
        field: of the contract.
        family: of the model.
        none: the level of a category of two that is no event; its first by default.

    Raises:
        InputError: it cannot be the outcome.
    """
    def wrong(expected: str) -> InputError:
        return InputError("outcome.type", f"column {field.name!r} cannot be the outcome of a {family} model",
                          got=field.type, expected=expected)

    if family == "binomial":
        if field.type == "category" and len(field.allowed) == 2:
            none = field.allowed[0] if none is None else none
            if none not in field.allowed:
                raise InputError("model.unknown-level", f"{field.name!r} has no such level to refer to", got=repr(none),
                                 expected=f"one of {', '.join(field.allowed)}")
            return Outcome(field, 0.0, 1.0, (none, *(level for level in field.allowed if level != none)))
        if field.type not in ("boolean", "integer", "number") or limits(field) != (0.0, 1.0):
            raise wrong("a boolean, numbers from 0 to 1, or a category of two levels")
        return Outcome(field, 0.0, 1.0)
    if field.type not in ("number", "integer", "boolean"):
        raise wrong("a numeric field")
    low, high = limits(field)
    if family != "gaussian" and low < 0:
        raise wrong("a field whose minimum is 0 or more")
    return Outcome(field, low, high)


def said(column: str, level: str | None) -> str:
    """Return how texts name an event: its column, and of a category the level."""
    return column if level is None else f"{column} = {level}"


def check_varies(kept: int, positive: int, family: FamilyName) -> None:
    """Refuse a model of events where none, or of two values only one, was met; none of amounts.

    Raises:
        RefusedError: ``outcome.constant``.
    """
    if family not in AMOUNTS and (positive == 0 or (family == "binomial" and positive == kept)):
        raise RefusedError("outcome.constant", "the outcome does not vary", got="one value",
                           expected="rows with and without the event")


def check_events(kept: int, positive: int, family: FamilyName, minimum_count: int) -> None:
    """Hold the rows with and without an event against the minimum count; none in a model of amounts.

    Raises:
        RefusedError: ``outcome.constant`` or ``outcome.too-few-events``.
    """
    check_varies(kept, positive, family)
    rarer = min(positive, kept - positive) if family == "binomial" else positive
    if family not in AMOUNTS and rarer < minimum_count:
        raise RefusedError("outcome.too-few-events", "too few rows have the rarer outcome",
                           got=f"under {minimum_count}", expected=f"at least {minimum_count}",
                           hint="ask for more institutions or a longer period")
