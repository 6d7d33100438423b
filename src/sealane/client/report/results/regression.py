"""What a regression estimated: its coefficients as the report's rows, and what their exponentials are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, FiniteFloat

from sealane.client.report.model import CoefficientPart
from sealane.client.report.results.read import Held, find

RATIOS = {"logit": "Odds ratio", "log": "Rate ratio"}
GAUSSIAN_LOG = "Ratio of means"


class RegressionHeld(Held):
    """What every regression's ``to_dict`` holds."""

    coefficients: dict[str, FiniteFloat]
    standard_errors: dict[str, FiniteFloat | None] = Field(default_factory=dict)
    confidence_intervals: dict[str, tuple[FiniteFloat | None, FiniteFloat | None]] = Field(default_factory=dict)


def coefficients(result: Mapping[str, Any]) -> list[CoefficientPart]:
    """Return the coefficients of a model with their intervals; none for a computation that has none."""
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


def ratio(result: Mapping[str, Any]) -> str | None:
    """Return what the exponential of a coefficient is, or None where it is nothing."""
    computation = str(result.get("computation", ""))
    if computation in ("survival.cox", "survival.fine_gray"):
        return "Hazard ratio"
    if computation == "survival.aft":
        return "Ratio of times"
    link = result.get("link")
    if result.get("family") in ("gaussian", "gamma") and link == "log":
        return GAUSSIAN_LOG
    return RATIOS.get(str(link))
