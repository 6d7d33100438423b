"""Survival curves with their numbers at risk, medians, and the log-rank test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, FiniteFloat

from sealane.client.report.curves import Curve, Frame, step_curves
from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import count, estimate, figure, p_value, section, table

ALONE = "KM_estimate"
"""Name of the one curve where there are no groups: lifelines'."""
UNITS = {"d": "Days", "wk": "Weeks", "mo": "Months", "a": "Years"}
MOST = 6
"""Most groups in one chart: as many as there are strokes that can be told apart."""


class CurveHeld(Held):
    """One estimated curve."""

    times: list[FiniteFloat]
    survival: list[FiniteFloat]
    lower: list[FiniteFloat | None]
    upper: list[FiniteFloat | None]
    median: FiniteFloat | None = None


class GroupHeld(Held):
    """Counts of one group by grid time."""

    rows: int
    at_risk: list[int | None]
    observed: list[int | None]


class GridHeld(Held):
    """The public grid of times."""

    times: list[FiniteFloat]
    resolution: FiniteFloat
    unit: str | None = None
    merged: int = 0


class TestHeld(Held):
    """The log-rank test."""

    test_statistic: FiniteFloat
    degrees_of_freedom: int
    p_value: FiniteFloat


class CurvesHeld(Held):
    """What a Kaplan–Meier result holds."""

    curves: dict[str, CurveHeld]
    groups: dict[str, GroupHeld]
    grid: GridHeld
    by: str | None = None
    confidence: FiniteFloat = 0.95
    logrank: TestHeld | None = None
    hidden: dict[str, str] = Field(default_factory=dict)


def kaplan_meier(result: Mapping[str, Any]) -> Markup:
    """Return the curves, in charts of a few, the table of medians and the test."""
    found = find(result, CurvesHeld, "curves", "groups", "grid")
    if found is None:
        return NOTHING
    curves = [curve(name, one, found) for name, one in found.curves.items()]
    heading = "Survival" if found.by is None else f"Survival by {found.by.replace('_', ' ')}"
    frame = Frame(heading, time_title(found.grid.unit), "Without the event")
    caption = (
        f"Kaplan–Meier estimate with {found.confidence:.0%} confidence bands. Event times are told to a grid of "
        f"{found.grid.resolution:g} {unit_text(found.grid.unit)}."
    )

    def chart(number: int) -> Markup:
        part = curves[number * MOST : (number + 1) * MOST]
        return figure(lambda identity, width: step_curves(part, frame, identity, width), f"survival-{number}", caption)

    charts = [chart(number) for number in range(-(-len(curves) // MOST))]
    return section(heading, *charts, medians(found), test(found))


def curve(name: str, one: CurveHeld, found: CurvesHeld) -> Curve:
    """Return one curve as a chart takes it."""
    group = next(iter(found.groups.values())) if name == ALONE else found.groups.get(name)
    numbers = group.at_risk if group else ()
    return Curve(shown(name), one.times, one.survival, one.lower, one.upper, numbers, found.grid.times, one.median)


def medians(found: CurvesHeld) -> Markup:
    """Return rows, events and the median of each group."""
    rows = []
    for name, group in found.groups.items():
        held = found.curves.get(name) or found.curves.get(ALONE)
        median = held.median if held else None
        events = sum(number for number in group.observed if number is not None)
        rows.append([shown(name), count(group.rows), count(events), estimate(median) if median else "not reached"])
    return table("Median time to the event", ["Group", "Rows", "Events", "Median"], rows)


def test(found: CurvesHeld) -> Markup:
    """Return the log-rank test in a sentence."""
    if found.logrank is None:
        return NOTHING
    said = found.logrank
    words = f"χ² = {said.test_statistic:.2f} on {said.degrees_of_freedom} degrees of freedom, p {p_value(said.p_value)}"
    return element("p", {}, f"Log-rank test that all groups are alike: {words}.")


def shown(name: str) -> str:
    """Return a group's name for a reader."""
    return "all" if name == ALONE else name.replace("_", " ")


def time_title(unit: str | None) -> str:
    """Return the title of the axis of time."""
    return UNITS.get(unit or "", f"Time ({unit})" if unit else "Time")


def unit_text(unit: str | None) -> str:
    """Return a UCUM unit of time in words."""
    return UNITS.get(unit or "", unit or "units").lower()
