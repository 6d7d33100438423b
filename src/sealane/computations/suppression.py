"""Which cells of a released table stay hidden, so that no small one can be had by subtraction.

A cell of rows under the minimum count is hidden, and so are as many of its neighbours as it takes that no hidden cell
follows from the total: at least two are hidden and together they hold the minimum count.
"""

from __future__ import annotations

from collections.abc import Mapping


def suppressed(cells: Mapping[str, int], minimum_count: int) -> list[str]:
    """Return the cells to hide, in order, so that none under the minimum count can be had from the total.

    Empty cells are shown: no row stands behind them.
    """
    hidden = {name for name, number in cells.items() if 0 < number < minimum_count}
    # Smallest first: the least is lost. Names settle ties, so that every node hides the same.
    for name in sorted(cells, key=lambda name: (cells[name], name)):
        together = sum(cells[name] for name in hidden)
        if not hidden or (len(hidden) > 1 and together >= minimum_count):
            break
        if cells[name] >= minimum_count:
            hidden.add(name)
    return [name for name in cells if name in hidden]
