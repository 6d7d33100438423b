"""How a dataset's fields moved from one version to the next, from their suppressed profiles.

Source: Siddiqi, Credit Risk Scorecards (2006), chapter 9: PSI = Σ (p - q) ln(p / q) over the bins; under 0.1 no
change to speak of, from 0.25 on a large one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sealane.governance.quality import Profile

SMOOTHING = 0.5
"""Rows added to every bin, so that an empty one has a logarithm."""
HIDDEN = "(hidden)"
SOME, LARGE = 0.1, 0.25


@dataclass(frozen=True, slots=True)
class Drift:
    """One field's move.

    Attributes:
        field: name of the field.
        psi: population stability index; None where either version is too small to show its rows.
        moved: the cell whose share of rows moved most; None where none did or it is hidden.
        shift: by how much that share moved, in -1 to 1.
    """

    field: str
    psi: float | None
    moved: str | None
    shift: float

    @property
    def word(self) -> str:
        """Return how large it is in one word."""
        if self.psi is None:
            return "unknown"
        return "large" if self.psi >= LARGE else "some" if self.psi >= SOME else "none"


def drift(before: Profile, after: Profile) -> list[Drift]:
    """Return the drift of every field that both versions fill.

    A cell that is hidden in either version is pooled with the others that are.
    """
    return [_drift(name, before, after) for name in after.fields if name in before.fields]


def psi(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Return the population stability index of two counts over the same bins, each smoothed by half a row."""
    total_before = sum(before.values()) + SMOOTHING * len(before)
    total_after = sum(after.values()) + SMOOTHING * len(after)
    index = 0.0
    for name in before:
        p, q = (before[name] + SMOOTHING) / total_before, (after[name] + SMOOTHING) / total_after
        index += (q - p) * math.log(q / p)
    return index


def _drift(name: str, before: Profile, after: Profile) -> Drift:
    if before.rows is None or after.rows is None:
        return Drift(name, None, None, 0.0)
    first, second = before.fields[name], after.fields[name]
    shown = [cell for cell in dict.fromkeys((*first, *second))
             if first.get(cell, 0) is not None and second.get(cell, 0) is not None]
    old = {cell: float(first.get(cell, 0) or 0) for cell in shown}
    new = {cell: float(second.get(cell, 0) or 0) for cell in shown}
    shifts = {cell: new[cell] / after.rows - old[cell] / before.rows for cell in shown}
    moved = max(shifts, key=lambda cell: (abs(shifts[cell]), cell), default=None)
    if moved is not None and shifts[moved] == 0:
        moved = None
    if None in (*first.values(), *second.values()):
        old[HIDDEN] = max(0.0, before.rows - sum(old.values()))
        new[HIDDEN] = max(0.0, after.rows - sum(new.values()))
    return Drift(name, psi(old, new), moved, 0.0 if moved is None else shifts[moved])
