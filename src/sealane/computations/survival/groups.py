"""Groups that curves are drawn for: levels of a column, bins of a number, or institutions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.base import Cohort
from sealane.computations.columns import codes, floats
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract

INSTITUTION = "institution"
"""What ``by`` says for one curve per institution; a column of this name cannot be meant."""
MAXIMUM_GROUPS = 64


@dataclass(frozen=True, slots=True)
class Grouping:
    """Names of the groups, public, and the group of each own row, -1 where it is missing: private."""

    names: tuple[str, ...]
    place: NDArray[np.int64]


def group(
    frame: pd.DataFrame, contract: Contract, cohort: Cohort, by: str | None, bins: tuple[float, ...]
) -> Grouping:
    """Return the groups and whose each row is.

    Raises:
        InputError: a column that makes no groups, or too many.
        RefusedError: institutions, not all of which waived that their own part may become computable.
    """
    if by == INSTITUTION:
        if not cohort.exposed:
            raise RefusedError("survival.institutions-not-waived", "curves of single institutions may not be shown",
                               got="an institution that did not waive the guard of its own contribution",
                               expected="a waiver, by name, in every institution's agreement",
                               hint="ask for the waiver (waive_differencing), or group by something else")
        return Grouping(tuple(cohort.names), np.full(len(frame), cohort.place, dtype=np.int64))
    names = group_names(contract, by, bins)
    if by is None:
        return Grouping(names, np.zeros(len(frame), dtype=np.int64))
    field = contract.field(by)
    if bins:
        values = floats(frame[by], field)
        found = np.searchsorted(np.array(bins), values, side="right").astype(np.int64)
        return Grouping(names, np.where(np.isnan(values), -1, found))
    return Grouping(names, codes(frame[by], names, by))


def group_names(contract: Contract, by: str | None, bins: tuple[float, ...]) -> tuple[str, ...]:
    """Return the names of the groups that a column makes.

    Raises:
        InputError: it makes none like this, or too many.
    """
    if by is None:
        return ("all",)
    field = contract.field(by)
    if (field.type in ("number", "integer")) != bool(bins) or field.type in ("date", "text"):
        raise InputError("survival.group-type", f"column {by!r} makes no groups like this",
                         got=f"a {field.type} {'with' if bins else 'without'} bins",
                         expected="a category or boolean, or a number with bins")
    if bins:
        within = (f"{a:.12g} to {b:.12g}" for a, b in pairwise(bins))
        return (f"under {bins[0]:.12g}", *within, f"{bins[-1]:.12g} and more")
    levels = field.allowed if field.type == "category" else ("0", "1")
    if len(levels) > MAXIMUM_GROUPS:
        raise InputError("survival.too-many-groups", f"column {by!r} makes too many groups", got=len(levels),
                         expected=f"at most {MAXIMUM_GROUPS}", hint="merge levels")
    return levels


def check_bins(bins: tuple[float, ...], by: str | None) -> None:
    """Raise ValueError unless edges ascend and belong to something."""
    if bins and by in (None, INSTITUTION):
        raise ValueError("bins are those of the column in by")
    if not all(math.isfinite(edge) for edge in bins) or any(a >= b for a, b in pairwise(bins)):
        raise ValueError("edges of bins are finite and ascend")
