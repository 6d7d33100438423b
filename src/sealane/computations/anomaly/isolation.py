"""``anomaly.isolation``: how easily a row is told apart from all others, over institutions and without labels.

Cuts are public, masses are opened sums: each node walks its own rows down the same trees, level by level, and what is
joined is how many rows go to either side. Masses leave only in whole minimum counts, rounded down: a side of fewer rows
counts as empty, which makes what lies there as anomalous as the cut allows, and cannot be told from an empty one.
"""

from __future__ import annotations

import numpy as np

from sealane.computations.anomaly.draws import public_seed
from sealane.computations.anomaly.forest import Floats, Shape, Walk, Whole, first_level, next_level, score_of, worth
from sealane.computations.anomaly.parameters import IsolationParameters
from sealane.computations.anomaly.ranges import Ranges, find_ranges
from sealane.computations.anomaly.result import IsolationResult
from sealane.computations.base import Cohort, Dataset, Payload, count
from sealane.computations.columns import MAXIMUM_ROWS, floats, limits
from sealane.computations.disclosure import check_contributors, check_rows, hidden_under
from sealane.computations.statistics.moments import Sample
from sealane.computations.statistics.quantile_search import quantiles
from sealane.computations.suppression import SMALL
from sealane.errors import InputError
from sealane.governance import contract as governed

NUMBERS = ("number", "integer", "boolean")
FINE = 1e-6
"""Resolution of a score's quantiles; a score lies between 0 and 1."""


class Isolation:
    """An isolation forest over all institutions' rows."""

    outputs = ("model",)
    individual_level = False  # public cuts, and counts in whole minimum counts
    opens = "exact rows on either side of every cut, small numbers too, and at the points of a search for quantiles"

    @property
    def name(self) -> str:
        """Return ``anomaly.isolation``."""
        return "anomaly.isolation"

    @property
    def parameters(self) -> type[IsolationParameters]:
        """Return the model of its parameters."""
        return IsolationParameters

    def columns(self, params: IsolationParameters) -> list[str]:
        """Return the features."""
        return list(params.features)

    async def run(self, data: Dataset, cohort: Cohort, params: IsolationParameters) -> Payload:
        """Grow the forest and find the scores of its alarms.

        Raises:
            InputError: a feature that is no number or without a range, or rows outside the contract.
            RefusedError: too few rows, too few institutions with any, or features that do not vary.
        """
        fields = [_number(data.contract.field(name)) for name in params.features]
        frame = data.frame(params.features)
        columns = np.array([floats(frame[field.name], field) for field in fields]).reshape(len(fields), -1).T
        complete = ~np.isnan(columns).any(axis=1)
        values = np.ascontiguousarray(columns[complete])
        missing = {field.name: int(len(columns) > 0 and bool(np.isnan(columns[:, f]).all()))
                   for f, field in enumerate(fields)}
        head = await cohort.sum({"rows": count([len(values), int((~complete).sum())], MAXIMUM_ROWS),
                                 "institutions": count([int(len(values) > 0), *missing.values()], 1)})
        rows, dropped = head["rows"].tolist()
        check_rows(rows, cohort.minimum_count)
        contributing, *nowhere = head["institutions"].tolist()
        basis = check_contributors(contributing, cohort, dict(zip(params.features, nowhere, strict=True)))
        whole = [field.type != "number" for field in fields]
        ranges = await find_ranges(cohort, [Sample(values[:, f], rows, *limits(field)) for f, field in
                                            enumerate(fields)], whole, params.sample)
        shape = _shape(params, ranges, whole, rows, cohort.minimum_count)
        masses, lengths = await _grow(cohort, shape, values)
        return {
            "computation": self.name, "features": list(params.features), "rows": rows,
            "dropped": hidden_under(dropped, cohort.minimum_count), "minimum_count": cohort.minimum_count,
            "trees": params.trees, "sample": params.sample, "levels": params.levels, "seed": shape.seed.hex(),
            "whole": whole, "lows": ranges.lows.tolist(), "highs": ranges.highs.tolist(),
            "masses": [mass.reshape(-1).tolist() for mass in masses], "basis": basis,
            "alarms": await _alarms(cohort, score_of(shape, lengths), rows, params),
        }

    def present(self, payload: Payload) -> IsolationResult:
        """Return the forest, which scores rows."""
        return IsolationResult(payload)


async def _grow(cohort: Cohort, shape: Shape, values: Floats) -> tuple[list[Whole], Floats]:
    """Return masses by level, and the mean path length of this node's rows: one sum for each level."""
    walk, level, masses = Walk(values, shape.trees), first_level(shape), list[Whole]()
    while len(level):
        opened = (await cohort.sum({"mass": count(walk.sides(level), shape.rows)}))["mass"]
        level.mass = opened.astype(np.int64) // shape.unit
        masses.append(level.mass)
        following, children = next_level(shape, level, last=len(masses) == shape.levels)
        walk.advance(level, children, worth(shape, level))
        level = following
    return masses, walk.mean_lengths()


async def _alarms(cohort: Cohort, scores: Floats, rows: int, params: IsolationParameters) -> list[dict[str, object]]:
    """Return by share the score above which so many rows lie, hidden where they are fewer than the minimum count."""
    probabilities = [1.0 - share for share in reversed(params.alarms)]
    found = (await quantiles(cohort, [Sample(scores, rows, 0.0, 1.0)], [False], probabilities, FINE))[0]
    return [{"name": f"{share:g} of rows", "share": share, "score": one.value, "error": one.error,
             "hidden_by": SMALL if one.value is None else None}
            for share, one in zip(params.alarms, reversed(found), strict=True)]


def _shape(params: IsolationParameters, ranges: Ranges, whole: list[bool], rows: int, minimum: int) -> Shape:
    # The study's own number is not enough: who wrote it could have tried many for one that cuts where it suits.
    seed = public_seed({"seed": params.seed, "features": list(params.features), "rows": rows,
                        "ranges": [ranges.lows.tolist(), ranges.highs.tolist()]})
    return Shape(seed, ranges.lows, ranges.highs, np.array(whole), params.trees, params.levels, params.sample, rows,
                 minimum)


def _number(field: governed.Field) -> governed.Field:
    if field.type not in NUMBERS:
        raise InputError("anomaly.column-type", f"column {field.name!r} cannot be cut", got=field.type,
                         expected=" or ".join(NUMBERS), hint="derive flags or numbers from it")
    limits(field)
    return field
