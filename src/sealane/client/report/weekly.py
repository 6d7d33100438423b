"""Counts by week as columns, with what was expected and the weeks that stand out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sealane.client.report.axis import Scale, drawing, label, line, tick_text, ticks
from sealane.client.report.curves import polyline
from sealane.client.report.markup import Markup, element


@dataclass(frozen=True, slots=True)
class Week:
    """One week.

    Args:
        name: of the week.
        number: rows in it, None where hidden.
        expected: by the method, None before it has a baseline.
        alarm: whether it stands out.
    """

    name: str
    number: float | None
    expected: float | None = None
    alarm: bool = False


def weekly(weeks: Sequence[Week], identity: str = "weeks", width: int = 680) -> Markup:
    """Return the weeks as SVG: a column each, alarms filled and marked, the expectation as a line.

    Raises:
        ValueError: there is none.
    """
    if not weeks:
        raise ValueError("a chart needs a week")
    left, top, bottom = 54.0, 26.0, 246.0
    known = [value for one in weeks for value in (one.number, one.expected) if value is not None]
    upward = Scale(0.0, max([*known, 1.0]) * 1.05, bottom, top)
    across = Scale(0.0, float(len(weeks)), left, width - 12.0)
    parts = [line(across.start, bottom, across.end, bottom, "axis")]
    for value in ticks(0.0, upward.high, 6):
        parts.append(line(across.start, upward(value), across.end, upward(value), "grid"))
        parts.append(label(left - 8, upward(value) + 4, tick_text(value), "tick", "end"))
    step = (across.end - across.start) / len(weeks)
    for place, one in enumerate(weeks):
        x = across(place)
        if one.number is not None:
            style = "joint-fill" if one.alarm else "alone-fill"
            parts.append(element("rect", {"class": f"bar {style}", "x": x + step * 0.1, "y": upward(one.number),
                                          "width": step * 0.8, "height": bottom - upward(one.number)}))
        if one.alarm:
            parts.append(label(x + step / 2, upward(one.number or 0.0) - 6, "▼", "value", "middle"))
    line_of = [(place + 0.5, one.expected) for place, one in enumerate(weeks) if one.expected is not None]
    if line_of:
        parts.append(polyline([(x, y) for x, y in line_of if y is not None], across, upward, "curve pooled"))
    every = max(len(weeks) // (4 if width < 480 else 8), 1)
    parts += [label(across(place + 0.5), bottom + 18, weeks[place].name, "tick", "middle")
              for place in range(0, len(weeks), every)]
    alarms = [one.name for one in weeks if one.alarm]
    told = f"{len(weeks)} weeks. " + (f"Alarms: {', '.join(alarms)}." if alarms else "No alarm.")
    return drawing(identity, width, bottom + 32, "Rows by week", told, *parts)
