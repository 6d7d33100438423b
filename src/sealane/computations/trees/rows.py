"""What the contract says of outcome, weight and features, and a node's own rows read by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Dataset
from sealane.computations.columns import codes, floats, limits
from sealane.computations.design.variables import levels_of
from sealane.computations.trees.parameters import GbdtParameters, Objective
from sealane.errors import InputError
from sealane.governance.contract import Contract, Field

MOST_CLASSES = 50
MOST_LEAVES = 100_000
"""Of all trees: the model file then stays under 16 MB, which a node's sandbox lets through."""
LARGEST = 1e36
"""Of outcomes and weights: sums of a few of their gradients then still fit single precision."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature: numeric with a public range, or a category with public ``levels``.

    In the model file a level is its place among a category's levels, and a number's level is the number itself: the
    place plus ``zero``.
    """

    field: Field
    low: float = 0.0
    high: float = 0.0
    levels: tuple[str, ...] = ()
    zero: int = 0

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.field.name


@dataclass(frozen=True, slots=True)
class Target:
    """The outcome and how it is explained; ``classes`` of a category, the second of two being the event."""

    field: Field
    objective: Objective
    low: float
    high: float
    classes: tuple[str, ...] = ()

    @property
    def scores(self) -> int:
        """How many scores a row has: one tree for each in a round."""
        return len(self.classes) if self.objective == "multiclass" else 1


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything public before any row is looked at."""

    target: Target
    features: tuple[Feature, ...]
    weight: Field | None
    heaviest: float


@dataclass(frozen=True, slots=True)
class Own:
    """A node's own rows: private.

    Attributes:
        features: by name; numbers with NaN, or places of levels with -1, where missing.
        outcome: numbers or places of classes, shape ``(n_rows,)``; NaN where missing.
        weight: shape ``(n_rows,)``.
    """

    features: dict[str, NDArray[np.generic]]
    outcome: Array
    weight: Array

    def missing(self, name: str) -> NDArray[np.bool_]:
        """Return where a feature is missing."""
        values = self.features[name]
        numbers = values.astype(np.float64, copy=False)
        return np.isnan(numbers) if values.dtype.kind == "f" else numbers < 0


def read_asked(contract: Contract, params: GbdtParameters) -> Asked:
    """Look the columns up in the contract.

    Raises:
        InputError: a column that does not exist or cannot play its part.
    """
    features = tuple(_feature(contract.field(name), name in params.categorical) for name in params.features)
    for feature in features:
        if feature.levels and params.params.monotone_constraints.get(feature.name):
            raise InputError("trees.monotone-category", f"{feature.name!r} is a category and has no direction",
                             hint="leave it out of monotone_constraints")
    weight, heaviest = None, 1.0
    if params.weight is not None:
        weight = contract.field(params.weight)
        if weight.type not in ("number", "integer", "boolean") or limits(weight)[0] < 0 or limits(weight)[1] <= 0:
            raise InputError("trees.weight-type", f"column {weight.name!r} cannot be a weight", got=weight.type,
                             expected="a numeric field whose minimum is 0 or more")
        heaviest = limits(weight)[1]
    target = _target(contract.field(params.outcome), params)
    largest = heaviest * max(1.0, abs(target.low), abs(target.high))
    if largest > LARGEST:
        wide = weight if weight is not None and heaviest > largest / heaviest else target.field
        raise InputError("trees.range-too-wide", f"column {wide.name!r} may hold numbers that LightGBM cannot: it has "
                         "single precision", got=f"{limits(wide)[0]:g} to {limits(wide)[1]:g}",
                         expected=f"at most {LARGEST:g} by contract, times the largest weight",
                         hint=f"narrow the range of {wide.name!r} in the data contract, or derive it in a larger unit")
    leaves = params.rounds * target.scores * params.params.num_leaves
    if leaves > MOST_LEAVES:
        raise InputError("trees.too-large", "so many trees of so many leaves make too large a model", got=leaves,
                         expected=f"at most {MOST_LEAVES} leaves", hint="ask for fewer rounds or leaves")
    return Asked(target, features, weight, heaviest)


def read_own(data: Dataset, asked: Asked) -> Own:
    """Read a node's rows, a column at a time: a frame of all of them would lie beside the arrays made of it.

    Raises:
        InputError: the rows break the contract, or an outcome is no legal value of the objective.
    """
    features: dict[str, NDArray[np.generic]] = {}
    for one in asked.features:
        series = data.frame([one.name])[one.name]
        features[one.name] = (codes(series, one.levels, one.name).astype(np.int32) if one.levels
                              else floats(series, one.field))
    target = asked.target
    series = data.frame([target.field.name])[target.field.name]
    if target.classes:
        places = codes(series, target.classes, target.field.name)
        outcome = np.where(places < 0, np.nan, places.astype(np.float64))
    else:
        outcome = floats(series, target.field)
    if target.objective == "binary" and bool((~np.isnan(outcome) & (outcome != 0) & (outcome != 1)).any()):
        raise InputError("trees.outcome-values", f"column {target.field.name!r} holds values other than 0 and 1",
                         expected="0 or 1")
    weight = np.ones(len(outcome))
    if asked.weight is not None:
        weight = floats(data.frame([asked.weight.name])[asked.weight.name], asked.weight)
    return Own(features, outcome, weight)


def _feature(field: Field, categorical: bool) -> Feature:
    if field.type in ("date", "text"):
        raise InputError("trees.feature-type", f"column {field.name!r} cannot be a feature", got=field.type,
                         expected="number, integer, boolean or category",
                         hint="derive a number or a category from it when the dataset is added")
    if field.type == "category" or categorical:
        zero = 0 if field.type == "category" else int(limits(field)[0])
        if zero < 0:
            raise InputError("trees.negative-category", f"{field.name!r} cannot be read as a category",
                             got="a range under 0", expected="a minimum of 0 or more",
                             hint="LightGBM takes no negative number for a category")
        return Feature(field, levels=levels_of(field), zero=zero)
    low, high = limits(field)
    return Feature(field, low, high)


def _target(field: Field, params: GbdtParameters) -> Target:
    objective = params.params.objective or _fitting(field)
    if field.type == "category" and objective in ("binary", "multiclass"):
        classes = field.allowed
        if len(classes) < 2 or len(classes) > (2 if objective == "binary" else MOST_CLASSES):
            raise _wrong(field, objective, "two levels" if objective == "binary" else f"2 to {MOST_CLASSES} levels")
        return Target(field, objective, 0.0, float(len(classes) - 1), classes)
    if objective == "multiclass" or field.type not in ("number", "integer", "boolean"):
        raise _wrong(field, objective, "a category" if objective == "multiclass" else "a numeric field")
    low, high = limits(field)
    if objective == "binary" and (low, high) != (0.0, 1.0):
        raise _wrong(field, objective, "a boolean, numbers 0 and 1, or a category of two levels")
    if objective == "poisson" and low < 0:
        raise _wrong(field, objective, "a field whose minimum is 0 or more")
    return Target(field, objective, low, high)


def _fitting(field: Field) -> Objective:
    if field.type == "category":
        return "binary" if len(field.allowed) == 2 else "multiclass"
    return "binary" if field.type == "boolean" else "regression"


def _wrong(field: Field, objective: str, expected: str) -> InputError:
    return InputError("trees.outcome-type", f"column {field.name!r} cannot be the outcome of objective {objective}",
                      got=field.type, expected=expected)
