"""Survival curves with their numbers at risk, medians, and the log-rank test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, FiniteFloat

from sealane.client.report.curves import Curve, Frame, step_curves
from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.read import Held, find
from sealane.client.report.results.times import Unit, unit_of, words
from sealane.client.report.tables import count, estimate, figure, p_value, section, table

ALONE = "KM_estimate"
"""Name of the one curve where there are no groups: lifelines'."""
MOST = 6
"""Most groups in one chart: as many as there are strokes that can be told apart."""


class CurveHeld(Held):
    """One estimated curve."""

    times: list[FiniteFloat]
    survival: list[FiniteFloat]
    lower: list[FiniteFloat | None]
    upper: list[FiniteFloat | None]
    median: FiniteFloat | None = None


class LadderHeld(Held):
    """How many rows entered, or left in one way, at the one time of each merged interval."""

    times: list[FiniteFloat] = Field(default_factory=list)
    numbers: list[int] = Field(default_factory=list)

    def before(self, time: float) -> int:
        """Return how many did so before a time."""
        return sum(number for at, number in zip(self.times, self.numbers, strict=True) if at < time)


class GroupHeld(Held):
    """Counts of one group."""

    rows: int
    events: LadderHeld
    leavings: LadderHeld
    entries: LadderHeld = Field(default_factory=LadderHeld)

    def at_risk(self, time: float) -> int:
        """Return how many are under observation just before a time."""
        from_the_beginning = self.rows - sum(self.entries.numbers)
        return from_the_beginning + self.entries.before(time) - self.events.before(time) - self.leavings.before(time)


class GridHeld(Held):
    """The public grid of times."""

    resolution: FiniteFloat
    unit: str | None = None


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


def kaplan_meier(result: Mapping[str, Any]) -> Markup:
    """Return the curves, in charts of a few, the table of medians and the test."""
    if result.get("computation") != "survival.kaplan_meier":
        return NOTHING
    found = find(on_ladders(result), CurvesHeld, "curves", "groups", "grid")
    if found is None:
        return NOTHING
    unit = unit_of(found.grid.unit, max(one.times[-1] for one in found.curves.values() if one.times))
    both = zip(found.curves.items(), found.groups.values(), strict=True)
    curves = [curve(shown(name, found.by), one, group, unit) for (name, one), group in both]
    heading = "Survival" if found.by is None else f"Survival by {found.by.replace('_', ' ')}"
    frame = Frame(heading, unit.title, "Without the event")
    caption = (
        f"Kaplan–Meier estimate with {found.confidence:.0%} confidence bands. Event times are told to a grid of "
        f"{words(found.grid.resolution, found.grid.unit)}, and steps of a few rows are merged."
    )

    def chart(number: int) -> Markup:
        part = curves[number * MOST : (number + 1) * MOST]
        return figure(lambda identity, width: step_curves(part, frame, identity, width), f"survival-{number}", caption)

    charts = [chart(number) for number in range(-(-len(curves) // MOST))]
    return section(heading, *charts, medians(found, unit), test(found))


def on_ladders(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the result with a ladder for each count: with noise all counts share the result's times."""
    times, groups = result.get("times"), result.get("groups")
    if not isinstance(times, list) or not isinstance(groups, Mapping):
        return result

    def laddered(group: Any) -> Any:
        if not isinstance(group, Mapping):
            return group
        ladders = {key: {"times": times, "numbers": value} if isinstance(value, list) else value
                   for key, value in group.items()}
        counted = [number for value in group.values() if isinstance(value, list) for number in value]
        return {"rows": sum(number for number in counted if isinstance(number, int))} | ladders

    return {**result, "groups": {name: laddered(group) for name, group in groups.items()}}


def curve(name: str, one: CurveHeld, group: GroupHeld, unit: Unit) -> Curve:
    """Return one curve as a chart takes it."""
    median = None if one.median is None else one.median / unit.size
    times = [time / unit.size for time in one.times]
    return Curve(name, times, one.survival, one.lower, one.upper,
                 lambda time: group.at_risk(time * unit.size), median)


def medians(found: CurvesHeld, unit: Unit) -> Markup:
    """Return rows, events and the median of each group."""
    rows = []
    for (name, one), group in zip(found.curves.items(), found.groups.values(), strict=True):
        median = "not reached" if one.median is None else estimate(one.median / unit.size)
        rows.append([shown(name, found.by), count(group.rows), count(sum(group.events.numbers)), median])
    return table(f"Median time to the event ({unit.title.lower()})", ["Group", "Rows", "Events", "Median"], rows)


def test(found: CurvesHeld) -> Markup:
    """Return the log-rank test in a sentence."""
    if found.logrank is None:
        return NOTHING
    said = found.logrank
    numbers = f"χ² = {said.test_statistic:.2f} on {said.degrees_of_freedom} degrees of freedom"
    return element("p", {}, f"Log-rank test that all groups are alike: {numbers}, p {p_value(said.p_value)}.")


def shown(name: str, by: str | None = None) -> str:
    """Return a group's name for a reader; a flag's two with the column they are of."""
    if name == ALONE:
        return "all"
    return f"{(by or '').replace('_', ' ')} = {name}" if by and name in ("0", "1") else name.replace("_", " ")
