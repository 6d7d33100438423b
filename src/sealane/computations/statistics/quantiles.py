"""``statistics.quantiles``: quantiles of numbers by secure search, or from a noised histogram; no value is gathered.

Without a promise all probabilities, columns and groups are searched side by side, one opened sum for each step
(``quantile_search.py``). With one, values are counted in equal cells of the contract's range, noise is added to the
counts, and quantiles are read off their running total.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sealane.computations.base import Cohort, Dataset, Payload, count
from sealane.computations.columns import MAXIMUM_ROWS, limits
from sealane.computations.promise import (
    Name,
    PromisedParameters,
    bounded,
    check_unit,
    noise_of,
    price_of_sum,
    promise_of,
    standard_error,
    with_unit,
)
from sealane.computations.statistics.axes import known_levels
from sealane.computations.statistics.cells import Column, Groups, column_of, groups_of
from sealane.computations.statistics.closing import Cell, closed_cells, count_rows
from sealane.computations.statistics.describe_parameters import Resolution
from sealane.computations.statistics.moments import Sample
from sealane.computations.statistics.quantile_search import HIDDEN, Quantile, ascending, quantiles
from sealane.computations.statistics.quantiles_result import QuantilesResult
from sealane.computations.statistics.rounding import Digits, to_digits
from sealane.computations.suppression import SMALL
from sealane.errors import InputError, RefusedError
from sealane.governance import contract as governed
from sealane.privacy.mechanism import Price

Probabilities = Annotated[tuple[float, ...], Field(min_length=1, max_length=200)]


class QuantilesParameters(PromisedParameters):
    """Parameters of ``statistics.quantiles``.

    Attributes:
        columns: numbers.
        probabilities: of the quantiles, between 0 and 1, ascending.
        by: a category or boolean; each of its levels by itself.
        resolution: how finely to search, as a part of the contract's range; without one as the values are spread.
            Integers are found exactly.
        cells: of the noised histogram; only used with a promise.
        digits: significant digits to which shown quantiles are rounded.
    """

    columns: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)]
    probabilities: Probabilities = (0.25, 0.5, 0.75)
    by: Name | None = None
    resolution: Resolution | None = None
    cells: Annotated[int, Field(ge=2, le=10_000)] = 100
    digits: Digits = None

    @model_validator(mode="after")
    def _coherent(self) -> QuantilesParameters:
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("columns are distinct")
        if self.by in self.columns:
            raise ValueError("the column to group by is none of those searched")
        ascending(self.probabilities)
        return self

    @property
    def read(self) -> list[str]:
        """The columns, and the one to group by."""
        return [*self.columns, *([] if self.by is None else [self.by])]


class Quantiles:
    """Quantiles of numbers, each with a bound on its error."""

    outputs = ("statistics",)
    individual_level = False
    opens = "the counts at each step of the search; with noise only noised ones"

    @property
    def name(self) -> str:
        """Return ``statistics.quantiles``."""
        return "statistics.quantiles"

    @property
    def parameters(self) -> type[QuantilesParameters]:
        """Return the model of its parameters."""
        return QuantilesParameters

    def columns(self, params: QuantilesParameters) -> list[str]:
        """Return the columns searched, the one to group by, and the unit's."""
        return with_unit(params.read, params)

    def price(self, params: QuantilesParameters, contract: governed.Contract, honest: int) -> Price | None:
        """Return what noised histograms cost: one sum. See :class:`sealane.computations.pricing.Priced`."""
        check_unit(params, contract, params.read)
        groups = 1 if params.by is None else len(known_levels(contract.field(params.by)))
        return price_of_sum(params, honest, len(params.columns) * groups * params.cells, len(params.columns))

    async def run(self, data: Dataset, cohort: Cohort, params: QuantilesParameters) -> Payload:
        """Search.

        Raises:
            InputError: a column that is no number or without a range, rows outside the contract, a promise that no
                noise keeps.
            RefusedError: fewer rows than the minimum count.
        """
        check_unit(params, data.contract, params.read)
        frame = bounded(data.frame(self.columns(params)), params)
        groups = groups_of(frame, data.contract, params.by)
        columns = [number_of(column_of(frame[name], data.contract.field(name))) for name in params.columns]
        head = {"computation": self.name, "minimum_count": cohort.minimum_count, "institutions": cohort.size,
                "by": params.by,
                "groups": list(groups.levels), "probabilities": list(params.probabilities), "digits": params.digits}
        cells = [(c, g) for c in range(len(columns)) for g in range(len(groups.levels))]
        if params.promised:
            found, promise = await _noised(cohort, columns, groups, params)
            rules, institutions = dict.fromkeys(cells), None
        else:
            counts, institutions = await count_rows(cohort, columns, groups)
            if int(counts[0].sum()) < cohort.minimum_count:
                raise RefusedError("quantiles.too-few-rows", "too few rows to search",
                                   got=f"under {cohort.minimum_count}", expected=f"at least {cohort.minimum_count}")
            rules, promise = closed_cells(cohort, columns, counts, institutions), None
            wanted = [cell for cell in cells if rules[cell] is None]
            samples = [Sample(columns[c].part(groups, g), int(counts[c][0, g]), *limits(columns[c].field))
                       for c, g in wanted]
            whole = [columns[c].field.type == "integer" for c, _ in wanted]
            found = dict(zip(wanted, await quantiles(cohort, samples, whole, params.probabilities, params.resolution),
                             strict=True))
        return head | {"promise": promise, "columns": {column.field.name: {"unit": column.field.unit, "groups": {
            level: _shown(found.get((c, g)), rules[c, g], params)
            | {"institutions": institutions[c][g] if institutions and not rules[c, g] else None}
            for g, level in enumerate(groups.levels)}} for c, column in enumerate(columns)}}

    def present(self, payload: Payload) -> QuantilesResult:
        """Return the quantiles as tables."""
        return QuantilesResult(payload)


def number_of(column: Column) -> Column:
    """Return a column of numbers.

    Raises:
        InputError: ``statistics.not-a-number``: it is none.
    """
    if column.values is None:
        raise InputError("statistics.not-a-number", f"column {column.field.name!r} is no number",
                         got=column.field.type, expected="number or integer")
    return column


def _shown(found: list[Quantile] | None, rule: str | None, params: QuantilesParameters) -> dict[str, Any]:
    searched = found or [HIDDEN] * len(params.probabilities)
    return {"values": [None if one.value is None else to_digits(one.value, params.digits) for one in searched],
            "errors": [one.error for one in searched],
            "rules": [None if one.value is not None else rule or SMALL for one in searched]}


async def _noised(
    cohort: Cohort, columns: list[Column], groups: Groups, params: QuantilesParameters
) -> tuple[dict[Cell, list[Quantile]], dict[str, Any] | None]:
    """Return quantiles from histograms in one noised sum: a row is in one cell of each column."""
    number = params.cells
    local = [_histogram(column, groups, g, number) for column in columns for g in range(len(groups.levels))]
    flat = np.concatenate(local)
    sigma = noise_of(params, cohort.honest, flat.size, len(columns))
    opened = (await cohort.sum({"cells": count(flat, MAXIMUM_ROWS, noise=sigma)}))["cells"].reshape(len(local), number)
    assert sigma is not None  # whoever calls has seen a promise
    histograms = iter(opened.tolist())
    found = {(c, g): [_from_histogram(cells, *limits(column.field), probability, cohort.minimum_count)
                      for probability in params.probabilities]
             for c, column in enumerate(columns) for g in range(len(groups.levels)) for cells in [next(histograms)]}
    return found, promise_of(params, standard_error(sigma, cohort.honest, cohort.size))


def _histogram(column: Column, groups: Groups, group: int, cells: int) -> NDArray[np.int64]:
    low, high = limits(column.field)
    values = column.part(groups, group)
    places = np.minimum(np.floor((values - low) / max(high - low, 2.0**-500) * cells), cells - 1).astype(np.int64)
    return np.bincount(places, minlength=cells).astype(np.int64)


def _from_histogram(cells: list[int], low: float, high: float, probability: float, minimum: int) -> Quantile:
    """Read a quantile off noised counts; hidden where they hold fewer than the minimum count on a side of it.

    The error is the width of its cell and says nothing of the noise, which the standard error of counts measures.
    """
    total = sum(cells)
    wanted = probability * total
    if wanted < minimum or total - wanted < minimum:
        return HIDDEN
    width, running = (high - low) / len(cells), 0
    for place, number in enumerate(cells):
        if running + number >= wanted:
            part = (wanted - running) / number if number > 0 else 0.0
            return Quantile(low + width * (place + min(max(part, 0.0), 1.0)), width)
        running += number
    return Quantile(high, width)
