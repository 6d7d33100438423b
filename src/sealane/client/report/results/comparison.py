"""A test of whether groups differ, with what it compares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, FiniteFloat

from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.counts import HIDDEN
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import count, estimate, p_value, section, table

METHODS = {
    "t": "t test", "anova": "Analysis of variance", "mann-whitney": "Mann–Whitney test",
    "kruskal": "Kruskal–Wallis test", "chi2": "χ² test",
}


class ComparisonHeld(Held):
    """What a test holds."""

    method: str
    outcome: str
    by: str
    groups: list[str]
    statistic: FiniteFloat | None = None
    df: list[FiniteFloat] = Field(default_factory=list)
    pvalue: FiniteFloat | None = None
    n: list[int | None] = Field(default_factory=list)
    mean: list[FiniteFloat | None] = Field(default_factory=list)
    std: list[FiniteFloat | None] = Field(default_factory=list)
    difference: FiniteFloat | None = None
    confidence: FiniteFloat = 0.95
    confidence_interval: tuple[FiniteFloat | None, FiniteFloat | None] = (None, None)
    effect: dict[str, FiniteFloat | None] = Field(default_factory=dict)


def comparison(result: Mapping[str, Any]) -> Markup:
    """Return the test in words, and the groups as a table."""
    if result.get("computation") != "statistics.test":
        return NOTHING
    found = find(result, ComparisonHeld, "method", "groups")
    if found is None:
        return NOTHING
    rows = []
    for place, group in enumerate(found.groups):
        cells = [cell(values, place) for values in (found.n, found.mean, found.std) if values]
        rows.append([f"{found.by} = {group}", *cells])
    named = (("Rows", found.n), ("Mean", found.mean), ("SD", found.std))
    heads = ["Group", *(name for name, values in named if values)]
    groups = table("What is compared", heads, rows) if len(heads) > 1 else NOTHING
    title = f"{found.outcome.replace('_', ' ').capitalize()} by {found.by.replace('_', ' ')}"
    return section(title, element("p", {}, said(found)), groups)


def said(found: ComparisonHeld) -> str:
    """Return the test in a sentence or two."""
    method = METHODS.get(found.method, found.method)
    if found.statistic is None or found.pvalue is None:
        return f"{method}: not made, since its statistic would tell of hidden cells."
    freedom = f" on {' and '.join(f'{one:.4g}' for one in found.df)} degrees of freedom" if found.df else ""
    told = f"{method}: statistic {found.statistic:.2f}{freedom}, p {p_value(found.pvalue)}."
    low, high = found.confidence_interval
    if found.difference is not None and low is not None and high is not None:
        told += (f" Difference {estimate(found.difference)}, {found.confidence:.0%} interval {estimate(low)} to "
                 f"{estimate(high)}.")
    effects = [f"{name.replace('_', ' ')} {value:.2f}" for name, value in found.effect.items() if value is not None]
    return told + (f" Effect: {', '.join(effects)}." if effects else "")


def cell(values: list[Any], place: int) -> str:
    """Return one number of a group."""
    value = values[place]
    if value is None:
        return HIDDEN
    return count(value) if isinstance(value, int) else estimate(value)
