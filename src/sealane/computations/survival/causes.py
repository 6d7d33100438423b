"""Ways to leave by several causes: which level of the event column is none, and the kind of a node's own rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sealane.computations.columns import codes
from sealane.computations.design.variables import levels_of
from sealane.computations.survival.rows import LEFT
from sealane.computations.survival.settling import Integers
from sealane.errors import InputError
from sealane.governance.contract import Field

MAXIMUM_CAUSES = 16


@dataclass(frozen=True, slots=True)
class Causes:
    """What the contract says of the event column.

    Attributes:
        column: its name.
        levels: all of them.
        censored: the one that is no event.
    """

    column: str
    levels: tuple[str, ...]
    censored: str

    @property
    def names(self) -> tuple[str, ...]:
        """The causes, in the contract's order: kinds 1 and up."""
        return tuple(level for level in self.levels if level != self.censored)

    def kinds(self, values: pd.Series[float]) -> Integers:
        """Return how each row left, shape ``(n_rows,)``: ``LEFT``, the number of its cause, or -1 where missing.

        Raises:
            InputError: a value is none of the levels.
        """
        found = codes(values, self.levels, self.column)
        order = {level: number for number, level in enumerate(self.names, start=LEFT + 1)}
        kind_of = np.array([*(order.get(level, LEFT) for level in self.levels), -1], dtype=np.int64)
        return np.asarray(kind_of[found], dtype=np.int64)


def read_causes(field: Field, censored: str | None) -> Causes:
    """Look the event column up in the contract.

    Raises:
        InputError: the column has no levels, too many, or not the one that is no event; or nobody says which that is.
    """
    levels = levels_of(field)
    if censored is None and field.type == "category":
        raise InputError("incidence.censored-not-named", f"nobody says which level of {field.name!r} is no event",
                         expected=f"one of {', '.join(levels[:20])}", hint="name it with the parameter censored")
    none = levels[0] if censored is None else censored
    if none not in levels:
        raise InputError("incidence.unknown-level", f"{field.name!r} has no such level that could be no event",
                         got=repr(none[:80]), expected=f"one of {', '.join(levels[:20])}")
    if not 2 <= len(levels) <= MAXIMUM_CAUSES + 1:
        raise InputError("incidence.causes", f"{field.name!r} does not tell causes", got=f"{len(levels)} levels",
                         expected=f"no event and 1 to {MAXIMUM_CAUSES} causes", hint="merge causes")
    return Causes(field.name, levels, none)
