"""Centre and scale of numbers over the cohort, by two secure sums: the same standard units at every institution."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count, real
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.neural.inputs import Inputs, Own
from sealane.computations.neural.outcome import Target
from sealane.computations.neural.screening import Split

Span = tuple[float, float]
"""A public range."""
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
    spans: list[Span] = [(one.low, one.high) for one in inputs.numbers]
    groups = [place % shared if shared else place for place in range(len(spans))]
    values: Iterable[NDArray[np.float64]] = (own.numbers[one.name] for one in inputs.numbers)  # one is held at a time
    if target.task == "regression":
        groups.append(len(spans))
        spans.append((target.low, target.high))
        values = chain(values, (outcome,))
    if not spans:
        return inputs, target
    ranges = {group: _span(spans, groups, group) for group in set(groups)}
    units = [_moments(one[split.training], ranges[group]) for one, group in zip(values, groups, strict=True)]
    known = count([number for number, _, _ in units], MAXIMUM_ROWS)
    moments = real([[first, second] for _, first, second in units], 2.0 * rows)
    total = await cohort.sum({"known": known, "moments": moments})
    placed = [_place(total, [k for k, one in enumerate(groups) if one == group], ranges[group]) for group in groups]
    numbers = tuple(replace(one, centre=centre, scale=spread)
                    for one, (centre, spread) in zip(inputs.numbers, placed, strict=False))
    if target.task == "regression":
        target = replace(target, centre=placed[-1][0], scale=placed[-1][1])
    return replace(inputs, numbers=numbers), target


def _span(spans: list[Span], groups: list[int], group: int) -> Span:
    """Return the public range of columns measured together."""
    members = [span for span, one in zip(spans, groups, strict=True) if one == group]
    return min(low for low, _ in members), max(high for _, high in members)


def _moments(values: NDArray[np.float64], span: Span) -> tuple[int, float, float]:
    """Return how many values are known, their sum and that of their squares, from -1 to 1 by the public range."""
    low, high = span
    known = values[~np.isnan(values)]
    units = (known - (low + high) / 2.0) / ((high - low) / 2.0 or 1.0)
    return len(units), float(units.sum()), float(np.square(units).sum())


def _place(total: dict[str, NDArray[np.generic]], members: list[int], span: Span) -> tuple[float, float]:
    """Return centre and scale of columns measured together, in units of the contract."""
    low, high = span
    half = (high - low) / 2.0 or 1.0
    number = int(sum(int(total["known"][k]) for k in members))
    first = math.fsum(float(total["moments"][k, 0]) for k in members) / number
    second = math.fsum(float(total["moments"][k, 1]) for k in members) / number
    spread = math.sqrt(max(second - first * first, 0.0))
    return (low + high) / 2.0 + half * first, half * (spread if spread > NARROWEST else 1.0)
