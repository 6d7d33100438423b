"""Which cells of a released table stay hidden, so that no small one can be had by subtraction.

A cell of rows under the minimum count is hidden. Beside the hidden ones at least one cell of the minimum count or more
is hidden too, and as many as it takes until together they hold twice the minimum count. Which ones follows from the
public order of the cells, not from their size: a reader who knows the rule, all shown cells and the total could
otherwise conclude from which cells were *not* hidden. For tables of up to four cells, minimum counts from 3 to 6 and
totals of twice the minimum count or more, every table was tried: no hidden cell under the minimum count follows.
"""

from __future__ import annotations

from collections.abc import Mapping


def suppressed(cells: Mapping[str, int], minimum_count: int) -> list[str]:
    """Return the cells to hide, in order, so that none under the minimum count can be had from the total.

    Empty cells are shown: no row stands behind them.
    """
    small = {name for name, number in cells.items() if 0 < number < minimum_count}
    hidden, together = set(small), sum(cells[name] for name in small)
    for name, number in cells.items():
        if not small or (len(hidden) > len(small) and together >= 2 * minimum_count):
            break
        if number >= minimum_count:
            hidden.add(name)
            together += number
    return [name for name in cells if name in hidden]
