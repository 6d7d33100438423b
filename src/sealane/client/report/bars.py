"""Horizontal bars with their values written at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sealane.client.report.axis import LETTER, Scale, bottom_axis, drawing, label, line, ticks
from sealane.client.report.forest import fitted
from sealane.client.report.markup import Markup, element

ROW = 30.0
THICK = 18.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Args:
        name: at its left.
        value: where it ends.
        text: the value as a reader wants it, at its right.
        style: class of the style sheet.
        low: lower end of an interval drawn over it.
        high: upper end of that interval.
    """

    name: str
    value: float
    text: str
    style: str = "alone-fill"
    low: float | None = None
    high: float | None = None


def bars(
    items: Sequence[Bar],
    title: str,
    unit: str,
    *,
    base: float = 0.0,
    end: float | None = None,
    identity: str = "bars",
    width: int = 680,
) -> Markup:
    """Return the bars as SVG, from ``base`` (where nothing is gained or sent) to at most ``end``.

    Raises:
        ValueError: there is none.
    """
    if not items:
        raise ValueError("a chart needs a bar")
    top = 8.0
    left = min(max(len(one.name) for one in items) * LETTER + 14, width * 0.4)
    right = width - max(len(one.text) for one in items) * LETTER - 16
    lowest = min(base, *(one.value for one in items))
    highest = max([base, *(one.value for one in items), *(one.high for one in items if one.high is not None)])
    across = Scale(lowest, end if end is not None else highest or base + 1, left, right)
    bottom = top + ROW * len(items) + 2
    parts = [bottom_axis(across, ticks(across.low, across.high, 5), top, bottom, unit)]
    for index, one in enumerate(items):
        y = top + ROW * index + ROW / 2
        parts.append(one_bar(one, across, base, y))
        parts.append(label(left - 10, y + 4, fitted(one.name, left - 12), anchor="end"))
        parts.append(label(width - 4, y + 4, one.text, "value", "end"))
    parts.append(line(across(base), top, across(base), bottom, "zero"))
    told = ", ".join(f"{one.name} {one.text}" for one in items)
    return drawing(identity, width, bottom + 52, title, f"{unit}: {told}.", *parts)


def one_bar(one: Bar, across: Scale, base: float, y: float) -> Markup:
    """Return a bar and, where there is one, its interval."""
    start, stop = sorted((across(base), across(one.value)))
    place = {"x": start, "y": y - THICK / 2, "width": max(stop - start, 1.0), "height": THICK, "rx": 2}
    parts = [element("rect", {"class": f"bar {one.style}", **place})]
    if one.low is not None and one.high is not None:
        # The page's colour under it, so that it reads on a filled bar too.
        parts += [line(across(one.low), y, across(one.high), y, style) for style in ("halo", "whisker")]
    return Markup("".join(parts))
