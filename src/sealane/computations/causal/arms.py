"""Treatment and outcome: what the contract says of them, and a node's own values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sealane.computations.causal.parameters import IpwParameters
from sealane.computations.columns import codes, floats, limits
from sealane.computations.design.variables import Array
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field


@dataclass(frozen=True, slots=True)
class Role:
    """A column that is no feature.

    Attributes:
        field: of the contract.
        low: of its public range.
        high: of it.
        binary: whether it has two values; of a category the second of ``levels`` counts as 1.
        levels: of a category.
    """

    field: Field
    low: float
    high: float
    binary: bool
    levels: tuple[str, ...] = ()

    @property
    def one(self) -> str | None:
        """The level that counts as 1; None where it is no category."""
        return self.levels[1] if self.levels else None

    @property
    def amount(self) -> bool:
        """Whether it is an amount, of which single rows can make up most."""
        return not self.binary and self.low >= 0.0 and self.high > 0.0

    def read(self, frame: pd.DataFrame) -> Array:
        """Return a node's own values, shape ``(n_rows,)``, missing as NaN.

        Raises:
            InputError: rows break the contract.
        """
        if self.levels:
            found = codes(frame[self.field.name], self.levels, self.field.name)
            return np.where(found < 0, np.nan, found.astype(np.float64))
        values = floats(frame[self.field.name], self.field)
        if self.binary and bool((~np.isnan(values) & (values != 0.0) & (values != 1.0)).any()):
            raise InputError("ipw.two-values", f"column {self.field.name!r} holds values other than 0 and 1",
                             expected="0 or 1")
        return values


def read_treatment(contract: Contract, params: IpwParameters) -> Role:
    """Look the treatment up in the contract.

    Raises:
        InputError: it does not have two values.
    """
    role = _role(contract.field(params.treatment_column), params)
    if role is None or not role.binary:
        raise InputError("ipw.treatment-type", f"column {params.treatment_column!r} cannot be the treatment",
                         got=contract.field(params.treatment_column).type,
                         expected="a boolean, an integer from 0 to 1, or a category of two levels")
    return role


def read_outcome(contract: Contract, params: IpwParameters) -> Role:
    """Look the outcome up in the contract.

    Raises:
        InputError: it is neither a number nor one of two values.
    """
    role = _role(contract.field(params.outcome), params)
    if role is None:
        raise InputError("ipw.outcome-type", f"column {params.outcome!r} cannot be the outcome",
                         got=contract.field(params.outcome).type,
                         expected="a number, a boolean, or a category of two levels")
    return role


def check_arms(kept: int, treated: int, minimum: int) -> None:
    """Refuse arms of fewer rows than the minimum count.

    Raises:
        RefusedError: ``ipw.small-arm``.
    """
    if min(treated, kept - treated) < minimum:
        raise RefusedError("ipw.small-arm", "too few rows are treated, or too few are not", got=f"under {minimum}",
                           expected=f"at least {minimum} in each arm")


def check_events(kept: int, treated: int, events: int, treated_events: int, minimum: int) -> None:
    """Refuse an outcome of two values with fewer rows of either in either arm than the minimum count.

    Raises:
        RefusedError: ``ipw.too-few-events``.
    """
    others = events - treated_events
    if min(treated_events, others, treated - treated_events, kept - treated - others) < minimum:
        raise RefusedError("ipw.too-few-events", "too few rows of an arm have the outcome, or too few do not",
                           got=f"under {minimum}", expected=f"at least {minimum} with and without it in each arm",
                           hint="ask for more institutions or a longer period")


def _role(field: Field, params: IpwParameters) -> Role | None:
    if field.type == "category" and len(field.allowed) == 2:
        none = params.reference.get(field.name, field.allowed[0])
        if none not in field.allowed:
            raise InputError("ipw.unknown-level", f"{field.name!r} has no such level to refer to", got=repr(none)[:80],
                             expected=f"one of {', '.join(field.allowed)}")
        return Role(field, 0.0, 1.0, True, (none, *(level for level in field.allowed if level != none)))
    if field.type not in ("boolean", "integer", "number"):
        return None
    low, high = limits(field)
    return Role(field, low, high, (low, high) == (0.0, 1.0) and field.type != "number")
