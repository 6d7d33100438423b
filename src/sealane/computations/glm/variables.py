"""What the contract says of outcome and features, and a node's own rows read by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Dataset
from sealane.computations.columns import codes, floats, limits
from sealane.computations.glm.parameters import GlmParameters
from sealane.errors import InputError
from sealane.governance.contract import Contract, Field

MAXIMUM_LEVELS = 256


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


@dataclass(frozen=True, slots=True)
class Variables:
    """Everything public about the columns before any row is looked at."""

    outcome: Outcome
    features: tuple[Numeric | Category, ...]

    @property
    def numeric(self) -> tuple[Numeric, ...]:
        """The numeric features in order."""
        return tuple(feature for feature in self.features if isinstance(feature, Numeric))

    @property
    def categories(self) -> tuple[Category, ...]:
        """The categorical features in order."""
        return tuple(feature for feature in self.features if isinstance(feature, Category))


@dataclass(frozen=True, slots=True)
class Rows:
    """A node's own rows: private. ``kept`` marks those that the model uses."""

    outcome: NDArray[np.float64]
    numeric: dict[str, NDArray[np.float64]]
    codes: dict[str, NDArray[np.int64]]
    kept: NDArray[np.bool_]

    def missing(self) -> dict[str, int]:
        """Return the number of missing values per feature."""
        numeric = {name: int(np.isnan(values).sum()) for name, values in self.numeric.items()}
        return numeric | {name: int((values < 0).sum()) for name, values in self.codes.items()}


def read_variables(contract: Contract, params: GlmParameters) -> Variables:
    """Look the columns up in the contract.

    Raises:
        InputError: a column that does not exist or cannot play its part.
    """
    outcome = _outcome(contract.field(params.outcome), params)
    return Variables(outcome, tuple(_feature(contract.field(name), params) for name in params.features))


def read_rows(data: Dataset, variables: Variables, missing: str) -> Rows:
    """Read a node's rows and mark those that the model uses.

    Raises:
        InputError: the rows break the contract, or an outcome is no legal value of the family.
    """
    names = [variables.outcome.name, *(feature.name for feature in variables.features)]
    frame = data.frame(names)
    outcome = variables.outcome
    if outcome.levels:
        level = codes(frame[outcome.name], outcome.levels, outcome.name)
        y = np.where(level < 0, np.nan, level.astype(np.float64))
    else:
        y = floats(frame[outcome.name], outcome.field)
    numeric = {feature.name: floats(frame[feature.name], feature.field) for feature in variables.numeric}
    coded = {feature.name: codes(frame[feature.name], feature.levels, feature.name) for feature in variables.categories}
    kept = ~np.isnan(y)
    for values in coded.values():
        kept &= values >= 0
    if missing == "drop":
        for column in numeric.values():
            kept &= ~np.isnan(column)
    return Rows(y, numeric, coded, kept)


def check_binary(values: NDArray[np.float64], name: str) -> None:
    """Raise unless every known value is 0 or 1."""
    if bool((~np.isnan(values) & (values != 0) & (values != 1)).any()):
        raise InputError("glm.outcome-values", f"column {name!r} holds values other than 0 and 1", expected="0 or 1")


def _feature(field: Field, params: GlmParameters) -> Numeric | Category:
    if field.type in ("date", "text"):
        raise InputError("glm.feature-type", f"column {field.name!r} cannot be a feature", got=field.type,
                         expected="number, integer, boolean or category",
                         hint="derive a number or a category from it when the dataset is added")
    if field.type == "category" or field.name in params.categorical:
        levels = _levels(field)
        reference = params.reference.get(field.name)
        if reference is not None and reference not in levels:
            raise InputError("glm.unknown-level", f"{field.name!r} has no such level to refer to", got=repr(reference),
                             expected=f"one of {', '.join(levels[:20])}")
        return Category(field.name, levels, reference)
    low, high = limits(field)
    return Numeric(field, low, high, field.type == "boolean")


def _levels(field: Field) -> tuple[str, ...]:
    if field.type == "category":
        levels = field.allowed
    elif field.type == "boolean":
        levels = ("0", "1")
    else:
        low, high = limits(field)
        if field.type != "integer" or high - low >= MAXIMUM_LEVELS:
            raise InputError("glm.not-categorical", f"{field.name!r} cannot be read as a category", got=field.type,
                             expected=f"an integer field with at most {MAXIMUM_LEVELS} values")
        levels = tuple(str(value) for value in range(int(low), int(high) + 1))
    if len(levels) > MAXIMUM_LEVELS:
        raise InputError("glm.too-many-levels", f"{field.name!r} has too many levels", got=len(levels),
                         expected=f"at most {MAXIMUM_LEVELS}", hint="merge levels")
    return levels


def _outcome(field: Field, params: GlmParameters) -> Outcome:
    def wrong(expected: str) -> InputError:
        return InputError("glm.outcome-type", f"column {field.name!r} cannot be the outcome of a {params.family} model",
                          got=field.type, expected=expected)

    if params.family == "binomial":
        if field.type == "category" and len(field.allowed) == 2:
            none = params.reference.get(field.name, field.allowed[0])
            if none not in field.allowed:
                raise InputError("glm.unknown-level", f"{field.name!r} has no such level to refer to", got=repr(none),
                                 expected=f"one of {', '.join(field.allowed)}")
            return Outcome(field, 0.0, 1.0, (none, *(level for level in field.allowed if level != none)))
        if field.type not in ("boolean", "integer", "number") or limits(field) != (0.0, 1.0):
            raise wrong("a boolean, numbers from 0 to 1, or a category of two levels")
        return Outcome(field, 0.0, 1.0)
    if field.type not in ("number", "integer", "boolean"):
        raise wrong("a numeric field")
    low, high = limits(field)
    if params.family == "poisson" and low < 0:
        raise wrong("a field whose minimum is 0 or more")
    return Outcome(field, low, high)
