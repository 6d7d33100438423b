"""Lines through known points, such as learning curves: what is gained by more of something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from sealane.client.report.axis import LETTER, Scale, bottom_axis, drawing, label, line, tick_text, ticks
from sealane.client.report.curves import polyline
from sealane.client.report.markup import Markup, element

NARROW = 480
ROW = 22.0
JOINT = "joint"


def lines(
    found: Mapping[str, Sequence[tuple[float, float]]], title: str, below: str, beside: str, identity: str = "lines",
    width: int = 680,
) -> Markup:
    """Return the lines as SVG, from 0 upwards.

    Args:
        found: points by name, ascending; the name ``joint`` is drawn thick.
        title: of the chart.
        below: what the axis below measures.
        beside: what the axis at the left measures.
        identity: of the SVG.
        width: in pixels.

    Raises:
        ValueError: there is no point.
    """
    points = [point for one in found.values() for point in one]
    if not points:
        raise ValueError("a chart needs a point")
    styles = {name: "curve joint" if name == JOINT else f"curve alone-{place % 6}" for place, name in enumerate(found)}
    places = legend_places(list(found), width)
    left, top = 54.0, 14.0 + ROW * (1 + max(row for row, _ in places))
    bottom = top + (200.0 if width < NARROW else 260.0)
    across = Scale(0.0, max(x for x, _ in points), left, width - 16.0)
    upward = Scale(0.0, max(y for _, y in points) * 1.05 or 1.0, bottom, top)
    parts = [bottom_axis(across, ticks(0.0, across.high, 7), top, bottom, below)]
    for value in ticks(0.0, upward.high):
        parts.append(line(left, upward(value), across.end, upward(value), "grid"))
        parts.append(label(left - 8, upward(value) + 4, tick_text(value), "tick", "end"))
    parts.append(line(left, top, left, bottom, "axis"))
    turned = {"transform": f"translate(14 {(top + bottom) / 2:.1f}) rotate(-90)", "text-anchor": "middle"}
    parts.append(element("text", {"class": "axis-title", **turned}, beside))
    for (name, one), (row, x) in zip(found.items(), places, strict=True):
        y = 12.0 + ROW * row
        parts.append(polyline(list(one), across, upward, styles[name]))
        parts.append(element("polyline", {"class": styles[name], "points": f"{x:.1f},{y:.1f} {x + 28:.1f},{y:.1f}"}))
        parts.append(label(x + 36, y + 4, name))
    told = "; ".join(f"{name} from {one[0][1]:.2f} to {one[-1][1]:.2f}" for name, one in found.items() if one)
    return drawing(identity, width, bottom + 52, title, f"{beside} by {below.lower()}: {told}.", *parts)


def legend_places(names: Sequence[str], width: float) -> list[tuple[int, float]]:
    """Return row and start of each entry, as many in a row as fit."""
    needs = [36 + len(name) * LETTER + 22 for name in names]
    places = [(0, 12.0)]
    for before, need in pairwise(needs):
        row, x = places[-1]
        places.append((row, x + before) if x + before + need <= width else (row + 1, 12.0))
    return places
