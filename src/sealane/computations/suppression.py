"""Which cells of a released table stay hidden, so that no small one can be had by subtraction.

One list of cells whose total is known (:func:`reasons`): a cell of rows under the minimum count is hidden. Beside the
hidden ones at least one cell of the minimum count or more is hidden too, and as many as it takes until together they
hold twice the minimum count. Which ones follows from the public order of the cells, not from their size: a reader who
knows the rule, all shown cells and the total could otherwise conclude from which cells were *not* hidden. Each hidden
cell names its rule, ``minimum-count`` or ``complementary``, where they hold the minimum count on average; else that
would tell too much, and all are named ``minimum-count``: at least one of them is under it. Where all cells together
hold less than twice the minimum count, a small one hides them all, empty ones too.

Tables of two columns whose margins are known are in ``suppression_tables.py``.

Every list of up to four cells was tried, with minimum counts from 3 to 6: no hidden cell under the minimum count
follows for a reader who knows the total, the rule and each cell's reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sealane.computations.disclosure import Rule

SMALL: Rule = "minimum-count"
BESIDE: Rule = "complementary"


def suppressed(cells: Mapping[str, int], minimum_count: int) -> list[str]:
    """Return the cells to hide, in order, so that none under the minimum count can be had from the total.

    Empty cells are shown, unless all are hidden: no row stands behind them.
    """
    return list(reasons(cells, minimum_count))


def reasons(cells: Mapping[str, int], minimum_count: int) -> dict[str, Rule]:
    """Return the cells to hide, in order, and the rule that hides each."""
    names = list(cells)
    found = line([cells[name] for name in names], minimum_count)
    return {name: rule for name, rule in zip(names, found, strict=True) if rule is not None}


def line(numbers: Sequence[int], minimum_count: int) -> list[Rule | None]:
    """Return the rule that hides each cell of a line whose total is known, None where it is shown."""
    out: list[Rule | None] = [SMALL if 0 < number < minimum_count else None for number in numbers]
    if not any(out):
        return out
    if sum(numbers) < 2 * minimum_count:
        return [SMALL] * len(numbers)
    held, beside = sum(number for number, rule in zip(numbers, out, strict=True) if rule), 0
    for place, number in enumerate(numbers):
        if beside and held >= 2 * minimum_count:
            break
        if number >= minimum_count:
            out[place] = BESIDE
            beside, held = beside + 1, held + number
    hidden = sum(rule is not None for rule in out)
    apart = beside > 0 and held >= hidden * minimum_count and minimum_count > 2
    return out if apart else [None if rule is None else SMALL for rule in out]


def without_gaps(numbers: Sequence[int], rules: Sequence[Rule | None]) -> list[Rule | None]:
    """Return the rules of bins of a number with empty bins hidden too, where any bin is hidden.

    Bins may be so narrow that each hidden one is a single row: which ones are empty would tell every value.
    """
    if not any(rules):
        return list(rules)
    return [SMALL if number == 0 else rule for number, rule in zip(numbers, rules, strict=True)]
