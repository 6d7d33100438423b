"""``statistics.private_table``: counts of the levels of one or two columns, with noise that hides each row or person.

Every node adds its share of discrete Gaussian noise to its own counts before they are encrypted, so nobody ever holds
exact ones: not the coordinator, not the other nodes, not the recipients. The one sum is all there is; what follows
from it (standard error, cells that are hidden) costs nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sealane.computations.base import Cohort, Dataset, Payload, count
from sealane.computations.columns import MAXIMUM_ROWS, codes, floats
from sealane.computations.promise import (
    Name,
    PromisedParameters,
    bounded,
    check_unit,
    noise_of,
    price_of_sum,
    promise_of,
    standard_error,
    told,
    with_unit,
)
from sealane.errors import InputError
from sealane.governance import contract as governed
from sealane.privacy.mechanism import Price

MISSING = "missing"
MAXIMUM_CELLS = 100_000
Edges = Annotated[tuple[float, ...], Field(min_length=1, max_length=1000)]


class PrivateTableParameters(PromisedParameters):
    """Parameters of ``statistics.private_table``; its promise must be given.

    Attributes:
        columns: one or two; categories, booleans, and numbers with ``bins``.
        bins: for each number the edges between its bins, ascending; values at an edge belong to the bin above it.
    """

    columns: Annotated[tuple[Name, ...], Field(min_length=1, max_length=2)]
    bins: dict[Name, Edges] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _coherent(self) -> PrivateTableParameters:
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("columns are distinct")
        for name, edges in self.bins.items():
            if name not in self.columns:
                raise ValueError("bins are those of a column of the table")
            if not all(math.isfinite(edge) for edge in edges) or any(a >= b for a, b in pairwise(edges)):
                raise ValueError("edges of bins are finite and ascend")
        if not self.promised:
            raise ValueError("a private table needs epsilon and delta")
        return self


class PrivateTable:
    """A table of counts under differential privacy."""

    individual_level = False

    @property
    def name(self) -> str:
        """Return ``statistics.private_table``."""
        return "statistics.private_table"

    @property
    def parameters(self) -> type[PrivateTableParameters]:
        """Return the model of its parameters."""
        return PrivateTableParameters

    def columns(self, params: PrivateTableParameters) -> list[str]:
        """Return the columns of the table, and the unit's."""
        return with_unit(params.columns, params)

    def price(self, params: PrivateTableParameters, contract: governed.Contract, honest: int) -> Price | None:
        """Return what the table costs: one noised sum. See :class:`sealane.computations.pricing.Priced`."""
        return price_of_sum(params, honest, math.prod(len(levels) for levels in _axes(params, contract)))

    async def run(self, data: Dataset, cohort: Cohort, params: PrivateTableParameters) -> Payload:
        """Count, with noise.

        Raises:
            InputError: a column that cannot be counted, too many cells, or a promise that no noise keeps.
        """
        axes = _axes(params, data.contract)
        frame = bounded(data.frame(self.columns(params)), params)
        shape = tuple(len(levels) for levels in axes)
        places = [_codes(frame[name], data.contract.field(name), params.bins.get(name)) for name in params.columns]
        cells = np.bincount(np.ravel_multi_index(places, shape), minlength=math.prod(shape))
        sigma = noise_of(params, cohort.honest, cells.size)
        assert sigma is not None  # parameters hold a promise
        opened = (await cohort.sum({"cells": count(cells, MAXIMUM_ROWS, noise=sigma)}))["cells"].tolist()
        # Comparing noised counts costs nothing. Exact ones, which the minimum is about, nobody knows.
        shown = [None if number < cohort.minimum_count else number for number in opened]
        return {"computation": self.name, "columns": list(params.columns), "levels": axes, "counts": shown,
                "promise": promise_of(params, standard_error(sigma, cohort.honest, cohort.size)),
                "minimum_count": cohort.minimum_count, "hidden": shown.count(None)}

    def present(self, payload: Payload) -> PrivateTableResult:
        """Return the counts as a table."""
        return PrivateTableResult(payload)


class PrivateTableResult:
    """Counts with noise.

    Attributes:
        counts: a Series by level, or a DataFrame of two columns' levels; hidden cells are NaN.
        standard_error: of each count: the deviation of the noise in it.
        epsilon: what was promised, as text, and so is ``delta``.
        delta: see there.
        unit: whose presence is hidden.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        promise = payload["promise"]
        self.standard_error: float = promise["standard_error"]
        self.epsilon: str = promise["epsilon"]
        self.delta: str = promise["delta"]
        self.unit: str = promise["unit"]
        names, axes = payload["columns"], payload["levels"]
        cells = np.array([math.nan if one is None else one for one in payload["counts"]], dtype=np.float64)
        rows = pd.Index(axes[0], name=names[0])
        self.counts: pd.Series[Any] | pd.DataFrame = (
            pd.Series(cells, index=rows, name="count") if len(axes) == 1 else
            pd.DataFrame(cells.reshape(len(axes[0]), -1), index=rows, columns=pd.Index(axes[1], name=names[1])))
        self.trace: Any = None

    def summary(self) -> str:
        """Return the table in plain text."""
        under = f"under {self._payload['minimum_count']} with its noise"
        return "\n\n".join([
            self.counts.to_string(na_rep="hidden", float_format=lambda value: f"{value:.0f}"),
            f"{told(self._payload['promise'])}; hidden: {under}"])

    def to_dict(self) -> dict[str, Any]:
        """Return the payload."""
        return dict(self._payload)

    def __repr__(self) -> str:
        return self.summary()


def _axes(params: PrivateTableParameters, contract: governed.Contract) -> list[list[str]]:
    """Return the levels of each column, missing last: from the contract and the study, never from rows."""
    axes = []
    check_unit(params, contract, params.columns)
    for name in params.columns:
        field = contract.field(name)
        edges = params.bins.get(name)
        if (field.type in ("number", "integer")) != (edges is not None) or field.type in ("date", "text"):
            raise InputError("private-table.column-type", f"column {name!r} cannot be counted like this",
                             got=f"a {field.type} {'without' if edges is None else 'with'} bins",
                             expected="a category or boolean, or a number with bins")
        levels = (_bins(edges) if edges is not None else
                  list(field.allowed) if field.type == "category" else ["0", "1"])
        axes.append([*levels, MISSING])
    cells = math.prod(len(levels) for levels in axes)
    if cells > MAXIMUM_CELLS:
        raise InputError("private-table.too-many-cells", "the table has too many cells", got=cells,
                         expected=f"at most {MAXIMUM_CELLS}")
    return axes


def _bins(edges: tuple[float, ...]) -> list[str]:
    within = [f"{low:.12g} to {high:.12g}" for low, high in pairwise(edges)]
    return [f"under {edges[0]:.12g}", *within, f"{edges[-1]:.12g} and more"]


def _codes(series: pd.Series[Any], field: governed.Field, edges: tuple[float, ...] | None) -> NDArray[np.int64]:
    """Return each row's place on its axis, shape ``(n_rows,)``; missing is the last."""
    if edges is not None:
        values = floats(series, field)
        found = np.searchsorted(np.array(edges), values, side="right").astype(np.int64)
        return np.where(np.isnan(values), len(edges) + 1, found)
    levels = field.allowed if field.type == "category" else ("0", "1")
    found = codes(series, levels, field.name)
    return np.where(found < 0, len(levels), found)
