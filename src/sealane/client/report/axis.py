"""What all charts share: a linear scale, round ticks, and the SVG around them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sealane.client.report.markup import Markup, element

FONT = 13
LETTER = 0.56 * FONT
"""Average width of a letter at ``FONT`` pixels: what a label needs, nearly."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps ``[low, high]`` of the data onto ``[start, end]`` of the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the position of a value, those outside put at the edge."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round values (1, 2, 2.5 or 5 times a power of ten) within ``[low, high]``, at most ``most`` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [round(index * step, 12) + 0.0 for index in range(first, last + 1)]
    return [low, high]


def ratio_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Return logarithms of round ratios within ``[low, high]``, themselves logarithms: 1 and its neighbours."""
    for steps in ((1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0,)):
        found = [math.log(step * 10.0**power) for power in range(-9, 10) for step in steps]
        kept = [value + 0.0 for value in found if low <= value <= high]
        if len(kept) <= most:
            return kept
    return [0.0]


def ratio_text(value: float) -> str:
    """Return a ratio, given by its logarithm, as a tick has it: no more figures than it needs."""
    return f"{math.exp(value):.3g}"


def ratio_value(value: float) -> str:
    """Return a ratio, given by its logarithm, with two decimals, or three figures where those would hide it."""
    ratio = math.exp(min(max(value, -700.0), 700.0))
    return f"{ratio:.2f}" if 0.1 <= ratio < 1000 else f"{ratio:.3g}"


def tick_text(value: float) -> str:
    """Return a tick's label, with a true minus sign."""
    return f"{value:.6g}".replace("-", "−")


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    """Return a straight line with the style sheet's class."""
    return element("line", {"class": style, "x1": x1, "y1": y1, "x2": x2, "y2": y2})


def label(x: float, y: float, text: str, style: str = "label", anchor: str = "start") -> Markup:
    """Return a text whose baseline starts, centres or ends at ``(x, y)``."""
    return element("text", {"class": style, "x": x, "y": y, "text-anchor": anchor}, text)


def drawing(identity: str, width: int, height: float, title: str, description: str, *parts: str) -> Markup:
    """Return the whole SVG: named and described for those who cannot see it."""
    named = {"role": "img", "aria-labelledby": f"{identity}-title {identity}-desc"}
    size: dict[str, str | int] = {
        "viewBox": f"0 0 {width} {math.ceil(height)}",
        "width": width,
        "height": math.ceil(height),
    }
    heading = element("title", {"id": f"{identity}-title"}, title)
    words = element("desc", {"id": f"{identity}-desc"}, description)
    return element("svg", {"class": "chart", **named, **size}, heading, words, *parts)


def bottom_axis(
    scale: Scale, values: list[float], top: float, bottom: float, title: str, text: Callable[[float], str] = tick_text
) -> Markup:
    """Return vertical grid lines, tick labels below them, and the axis title below those."""
    parts = []
    for value in values:
        parts.append(line(scale(value), top, scale(value), bottom, "grid"))
        parts.append(label(scale(value), bottom + 18, text(value), "tick", "middle"))
    parts.append(line(scale.start, bottom, scale.end, bottom, "axis"))
    middle = (scale.start + scale.end) / 2
    return Markup("".join([*parts, label(middle, bottom + 40, title, "axis-title", "middle")]))
