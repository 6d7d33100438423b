"""The right side of a model as data: terms, each a product of factors, before any contract or row is looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sealane.errors import InputError

Transform = Literal["", "log", "log1p", "sqrt", "square", "cube"]

_DOMAIN = {"log": math.nextafter(0.0, 1.0), "log1p": math.nextafter(-1.0, 0.0), "sqrt": 0.0}
"""Least value that a transform takes; the others take all."""


@dataclass(frozen=True, slots=True)
class Factor:
    """One variable as a term uses it.

    Attributes:
        text: as it was written, and as it is called in names of coefficients.
        variable: column of the contract.
        transform: of a number; empty for none.
        categorical: whether to read it as a category even where the contract says number.
        reference: reference level, None for the first that has rows.
    """

    text: str
    variable: str
    transform: Transform = ""
    categorical: bool = False
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """A product of factors, in order; the intercept is no term."""

    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A formula, read; or a list of features, put as one.

    Attributes:
        outcome: column on the left side; None where there is none.
        terms: in order.
        intercept: whether there is one.
        grouped: whether columns come in patsy's order, categories first; features keep theirs.
    """

    outcome: str | None
    terms: tuple[Term, ...]
    intercept: bool
    grouped: bool = True

    @property
    def variables(self) -> list[str]:
        """Columns of the right side, each once, in order."""
        return list(dict.fromkeys(factor.variable for term in self.terms for factor in term.factors))


def transformed(values: NDArray[np.float64], transform: Transform) -> NDArray[np.float64]:
    """Apply a transform to values of its domain, missing as NaN."""
    match transform:
        case "log":
            out = np.log(values)
        case "log1p":
            out = np.log1p(values)
        case "sqrt":
            out = np.sqrt(values)
        case "square":
            out = values * values
        case "cube":
            out = values * values * values
        case _:
            out = values
    return np.asarray(out, dtype=np.float64)


def span(low: float, high: float, factor: Factor) -> tuple[float, float]:
    """Return the range of a factor from that of its variable, a little wider where logarithms round.

    Raises:
        InputError: the range reaches past what the transform takes.
    """
    if low < _DOMAIN.get(factor.transform, -math.inf):
        raise InputError("model.transform-domain", f"{factor.text} is not defined over the contract's whole range",
                         got=f"{factor.variable!r} from {low:g}", expected="a minimum inside the transform's domain",
                         hint="use log1p, or narrow the range in the contract")
    if factor.transform == "square":
        return (0.0 if low <= 0.0 <= high else min(low * low, high * high)), max(low * low, high * high)
    ends = transformed(np.array([low, high]), factor.transform).tolist()
    slack = 0.0 if factor.transform in ("", "sqrt", "cube") else 2.0**-40 * max(abs(end) for end in ends)
    # Rounded outwards to a grid: a bound must not hang on a logarithm's last bit.
    return (ends[0], ends[1]) if not slack else (_down(ends[0] - slack), -_down(-ends[1] - slack))


def _down(value: float) -> float:
    return math.floor(value * 2.0**30) / 2.0**30
