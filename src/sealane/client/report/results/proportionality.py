"""Whether hazard ratios change with time: the test on scaled Schoenfeld residuals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import FiniteFloat

from sealane.client.report.forest import readable
from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import p_value, section, table

SHOWN = ("rank", "km", "identity", "log")
"""Functions of time, the first of which is shown that the test was made with."""
LEAST = 0.05


class ProportionalityHeld(Held):
    """Statistics by function of time, in the order of the columns."""

    columns: list[str]
    proportionality: dict[str, list[FiniteFloat]]


def proportionality(result: Mapping[str, Any]) -> Markup:
    """Return the test of each coefficient."""
    found = find(result, ProportionalityHeld, "columns", "proportionality")
    if found is None:
        return NOTHING
    function = next((name for name in SHOWN if name in found.proportionality), next(iter(found.proportionality)))
    tested = dict(zip(found.columns, found.proportionality[function], strict=True))
    # The chi-squared distribution of one degree of freedom is that of a squared normal variable.
    chances = {name: math.erfc(math.sqrt(max(statistic, 0.0) / 2.0)) for name, statistic in tested.items()}
    rows = [[readable(name), f"{tested[name]:.2f}", p_value(chance)] for name, chance in chances.items()]
    low = [readable(name) for name, chance in chances.items() if chance < LEAST]
    told = (
        f"Evidence (p < {LEAST}) that the ratio changes with time: {', '.join(low)}. Read it as an average over time."
        if low
        else "No evidence that a ratio changes with time."
    )
    caption = f"Scaled Schoenfeld residuals against time ({function}), a test of each coefficient"
    return section("Are hazards proportional?", element("p", {}, told),
                   table(caption, ["Coefficient", "χ²", "p"], rows))
