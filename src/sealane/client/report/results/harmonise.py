"""Whether institutions mean the same by a column: verdicts by name, and what to do about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from sealane.client.report.forest import readable
from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import section, table


class ColumnHeld(Held):
    """Verdicts on one column, in the order of the institutions."""

    conclusion: str
    verdicts: list[str]


class RepairHeld(Held):
    """Advice on one institution's column."""

    institution: str
    column: str
    verdict: str
    advice: str


class HarmoniseHeld(Held):
    """What the check of units and codes holds."""

    institutions: list[str]
    columns: dict[str, ColumnHeld]
    repairs: list[RepairHeld] = Field(default_factory=list)


def harmonise(result: Mapping[str, Any]) -> Markup:
    """Return the verdicts as a table, and the advice."""
    if result.get("computation") != "quality.harmonise":
        return NOTHING
    found = find(result, HarmoniseHeld, "institutions", "columns")
    if found is None:
        return NOTHING
    rows = [[readable(name), *one.verdicts, one.conclusion] for name, one in found.columns.items()]
    caption = "Verdicts from secure counts: no value, median or histogram of a single institution was opened"
    parts = [table(caption, ["Column", *found.institutions, "Conclusion"], rows, words=True)]
    if found.repairs:
        advice = [[one.institution, one.column, one.verdict, one.advice] for one in found.repairs]
        parts.append(table("What stands apart", ["Institution", "Column", "Verdict", "Advice"], advice, words=True))
    else:
        parts.append(element("p", {}, "Nobody stands apart."))
    return section("Units and codes", *parts)
