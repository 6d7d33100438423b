"""Quantiles from a secure search, with how far each can be off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import FiniteFloat

from sealane.client.report.markup import NOTHING, Markup
from sealane.client.report.results.counts import HIDDEN
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import estimate, section, table


class CellsHeld(Held):
    """Quantiles of one column in one group."""

    values: list[FiniteFloat | None]
    errors: list[FiniteFloat | None]


class ColumnHeld(Held):
    """One column in all groups."""

    unit: str | None = None
    groups: dict[str, CellsHeld]


class QuantilesHeld(Held):
    """What a search for quantiles holds."""

    columns: dict[str, ColumnHeld]
    probabilities: list[FiniteFloat]
    by: str | None = None


def quantiles(result: Mapping[str, Any]) -> Markup:
    """Return a row for each column and group."""
    if result.get("computation") != "statistics.quantiles":
        return NOTHING
    found = find(result, QuantilesHeld, "columns", "probabilities")
    if found is None:
        return NOTHING
    rows = []
    for name, column in found.columns.items():
        title = name.replace("_", " ") + (f" ({column.unit})" if column.unit not in (None, "1") else "")
        for group, cells in column.groups.items():
            values = [HIDDEN if value is None else estimate(value) for value in cells.values]
            known = [error for error in cells.errors if error is not None]
            named = f"{title}, {found.by} = {group}" if found.by else title
            rows.append([named, *values, f"± {max(known):.2g}" if known else "–"])
    heads = ["Column", *(f"{probability:.4g}" for probability in found.probabilities), "Error at most"]
    return section("Quantiles", table("Found by halving a public range: no value was gathered", heads, rows))
