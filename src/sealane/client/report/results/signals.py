"""Pairs of drug and event that are reported together more often than expected."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import Field, FiniteFloat

from sealane.client.report.forest import Estimate, coefficient_plot
from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.counts import HIDDEN
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import count, estimate, figure, section, table


class PairHeld(Held):
    """One pair, with its reports and the reporting odds ratio; None where hidden."""

    drug: str
    event: str
    reports: FiniteFloat | None = Field(default=None, alias="a")
    ratio: FiniteFloat | None = Field(default=None, alias="ROR")
    low: FiniteFloat | None = Field(default=None, alias="ROR_low")
    high: FiniteFloat | None = Field(default=None, alias="ROR_high")
    signal: bool | None = None


class PairsHeld(Held):
    """What a screening of reports holds."""

    pairs: list[PairHeld]
    rule: str = ""


def signals(result: Mapping[str, Any]) -> Markup:
    """Return the pairs as a forest and a table."""
    if result.get("computation") != "surveillance.disproportionality":
        return NOTHING
    found = find(result, PairsHeld, "pairs")
    if found is None:
        return NOTHING
    marks = [
        Estimate(f"{one.drug}, {one.event}", math.log(one.ratio), logarithm(one.low), logarithm(one.high))
        for one in found.pairs if one.ratio is not None and one.ratio > 0
    ]
    chart = NOTHING
    if marks:
        chart = figure(
            lambda name, width: coefficient_plot(marks, "Reporting odds ratio", name, width, ratio=True,
                                                 title="Reporting odds ratios", marks="pair, 95 % interval"),
            "pairs", "Disproportionality is a hint, not a rate: nobody knows who took the drug without reporting.",
        )
    rows = [[one.drug, one.event, HIDDEN if one.reports is None else count(int(one.reports)),
             *(HIDDEN if one.reports is None else estimate(value) for value in (one.ratio, one.low, one.high)),
             "signal" if one.signal else ""] for one in found.pairs]
    hits = sum(bool(one.signal) for one in found.pairs)
    told = f"{hits or 'No'} pair{'' if hits == 1 else 's'} of {len(found.pairs)} by the rule {found.rule}."
    return section("Signals", element("p", {}, told), chart,
                   table("Reports of each pair", ["Drug", "Event", "Reports", "ROR", "95 % from", "to", ""], rows))


def logarithm(value: float | None) -> float | None:
    """Return the logarithm of an end of an interval, where there is one."""
    return math.log(value) if value is not None and value > 0 else None
