"""A histogram over the cohort, as bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import FiniteFloat

from sealane.client.report.bars import Bar, bars
from sealane.client.report.markup import NOTHING, Markup
from sealane.client.report.results.counts import HIDDEN, PromiseHeld
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import count, figure, section


class HistogramHeld(Held):
    """What a histogram holds: a count for each bin between two edges, None where hidden."""

    column: str
    edges: list[FiniteFloat]
    counts: list[int | None]
    below: int | None = 0
    above: int | None = 0
    unit: str | None = None
    promise: PromiseHeld | None = None


def histogram(result: Mapping[str, Any]) -> Markup:
    """Return the bins as bars."""
    if result.get("computation") != "statistics.histogram":
        return NOTHING
    found = find(result, HistogramHeld, "column", "edges", "counts")
    if found is None:
        return NOTHING
    names = [f"{low:g} to {high:g}" for low, high in zip(found.edges, found.edges[1:], strict=False)]
    cells = list(zip(names, found.counts, strict=True))
    for name, number in ((f"under {found.edges[0]:g}", found.below), (f"{found.edges[-1]:g} or more", found.above)):
        if number != 0:
            cells.append((name, number))
    items = [Bar(name, float(number or 0), HIDDEN if number is None else count(number), "joint-fill")
             for name, number in cells]
    unit = f" ({found.unit})" if found.unit else ""
    caption = "A bin reaches up to its upper edge, which belongs to the next."
    if found.promise is not None:
        caption += (f" Noise of standard deviation {found.promise.standard_error:.1f} is in each (ε "
                    f"{found.promise.epsilon}, δ {found.promise.delta}).")
    title = f"Histogram of {found.column.replace('_', ' ')}{unit}"
    chart = figure(lambda name, width: bars(items, title, "Rows", identity=name, width=width), "histogram", caption)
    return section(title, chart)
