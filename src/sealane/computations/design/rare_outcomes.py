"""How many rows at each level have the event: few of them would follow from a model's coefficients and covariance.

The information of a logistic or Poisson model at its maximum is a sum over the rows of a level of what their outcomes
average, so whoever inverts a released covariance has the number of events at a level, exactly or to the nearest whole
number. A table of the two columns would hide it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sealane.computations.design.coding import discrete_sets
from sealane.computations.design.screening import Counts
from sealane.computations.design.variables import Rows, Variables
from sealane.errors import RefusedError


def own_events_at_levels(rows: Rows, variables: Variables, event: NDArray[np.bool_]) -> dict[str, int]:
    """Return a node's own rows with the event by the places of their levels, named for ``take_counts``.

    Args:
        rows: own ones.
        variables: of the model.
        event: which of the rows that are kept have it, shape ``(n_kept,)``.
    """
    out: dict[str, int] = {}
    for factors in discrete_sets(variables):
        shape = [len(variables.levels(factor)) for factor in factors]
        places = [rows.level(factor.variable)[rows.kept] for factor in factors]
        chosen = event & np.logical_and.reduce([place >= 0 for place in places])
        flat = np.ravel_multi_index([place[chosen] for place in places], tuple(shape))
        numbers = np.bincount(flat, minlength=math.prod(shape)).tolist()
        axis = tuple(factor.variable for factor in factors)
        out |= {_key(axis, place): number for place, number in zip(np.ndindex(*shape), numbers, strict=True)}
    return out


def rare_events_at(counts: Counts, minimum: int, *, others_too: bool) -> str | None:
    """Return the first variables with a level or combination at which few rows have the event, or few have not.

    Args:
        counts: as opened, with those of :func:`own_events_at_levels`.
        minimum: fewest rows of each, where there are any.
        others_too: whether rows without the event are held against the minimum as well.
    """
    for axis, cells in counts.cells.items():
        for place, number in cells.items():
            events = counts.others[_key(axis, place)]
            if 0 < events < minimum or (others_too and 0 < number - events < minimum):
                return " and ".join(axis)
    return None


def check_events_at_levels(counts: Counts, minimum: int, *, others_too: bool) -> None:
    """Refuse levels and combinations at which few rows have the event. Arguments as for :func:`rare_events_at`.

    Raises:
        RefusedError: ``model.rare-outcome``.
    """
    rare = rare_events_at(counts, minimum, others_too=others_too)
    if rare is not None:
        raise RefusedError("model.rare-outcome", "few rows at a level have the outcome, or few have not",
                           got=f"a level of {rare} with under {minimum} of them",
                           expected=f"none or at least {minimum}", hint="merge levels, or leave the feature out")


def _key(axis: tuple[str, ...], place: tuple[int, ...]) -> str:
    return f"events {axis!r} {place!r}"
