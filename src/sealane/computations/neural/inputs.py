"""What goes into a network: numbers by centre and scale, categories by the place of their level. Public."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.base import Dataset
from sealane.computations.columns import codes, floats, level_names, limits
from sealane.computations.design.variables import levels_of
from sealane.computations.neural.parameters import NeuralParameters
from sealane.errors import InputError
from sealane.governance.contract import Contract, Field

T = TypeVar("T", bound=np.generic)
OTHERS = 0
"""The place of levels that are not told apart, and of a missing one; those that are told apart follow."""


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric feature, its public range, and once known where the cohort's values lie."""

    field: Field
    low: float
    high: float
    centre: float = 0.0
    scale: float = 1.0

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.field.name

    def standard(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values in standard units, a missing one at the centre."""
        return np.where(np.isnan(values), 0.0, (values - self.centre) / self.scale)


@dataclass(frozen=True, slots=True)
class Category:
    """A categorical feature; ``apart`` are the places of the levels that are told apart, once known."""

    name: str
    levels: tuple[str, ...]
    apart: tuple[int, ...] = ()

    def places(self, found: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the embedding's row for each level's place, -1 being a missing one."""
        table = np.full(len(self.levels) + 1, OTHERS, dtype=np.int64)  # the last is -1
        for number, place in enumerate(self.apart):
            table[place] = number + 1
        return table[found]


@dataclass(frozen=True, slots=True)
class Inputs:
    """All features of a model."""

    numbers: tuple[Number, ...]
    categories: tuple[Category, ...]

    @property
    def names(self) -> list[str]:
        """Names of all features, numbers first."""
        return [one.name for one in self.numbers] + [one.name for one in self.categories]

    @property
    def sizes(self) -> list[int]:
        """Rows of each category's embedding."""
        return [len(one.apart) + 1 for one in self.categories]

    def describe(self) -> list[dict[str, Any]]:
        """Return JSON-ready values from which :func:`rebuild` reads new rows."""
        numbers = [{"name": n.name, "centre": n.centre, "scale": n.scale} for n in self.numbers]
        return [*numbers, *({"name": c.name, "levels": [c.levels[place] for place in c.apart]}
                            for c in self.categories)]


class Columns(Mapping[str, NDArray[T]]):
    """Columns by name, each read whenever it is asked for: who goes through them holds one, not the table."""

    def __init__(self, readers: Mapping[str, Callable[[], NDArray[T]]]) -> None:
        self._readers = readers

    def __getitem__(self, name: str) -> NDArray[T]:
        return self._readers[name]()

    def __contains__(self, name: object) -> bool:
        return name in self._readers

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)


@dataclass(frozen=True, slots=True)
class Own:
    """A node's own features: numbers with NaN, places of levels with -1. Private."""

    numbers: Mapping[str, NDArray[np.float64]]
    codes: Mapping[str, NDArray[np.int64]]

    def missing(self, name: str) -> NDArray[np.bool_]:
        """Return where a feature is missing."""
        return np.isnan(self.numbers[name]) if name in self.numbers else self.codes[name] < 0


def read_inputs(contract: Contract, params: NeuralParameters) -> Inputs:
    """Look the features up in the contract.

    Raises:
        InputError: a column that does not exist or cannot be a feature of this module.
    """
    numbers, categories = list[Number](), list[Category]()
    for field in (contract.field(name) for name in params.features):
        if field.type in ("date", "text"):
            raise InputError("model.feature-type", f"column {field.name!r} cannot be a feature", got=field.type,
                             expected="number, integer, boolean or category",
                             hint="derive a number or a category from it when the dataset is added")
        if field.type == "category" or field.name in params.categorical:
            if not params.model.tabular:
                raise InputError("neural.category-in-series", f"{field.name!r} is a category", got=field.type,
                                 expected="numbers only, for a series or an image")
            categories.append(Category(field.name, levels_of(field)))
        else:
            numbers.append(Number(field, *limits(field)))
    return Inputs(tuple(numbers), tuple(categories))


def own_columns(data: Dataset, inputs: Inputs) -> Own:
    """Return a node's features, each of which is read and held against its contract when it is asked for.

    Asking for one raises InputError where the rows break the contract.
    """

    def number(one: Number) -> NDArray[np.float64]:
        return floats(data.frame([one.name])[one.name], one.field)

    def category(one: Category) -> NDArray[np.int64]:
        return codes(data.frame([one.name])[one.name], one.levels, one.name)

    return Own(Columns({one.name: partial(number, one) for one in inputs.numbers}),
               Columns({one.name: partial(category, one) for one in inputs.categories}))


def encode(rows: pd.DataFrame, described: Sequence[Mapping[str, Any]]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return new rows as a released model takes them: numbers ``(n, d)`` and places of levels ``(n, k)``.

    Raises:
        InputError: a feature is missing, or a number's column holds something else.
    """
    numbers, places = list[Any](), list[Any]()
    for one in described:
        name = one["name"]
        if name not in rows.columns:
            raise InputError("model.missing-column", "a feature of the model is not among the columns",
                             got=f"no {name!r}", expected="every feature of the model")
        if "levels" in one:
            known = {level: number + 1 for number, level in enumerate(one["levels"])}
            places.append(level_names(rows[name], known).map(known).fillna(OTHERS).to_numpy(np.int64))
            continue
        try:
            values = rows[name].astype(object).where(rows[name].notna(), np.nan).to_numpy().astype(np.float64)
        except (TypeError, ValueError):
            raise InputError("columns.not-numeric", f"column {name!r} holds values that are no numbers",
                             expected="numbers") from None
        numbers.append(np.where(np.isnan(values), 0.0, (values - one["centre"]) / one["scale"]))
    return (np.stack(numbers, axis=1).astype(np.float32) if numbers else np.zeros((len(rows), 0), dtype=np.float32),
            np.stack(places, axis=1) if places else np.zeros((len(rows), 0), dtype=np.int64))
