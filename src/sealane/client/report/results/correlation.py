"""Correlations of each two columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import FiniteFloat

from sealane.client.report.markup import NOTHING, Markup
from sealane.client.report.results.counts import HIDDEN
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import count, p_value, section, table

UNDEFINED = {"nothing-varies": "nothing varies", "range-too-wide": "range too wide"}
"""Why there is no correlation to show."""


class PairHeld(Held):
    """Two columns by their places, with their correlation; None where hidden or where there is none."""

    pair: tuple[int, int]
    rule: str | None = None
    r: FiniteFloat | None = None
    rows: int | None = None
    pvalue: FiniteFloat | None = None


class CorrelationHeld(Held):
    """What correlations hold."""

    columns: list[str]
    pairs: list[PairHeld]
    method: str = "pearson"


def correlation(result: Mapping[str, Any]) -> Markup:
    """Return a row for each pair."""
    if result.get("computation") != "statistics.correlation":
        return NOTHING
    found = find(result, CorrelationHeld, "columns", "pairs")
    if found is None:
        return NOTHING
    rows = []
    for one in found.pairs:
        names = " and ".join(found.columns[place].replace("_", " ") for place in one.pair)
        without = UNDEFINED.get(one.rule or "", HIDDEN)
        rows.append([names, without if one.r is None else f"{one.r:.3f}".replace("-", "−"),
                     "–" if one.pvalue is None else p_value(one.pvalue),
                     HIDDEN if one.rows is None else count(one.rows)])
    return section("Correlations", table(f"By {found.method.capitalize()}", ["Columns", "r", "p", "Rows"], rows))
