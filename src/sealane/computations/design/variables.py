"""What the contract says of a model's variables, and a node's own rows read by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.columns import codes, floats, limits
from sealane.computations.design.terms import Factor, Model, Term, span
from sealane.errors import InputError
from sealane.governance.contract import Contract, Field

MAXIMUM_LEVELS = 256

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Numeric:
    """A numeric variable and its public range; ``binary`` where it takes only 0 and 1."""

    field: Field
    low: float
    high: float
    binary: bool

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.field.name


@dataclass(frozen=True, slots=True)
class Category:
    """A categorical variable and its public levels in the contract's order."""

    name: str
    levels: tuple[str, ...]
    reference: str | None


@dataclass(frozen=True, slots=True)
class Variables:
    """Everything public about the features before any row is looked at.

    Attributes:
        terms: of the model, in order.
        numeric: numeric variables by name, in order.
        categories: categorical variables by name, in order.
        grouped: whether columns come in patsy's order.
    """

    terms: tuple[Term, ...]
    numeric: dict[str, Numeric]
    categories: dict[str, Category]
    grouped: bool

    def span(self, factor: Factor) -> tuple[float, float]:
        """Return the public range of a numeric factor."""
        variable = self.numeric[factor.variable]
        return span(variable.low, variable.high, factor)

    def levels(self, factor: Factor) -> tuple[str, ...]:
        """Return the levels of a factor by which rows are counted: of a category or a 0/1 number, else none."""
        if factor.variable in self.categories:
            return self.categories[factor.variable].levels
        return ("0", "1") if self.numeric[factor.variable].binary else ()


@dataclass(frozen=True, slots=True)
class Rows:
    """A node's own rows: private. ``kept`` marks those that the model uses."""

    numeric: dict[str, Array]
    codes: dict[str, NDArray[np.int64]]
    kept: NDArray[np.bool_]

    def missing(self) -> dict[str, NDArray[np.bool_]]:
        """Return where each variable is missing, shape ``(n_rows,)``."""
        numeric = {name: np.isnan(values) for name, values in self.numeric.items()}
        return numeric | {name: values < 0 for name, values in self.codes.items()}

    def level(self, variable: str) -> NDArray[np.int64]:
        """Return the place of each row's level, of a category or a 0/1 number; -1 where missing."""
        if variable in self.codes:
            return self.codes[variable]
        values = self.numeric[variable]
        return np.where(np.isnan(values), -1, values == 1.0).astype(np.int64)


def read_variables(contract: Contract, model: Model) -> Variables:
    """Look the variables of a model up in the contract.

    Raises:
        InputError: a column that does not exist or cannot play its part, or is used as number and category at once.
    """
    numeric: dict[str, Numeric] = {}
    categories: dict[str, Category] = {}
    for factor in (factor for term in model.terms for factor in term.factors):
        field = contract.field(factor.variable)
        if field.type in ("date", "text"):
            raise InputError("model.feature-type", f"column {field.name!r} cannot be a feature", got=field.type,
                             expected="number, integer, boolean or category",
                             hint="derive a number or a category from it when the dataset is added")
        if field.type == "category" or factor.categorical:
            _add(categories, _category(field, factor), factor)
        elif factor.reference is not None:
            raise InputError("model.reference-of-number", f"{field.name!r} is a number and has no reference level",
                             got=repr(factor.reference), expected="a category",
                             hint="name it in categorical as well, to read it as one")
        else:
            low, high = limits(field)
            numeric[field.name] = Numeric(field, low, high, (low, high) == (0.0, 1.0) and field.type != "number")
    both = sorted(set(numeric) & set(categories))
    if both:
        raise InputError("model.two-readings", "a column is both a number and a category in one model", got=both[0],
                         hint="write C(column) everywhere, or nowhere")
    return Variables(model.terms, numeric, categories, model.grouped)


def read_rows(frame: pd.DataFrame, variables: Variables, missing: str) -> Rows:
    """Read a node's rows, and mark those in which all features are known that have to be.

    Args:
        frame: holds the variables' columns.
        variables: of the model.
        missing: ``drop`` or ``mean``.

    Raises:
        InputError: the rows break the contract.
    """
    numeric = {name: floats(frame[name], variable.field) for name, variable in variables.numeric.items()}
    coded = {name: codes(frame[name], category.levels, name) for name, category in variables.categories.items()}
    kept = np.ones(len(frame), dtype=np.bool_)
    for values in coded.values():
        kept &= values >= 0
    if missing == "drop":
        for column in numeric.values():
            kept &= ~np.isnan(column)
    return Rows(numeric, coded, kept)


def levels_of(field: Field) -> tuple[str, ...]:
    """Return the levels of a field that is read as a category.

    Raises:
        InputError: it has none, or too many.
    """
    if field.type == "category":
        levels = field.allowed
    elif field.type == "boolean":
        levels = ("0", "1")
    else:
        low, high = limits(field)
        if field.type != "integer" or high - low >= MAXIMUM_LEVELS:
            raise InputError("model.not-categorical", f"{field.name!r} cannot be read as a category", got=field.type,
                             expected=f"an integer field with at most {MAXIMUM_LEVELS} values")
        levels = tuple(str(value) for value in range(int(low), int(high) + 1))
    if len(levels) > MAXIMUM_LEVELS:
        raise InputError("model.too-many-levels", f"{field.name!r} has too many levels", got=len(levels),
                         expected=f"at most {MAXIMUM_LEVELS}", hint="merge levels")
    return levels


def _category(field: Field, factor: Factor) -> Category:
    levels = levels_of(field)
    if factor.reference is not None and factor.reference not in levels:
        raise InputError("model.unknown-level", f"{field.name!r} has no such level to refer to",
                         got=repr(factor.reference), expected=f"one of {', '.join(levels[:20])}")
    return Category(field.name, levels, factor.reference)


def _add(categories: dict[str, Category], found: Category, factor: Factor) -> None:
    known = categories.get(found.name, found)
    if known != found:
        raise InputError("model.two-readings", f"{found.name!r} has two reference levels in one model", got=factor.text)
    categories[found.name] = found
