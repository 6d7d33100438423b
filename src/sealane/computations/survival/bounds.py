"""Public bounds of the sums of a Cox model, from the contract's ranges and opened counts; powers of two."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sealane.computations.base import Cohort
from sealane.computations.design.layout import SLACK, Design
from sealane.errors import RefusedError

WIDEST_SUM = 2.0**68
"""Largest bound times cohort that leaves 56 fractional bits in a ring of 128."""
HEADROOM = 2.0**20
"""How far e^η may sum beyond the rows before it is called a runaway; covariates are centred, so it begins at 1."""
SMALLEST = 2.0**-28
"""Least opened sum over a risk set: 56 fractional bits tell it to a relative 2^-28, which bounds allow for."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Bounds at one node.

    Attributes:
        weight: most that e^η may sum to over its rows; a node that exceeds it says so and contributes zeros.
        sum0: of a sum of e^η.
        sum1: of a sum of e^η x.
        event_x: of a sum of x over events.
        moment: of the part of the information, whose weights sum to the number of events.
        score: of the score of one institution's own risk sets.
        information: of its information.
    """

    weight: float
    sum0: float
    sum1: float
    event_x: float
    moment: float
    score: float
    information: float


def reach_of(cohort: Cohort, design: Design, rows: int, events: int) -> Reach:
    """Return the bounds.

    Raises:
        RefusedError: ranges of the contract too wide for exact sums.
    """
    widest = max(design.columns, key=lambda column: column.reach)
    reach = widest.reach
    weight = HEADROOM * rows

    def bound(value: float) -> float:
        rounded = power_above(value)
        if rounded * cohort.size > WIDEST_SUM:
            raise RefusedError("survival.range-too-wide", "the contract's ranges are too wide for an exact sum",
                               got=f"{widest.name!r} may lie {reach:.3g} spreads from its mean",
                               hint="narrow the range in the contract, or take a logarithm")
        return rounded

    return Reach(weight, bound(weight), bound(weight * reach), bound(events * reach), bound(2.0 * events * reach**2),
                 bound(2.0 * events * reach), bound(2.0 * events * reach**2))


def power_above(value: float) -> float:
    """Return a power of two above a public number: a bound must not hang on the last bit of a float."""
    return 2.0 ** math.frexp(max(value, 2.0**-20) * SLACK)[1] if math.isfinite(value) else math.inf
