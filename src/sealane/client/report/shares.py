"""Two cumulated shares over the rows, the riskiest first, and the largest distance between them, which is KS."""

from __future__ import annotations

from collections.abc import Sequence

from sealane.client.report.axis import LETTER, Scale, drawing, label, line, tick_text, ticks
from sealane.client.report.curves import levels, polyline
from sealane.client.report.markup import Markup, element

NARROW = 480


def ks_curves(
    selected: Sequence[float], found: Sequence[float], wrong: Sequence[float], identity: str = "ks", width: int = 680,
    *, known: float | None = None,
) -> Markup:
    """Return the shares of events and of other rows found, against the share of rows that is selected, as SVG.

    Args:
        selected: shares of all rows, ascending from 0 to 1.
        found: of the rows with the event, as many.
        wrong: of the other rows.
        identity: of the chart on its page.
        width: in pixels.
        known: the distance, where the curve was thinned after it was taken.

    Raises:
        ValueError: there are no two cuts.
    """
    if len(selected) < 2:
        raise ValueError("a curve needs two cuts")
    left, top = 54.0, 40.0
    side = width - left - 16 if width < NARROW else min(width - left - 16, 430.0)
    bottom = top + side * 0.72
    across, upward = Scale(0.0, 1.0, left, left + side), Scale(0.0, 1.0, bottom, top)
    parts = [*entries(left), *levels(across, upward, "Share found")]
    for value in ticks(0, 1):
        parts.append(line(across(value), upward(0), across(value), upward(1), "grid"))
        parts.append(label(across(value), bottom + 18, tick_text(value), "tick", "middle"))
    parts.append(line(across(0), bottom, across(1), bottom, "axis"))
    parts.append(label(across(0.5), bottom + 42, "Share of rows selected, riskiest first", "axis-title", "middle"))
    parts.append(polyline(list(zip(selected, wrong, strict=True)), across, upward, "curve alone-1"))
    parts.append(polyline(list(zip(selected, found, strict=True)), across, upward, "curve joint"))
    widest = max(range(len(selected)), key=lambda place: found[place] - wrong[place])
    distance, x = found[widest] - wrong[widest] if known is None else known, across(selected[widest])
    parts.append(line(x, upward(wrong[widest]), x, upward(found[widest]), "whisker"))
    middle = upward((found[widest] + wrong[widest]) / 2)
    parts.append(label(x + 8, middle + 4, f"KS {distance:.3f}", "value"))
    told = f"Largest distance {distance:.3f}, where {selected[widest]:.0%} of the rows are selected."
    return drawing(identity, width, bottom + 52, "Events and other rows found", told, *parts)


def entries(left: float) -> list[Markup]:
    """Return the legend: a sample of each stroke with its name."""
    parts, x = list[Markup](), left
    for name, style in (("with the event", "joint"), ("without", "alone-1")):
        parts.append(element("polyline", {"class": f"curve {style}", "points": f"{x:.1f},16 {x + 28:.1f},16"}))
        parts.append(label(x + 36, 20, name))
        x += 36 + len(name) * LETTER + 26
    return parts
