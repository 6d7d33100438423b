"""The promise of differential privacy that a computation may be asked for, and the one noised sum that keeps it.

A computation whose exact sum is one vector of counts becomes private in a few lines: its parameters derive from
:class:`PromisedParameters`, its counts are those of :func:`bounded` rows, :func:`noise_of` gives what ``count`` takes
as ``noise`` (None where no promise is asked), and ``price`` returns :func:`price_of_sum`. Sums that follow from opened
noised ones cost nothing more; every other sum of a run with a promise must carry noise too, which the node checks.

The noise is worked out for the shares that no colluder knows (``computations/noise.py``). One unit's rows may all lie
in the same cells, so ``rows_per_unit`` multiplies the norm of one row.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from decimal import Decimal
from typing import Annotated, Any

import pandas as pd
from pydantic import AfterValidator, Field, model_validator

from sealane.computations.base import Parameters
from sealane.computations.noise import least_sigma, mechanism_of
from sealane.errors import InputError
from sealane.governance import contract as governed
from sealane.privacy.amounts import parse_amount, parse_delta
from sealane.privacy.mechanism import INSTITUTION, ROW, Price

Name = Annotated[str, Field(min_length=1, max_length=128)]
Amount = Annotated[str, Field(max_length=60)]


def _epsilon(text: str) -> str:
    parse_amount(text, "epsilon")
    return text


def _delta(text: str) -> str:
    parse_delta(text)
    return text


Epsilon = Annotated[Amount, AfterValidator(_epsilon)]
Delta = Annotated[Amount, AfterValidator(_delta)]
UNIT_TYPES = ("text", "integer", "category")


class PromisedParameters(Parameters):
    """Parameters of a computation that adds noise where it is asked to.

    Attributes:
        epsilon: the promise for one run, a decimal in quotes; None, with ``delta``, for exact sums.
        delta: the promise, a decimal in quotes.
        unit: column that says whom a row is about; None where each row is hidden by itself.
        rows_per_unit: rows of one person that are counted at an institution; further ones are left out.
    """

    epsilon: Epsilon | None = None
    delta: Delta | None = None
    unit: Name | None = None
    rows_per_unit: Annotated[int, Field(ge=1, le=1000)] = 1

    @model_validator(mode="after")
    def _whole_promise(self) -> PromisedParameters:
        if (self.epsilon is None) != (self.delta is None):
            raise ValueError("a promise has an epsilon and a delta")
        if self.epsilon is None and self.unit is not None:
            raise ValueError("a unit is whom a promise hides: it needs epsilon and delta")
        if self.unit is None and self.rows_per_unit != 1:
            raise ValueError("rows_per_unit needs a unit")
        if self.unit in (ROW, INSTITUTION):
            # The ledger knows units by these names: a column's epsilons would be added to those of another unit.
            raise ValueError(f"a unit is not called {self.unit}")
        return self

    @property
    def promised(self) -> bool:
        """Whether noise is asked for."""
        return self.epsilon is not None


def with_unit(columns: Collection[str], params: PromisedParameters) -> list[str]:
    """Return the columns that a computation reads, the unit's last."""
    return [*columns, *([] if params.unit is None or params.unit in columns else [params.unit])]


def check_unit(params: PromisedParameters, contract: governed.Contract, columns: Collection[str]) -> None:
    """Refuse a unit that cannot name whom a row is about, or that is counted itself.

    Raises:
        InputError: ``promise.unit-type``, ``promise.unit-counted``.
    """
    if params.unit is None:
        return
    if contract.field(params.unit).type not in UNIT_TYPES:
        raise InputError("promise.unit-type", f"column {params.unit!r} cannot say whom a row is about",
                         got=contract.field(params.unit).type, expected=", ".join(UNIT_TYPES))
    if params.unit in columns:
        raise InputError("promise.unit-counted", f"column {params.unit!r} names whom a row is about and is no "
                         "column to compute on", hint="choose another unit or leave the column out")


def bounded(frame: pd.DataFrame, params: PromisedParameters) -> pd.DataFrame:
    """Return the first rows of each person, at most ``rows_per_unit``; rows about nobody are left out.

    Without a unit these are all rows.
    """
    if params.unit is None:
        return frame
    known = frame[frame[params.unit].notna()]
    return known[known.groupby(params.unit, sort=False, observed=True).cumcount() < params.rows_per_unit]


def noise_of(params: PromisedParameters, honest: int, entries: int, norm_squared: int = 1) -> Decimal | None:
    """Return the deviation of the noise on each entry of the sum, None without a promise.

    Args:
        params: hold the promise.
        honest: shares of noise that carry it (``cohort.honest``).
        entries: length of the whole sum, all its terms together.
        norm_squared: square of the largest Euclidean norm of what one row adds to it; 1 for a row in one cell.

    Raises:
        InputError: no noise of usable width keeps the promise.
    """
    if params.epsilon is None or params.delta is None:
        return None
    return least_sigma(parse_amount(params.epsilon, "epsilon"), parse_delta(params.delta), honest=honest,
                       entries=entries, norm_squared=params.rows_per_unit**2 * norm_squared)


def price_of_sum(params: PromisedParameters, honest: int, entries: int, norm_squared: int = 1) -> Price | None:
    """Return what that one sum costs, None without a promise. Arguments as for :func:`noise_of`."""
    sigma = noise_of(params, honest, entries, norm_squared)
    if sigma is None:
        return None
    mechanism = mechanism_of(sigma, honest=honest, entries=entries,
                             norm_squared=params.rows_per_unit**2 * norm_squared)
    return Price(mechanism, 1, params.unit or ROW)


def standard_error(sigma: Decimal, honest: int, size: int) -> float:
    """Return the deviation of the noise in one opened entry: each of ``size`` nodes added a share for ``honest``."""
    return float(mechanism_of(sigma, honest=honest, entries=1, norm_squared=1).sigma) * math.sqrt(size)


def promise_of(params: PromisedParameters, error: float | None) -> dict[str, Any] | None:
    """Return what a payload says of the promise, None without one.

    Args:
        params: hold the promise.
        error: standard error of the noise in each entry.
    """
    if not params.promised:
        return None
    return {"epsilon": params.epsilon, "delta": params.delta, "unit": params.unit or ROW,
            "rows_per_unit": params.rows_per_unit, "standard_error": error}


def told(promise: dict[str, Any] | None) -> str:
    """Return the lines of a summary that says what was promised, empty without a promise."""
    if promise is None:
        return ""
    whom: str = promise["unit"]
    return (f"each count +- {promise['standard_error']:.3g} (one standard error of the noise)\n"
            f"epsilon {promise['epsilon']}, delta {promise['delta']} for each "
            + ("row" if whom == ROW else f"{whom} and institution"))
