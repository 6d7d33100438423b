"""Calibration plot: the share observed against the risk predicted, in groups of predicted risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sealane.client.report.axis import Scale, drawing, label, line, tick_text, ticks
from sealane.client.report.curves import polyline
from sealane.client.report.markup import Markup, element

NARROW = 480
ENDS = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Where both axes may end: risks that are all small would else lie in a corner."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of like predicted risk: mean prediction, share observed with its interval, and how many they are."""

    predicted: float
    observed: float
    low: float
    high: float
    rows: int


def calibration_plot(groups: Sequence[Group], identity: str = "calibration", width: int = 680) -> Markup:
    """Return the groups as SVG: on the diagonal where risks are what happens.

    Raises:
        ValueError: there is none.
    """
    if not groups:
        raise ValueError("a calibration plot needs a group")
    left, top = 54.0, 12.0
    side = width - left - 12 if width < NARROW else min(width - left - 200, 400.0)
    highest = max(max(one.predicted, one.high) for one in groups)
    end = next(end for end in ENDS if highest <= end)
    across, upward = Scale(0, end, left, left + side), Scale(0, end, top + side, top)
    parts = []
    for value in ticks(0, end):
        parts.append(line(across(value), upward(0), across(value), upward(end), "grid"))
        parts.append(line(across(0), upward(value), across(end), upward(value), "grid"))
        parts.append(label(across(value), upward(0) + 18, tick_text(value), "tick", "middle"))
        parts.append(label(across(0) - 8, upward(value) + 4, tick_text(value), "tick", "end"))
    parts += [line(across(0), upward(0), across(end), upward(0), "axis")]
    parts += [line(across(0), upward(0), across(0), upward(end), "axis")]
    parts += [line(across(0), upward(0), across(end), upward(end), "chance")]
    parts.append(label(across(end / 2), upward(0) + 42, "Risk predicted", "axis-title", "middle"))
    turned = {"transform": f"translate(14 {upward(end / 2):.1f}) rotate(-90)", "text-anchor": "middle"}
    parts.append(element("text", {"class": "axis-title", **turned}, "Share observed"))
    parts.append(polyline([(one.predicted, one.observed) for one in groups], across, upward, "curve joint thin"))
    for one in groups:
        parts.append(line(across(one.predicted), upward(one.low), across(one.predicted), upward(one.high), "whisker"))
        parts.append(element("circle", {"class": "dot", "cx": across(one.predicted), "cy": upward(one.observed),
                                        "r": 4.5}))
    told = "; ".join(f"{one.predicted:.2f} predicted, {one.observed:.2f} observed" for one in groups)
    return drawing(identity, width, top + side + 52, "Calibration", f"Groups of like predicted risk: {told}.", *parts)
