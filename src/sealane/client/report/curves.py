"""Survival curves as steps, with confidence bands and the numbers at risk under the axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sealane.client.report.axis import LETTER, Scale, bottom_axis, drawing, label, line, tick_text, ticks
from sealane.client.report.forest import fitted
from sealane.client.report.markup import Markup, element
from sealane.client.report.tables import count

NARROW = 480
"""Below this width a curve's name stands above its numbers at risk, not beside them."""
ROW = 22.0
STYLES = 6


@dataclass(frozen=True, slots=True)
class Curve:
    """One step curve; sequences are as long as ``times``.

    Args:
        name: of the group, for legend and table.
        times: ascending; the value at each holds until the next.
        values: probabilities, from 1 down for survival or from 0 up for incidence.
        low: lower ends of the band, None where there is none.
        high: upper ends of the band.
        at_risk: returns the number under observation just before a time, None where hidden.
        median: time at which the curve reaches one half.
    """

    name: str
    times: Sequence[float]
    values: Sequence[float]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    at_risk: Callable[[float], int | None] | None = None
    median: float | None = None

    def risk_at(self, time: float) -> str:
        """Return the number under observation just before a time, in words."""
        number = self.at_risk(time) if self.at_risk else None
        return "hidden" if number is None else count(number)


@dataclass(frozen=True, slots=True)
class Frame:
    """What the curves are drawn in.

    Args:
        title: of the chart.
        time: what the axis below measures, with its unit.
        level: what the axis at the left measures.
        start: where curves begin at time 0: 1 for survival, 0 for incidence.
    """

    title: str
    time: str
    level: str
    start: float = 1.0


def step_curves(curves: Sequence[Curve], frame: Frame, identity: str = "curves", width: int = 680) -> Markup:
    """Return the curves as SVG, in the given order.

    Raises:
        ValueError: there is none.
    """
    if not curves:
        raise ValueError("a chart needs a curve")
    narrow = width < NARROW
    left = 54.0 if narrow else max(54.0, min(max(len(one.name) for one in curves) * LETTER + 42, width * 0.32))
    top = 14.0 + ROW * legend_rows(curves, width)
    bottom = top + (210.0 if narrow else 290.0)
    across = Scale(0.0, max(max(one.times, default=0.0) for one in curves) or 1.0, left, width - 16.0)
    upward = Scale(0.0, 1.0, bottom, top)
    marks = ticks(across.low, across.high, 5 if narrow else 7)
    parts = [*legend(curves, width), *levels(across, upward, frame.level), bottom_axis(across, marks, top, bottom,
                                                                                       frame.time)]
    parts += [band(one, index, across, upward, frame.start) for index, one in enumerate(curves)]
    parts += [steps(one, index, across, upward, frame.start) for index, one in enumerate(curves)]
    table, end = risk_table(curves, marks, across, bottom + 66.0, narrow=narrow)
    return drawing(identity, width, end, frame.title, description(curves, frame), *parts, *table)


def levels(across: Scale, upward: Scale, title: str) -> list[Markup]:
    """Return horizontal grid lines, their labels, and the title of the axis at the left."""
    parts = []
    for value in ticks(0, 1):
        parts.append(line(across.start, upward(value), across.end, upward(value), "grid"))
        parts.append(label(across.start - 8, upward(value) + 4, tick_text(value), "tick", "end"))
    parts.append(line(across.start, upward(0), across.start, upward(1), "axis"))
    turned = {"transform": f"translate({across.start - 40:.1f} {upward(0.5):.1f}) rotate(-90)", "text-anchor": "middle"}
    return [*parts, element("text", {"class": "axis-title", **turned}, title)]


def steps(one: Curve, index: int, across: Scale, upward: Scale, start: float) -> Markup:
    """Return one curve: level until the next time, then a step."""
    points = corners(one.times, list(one.values), start)
    return polyline(points, across, upward, f"curve {style(index)}")


def band(one: Curve, index: int, across: Scale, upward: Scale, start: float) -> Markup:
    """Return the confidence band, where one is known."""
    known = [(time, low, high) for time, low, high in zip(one.times, one.low, one.high, strict=False)
             if low is not None and high is not None]
    if not known:
        return Markup("")
    times = [time for time, _, _ in known]
    upper = corners(times, [high for _, _, high in known], start)
    lower = corners(times, [low for _, low, _ in known], start)
    points = " ".join(f"{across(x):.1f},{upward(y):.1f}" for x, y in [*upper, *reversed(lower)])
    return element("polygon", {"class": f"band {style(index)}", "points": points})


def corners(times: Sequence[float], values: Sequence[float], start: float) -> list[tuple[float, float]]:
    """Return the corners of a step function that begins at time 0."""
    points = [(0.0, start)]
    for time, value in zip(times, values, strict=True):
        points += [(time, points[-1][1]), (time, value)]
    return points


def polyline(points: Sequence[tuple[float, float]], across: Scale, upward: Scale, style_class: str) -> Markup:
    """Return a line through points of the data."""
    text = " ".join(f"{across(x):.1f},{upward(y):.1f}" for x, y in points)
    return element("polyline", {"class": style_class, "points": text})


def style(index: int) -> str:
    """Return the style sheet's class of a curve."""
    return f"alone-{index % STYLES}"


def entry_width(one: Curve) -> float:
    """Return the pixels that a curve's entry in the legend needs."""
    return 36 + len(one.name) * LETTER + 22


def legend_rows(curves: Sequence[Curve], width: float) -> int:
    """Return how many rows the legend takes."""
    return 1 + max(row for row, _ in legend_places(curves, width))


def legend_places(curves: Sequence[Curve], width: float) -> list[tuple[int, float]]:
    """Return row and start of each entry, as many in a row as fit."""
    places, row, x = [], 0, 12.0
    for one in curves:
        if x > 12.0 and x + entry_width(one) > width:
            row, x = row + 1, 12.0
        places.append((row, x))
        x += entry_width(one)
    return places


def legend(curves: Sequence[Curve], width: float) -> list[Markup]:
    """Return a sample of each stroke with its name."""
    parts = []
    for index, (one, (row, x)) in enumerate(zip(curves, legend_places(curves, width), strict=True)):
        y = 12.0 + ROW * row
        sample = {"class": f"curve {style(index)}", "points": f"{x:.1f},{y:.1f} {x + 28:.1f},{y:.1f}"}
        parts += [element("polyline", sample), label(x + 36, y + 4, fitted(one.name, width - x - 44))]
    return parts


def risk_table(
    curves: Sequence[Curve], marks: Sequence[float], across: Scale, top: float, *, narrow: bool
) -> tuple[list[Markup], float]:
    """Return the numbers at risk under the axis, and where the drawing ends."""
    listed = [(index, one) for index, one in enumerate(curves) if one.at_risk]
    if not listed:
        return [], top - 10.0
    parts = [label(12.0 if narrow else across.start, top, "Number at risk", "axis-title")]
    y = top
    for index, one in listed:
        y += ROW
        if narrow:
            parts.append(label(12.0, y, fitted(one.name, across.end - 12), f"label ink-{index % STYLES}"))
            y += ROW - 4
        else:
            room = across.start - 34
            parts.append(label(across.start - 30, y, fitted(one.name, room), f"label ink-{index % STYLES}", "end"))
        parts += [label(across(mark), y, one.risk_at(mark), "tick", "middle") for mark in marks]
    return parts, y + 12.0


def description(curves: Sequence[Curve], frame: Frame) -> str:
    """Return the curves in words."""
    told = [
        f"{one.name} ends at {one.values[-1]:.2f}" + (f", median {one.median:g}" if one.median is not None else "")
        for one in curves
        if one.values
    ]
    return f"{frame.level} against {frame.time.lower()}: {'; '.join(told)}."
