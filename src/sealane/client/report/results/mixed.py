"""A mixed model: how much institutions differ, and each institution's random intercept where it is released."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, FiniteFloat

from sealane.client.report.forest import Estimate, coefficient_plot
from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import figure, section

NORMAL_975 = 1.959963984540054


class OwnHeld(Held):
    """One institution's random intercept."""

    name: str
    intercept: FiniteFloat
    variance: FiniteFloat


class MixedHeld(Held):
    """What a mixed model holds."""

    icc: FiniteFloat
    cov_re: FiniteFloat
    scale: FiniteFloat
    institutions: list[OwnHeld] = Field(default_factory=list)


def mixed(result: Mapping[str, Any]) -> Markup:
    """Return the variances, and the intercepts as a forest."""
    if result.get("computation") != "model.mixed":
        return NOTHING
    found = find(result, MixedHeld, "scale")
    if found is None:
        return NOTHING
    told = (
        f"Variance between institutions {found.cov_re:.4g}, within them {found.scale:.4g}: {found.icc:.1%} of what the "
        "features leave open lies between institutions."
    )
    rows = []
    for one in found.institutions:
        half = NORMAL_975 * one.variance**0.5
        rows.append(Estimate(one.name, one.intercept, one.intercept - half, one.intercept + half))
    chart = NOTHING
    if rows:
        chart = figure(
            lambda name, width: coefficient_plot(rows, "Random intercept", name, width, title="Random intercepts",
                                                 marks="institution, 95 % interval"),
            "intercepts",
            "How far each institution lies from the mean of all, drawn towards it by what its rows allow.",
        )
    return section("How institutions differ", element("p", {}, told), chart)
