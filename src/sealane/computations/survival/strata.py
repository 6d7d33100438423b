"""Strata of a Cox model: combinations of levels, each with a baseline of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.base import Cohort
from sealane.computations.columns import codes
from sealane.computations.design.variables import levels_of
from sealane.computations.survival.screening import Totals
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract

MAXIMUM_STRATA = 200


@dataclass(frozen=True, slots=True)
class Strata:
    """Levels of each stratum, public, and the stratum of each own row, -1 where it is missing: private."""

    names: tuple[tuple[str, ...], ...]
    place: NDArray[np.int64]


def strata_of(frame: pd.DataFrame, contract: Contract, columns: tuple[str, ...]) -> Strata:
    """Return the strata; without columns there is one.

    Raises:
        InputError: a column that is no category or boolean, or too many strata.
    """
    levels = []
    for name in columns:
        if contract.field(name).type not in ("category", "boolean"):
            raise InputError("survival.stratum-type", f"column {name!r} makes no strata", got=contract.field(name).type,
                             expected="category or boolean")
        levels.append(levels_of(contract.field(name)))
    number = math.prod(len(one) for one in levels)
    if number > MAXIMUM_STRATA:
        raise InputError("survival.too-many-strata", "levels make too many strata", got=number,
                         expected=f"at most {MAXIMUM_STRATA}", hint="merge levels, or leave a column out")
    names: list[tuple[str, ...]] = [()]
    place, missing = np.zeros(len(frame), dtype=np.int64), np.zeros(len(frame), dtype=np.bool_)
    for name, known in zip(columns, levels, strict=True):
        code = codes(frame[name], known, name)
        names = [(*before, level) for before in names for level in known]
        missing |= code < 0
        place = place * len(known) + code
    return Strata(tuple(names), np.where(missing, -1, place))


def check_strata(strata: Strata, totals: Totals, cohort: Cohort) -> None:
    """Refuse strata with few rows, events or leavings, or that few institutions have.

    Raises:
        RefusedError: ``survival.rare-stratum``, ``survival.few-institutions``.
    """
    ways, minimum_count = totals.ways, cohort.minimum_count
    few = (totals.behind > 0) & (totals.behind < cohort.smallest) & (not cohort.exposed)
    if bool(few.any()):
        named = ", ".join("/".join(name) for name, one in zip(strata.names, few, strict=True) if one)
        raise RefusedError("survival.few-institutions", "too few institutions have rows of a stratum", got=named[:200],
                           expected=f"rows at {cohort.smallest} institutions or at none",
                           hint="merge strata; or every institution waives differencing")
    small = ((ways > 0) & (ways < minimum_count)).any(axis=0) | (
        (ways.sum(axis=0) > 0) & (ways.sum(axis=0) < minimum_count))
    if bool(small.any()):
        named = ", ".join("/".join(name) or "all rows" for name, one in zip(strata.names, small, strict=True) if one)
        raise RefusedError("survival.rare-stratum", "too few rows leave with, or without, the event", got=named[:200],
                           expected=f"none or at least {minimum_count} events, and none or as many leavings without "
                           "one", hint="merge strata, or set a horizon, at which who is still there leaves")
