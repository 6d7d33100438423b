"""``statistics.histogram``: rows in each bin of a number, exact with small bins hidden, or with noise.

Edges are public: the study's, or equal parts of the contract's range. Bins are closed on the left and the last one on
both sides, as numpy has them.
"""

from __future__ import annotations

from typing import Annotated

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
from sealane.computations.statistics.axes import Edges, check_edges
from sealane.computations.statistics.cells import column_of
from sealane.computations.statistics.histogram_result import HistogramResult
from sealane.computations.statistics.quantiles import number_of
from sealane.computations.statistics.rounding import Base, to_base
from sealane.computations.suppression import SMALL, line, without_gaps
from sealane.errors import InputError, RefusedError
from sealane.governance import contract as governed
from sealane.privacy.mechanism import Price


class HistogramParameters(PromisedParameters):
    """Parameters of ``statistics.histogram``.

    Attributes:
        column: a number.
        bins: how many equal parts of the contract's range; not used where ``edges`` are given.
        edges: of the bins, at least two, ascending; rows outside are counted as below and above.
        round_to: base to whose multiples shown counts are rounded.
    """

    column: Name
    bins: Annotated[int, Field(ge=1, le=10_000)] = 20
    edges: Edges | None = None
    round_to: Base = None

    @model_validator(mode="after")
    def _ascending(self) -> HistogramParameters:
        if self.edges is not None:
            check_edges(self.edges)
            if len(self.edges) < 2:
                raise ValueError("bins have at least two edges")
        return self


class Histogram:
    """A histogram of a number."""

    outputs = ("statistics",)
    individual_level = False
    opens = "all cells, small ones too; with noise only noised ones"

    @property
    def name(self) -> str:
        """Return ``statistics.histogram``."""
        return "statistics.histogram"

    @property
    def parameters(self) -> type[HistogramParameters]:
        """Return the model of its parameters."""
        return HistogramParameters

    def columns(self, params: HistogramParameters) -> list[str]:
        """Return the column, and the unit's."""
        return with_unit([params.column], params)

    def price(self, params: HistogramParameters, contract: governed.Contract, honest: int) -> Price | None:
        """Return what a histogram with noise costs: one sum. See :class:`sealane.computations.pricing.Priced`."""
        check_unit(params, contract, [params.column])
        return price_of_sum(params, honest, len(_edges(params, contract.field(params.column))) + 2)

    async def run(self, data: Dataset, cohort: Cohort, params: HistogramParameters) -> Payload:
        """Count.

        Raises:
            InputError: a column that is no number or without a range, rows outside the contract, or a promise that no
                noise keeps.
            RefusedError: fewer rows than the minimum count.
        """
        check_unit(params, data.contract, [params.column])
        frame = bounded(data.frame(self.columns(params)), params)
        column = number_of(column_of(frame[params.column], data.contract.field(params.column)))
        edges = _edges(params, column.field)
        assert column.values is not None
        local = _local(column.values, edges)
        sigma = noise_of(params, cohort.honest, local.size)
        opened = (await cohort.sum({"cells": count(local, MAXIMUM_ROWS, noise=sigma)}))["cells"].tolist()
        if sigma is None:
            if sum(opened) < cohort.minimum_count:
                raise RefusedError("histogram.too-few-rows", "too few rows to count",
                                   got=f"under {cohort.minimum_count}", expected=f"at least {cohort.minimum_count}")
            rules = line(opened, cohort.minimum_count)
            rules = [*without_gaps(opened[:-1], rules[:-1]), rules[-1]]
            promise = None
        else:
            # Comparing noised counts costs nothing. Exact ones, which the minimum is about, nobody knows.
            rules = [SMALL if number < cohort.minimum_count else None for number in opened]
            promise = promise_of(params, standard_error(sigma, cohort.honest, cohort.size))
        shown = [None if rule else to_base(number, params.round_to)
                 for number, rule in zip(opened, rules, strict=True)]
        return {"computation": self.name, "column": params.column, "unit": column.field.unit, "edges": edges.tolist(),
                "below": shown[0], "counts": shown[1:-2], "above": shown[-2], "missing": shown[-1], "rules": rules,
                "rows": None if promise else to_base(sum(opened), params.round_to), "rounded_to": params.round_to,
                "minimum_count": cohort.minimum_count, "promise": promise}

    def present(self, payload: Payload) -> HistogramResult:
        """Return the counts with their edges."""
        return HistogramResult(payload)


def _edges(params: HistogramParameters, field: governed.Field) -> NDArray[np.float64]:
    """Return the edges of the bins.

    Raises:
        InputError: ``histogram.no-range``: the contract's range is a single value.
    """
    if params.edges is not None:
        return np.array(params.edges, dtype=np.float64)
    low, high = limits(field)
    edges = np.array([low + (high - low) * (j / params.bins) for j in range(params.bins + 1)])
    if not (np.diff(edges) > 0).all():
        raise InputError("histogram.no-range", f"the contract's range of {field.name!r} has no such many parts",
                         got=f"{low:g} to {high:g}", expected=f"a range of {params.bins} parts", hint="name edges")
    return edges


def _local(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return this node's rows below the edges, in each bin, above, and missing."""
    known = values[~np.isnan(values)]
    places = np.searchsorted(edges, known, side="right")
    places[known == edges[-1]] = len(edges) - 1
    counts = np.bincount(places, minlength=len(edges) + 1).astype(np.int64)
    return np.append(counts, np.int64(len(values) - len(known)))
