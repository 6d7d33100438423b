"""Table 1: the rows described, by group where there are groups; hidden cells say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, FiniteFloat

from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.counts import HIDDEN, PromiseHeld
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import count, estimate, section, table

INDENT = "\u2003"
QUARTILES = ("25%", "50%", "75%")


class CellsHeld(Held):
    """One column in one group."""

    count: int | None = None
    levels: dict[str, int | None] = Field(default_factory=dict)
    missing: int | None = None
    mean: FiniteFloat | None = None
    std: FiniteFloat | None = None
    lower: FiniteFloat | None = Field(default=None, alias="25%")
    median: FiniteFloat | None = Field(default=None, alias="50%")
    upper: FiniteFloat | None = Field(default=None, alias="75%")
    rules: dict[str, str] = Field(default_factory=dict)

    @property
    def known(self) -> int | None:
        """Return the rows with a value, or None where that is hidden."""
        if not self.levels:
            return self.count
        numbers = [number for number in self.levels.values() if number is not None]
        return sum(numbers) if len(numbers) == len(self.levels) else None


class ColumnHeld(Held):
    """One column in all groups."""

    type: str
    unit: str | None = None
    groups: dict[str, CellsHeld]


class DescriptionHeld(Held):
    """What a description holds."""

    columns: dict[str, ColumnHeld]
    groups: list[str]
    rows: int
    by: str | None = None
    promise: PromiseHeld | None = None


def table_one(result: Mapping[str, Any]) -> Markup:
    """Return the description as a table with one column for each group."""
    if result.get("computation") != "statistics.describe":
        return NOTHING
    found = find(result, DescriptionHeld, "columns", "groups")
    if found is None:
        return NOTHING
    rows = [["rows", *(HIDDEN if number is None else count(number) for number in sizes(found))]]
    rows += [row for name, column in found.columns.items() for row in lines(name, column, found.groups)]
    heads = ["", *(f"{found.by} = {group}" if found.by else group for group in found.groups)]
    caption = (
        f"{count(found.rows)} rows over all institutions. Numbers: mean (standard deviation), and median [quartiles] "
        "from a secure search. Levels: rows (share of those with a value)."
    )
    noise = NOTHING
    if found.promise is not None:
        noise = element("p", {"class": "note"}, f"With noise, for differential privacy with ε {found.promise.epsilon} "
                                                f"and δ {found.promise.delta}.")
    return section("Table 1", table(caption, heads, rows), noise)


def sizes(found: DescriptionHeld) -> list[int | None]:
    """Return the rows of each group, from a column of which both the rows with and without a value show."""
    def size(group: str) -> int | None:
        for column in found.columns.values():
            one = column.groups[group]
            if one.known is not None and one.missing is not None:
                return one.known + one.missing
        return None

    return [size(group) for group in found.groups]


def lines(name: str, column: ColumnHeld, groups: list[str]) -> Iterator[list[str]]:
    """Return the table's lines about one column."""
    cells = [column.groups[group] for group in groups]
    title = name.replace("_", " ") + (f" ({column.unit})" if column.unit not in (None, "1") else "")
    if cells[0].levels:
        if list(cells[0].levels) == ["0", "1"]:
            yield [title, *(share(one, "1") for one in cells)]
        else:
            yield [title, *([""] * len(cells))]
            for level in (name for name in cells[0].levels if any(one.levels.get(name) != 0 for one in cells)):
                yield [INDENT + level.replace("_", " "), *(share(one, level) for one in cells)]
    else:
        yield [title, *(spread(one) for one in cells)]
        if any(one.median is not None for one in cells):
            yield [INDENT + "median", *(quartiles(one) for one in cells)]
    if any(one.missing != 0 for one in cells):
        yield [INDENT + "missing", *(HIDDEN if one.missing is None else count(one.missing) for one in cells)]


def spread(one: CellsHeld) -> str:
    """Return mean and standard deviation."""
    if one.mean is None:
        return HIDDEN
    return estimate(one.mean) if one.std is None else f"{estimate(one.mean)} ({estimate(one.std)})"


def quartiles(one: CellsHeld) -> str:
    """Return the median between its quartiles."""
    if one.median is None:
        return HIDDEN
    ends = ["…" if end is None else estimate(end) for end in (one.lower, one.upper)]
    return f"{estimate(one.median)} [{', '.join(ends)}]"


def share(one: CellsHeld, level: str) -> str:
    """Return the rows of a level, and their share where all levels show."""
    number = one.levels.get(level)
    if number is None:
        return HIDDEN
    return count(number) if not one.known else f"{count(number)} ({number / one.known:.0%})"
