"""Cumulative incidence of competing events: for each cause a chart with a curve for each group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, FiniteFloat

from sealane.client.report.curves import Curve, Frame, step_curves
from sealane.client.report.markup import NOTHING, Markup
from sealane.client.report.results.kaplan_meier import MOST, GridHeld, shown
from sealane.client.report.results.read import Held, find
from sealane.client.report.results.times import unit_of, words
from sealane.client.report.tables import figure, section

COMPUTATION = "survival.cumulative_incidence"


class IncidenceHeld(Held):
    """One estimated curve of one cause."""

    group: str
    cause: str
    times: list[FiniteFloat]
    incidence: list[FiniteFloat]
    lower: list[FiniteFloat | None]
    upper: list[FiniteFloat | None]


class IncidencesHeld(Held):
    """What a result on competing events holds."""

    curves: list[IncidenceHeld] = Field(min_length=1)
    grid: GridHeld
    by: str | None = None
    confidence: FiniteFloat = 0.95


def incidence(result: Mapping[str, Any]) -> Markup:
    """Return a chart for each cause."""
    if result.get("computation") != COMPUTATION:
        return NOTHING
    found = find(result, IncidencesHeld, "curves", "grid")
    if found is None:
        return NOTHING
    unit = unit_of(found.grid.unit, max(one.times[-1] for one in found.curves if one.times))
    causes = sorted({one.cause for one in found.curves})

    def chart(number: int, cause: str) -> Markup:
        curves = [
            Curve(shown(one.group, found.by), [time / unit.size for time in one.times], one.incidence, one.lower,
                  one.upper)
            for one in found.curves if one.cause == cause
        ][:MOST]
        frame = Frame(f"Incidence of {cause}", unit.title, "Share with the event", start=0.0)
        caption = (
            f"Event {cause}: Aalen–Johansen estimate with {found.confidence:.0%} bands, others competing. Event times "
            f"are told to a grid of {words(found.grid.resolution, found.grid.unit)}."
        )
        return figure(lambda identity, width: step_curves(curves, frame, identity, width), f"incidence-{number}",
                      caption)

    heading = "Cumulative incidence" + (f" by {found.by.replace('_', ' ')}" if found.by else "")
    return section(heading, *(chart(number, cause) for number, cause in enumerate(causes)))
