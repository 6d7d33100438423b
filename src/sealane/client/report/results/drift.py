"""Drift of a score and of populations by period."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import FiniteFloat

from sealane.client.report.markup import NOTHING, Markup
from sealane.client.report.results.counts import HIDDEN
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import rate, section, table


class IndexHeld(Held):
    """The index of one of what is watched in one period."""

    period: str
    variable: str
    institution: str | None = None
    psi: FiniteFloat | None
    rule: str | None = None
    alarm: bool = False


class AreaHeld(Held):
    """The area under the curve in one period."""

    period: str
    institution: str | None = None
    auc: FiniteFloat | None
    rule: str | None = None
    alarm: bool = False


class DriftHeld(Held):
    """What a watch holds."""

    periods: list[str]
    psi: list[IndexHeld]
    auc: list[AreaHeld]
    psi_limit: FiniteFloat


def drift(result: Mapping[str, Any]) -> Markup:
    """Return a table of periods and what is watched, for all and, if shown, for each institution."""
    if result.get("computation") != "monitor.drift":
        return NOTHING
    found = find(result, DriftHeld, "periods", "psi")
    if found is None:
        return NOTHING
    parts = []
    for whose in dict.fromkeys(one.institution for one in found.psi):
        names = list(dict.fromkeys(one.variable for one in found.psi))
        index = {(one.period, one.variable): one for one in found.psi if one.institution == whose}
        area = {one.period: one for one in found.auc if one.institution == whose}
        # A month stays on one line.
        rows = [[period.replace("-", "\u2011"), *(cell(index.get((period, name))) for name in names),
                 *([cell(area.get(period))] if found.auc else [])] for period in found.periods]
        title = f"Population stability index{f' at {whose}' if whose else ''}; ▲ is over {found.psi_limit:g}"
        title += "; of the AUC, outside its band" if found.auc else ""
        parts.append(table(title, ["Period", *names, *(["AUC"] if found.auc else [])], rows))
    return section("Drift", *parts)


def cell(one: IndexHeld | AreaHeld | None) -> str:
    """Return a number, with its alarm, or that it is hidden."""
    value = None if one is None else one.psi if isinstance(one, IndexHeld) else one.auc
    if one is None or value is None:
        return HIDDEN if one is not None and one.rule else "–"
    return rate(value) + (" ▲" if one.alarm else "")
