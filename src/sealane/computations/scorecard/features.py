"""The features of a card: what the contract says of them, a node's own values, and the fine bins they fall into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.base import Cohort
from sealane.computations.columns import codes, floats, limits
from sealane.computations.design.variables import levels_of
from sealane.computations.scorecard.parameters import ScorecardParameters
from sealane.computations.statistics.moments import Sample
from sealane.computations.statistics.quantile_search import quantiles
from sealane.errors import InputError
from sealane.governance import contract as governed


@dataclass(frozen=True, slots=True)
class Feature:
    """A column that may come into a card; ``levels`` are those of a category, none of a number."""

    field: governed.Field
    levels: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.field.name

    def read(self, series: pd.Series[Any]) -> NDArray[np.float64]:
        """Return a node's own values, places of levels for a category, missing as NaN.

        Raises:
            InputError: the rows break the contract.
        """
        if not self.levels:
            return floats(series, self.field)
        found = codes(series, self.levels, self.name)
        return np.where(found < 0, np.nan, found.astype(np.float64))


def read_features(contract: governed.Contract, params: ScorecardParameters) -> list[Feature]:
    """Look the features up in the contract.

    Raises:
        InputError: a column that does not exist or cannot be a feature, or edges of a category.
    """
    out = []
    for name in params.features:
        field = contract.field(name)
        if field.type in ("date", "text"):
            raise InputError("model.feature-type", f"column {name!r} cannot be a feature", got=field.type,
                             expected="number, integer, boolean or category",
                             hint="derive a number or a category from it when the dataset is added")
        levels = levels_of(field) if field.type in ("category", "boolean") or name in params.categorical else ()
        if levels and name in params.edges:
            raise InputError("scorecard.edges-of-levels", f"column {name!r} has levels, and no edges", got=field.type,
                             expected="edges of numbers only")
        if not levels:
            limits(field)
        out.append(Feature(field, levels))
    return out


async def fine_edges(
    cohort: Cohort, features: list[Feature], values: list[NDArray[np.float64]], known: list[int],
    params: ScorecardParameters,
) -> list[tuple[float, ...]]:
    """Return the edges between fine bins of each feature, none of a category: given ones, or quantiles by search.

    Args:
        cohort: of the run.
        features: of the card.
        values: of own rows, by feature. Private.
        known: rows over the cohort in which each feature is known.
        params: of the study.
    """
    parts = params.bins if params.binning == "quantile" else params.fine_bins
    searched = [k for k, one in enumerate(features) if not one.levels and one.name not in params.edges and known[k]]
    samples = [Sample(values[k][~np.isnan(values[k])], known[k], *limits(features[k].field)) for k in searched]
    found = await quantile_edges(cohort, samples, [features[k].field.type == "integer" for k in searched], parts,
                                 params.resolution)
    out = [params.edges.get(one.name, ()) for one in features]
    for k, edges in zip(searched, found, strict=True):
        out[k] = edges
    return out


async def quantile_edges(
    cohort: Cohort, samples: Sequence[Sample], whole: Sequence[bool], parts: int, resolution: float | None
) -> list[tuple[float, ...]]:
    """Return by sample the edges that part it into so many equal parts, fewer where values are tied or few.

    An edge is the upper end of what the search leaves, so that a value on which a quantile falls lies under it.

    Args:
        cohort: of the run.
        samples: of the numbers.
        whole: whether each holds integers alone.
        parts: how many.
        resolution: width at which the search ends, as a part of the range; None: it follows the values.
    """
    if not samples:
        return []
    found = await quantiles(cohort, samples, whole, [part / parts for part in range(1, parts)], resolution)
    out = []
    for sample, ends in zip(samples, found, strict=True):
        edges = [end.value + (end.error or 0.0) for end in ends if end.value is not None]
        distinct = edges[:1] + [later for before, later in pairwise(edges) if later > before]
        out.append(tuple(edge for edge in distinct if edge < sample.high))  # the last value has nothing above it
    return out


def fine_places(feature: Feature, values: NDArray[np.float64], edges: tuple[float, ...]) -> NDArray[np.int64]:
    """Return each row's fine bin, shape ``(n_rows,)``; missing is one beyond the last. Private."""
    missing = np.isnan(values)
    if feature.levels:
        return np.where(missing, len(feature.levels), np.where(missing, 0.0, values)).astype(np.int64)
    return np.where(missing, len(edges) + 1, np.searchsorted(edges, values, side="left")).astype(np.int64)


def number_of_fine(feature: Feature, edges: tuple[float, ...]) -> int:
    """Return how many fine bins there are, missing left out."""
    return len(feature.levels) or len(edges) + 1
