"""Units and levels that follow from the contract alone: for a promise, which opens no moments and no counts."""

from __future__ import annotations

import math
from dataclasses import replace

from sealane.computations.neural.inputs import Inputs
from sealane.computations.neural.outcome import Target


def by_contract(inputs: Inputs, target: Target, shared: int) -> tuple[Inputs, Target]:
    """Return features, and the outcome of a regression, in units of the contract's ranges; all its levels apart.

    A number enters with the middle of its range as centre, and as scale the deviation that values have which are spread
    evenly over the range.

    Args:
        inputs: of the model.
        target: of the model.
        shared: columns so many places apart share centre and scale; 0 where each has its own.
    """
    spans = [(number.low, number.high) for number in inputs.numbers]
    if shared:
        groups = [spans[place::shared] for place in range(shared)]
        spans = [(min(low for low, _ in groups[place % shared]), max(high for _, high in groups[place % shared]))
                 for place in range(len(spans))]
    numbers = tuple(replace(number, centre=(low + high) / 2.0, scale=_spread(low, high))
                    for number, (low, high) in zip(inputs.numbers, spans, strict=True))
    categories = tuple(replace(one, apart=tuple(range(len(one.levels)))) for one in inputs.categories)
    if target.task == "regression":
        target = replace(target, centre=(target.low + target.high) / 2.0, scale=_spread(target.low, target.high))
    return Inputs(numbers, categories), target


def _spread(low: float, high: float) -> float:
    return (high - low) / math.sqrt(12.0) or 1.0
