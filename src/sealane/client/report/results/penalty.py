"""A penalised path: how many columns stay at each penalty, what cross-validation says, and which one was taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import FiniteFloat

from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import estimate, section, table


class ErrorsHeld(Held):
    """Cross-validated error at each penalty."""

    mean: list[FiniteFloat]
    se: list[FiniteFloat]


class PathHeld(Held):
    """What a path of penalties holds, the largest first."""

    penalty: str
    lambdas: list[FiniteFloat]
    nonzero: list[int]
    chosen: int | None = None
    folds: int = 0
    rule: str = ""
    cv: ErrorsHeld | None = None


def penalty(result: Mapping[str, Any]) -> Markup:
    """Return the path as a table."""
    found = find(result, PathHeld, "penalty", "lambdas", "nonzero")
    if found is None:
        return NOTHING
    names = [f"{value:.3g}" for value in found.lambdas]
    rows = [[name, str(number), *errors(found, place)] for place, (name, number) in
            enumerate(zip(names, found.nonzero, strict=True))]
    heads = ["Penalty λ", "Columns in the model", *(["Error", "± SE"] if found.cv else [])]
    told = f"A path of {len(rows)} penalties ({found.penalty})."
    taken = None
    if found.chosen is not None:
        taken = names[found.chosen]
        told += (f" Taken: λ = {taken}, by the rule {found.rule} of {found.folds}-fold cross-validation; its "
                 f"{found.nonzero[found.chosen]} columns are above.")
    path = table("Penalties, the strongest first", heads, rows, marked=taken)
    return section("Path of penalties", element("p", {}, told),
                   element("details", {}, element("summary", {}, "The whole path"), path))


def errors(found: PathHeld, place: int) -> list[str]:
    """Return the cross-validated error at one penalty."""
    return [] if found.cv is None else [estimate(found.cv.mean[place]), estimate(found.cv.se[place])]
