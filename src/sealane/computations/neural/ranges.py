"""Units and levels that follow from public numbers alone: for a promise, which opens no moments and no counts."""

from __future__ import annotations

import math
from dataclasses import replace

from sealane.computations.neural.inputs import Inputs
from sealane.computations.neural.outcome import Target
from sealane.computations.neural.parameters import NeuralParameters


def by_contract(params: NeuralParameters, inputs: Inputs, target: Target) -> tuple[Inputs, Target]:
    """Return features, and the outcome of a regression, in units of public ranges; all levels of the contract apart.

    A range is the study's for the column or else the contract's. A number enters with the middle of its range as
    centre, and as scale the deviation that values have which are spread evenly over the range.
    """
    spans = [params.ranges.get(number.name, (number.low, number.high)) for number in inputs.numbers]
    shared = params.model.shared
    if shared:  # columns so many places apart are a channel of its own unit
        groups = [spans[place::shared] for place in range(shared)]
        spans = [(min(low for low, _ in groups[place % shared]), max(high for _, high in groups[place % shared]))
                 for place in range(len(spans))]
    numbers = tuple(replace(number, centre=(low + high) / 2.0, scale=_spread(low, high))
                    for number, (low, high) in zip(inputs.numbers, spans, strict=True))
    categories = tuple(replace(one, apart=tuple(range(len(one.levels)))) for one in inputs.categories)
    if target.task == "regression":
        low, high = params.ranges.get(target.field.name, (target.low, target.high))
        target = replace(target, centre=(low + high) / 2.0, scale=_spread(low, high))
    return Inputs(numbers, categories), target


def _spread(low: float, high: float) -> float:
    return (high - low) / math.sqrt(12.0) or 1.0
