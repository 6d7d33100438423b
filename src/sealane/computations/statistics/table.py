"""``statistics.table``: counts of the levels of one or two columns, exact with small cells hidden, or with noise.

With a promise (epsilon and delta) every node adds its share of discrete Gaussian noise to its own counts before they
are encrypted, so nobody ever holds exact ones: not the coordinator, not the other nodes, not the recipients. The one
sum is all there is; what follows from it (standard error, cells that are hidden) costs nothing more.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sealane.computations.base import Cohort, Dataset, Payload, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.disclosure import hidden_under
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
from sealane.computations.statistics.axes import MISSING, Edges, check_edges, levels_of, places_on
from sealane.computations.statistics.rounding import Base, to_base
from sealane.computations.statistics.table_result import TableResult
from sealane.computations.suppression import SMALL, line, without_gaps
from sealane.computations.suppression_tables import Hidden, table_reasons
from sealane.errors import InputError, RefusedError
from sealane.governance import contract as governed
from sealane.privacy.mechanism import Price

MAXIMUM_CELLS = 100_000


class TableParameters(PromisedParameters):
    """Parameters of ``statistics.table``.

    Attributes:
        columns: one or two; categories, booleans, and numbers with ``bins``.
        bins: for each number the edges between its bins, ascending; values at an edge belong to the bin above it.
        missing: ``level`` counts missing values as a level of their own, ``drop`` leaves such rows out.
        round_to: base to whose multiples shown counts are rounded.
        correction: make Yates' correction where the test has one degree of freedom.
    """

    columns: Annotated[tuple[Name, ...], Field(min_length=1, max_length=2)]
    bins: dict[Name, Edges] = Field(default_factory=dict)
    missing: Literal["level", "drop"] = "level"
    round_to: Base = None
    correction: bool = True

    @model_validator(mode="after")
    def _coherent(self) -> TableParameters:
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("columns are distinct")
        for name, edges in self.bins.items():
            if name not in self.columns:
                raise ValueError("bins are those of a column of the table")
            check_edges(edges)
        return self


class Table:
    """A table of counts."""

    outputs = ("statistics",)
    individual_level = False
    opens = "all cells, small ones too; with noise only noised ones"

    @property
    def name(self) -> str:
        """Return ``statistics.table``."""
        return "statistics.table"

    @property
    def parameters(self) -> type[TableParameters]:
        """Return the model of its parameters."""
        return TableParameters

    def columns(self, params: TableParameters) -> list[str]:
        """Return the columns of the table, and the unit's."""
        return with_unit(params.columns, params)

    def price(self, params: TableParameters, contract: governed.Contract, honest: int) -> Price | None:
        """Return what the table costs with noise: one sum. See :class:`sealane.computations.pricing.Priced`."""
        return price_of_sum(params, honest, math.prod(_shape(params, contract)))

    async def run(self, data: Dataset, cohort: Cohort, params: TableParameters) -> Payload:
        """Count.

        Raises:
            InputError: a column that cannot be counted, too many cells, or a promise that no noise keeps.
            RefusedError: fewer rows than the minimum count.
        """
        shape = _shape(params, data.contract)
        frame = bounded(data.frame(self.columns(params)), params)
        axes = [levels_of(data.contract.field(name), params.bins.get(name)) for name in params.columns]
        places = [places_on(frame[name], data.contract.field(name), params.bins.get(name)) for name in params.columns]
        kept = np.ones(len(frame), dtype=np.bool_)
        if params.missing == "level":
            axes = [[*levels, MISSING] for levels in axes]
        else:
            for place, levels in zip(places, axes, strict=True):
                kept &= place < len(levels)
        cells = np.bincount(np.ravel_multi_index([place[kept] for place in places], shape),
                            minlength=math.prod(shape))
        sigma = noise_of(params, cohort.honest, cells.size)
        head = {"computation": self.name, "columns": list(params.columns), "levels": axes,
                "minimum_count": cohort.minimum_count, "rounded_to": params.round_to, "missing": params.missing,
                "correction": params.correction}
        if sigma is not None:
            opened = (await cohort.sum({"cells": count(cells, MAXIMUM_ROWS, noise=sigma)}))["cells"].reshape(shape)
            promise = promise_of(params, standard_error(sigma, cohort.honest, cohort.size))
            # Comparing noised counts costs nothing. Exact ones, which the minimum is about, nobody knows.
            under = tuple(tuple(SMALL if number < cohort.minimum_count else None for number in row)
                          for row in opened.reshape(shape[0], -1).tolist())
            return head | {"promise": promise, "rows": None, "dropped": None} | _shown(opened, under, params)
        dropped = len(frame) - int(kept.sum())
        total = await cohort.sum({"cells": count(cells, MAXIMUM_ROWS), "dropped": count([dropped], MAXIMUM_ROWS)})
        opened = total["cells"].reshape(shape)
        rows = int(opened.sum())
        if rows < cohort.minimum_count:
            raise RefusedError("table.too-few-rows", "too few rows to count", got=f"under {cohort.minimum_count}",
                               expected=f"at least {cohort.minimum_count}")
        left_out = hidden_under(int(total["dropped"][0]), cohort.minimum_count)
        head |= {"promise": None, "rows": to_base(rows, params.round_to),
                 "dropped": None if left_out is None else to_base(left_out, params.round_to)}
        if len(shape) == 1:
            found = line(opened.tolist(), cohort.minimum_count)
            if params.bins:
                found = without_gaps(opened.tolist(), found)
            rules = tuple((rule,) for rule in found)
            return head | _shown(opened, rules, params)
        hidden = table_reasons(opened, cohort.minimum_count)
        if params.bins:
            hidden = _without_gaps(opened, hidden)
        return head | _shown(opened, hidden.cells, params) | {"margins": _margins(opened, hidden, params.round_to)}

    def present(self, payload: Payload) -> TableResult:
        """Return the counts as a table."""
        return TableResult(payload)


def _without_gaps(counts: NDArray[np.int64], hidden: Hidden) -> Hidden:
    """Hide empty cells and margins as well, where any is hidden."""
    shape = counts.shape
    numbers = [*counts.ravel().tolist(), *counts.sum(axis=1).tolist(), *counts.sum(axis=0).tolist()]
    flat = without_gaps(numbers, [*(rule for row in hidden.cells for rule in row), *hidden.rows, *hidden.columns])
    cells, rows, columns = flat[:counts.size], flat[counts.size : counts.size + shape[0]], flat[-shape[1]:]
    return Hidden(tuple(tuple(cells[i * shape[1] : (i + 1) * shape[1]]) for i in range(shape[0])), tuple(rows),
                  tuple(columns))


def _shape(params: TableParameters, contract: governed.Contract) -> tuple[int, ...]:
    """Return how many levels each column has, missing included where it is one."""
    check_unit(params, contract, params.columns)
    shape = tuple(len(levels_of(contract.field(name), params.bins.get(name))) + (params.missing == "level")
                  for name in params.columns)
    if math.prod(shape) > MAXIMUM_CELLS:
        raise InputError("table.too-many-cells", "the table has too many cells", got=math.prod(shape),
                         expected=f"at most {MAXIMUM_CELLS}")
    return shape


def _shown(
    counts: NDArray[np.int64], rules: tuple[tuple[str | None, ...], ...], params: TableParameters
) -> dict[str, Any]:
    """Return the cells in reading order, None for hidden ones, and the rule of each."""
    flat = [rule for row in rules for rule in row]
    return {"counts": [None if rule else to_base(number, params.round_to)
                       for number, rule in zip(counts.ravel().tolist(), flat, strict=True)],
            "rules": flat, "hidden": sum(rule is not None for rule in flat)}


def _margins(counts: NDArray[np.int64], hidden: Hidden, base: int | None) -> list[list[int | None]]:
    return [[None if rule else to_base(number, base) for number, rule in zip(sums.tolist(), rules, strict=True)]
            for sums, rules in ((counts.sum(axis=1), hidden.rows), (counts.sum(axis=0), hidden.columns))]
