"""ROC curves of several models in one square."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sealane.client.report.axis import FONT, Scale, drawing, label, line, tick_text, ticks
from sealane.client.report.markup import Markup, element

NARROW = 480
"""Below this width the legend goes under the plot."""
ROW = 24


@dataclass(frozen=True, slots=True)
class Series:
    """One curve.

    Args:
        name: for the legend.
        style: class of the style sheet: ``joint``, ``pooled``, or ``alone-0``, ``alone-1`` …
        fpr: false positive rates.
        tpr: true positive rates, as many.
        auc: area, shown in the legend.
    """

    name: str
    style: str
    fpr: Sequence[float]
    tpr: Sequence[float]
    auc: float | None = None


def roc_curves(series: Sequence[Series], identity: str = "roc", width: int = 680) -> Markup:
    """Return the curves as SVG, drawn in the given order, so that the last is on top."""
    narrow = width < NARROW
    left, top = 54.0, 12.0
    side = width - left - 12 if narrow else min(width - left - 200, 430.0)
    across = Scale(0, 1, left, left + side)
    upward = Scale(0, 1, top + side, top)
    parts = [*square(across, upward), *(curve(one, across, upward) for one in series)]
    below = top + side + 52
    legend_left, legend_top = (left, below + 16) if narrow else (left + side + 24, top + 14)
    listed = sorted(series, key=lambda one: -(one.auc or 0))
    parts += [entry(one, legend_left, legend_top + index * ROW) for index, one in enumerate(listed)]
    height = legend_top + len(listed) * ROW if narrow else below
    return drawing(identity, width, height, "ROC curves", description(listed), *parts)


def square(across: Scale, upward: Scale) -> list[Markup]:
    """Return grid, axes and the diagonal of chance."""
    parts = []
    for value in ticks(0, 1):
        parts.append(line(across(value), upward(0), across(value), upward(1), "grid"))
        parts.append(line(across(0), upward(value), across(1), upward(value), "grid"))
        parts.append(label(across(value), upward(0) + 18, tick_text(value), "tick", "middle"))
        parts.append(label(across(0) - 8, upward(value) + 4, tick_text(value), "tick", "end"))
    parts.append(line(across(0), upward(0), across(1), upward(0), "axis"))
    parts.append(line(across(0), upward(0), across(0), upward(1), "axis"))
    parts.append(line(across(0), upward(0), across(1), upward(1), "chance"))
    parts.append(label(across(0.74), upward(0.66), "chance", "tick"))
    parts.append(label(across(0.5), upward(0) + 42, "False positive rate", "axis-title", "middle"))
    turned = {"transform": f"translate(14 {upward(0.5):.1f}) rotate(-90)", "text-anchor": "middle"}
    parts.append(element("text", {"class": "axis-title", **turned}, "True positive rate"))
    return parts


def curve(one: Series, across: Scale, upward: Scale) -> Markup:
    """Return one polyline."""
    points = " ".join(f"{across(x):.1f},{upward(y):.1f}" for x, y in zip(one.fpr, one.tpr, strict=True))
    return element("polyline", {"class": f"curve {one.style}", "points": points})


def entry(one: Series, x: float, y: float) -> Markup:
    """Return one line of the legend: a sample of the stroke, the name and the area."""
    sample = element("polyline", {"class": f"curve {one.style}", "points": f"{x:.1f},{y:.1f} {x + 28:.1f},{y:.1f}"})
    area = "" if one.auc is None else f"  {one.auc:.3f}"
    text = label(x + 36, y + FONT / 3, short(one.name) + area, "label")
    return Markup(sample + text)


def short(name: str, letters: int = 18) -> str:
    """Return a name that fits the legend."""
    return name if len(name) <= letters else name[: letters - 1] + "…"


def description(series: Sequence[Series]) -> str:
    """Return the curves in words."""
    areas = [f"{one.name} {one.auc:.3f}" for one in series if one.auc is not None]
    return "True against false positive rate of each model. " + (f"Area: {', '.join(areas)}." if areas else "")


def series_of(roc: Mapping[str, tuple[Sequence[float], Sequence[float]]], auc: Mapping[str, float]) -> list[Series]:
    """Return the curves of a report, institutions first, then joint, and pooled on top of it, dashed."""
    alone = sorted(name for name in roc if name not in ("joint", "pooled"))
    last = [name for name in ("joint", "pooled") if name in roc]
    styles = {name: f"alone-{index % 6}" for index, name in enumerate(alone)} | {name: name for name in last}
    shown = {name: f"{name} alone" for name in alone}
    return [Series(shown.get(name, name), styles[name], *roc[name], auc.get(name)) for name in [*alone, *last]]
