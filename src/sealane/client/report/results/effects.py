"""Effects of a treatment by weighting: the effects, and how alike the arms are before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, FiniteFloat

from sealane.client.report.forest import readable
from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.counts import HIDDEN
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import estimate, p_value, section, table

NAMES = {"difference": "Difference", "risk_ratio": "Risk ratio", "odds_ratio": "Odds ratio"}
ALIKE = 0.1
"""Standardised mean difference under which arms are usually called alike (Austin 2009, Stat. Med. 28:3083)."""


class EffectHeld(Held):
    """One effect with its interval."""

    estimate: FiniteFloat | None
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    p: FiniteFloat | None = None


class BalanceHeld(Held):
    """Standardised mean difference of one column."""

    name: str
    before: FiniteFloat | None = None
    after: FiniteFloat | None = None


class EffectsHeld(Held):
    """What a weighted comparison holds."""

    effects: dict[str, EffectHeld]
    balance: list[BalanceHeld] = Field(default_factory=list)
    effective_rows: list[FiniteFloat] = Field(default_factory=list)
    arms: list[int] = Field(default_factory=list)
    treatment: str = "treatment"


def effects(result: Mapping[str, Any]) -> Markup:
    """Return the effects and the balance."""
    if result.get("computation") != "causal.ipw":
        return NOTHING
    found = find(result, EffectsHeld, "effects")
    if found is None:
        return NOTHING
    rows = [[NAMES.get(name, name), *map(estimate, (one.estimate, one.low, one.high)),
             "–" if one.p is None else p_value(one.p)] for name, one in found.effects.items()]
    parts = [table(f"Effect of {found.treatment}, by inverse probability weights",
                   ["Effect", "Estimate", "95 % from", "to", "p"], rows)]
    if found.arms and found.effective_rows:
        parts.append(element("p", {}, "Rows: " + ", ".join(
            f"{name} {number} (effective {effective:.0f})" for name, number, effective in
            zip(("treated", "control"), found.arms, found.effective_rows, strict=False)) + "."))
    return section("Effect of treatment", *parts, balance(found.balance))


def balance(columns: list[BalanceHeld]) -> Markup:
    """Return how alike the arms are."""
    if not columns:
        return NOTHING
    apart = [readable(one.name) for one in columns if one.after is not None and abs(one.after) > ALIKE]
    told = (f"After weighting, arms still differ by more than {ALIKE} in {', '.join(apart)}." if apart
            else f"After weighting, arms differ by at most {ALIKE} standard deviations in every column that shows.")
    rows = [[readable(one.name), *(HIDDEN if value is None else f"{value:.2f}".replace("-", "−")
                                   for value in (one.before, one.after))] for one in columns]
    return Markup(element("p", {}, told) + table("Standardised mean differences",
                                                 ["Column", "Before weighting", "After"], rows))
