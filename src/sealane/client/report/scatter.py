"""Predicted against observed, a panel for each institution: on the diagonal where a model is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sealane.client.report.axis import LETTER, Scale, drawing, label, line, tick_text, ticks
from sealane.client.report.forest import fitted
from sealane.client.report.markup import Markup, element

NARROW = 480
GAP, LEGEND = 46.0, 26.0
SHAPES = ("ring", "dot")
"""How the first and the second model's points look; no picture shows more."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One institution's held-out rows.

    Args:
        name: of the institution.
        observed: what was found.
        predicted: by model, as many; at most two models.
    """

    name: str
    observed: Sequence[float]
    predicted: Mapping[str, Sequence[float]]


def panels(found: Sequence[Panel], unit: str, identity: str = "panels", width: int = 680) -> Markup:
    """Return the panels as SVG, each with axes of its own.

    Raises:
        ValueError: there is none.
    """
    if not found:
        raise ValueError("a chart needs a panel")
    across = 2 if width < NARROW else 3
    side = (width - 12.0) / across - GAP
    parts = [legend(list(found[0].predicted))]
    for place, one in enumerate(found):
        left = GAP - 4 + place % across * (side + GAP)
        top = LEGEND + 22.0 + place // across * (side + 62.0)
        parts.append(panel(one, left, top, side))
    rows = -(-len(found) // across)
    bottom = LEGEND + 22.0 + rows * (side + 62.0)
    parts.append(label(width / 2, bottom - 6, f"Observed, {unit} (up: predicted)", "axis-title", "middle"))
    told = f"{', '.join(one.name for one in found)}: {sum(len(one.observed) for one in found)} held-out rows."
    return drawing(identity, width, bottom + 4, "Predicted and observed", told, *parts)


def panel(one: Panel, left: float, top: float, side: float) -> Markup:
    """Return one panel: a square with the diagonal and a point for each row and model."""
    values = [*one.observed, *(value for predicted in one.predicted.values() for value in predicted)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = (high - low) * 0.05 or 1.0
    x = Scale(low - margin, high + margin, left, left + side)
    y = Scale(low - margin, high + margin, top + side, top)
    parts = [label(left, top - 8, fitted(one.name, side), "label")]
    for value in ticks(x.low, x.high, 4):
        parts.append(line(x(value), top, x(value), top + side, "grid"))
        parts.append(line(left, y(value), left + side, y(value), "grid"))
        parts.append(label(x(value), top + side + 16, tick_text(value), "tick", "middle"))
        parts.append(label(left - 5, y(value) + 4, tick_text(value), "tick", "end"))
    parts += [line(left, top + side, left + side, top + side, "axis"), line(left, top, left, top + side, "axis")]
    parts.append(line(x(x.low), y(x.low), x(x.high), y(x.high), "chance"))
    for shape, predicted in zip(SHAPES, one.predicted.values(), strict=False):
        parts += [point(x(seen), y(said), shape) for seen, said in zip(one.observed, predicted, strict=True)]
    return Markup("".join(parts))


def point(x: float, y: float, shape: str) -> Markup:
    """Return one row's mark."""
    return element("circle", {"class": shape, "cx": x, "cy": y, "r": 2.6})


def legend(models: Sequence[str]) -> Markup:
    """Return a mark with the name of each model."""
    parts, start = [], 12.0
    for shape, name in zip(SHAPES, models, strict=False):
        parts += [element("circle", {"class": shape, "cx": start, "cy": 12.0, "r": 3.5}), label(start + 10, 16.0, name)]
        start += 34 + len(name) * LETTER
    return Markup("".join(parts))
