"""A scorecard: the points of every bin, and why other features are not in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import FiniteFloat

from sealane.client.report.markup import NOTHING, Markup, element, join
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import estimate, section, table

REASONS = {"one-bin": "all rows in one bin", "iv": "too little information", "vif": "others tell it",
           "stepwise": "no better by Akaike's criterion"}


class PointsHeld(Held):
    """The points of one bin."""

    feature: str
    bin: str
    points: FiniteFloat


class FeatureHeld(Held):
    """A feature, used or not."""

    name: str
    used: bool
    reason: str | None = None
    iv: FiniteFloat | None = None


class ScalingHeld(Held):
    """What points mean."""

    base_score: FiniteFloat
    base_odds: FiniteFloat
    pdo: FiniteFloat


class CardHeld(Held):
    """What a card holds."""

    points: list[PointsHeld]
    features: list[FeatureHeld]
    scaling: ScalingHeld


def scorecard(result: Mapping[str, Any]) -> Markup:
    """Return the card."""
    if result.get("computation") != "glm.scorecard":
        return NOTHING
    found = find(result, CardHeld, "points", "features", "scaling")
    if found is None:
        return NOTHING
    iv = {one.name: one.iv for one in found.features}
    before, rows = "", list[list[str]]()
    for one in found.points:
        first = one.feature != before
        rows.append([one.feature if first else "", join(one.bin), f"{one.points:.4g}".replace("-", "−"),
                     estimate(iv.get(one.feature)) if first else ""])
        before = one.feature
    scale = found.scaling
    told = (f"{scale.base_score:g} points stand for odds of {scale.base_odds:g} to 1 that nothing happens; "
            f"{scale.pdo:g} more double them. IV: information value.")
    left = [f"{one.name} ({REASONS.get(one.reason or '', one.reason)})" for one in found.features if not one.used]
    return section("Scorecard", table(told, ["Feature", "Bin", "Points", "IV"], rows),
                   element("p", {}, f"Not used: {', '.join(left)}.") if left else NOTHING)
