"""The outcome of a generalised linear model: what the contract says of it, and a node's own values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.columns import codes, floats, limits
from sealane.computations.glm.parameters import GlmParameters
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field

AMOUNTS = ("gaussian", "gamma")
"""Families without events."""


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


def read_outcome(contract: Contract, params: GlmParameters) -> Outcome:
    """Look the outcome up in the contract.

    Raises:
        InputError: the column does not exist, or is nothing that the family explains.
    """
    field = contract.field(params.outcome_column)

    def wrong(expected: str) -> InputError:
        return InputError("glm.outcome-type", f"column {field.name!r} cannot be the outcome of a {params.family} model",
                          got=field.type, expected=expected)

    if params.family == "binomial":
        if field.type == "category" and len(field.allowed) == 2:
            none = params.reference.get(field.name, field.allowed[0])
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
    if params.family != "gaussian" and low < 0:
        raise wrong("a field whose minimum is 0 or more")
    return Outcome(field, low, high)


def read_values(frame: pd.DataFrame, outcome: Outcome, family: str) -> NDArray[np.float64]:
    """Return a node's own outcomes, shape ``(n_rows,)``, missing as NaN.

    Raises:
        InputError: rows break the contract, or an outcome is no legal value of the family.
    """
    if outcome.levels:
        level = codes(frame[outcome.name], outcome.levels, outcome.name)
        return np.where(level < 0, np.nan, level.astype(np.float64))
    values = floats(frame[outcome.name], outcome.field)
    if family == "binomial" and bool((~np.isnan(values) & (values != 0) & (values != 1)).any()):
        raise InputError("glm.outcome-values", f"column {outcome.name!r} holds values other than 0 and 1",
                         expected="0 or 1")
    if family == "gamma" and bool((values <= 0).any()):
        raise InputError("glm.outcome-values", f"column {outcome.name!r} holds values that are not above 0",
                         expected="amounts above 0")
    return values


def screen_events(kept: int, positive: int, family: str, minimum_count: int) -> None:
    """Hold the rows with and without an event against the minimum count; none in a model of amounts.

    Raises:
        RefusedError: ``glm.constant-outcome`` or ``glm.too-few-events``.
    """
    if family in AMOUNTS:
        return
    others = kept - positive
    if positive == 0 or (family == "binomial" and others == 0):
        raise RefusedError("glm.constant-outcome", "the outcome does not vary", got="one value",
                           expected="rows with and without the event")
    if positive < minimum_count or (family == "binomial" and others < minimum_count):
        raise RefusedError("glm.too-few-events", "too few rows have the rarer outcome", got=f"under {minimum_count}",
                           expected=f"at least {minimum_count}", hint="ask for more institutions or a longer period")
