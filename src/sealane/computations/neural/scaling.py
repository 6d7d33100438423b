"""Centre and scale of numbers over the cohort, by two secure sums: the same standard units at every institution."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count, real
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.neural.inputs import Inputs, Own
from sealane.computations.neural.outcome import Target
from sealane.computations.neural.screening import Split

Column = tuple[NDArray[np.float64], float, float]
"""Own values, and the public range."""
NARROWEST = 1e-7
"""Least spread in units of half the contract's range; below it a column is as good as constant, and only centred."""


async def scale(cohort: Cohort, inputs: Inputs, target: Target, own: Own, outcome: NDArray[np.float64], split: Split,
                rows: int, shared: int) -> tuple[Inputs, Target]:
    """Return features, and the outcome of a regression, with centre and scale.

    Args:
        cohort: of the run.
        inputs: of the model.
        target: of the model.
        own: features.
        outcome: own values.
        split: own rows; those of training are measured.
        rows: of training, over the cohort: an opened count.
        shared: columns so many places apart share centre and scale, those of a channel; 0 where each has its own.
    """
    columns = [(own.numbers[one.name][split.training], one.low, one.high) for one in inputs.numbers]
    groups = [place % shared if shared else place for place in range(len(columns))]
    if target.task == "regression":
        groups.append(len(columns))
        columns.append((outcome[split.training], target.low, target.high))
    if not columns:
        return inputs, target
    spans = {group: _span(columns, groups, group) for group in set(groups)}
    units = [_unit(values, spans[group]) for (values, _, _), group in zip(columns, groups, strict=True)]
    known = count([len(values) for values in units], MAXIMUM_ROWS)
    moments = real([[float(values.sum()), float(np.square(values).sum())] for values in units], 2.0 * rows)
    total = await cohort.sum({"known": known, "moments": moments})
    placed = [_place(total, [k for k, one in enumerate(groups) if one == group], spans[group]) for group in groups]
    numbers = tuple(replace(one, centre=centre, scale=spread)
                    for one, (centre, spread) in zip(inputs.numbers, placed, strict=False))
    if target.task == "regression":
        target = replace(target, centre=placed[-1][0], scale=placed[-1][1])
    return replace(inputs, numbers=numbers), target


def _span(columns: list[Column], groups: list[int], group: int) -> tuple[float, float]:
    """Return the public range of columns measured together."""
    members = [column for column, one in zip(columns, groups, strict=True) if one == group]
    return min(low for _, low, _ in members), max(high for _, _, high in members)


def _unit(values: NDArray[np.float64], span: tuple[float, float]) -> NDArray[np.float64]:
    """Return known values from -1 to 1 by the public range."""
    low, high = span
    known = values[~np.isnan(values)]
    return (known - (low + high) / 2.0) / ((high - low) / 2.0 or 1.0)


def _place(total: dict[str, NDArray[np.generic]], members: list[int], span: tuple[float, float]) -> tuple[float, float]:
    """Return centre and scale of columns measured together, in units of the contract."""
    low, high = span
    half = (high - low) / 2.0 or 1.0
    number = int(sum(int(total["known"][k]) for k in members))
    first = math.fsum(float(total["moments"][k, 0]) for k in members) / number
    second = math.fsum(float(total["moments"][k, 1]) for k in members) / number
    spread = math.sqrt(max(second - first * first, 0.0))
    return (low + high) / 2.0 + half * first, half * (spread if spread > NARROWEST else 1.0)
