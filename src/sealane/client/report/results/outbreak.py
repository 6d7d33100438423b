"""Weekly counts over all institutions, and the weeks that stand out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import FiniteFloat

from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.counts import PromiseHeld
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import enumerated, figure, section
from sealane.client.report.weekly import Week, weekly


class OutbreakHeld(Held):
    """What a watch over weeks holds."""

    weeks: list[int | str]
    counts: list[FiniteFloat | None]
    expected: list[FiniteFloat | None]
    alarms: list[int | str]
    method: str
    promise: PromiseHeld | None = None


def outbreak(result: Mapping[str, Any]) -> Markup:
    """Return the chart and the weeks that stand out."""
    if result.get("computation") != "surveillance.outbreak":
        return NOTHING
    found = find(result, OutbreakHeld, "weeks", "counts")
    if found is None:
        return NOTHING
    alarms = set(map(str, found.alarms))
    weeks = [Week(str(name), number, expected, str(name) in alarms)
             for name, number, expected in zip(found.weeks, found.counts, found.expected, strict=True)]
    noise = "" if found.promise is None else (
        f" Noise of standard deviation {found.promise.standard_error:.1f} is in each count (ε {found.promise.epsilon}, "
        f"δ {found.promise.delta})."
    )
    caption = f"Rows by week; the dashed line is what {found.method.upper()} expected, ▼ an alarm.{noise}"
    told = f"Weeks that stand out: {enumerated([one.name for one in weeks if one.alarm])}." if alarms else (
        "No week stands out.")
    return section("Weeks", element("p", {}, told),
                   figure(lambda name, width: weekly(weeks, name, width), "weeks", caption))
