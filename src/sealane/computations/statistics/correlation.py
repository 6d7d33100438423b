"""``statistics.correlation``: Pearson's and Spearman's correlation of every pair of numbers, over rows that know both.

Pearson: sums of products about agreed means. Spearman: Pearson's over ranks on a public grid that is finer where rows
crowd (integers that fit it by themselves), rows of one cell sharing their mean rank. Ranks follow from opened
histograms over the rows of each pair, so the result is exactly Spearman's of the gridded values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sealane.computations.base import Cohort, Dataset, Parameters, Payload, count, real
from sealane.computations.columns import MAXIMUM_ROWS, floats, limits
from sealane.computations.disclosure import Rule
from sealane.computations.promise import Name
from sealane.computations.statistics.correlation_result import CorrelationResult, Undefined
from sealane.computations.statistics.grid import MOST_COUNTS, Grid, follow_ranks, mid_ranks, rank_grid
from sealane.computations.statistics.moments import NARROW, SLACK, Sample, moments
from sealane.computations.statistics.rounding import Digits, to_digits
from sealane.computations.suppression import BESIDE, SMALL
from sealane.errors import InputError, RefusedError
from sealane.governance import contract as governed

Pair = tuple[int, int]
Values = NDArray[np.float64]
Found = dict[Pair, float | Undefined]
"""Correlations, or why there is none."""


class CorrelationParameters(Parameters):
    """Parameters of ``statistics.correlation``.

    Attributes:
        columns: 2 to 200 numbers, integers or booleans, which are read as 0 and 1.
        method: ``pearson`` or ``spearman``.
        cells: of the first grid on which ranks are taken; those that hold many rows are divided.
        digits: significant digits to which shown correlations are rounded.
    """

    columns: Annotated[tuple[Name, ...], Field(min_length=2, max_length=200)]
    method: Literal["pearson", "spearman"] = "pearson"
    cells: Annotated[int, Field(ge=2, le=10_000)] = 1000
    digits: Digits = None

    @model_validator(mode="after")
    def _distinct(self) -> CorrelationParameters:
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("columns are distinct")
        return self


class Correlation:
    """A matrix of correlations."""

    outputs = ("statistics",)
    individual_level = False
    opens = "the histograms of each pair, or their moments and cross-products"

    @property
    def name(self) -> str:
        """Return ``statistics.correlation``."""
        return "statistics.correlation"

    @property
    def parameters(self) -> type[CorrelationParameters]:
        """Return the model of its parameters."""
        return CorrelationParameters

    def columns(self, params: CorrelationParameters) -> list[str]:
        """Return the columns correlated."""
        return list(params.columns)

    async def run(self, data: Dataset, cohort: Cohort, params: CorrelationParameters) -> Payload:
        """Correlate.

        Raises:
            InputError: a column that is no number or without a range, rows outside the contract, or histograms that
                are too many.
            RefusedError: fewer rows than the minimum count.
        """
        frame = data.frame(list(params.columns))
        fields = [_number(data.contract.field(name)) for name in params.columns]
        columns = [floats(frame[field.name], field) for field in fields]
        pairs = list(combinations(range(len(columns)), 2))
        grids = [rank_grid(field, params.cells) for field in fields]
        entries = sum(grids[i].cells + grids[j].cells for i, j in pairs)
        if params.method == "spearman" and entries > MOST_COUNTS:
            raise InputError("correlation.too-many-cells", "ranks of so many pairs take too many counts", got=entries,
                             expected=f"at most {MOST_COUNTS}", hint="fewer columns or cells")
        joint = {(i, j): _both(columns[i], columns[j]) for i, j in pairs}
        both = np.array([len(x) for x, _ in joint.values()], dtype=np.int64)
        highest = np.array([[_highest(part, fields[k]) for k, part in zip(pair, parts, strict=True)]
                            for pair, parts in joint.items()], dtype=np.int64)
        total = await cohort.sum({"rows": count([len(frame)], MAXIMUM_ROWS), "both": count(both, MAXIMUM_ROWS),
                                  "institutions": count(both > 0, 1), "highest": count(highest, MAXIMUM_ROWS)})
        rows, numbers = int(total["rows"][0]), total["both"].tolist()
        if rows < cohort.minimum_count:
            raise RefusedError("correlation.too-few-rows", "too few rows to correlate",
                               got=f"under {cohort.minimum_count}", expected=f"at least {cohort.minimum_count}")
        rules = [_rule(cohort, number, institutions,
                       [top for k, top in zip(pair, tops, strict=True) if _two(fields[k])])
                 for pair, number, institutions, tops in zip(pairs, numbers, total["institutions"].tolist(),
                                                             total["highest"].tolist(), strict=True)]
        wanted = {pair: number for pair, number, rule in zip(pairs, numbers, rules, strict=True) if rule is None}
        if params.method == "pearson":
            found = await _pearson(cohort, joint, [limits(field) for field in fields], wanted)
        else:
            found = await _spearman(cohort, joint, grids, wanted)
        return {"computation": self.name, "columns": list(params.columns), "method": params.method,
                "minimum_count": cohort.minimum_count, "institutions": cohort.size, "digits": params.digits,
                "grid": {name: grid.width for name, grid in zip(params.columns, grids, strict=True)}
                if params.method == "spearman" else None,
                "pairs": [_pair(pair, number, rule, rows, found.get(pair), cohort.minimum_count, params.digits)
                          | {"institutions": None if rule else have} for pair, number, rule, have in
                          zip(pairs, numbers, rules, total["institutions"].tolist(), strict=True)]}

    def present(self, payload: Payload) -> CorrelationResult:
        """Return the correlations as matrices."""
        return CorrelationResult(payload)


def _number(field: governed.Field) -> governed.Field:
    if field.type not in ("number", "integer", "boolean"):
        raise InputError("statistics.not-a-number", f"column {field.name!r} is no number", got=field.type,
                         expected="number, integer or boolean")
    return field


def _two(field: governed.Field) -> bool:
    """Return whether a column has two values only, so that a correlation is about the rows of each."""
    return field.type == "boolean" or (field.type == "integer" and limits(field)[1] - limits(field)[0] == 1.0)


def _highest(values: Values, field: governed.Field) -> int:
    return int((values == limits(field)[1]).sum()) if _two(field) else 0


def _rule(cohort: Cohort, number: int, institutions: int, tops: list[int]) -> Rule | None:
    """Return the rule that hides a pair.

    Args:
        cohort: of the run.
        number: rows that know both.
        institutions: how many have such rows.
        tops: rows with the higher value of each column that has two.
    """
    least = max(cohort.minimum_count, 3)
    if number < least or any(0 < rows < least for top in tops for rows in (top, number - top)):
        return SMALL
    return "minimum-cohort" if institutions < (1 if cohort.exposed else cohort.smallest) else None


async def _pearson(
    cohort: Cohort, joint: dict[Pair, tuple[Values, Values]], ranges: Sequence[tuple[float, float]],
    wanted: dict[Pair, int],
) -> Found:
    """Return the correlation of each pair.

    A column of which the sum of squares is almost nothing beside its range is taken again in a range that its moments
    give.
    """
    scales = {pair: [((low + high) / 2, max((high - low) / 2, 2.0**-500)) for low, high in (ranges[k] for k in pair)]
              for pair in wanted}
    flat = {pair for pair in wanted if any(ranges[k][0] == ranges[k][1] for k in pair)}
    products = await _products(cohort, joint, scales, {pair: wanted[pair] for pair in wanted if pair not in flat})
    lost = [(pair, side) for pair, sums in products.items() for side in (0, 1)
            if sums[side] < NARROW * wanted[pair]]
    known = await moments(cohort, [Sample(joint[pair][side], wanted[pair], *ranges[pair[side]]) for pair, side in lost])
    for (pair, side), one in zip(lost, known, strict=True):
        if one.deviation:
            scales[pair][side] = one.mean, 2.0 * one.deviation * math.sqrt(one.rows)  # no value is further away
        else:
            flat.add(pair)
    again = {pair: wanted[pair] for pair, _ in lost if pair not in flat}
    products |= await _products(cohort, joint, scales, again)
    return {pair: "nothing-varies" if pair in flat else _quotient(*products[pair]) for pair in wanted}


async def _products(
    cohort: Cohort, joint: dict[Pair, tuple[Values, Values]], scales: dict[Pair, list[tuple[float, float]]],
    wanted: dict[Pair, int],
) -> dict[Pair, tuple[float, float, float]]:
    """Return the sums of squares of both columns of each pair and of their products, about the means of its rows.

    Each column is in units of its scale, middle and half of a range.
    """
    if not wanted:
        return {}
    rows = np.array(list(wanted.values()), dtype=np.float64)
    bound = float(rows.max()) * SLACK
    units = [[(part - middle) / half for part, (middle, half) in zip(joint[pair], scales[pair], strict=True)]
             for pair in wanted]
    sums = (await cohort.sum({"sums": real([[x.sum(), y.sum()] for x, y in units], bound)}))["sums"]
    means = await cohort.agree(sums / rows[:, None])
    products = [[float(((x - a) ** 2).sum()), float(((y - b) ** 2).sum()), float(((x - a) * (y - b)).sum())]
                for (x, y), (a, b) in zip(units, means.tolist(), strict=True)]
    finer = 2.0 ** (67 - math.frexp(4.0 * bound * cohort.size)[1])
    opened = (await cohort.sum({"products": real(np.array(products) * finer, finer * 4.0 * bound)}))["products"] / finer
    return {pair: (xx, yy, xy) for pair, (xx, yy, xy) in zip(wanted, opened.tolist(), strict=True)}


def _quotient(x: float, y: float, product: float) -> float:
    return min(max(product / (math.sqrt(x) * math.sqrt(y)), -1.0), 1.0)


def _both(x: Values, y: Values) -> tuple[Values, Values]:
    kept = ~np.isnan(x) & ~np.isnan(y)
    return x[kept], y[kept]


async def _spearman(
    cohort: Cohort, joint: dict[Pair, tuple[Values, Values]], grids: list[Grid], wanted: dict[Pair, int]
) -> Found:
    """Return the correlation of ranks: histograms of each pair's rows, then the sum of products of doubled ranks."""
    if not wanted:
        return {}
    ranked = {pair: [grids[k].anew() for k in pair] for pair in wanted}
    await follow_ranks(cohort, [grid for both in ranked.values() for grid in both],
                       [part for pair in wanted for part in joint[pair]],
                       [rows for rows in wanted.values() for _ in range(2)])
    # Ranks from their middle, as parts of the number of rows: between -1 and 1.
    centred = {pair: [(mid_ranks(grid.counts) - (wanted[pair] + 1)) / wanted[pair] for grid in both]
               for pair, both in ranked.items()}
    products = [float(np.prod([ranks[grid.places(part)] for ranks, grid, part in
                               zip(centred[pair], both, joint[pair], strict=True)], axis=0).sum())
                for pair, both in ranked.items()]
    most = float(max(wanted.values())) * SLACK
    found = (await cohort.sum({"products": real(products, most)}))["products"].tolist()
    out: Found = {}
    for (pair, both), product in zip(ranked.items(), found, strict=True):
        spread = [math.fsum((grid.counts * ranks**2).tolist()) for grid, ranks in zip(both, centred[pair], strict=True)]
        if min(spread) > 0.0:
            out[pair] = _quotient(spread[0], spread[1], product)
        else:
            out[pair] = ("nothing-varies" if any(_one_value(grid) for grid, within in zip(both, spread, strict=True)
                                                 if within <= 0.0) else "range-too-wide")
    return out


def _one_value(grid: Grid) -> bool:
    """Return whether the cell that holds most rows has room for one value only."""
    place = int(grid.counts.argmax())
    top = min(float(grid.tops[place]), grid.high)
    below = float(grid.tops[place - 1]) if place else math.nextafter(grid.low, -math.inf)
    return math.nextafter(below, math.inf) >= top or (grid.whole and math.floor(top) - math.floor(below) <= 1)


def _pair(
    pair: Pair, number: int, rule: Rule | None, rows: int, found: float | Undefined | None, minimum: int,
    digits: int | None,
) -> dict[str, Any]:
    """Return a pair's payload; its number of rows is hidden where it or the number of others is small.

    A rule is that which hides a pair, or why a pair that may be shown has no correlation.
    """
    others = rows - number
    hidden: Rule | None = SMALL if 0 < number < minimum else BESIDE if 0 < others < minimum else None
    return {"pair": list(pair), "rows": None if hidden else number, "rows_rule": hidden,
            "rule": found if isinstance(found, str) else rule,
            "r": to_digits(found, digits) if isinstance(found, float) else None}
