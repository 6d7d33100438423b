"""What counts of one search have to keep to, whoever has which rows: a search goes where counts point it to.

Each count is a sum that every node checks by itself; that counts fit together is not seen there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealane.errors import ProtocolError

Counts = NDArray[np.int64]


def check_cumulated(under: Counts, low: int, high: int) -> None:
    """Refuse numbers of rows up to ascending points that fall, or leave what is known at both ends.

    Args:
        under: rows up to each point, shape ``(n,)``.
        low: up to a point under or at the first.
        high: up to one above or at the last.

    Raises:
        ProtocolError: ``statistics.counts-contradict``.
    """
    if bool((np.diff(under, prepend=low, append=high) < 0).any()):
        raise _contradiction("rows up to ascending points")


def check_parts(before: Counts, after: Counts) -> None:
    """Refuse cells that were divided and hold other numbers of rows than before.

    Args:
        before: rows up to the top of each cell, shape ``(n,)``.
        after: the same of their parts together.

    Raises:
        ProtocolError: ``statistics.counts-contradict``.
    """
    if not bool((before == after).all()):
        raise _contradiction("rows of a cell and of its parts")


def _contradiction(what: str) -> ProtocolError:
    return ProtocolError("statistics.counts-contradict", "opened counts contradict each other", got=what,
                         expected="counts of the same rows at every step",
                         hint="a node lied about its rows: the run cannot be trusted")
