"""How alike the arms are in each feature, before and after weighting: standardised mean differences.

    SMD = (mean of the treated - mean of the others) / √((variance of the treated + of the others) / 2)

with the unweighted variances below the line both before and after (p(1 - p) for a level), so that only the means move.
From such a difference the numbers of rows at a level can be worked out, so it is hidden as they would be. Products of
features have none: they would need the numbers of all their combinations.

Source: Austin (2009), Stat. Med. 28:3083-3107; Austin and Stuart (2015), Stat. Med. 34:3661-3679.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count, real
from sealane.computations.causal.propensity import Propensity
from sealane.computations.causal.support import Arms, Support
from sealane.computations.causal.weights import Weights
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.design.coding import Part
from sealane.computations.design.layout import Design
from sealane.computations.design.variables import Array, Rows, Variables
from sealane.computations.disclosure import Rule
from sealane.computations.suppression import line


@dataclass(frozen=True, slots=True)
class Compared:
    """A column of one factor, with its rows by arm where it is one of levels: opened.

    Attributes:
        place: of the column in the design.
        part: its factor.
        numbers: rows of it among the treated and among the others; None of a number.
        hidden_by: the rule that hides its differences.
    """

    place: int
    part: Part
    numbers: tuple[int, int] | None
    hidden_by: Rule | None


async def open_levels(
    cohort: Cohort, design: Design, variables: Variables, rows: Rows, arms: Arms, sizes: tuple[int, int]
) -> list[Compared]:
    """Count rows at levels by arm: one sum, before anything of the arms is weighed."""
    single = [(j, column.parts[0]) for j, column in enumerate(design.columns) if len(column.parts) == 1]
    marks = [_marks(part, variables, rows) for _, part in single]
    local = [0 if mark is None else int(mark[arm].sum()) for mark in marks for arm in arms]
    opened = iter((await cohort.sum({"levels": count(local or [0], MAXIMUM_ROWS)}))["levels"].tolist())
    pairs = [(next(opened), next(opened)) for _ in single]
    known = [pair if mark is not None else None for pair, mark in zip(pairs, marks, strict=True)]
    hidden: list[Rule | None] = [None] * len(single)
    for a, size in enumerate(sizes):
        for name in {part.factor.variable for _, part in single}:
            at = [k for k, (_, part) in enumerate(single) if part.factor.variable == name and known[k] is not None]
            numbers = [pairs[k][a] for k in at]
            # The level without a column is what the others leave; two parts of one variable do not share rows.
            for k, rule in zip(at, line([*numbers, max(size - sum(numbers), 0)], cohort.minimum_count), strict=False):
                hidden[k] = hidden[k] or rule
    return [Compared(j, part, pair, rule) for (j, part), pair, rule in zip(single, known, hidden, strict=True)]


async def open_balance(
    cohort: Cohort, propensity: Propensity, support: Support, weights: Weights, arms: Arms, x: Array,
    compared: list[Compared], sizes: tuple[int, int], top: float,
) -> list[dict[str, Any]]:
    """Open means of the features by arm, plain and weighted, and return both differences of each: one sum.

    Of hidden columns nothing is opened.
    """
    shown = [one for one in compared if one.hidden_by is None]
    part, reach = x[:, [one.place for one in shown]], propensity.reach
    differences: dict[int, tuple[float | None, float | None]] = {}
    if shown:
        opened = await cohort.sum({
            "sums": real([part[arm].sum(axis=0) for arm in arms], propensity.bound(reach)),
            "squares": real([(part[arm] ** 2).sum(axis=0) for arm in arms], propensity.bound(reach * reach)),
            "weighed": real([part[arm].T @ weights.values[arm] for arm in arms], propensity.bound(top * reach)),
        })
        for k, one in enumerate(shown):
            plain = [float(opened["sums"][a, k]) / sizes[a] for a in (0, 1)]
            after = [float(opened["weighed"][a, k]) / support.totals[a] for a in (0, 1)]
            scale = propensity.design.columns[one.place].place.scale
            spread = [_variance(one, a, sizes[a], float(opened["squares"][a, k]), plain[a], scale) for a in (0, 1)]
            unit = math.sqrt(max((spread[0] + spread[1]) / 2.0, 0.0))
            differences[one.place] = ((plain[0] - plain[1]) / unit, (after[0] - after[1]) / unit) if unit > 0.0 else (
                None, None)
    return [{"name": propensity.design.columns[one.place].name, "hidden_by": one.hidden_by,
             **dict(zip(("before", "after"), differences.get(one.place, (None, None)), strict=True))}
            for one in compared]


def _variance(one: Compared, arm: int, size: int, squares: float, mean: float, scale: float) -> float:
    if one.numbers is not None:
        share = one.numbers[arm] / size
        return share * (1.0 - share) / (scale * scale)
    return (squares - size * mean * mean) / (size - 1)


def _marks(part: Part, variables: Variables, rows: Rows) -> NDArray[np.bool_] | None:
    """Return which kept rows are at a level; None of a number."""
    name = part.factor.variable
    if part.place >= 0:
        return np.asarray(rows.codes[name][rows.kept] == part.place)
    if variables.levels(part.factor) and not part.factor.transform:
        return np.asarray(rows.numeric[name][rows.kept] == 1.0)
    return None
