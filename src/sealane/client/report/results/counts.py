"""A table of counts of the levels of one or two columns, with its test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, FiniteFloat

from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import count, p_value, section, table

HIDDEN = "hidden"


class PromiseHeld(Held):
    """What noise was promised to hide."""

    epsilon: str
    delta: str
    standard_error: FiniteFloat


class ChiSquareHeld(Held):
    """The test that two columns have nothing to do with each other."""

    statistic: FiniteFloat
    dof: int
    pvalue: FiniteFloat
    cramers_v: FiniteFloat


class CountsHeld(Held):
    """What a table holds: cells in reading order, None for hidden ones, and the rule of each."""

    columns: list[str] = Field(min_length=1, max_length=2)
    levels: list[list[str]]
    counts: list[int | None]
    rules: list[str | None]
    test: ChiSquareHeld | None = None
    promise: PromiseHeld | None = None


def counts(result: Mapping[str, Any]) -> Markup:
    """Return the table."""
    found = table_of(result)
    if found is None:
        return NOTHING
    across = found.levels[1] if len(found.columns) == 2 else ["Rows"]
    cells = [HIDDEN if one is None else count(one) for one in found.counts]
    rows = [[level, *cells[row * len(across) : (row + 1) * len(across)]] for row, level in enumerate(found.levels[0])]
    heads = [" by ".join(found.columns), *across]
    title = " by ".join(name.replace("_", " ") for name in found.columns).capitalize()
    return section(title, table("Rows over all institutions", heads, rows), test(found), noise(found))


def table_of(result: Mapping[str, Any]) -> CountsHeld | None:
    """Return the table that a result is, if it is one."""
    if result.get("computation") != "statistics.table":
        return None
    return find(result, CountsHeld, "columns", "levels", "counts")


def hidden_in(found: CountsHeld) -> Iterator[tuple[tuple[str, ...], str]]:
    """Return the hidden cells by their levels, each with its rule."""
    across = found.levels[1] if len(found.columns) == 2 else [""]
    for place, rule in enumerate(found.rules):
        if rule:
            row, column = divmod(place, len(across))
            names = (found.levels[0][row], across[column])
            yield tuple(f"{name} = {level}" for name, level in zip(found.columns, names, strict=False)), rule


def test(found: CountsHeld) -> Markup:
    """Return the test in a sentence."""
    if found.test is None:
        return NOTHING
    said = found.test
    return element("p", {}, f"χ² = {said.statistic:.2f} on {said.dof} degrees of freedom, p {p_value(said.pvalue)}; "
                            f"Cramér's V {said.cramers_v:.2f}.")


def noise(found: CountsHeld) -> Markup:
    """Return what the noise in the counts promises."""
    if found.promise is None:
        return NOTHING
    said = found.promise
    return element("p", {"class": "note"}, f"Noise of standard deviation {said.standard_error:.1f} is in each count, "
                   f"for differential privacy with ε {said.epsilon} and δ {said.delta}: nobody held exact ones.")
