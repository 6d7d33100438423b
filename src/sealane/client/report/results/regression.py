"""What a regression estimated: its coefficients as the report's rows, and what their exponentials are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, FiniteFloat

from sealane.client.report.model import CoefficientPart
from sealane.client.report.results.read import Held, find

RATIOS = {"logit": "Odds ratio", "log": "Rate ratio"}
TIMED = {"survival.cox": "Hazard ratio", "survival.fine_gray": "Subhazard ratio", "survival.aft": "Ratio of times"}
POSITIVE = ("gaussian", "gamma")
"""Families whose mean is no rate: with a logarithm as link, an exponential is a ratio of means."""


class RegressionHeld(Held):
    """What a regression's ``to_dict`` holds, with statsmodels' ideas."""

    coefficients: dict[str, FiniteFloat]
    standard_errors: dict[str, FiniteFloat | None] = Field(default_factory=dict)
    confidence_intervals: dict[str, tuple[FiniteFloat | None, FiniteFloat | None]] = Field(default_factory=dict)


class SummaryHeld(Held):
    """What a regression of times holds: lifelines' table, a row for each coefficient."""

    summary: dict[str, dict[str, float | None]]


def coefficients(result: Mapping[str, Any]) -> list[CoefficientPart]:
    """Return the coefficients of a model with their intervals; none for a computation that has none."""
    if result.get("computation") in TIMED:
        timed = find(result, SummaryHeld, "summary")
        return [] if timed is None else [row(name, one) for name, one in timed.summary.items() if "coef" in one]
    effects, columns = result.get("fe_params"), result.get("columns")
    if isinstance(effects, list) and isinstance(columns, list) and len(effects) == len(columns):
        result = {**result, "coefficients": dict(zip(map(str, columns), effects, strict=True))}
    found = find(result, RegressionHeld, "coefficients")
    if found is None:
        return []
    return [
        CoefficientPart(
            name=name,
            joint=value,
            se=found.standard_errors.get(name),
            low=found.confidence_intervals.get(name, (None, None))[0],
            high=found.confidence_intervals.get(name, (None, None))[1],
        )
        for name, value in found.coefficients.items()
    ]


def row(name: str, one: Mapping[str, float | None]) -> CoefficientPart:
    """Return one row of lifelines' table."""
    ends = {end: next((value for key, value in one.items() if key.startswith(f"coef {end}")), None)
            for end in ("lower", "upper")}
    return CoefficientPart(name=name, joint=one["coef"] or 0.0, se=one.get("se(coef)"), low=ends["lower"],
                           high=ends["upper"])


def ratio(result: Mapping[str, Any]) -> str | None:
    """Return what the exponential of a coefficient is, or None where it is nothing."""
    if result.get("computation") in TIMED:
        return TIMED[str(result["computation"])]
    link = result.get("link")
    if result.get("family") == "cox":
        return "Hazard ratio"
    if result.get("family") in POSITIVE and link == "log":
        return "Ratio of means"
    if result.get("family") == "binomial" and link == "log":
        return "Risk ratio"
    return RATIOS.get(str(link))
