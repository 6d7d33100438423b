"""Forest plot: each coefficient or ratio with its interval, joint beside pooled."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sealane.client.report.axis import (
    LETTER,
    Scale,
    bottom_axis,
    drawing,
    label,
    line,
    ratio_text,
    ratio_ticks,
    ratio_value,
    tick_text,
    ticks,
)
from sealane.client.report.markup import Markup, element

NARROW = 480
"""Below this width a name stands above its interval, not beside it."""
MOST = 60
"""Most coefficients shown; those furthest from zero, in units of their error, are kept."""
LEVEL = re.compile(r"(?P<column>[^\[\]]+)\[T\.(?P<level>.*)\]")


@dataclass(frozen=True, slots=True)
class Estimate:
    """One coefficient, on the plot's common unit."""

    name: str
    joint: float
    low: float | None = None
    high: float | None = None
    pooled: float | None = None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def coefficient_plot(
    estimates: Sequence[Estimate],
    unit: str,
    identity: str = "coefficients",
    width: int = 680,
    *,
    ratio: bool = False,
    title: str = "Coefficients",
    marks: str = "joint, 95 % interval",
) -> Markup:
    """Return the estimates as SVG, in the given order; with ``ratio`` they are logarithms of what is written.

    Raises:
        ValueError: there is none.
    """
    shown = strongest(estimates)
    if not shown:
        raise ValueError("a plot needs an estimate")
    narrow = width < NARROW
    row, top = (42.0 if narrow else 25.0), 42.0
    names = [readable(one.name) for one in shown]
    left = 12.0 if narrow else min(max(map(len, names)) * LETTER + 18, width * 0.42)
    right = width - (12.0 if narrow else 148.0)
    text = ratio_value if ratio else signed
    bottom = top + row * len(shown) + 4
    low, high = extent(shown)
    across = Scale(low, high, left, right)
    parts = [legend(12.0 if narrow else left, 14.0, marks, any(one.pooled is not None for one in shown))]
    grid = (ratio_ticks if ratio else ticks)(low, high, 5 if narrow else 7)
    parts.append(bottom_axis(across, grid, top, bottom, unit, ratio_text if ratio else tick_text))
    parts.append(line(across(0), top, across(0), bottom, "zero"))
    for index, (one, name) in enumerate(zip(shown, names, strict=True)):
        upper = top + row * index
        y = upper + (31.0 if narrow else row / 2)
        if narrow:
            parts.append(label(left, upper + 16, fitted(name, width - 24 - 6 * LETTER)))
            parts.append(label(right, upper + 16, text(one.joint), "value", "end"))
        else:
            parts.append(label(left - 12, y + 4, fitted(name, left - 12), anchor="end"))
            parts.append(label(width - 4, y + 4, interval_text(one, text), "value", "end"))
        parts.append(mark(one, across, y))
    return drawing(identity, width, bottom + 52, title, description(shown, title, text), *parts)


def mark(one: Estimate, across: Scale, y: float) -> Markup:
    """Return the interval as a bar, the joint estimate as a dot, the pooled one as a ring around it."""
    parts = []
    style = "clear" if one.clear else "unclear"
    if one.low is not None and one.high is not None:
        parts.append(line(across(one.low), y, across(one.high), y, f"interval {style}"))
    parts.append(element("circle", {"class": f"dot {style}", "cx": across(one.joint), "cy": y, "r": 4}))
    if one.pooled is not None:
        parts.append(element("circle", {"class": "ring", "cx": across(one.pooled), "cy": y, "r": 7}))
    return Markup("".join(parts))


def legend(x: float, y: float, marks: str, pooled: bool) -> Markup:
    """Return what the marks mean."""
    parts = [line(x, y, x + 28, y, "interval clear")]
    parts.append(element("circle", {"class": "dot clear", "cx": x + 14, "cy": y, "r": 4}))
    parts.append(label(x + 36, y + 4, marks))
    if pooled:
        start = x + 36 + len(marks) * LETTER + 18
        parts.append(element("circle", {"class": "ring", "cx": start, "cy": y, "r": 7}))
        parts.append(label(start + 14, y + 4, "pooled"))
    return Markup("".join(parts))


def strongest(estimates: Sequence[Estimate]) -> list[Estimate]:
    """Return at most ``MOST`` estimates, in the order they came."""

    def strength(one: Estimate) -> float:
        spread = (one.high - one.low) if one.high is not None and one.low is not None else 1.0
        return abs(one.joint) / spread if spread > 0 else abs(one.joint)

    kept = sorted(range(len(estimates)), key=lambda index: -strength(estimates[index]))[:MOST]
    return [estimates[index] for index in sorted(kept)]


def extent(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """Return a range that holds zero and every mark, with a little room."""
    ends = [0.0]
    for one in estimates:
        ends += [value for value in (one.joint, one.low, one.high, one.pooled) if value is not None]
    room = (max(ends) - min(ends)) * 0.04 or 1.0
    return min(ends) - room, max(ends) + room


def readable(name: str) -> str:
    """Return ``column = level`` for ``column[T.level]``, other names as they are."""
    match = LEVEL.fullmatch(name)
    return f"{match['column']} = {match['level']}" if match else name


def fitted(name: str, room: float) -> str:
    """Return the name, cut in the middle if it needs more pixels than there are."""
    letters = max(int(room / LETTER), 5)
    if len(name) <= letters:
        return name
    head = letters // 2
    return f"{name[:head]}…{name[len(name) - (letters - head - 1) :]}"


def interval_text(one: Estimate, text: Callable[[float], str]) -> str:
    """Return ``0.12 (0.10, 0.15)``."""
    if one.low is None or one.high is None:
        return text(one.joint)
    return f"{text(one.joint)} ({text(one.low)}, {text(one.high)})"


def signed(value: float) -> str:
    """Return a number with two decimals and a true minus sign."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def description(estimates: Sequence[Estimate], title: str, text: Callable[[float], str]) -> str:
    """Return the plot in words."""
    none = "1" if text is ratio_value else "zero"
    clear = [f"{readable(one.name)} {text(one.joint)}" for one in estimates if one.clear]
    told = f"Intervals that leave {none} out: {', '.join(clear)}." if clear else f"No interval leaves {none} out."
    return f"{title}: {len(estimates)} with 95 % intervals. {told} The table below has all numbers."
