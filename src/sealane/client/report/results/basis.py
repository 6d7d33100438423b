"""On whose rows a model rests, where that is not all institutions'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import enumerated

FALLBACKS = {"firth": "Firth's penalised likelihood", "ridge": "a ridge"}
"""How a model was fitted for which the maximum of the likelihood does not exist."""


class BasisPart(Held):
    """What a model says of the institutions behind it."""

    contributing: int
    institutions: int
    missing_everywhere: list[str] = Field(default_factory=list)
    without_events: int = 0


class BasisHeld(Held):
    """A result with a basis."""

    basis: BasisPart
    method: str = ""


def basis(result: Mapping[str, Any]) -> Markup:
    """Return what a reader has to know of the institutions behind a model, or nothing where all contribute."""
    found = find(result, BasisHeld, "basis")
    if found is None:
        return NOTHING
    said = found.basis
    told = []
    if said.contributing < said.institutions:
        told.append(f"Rows of {said.contributing} of {said.institutions} institutions are in it.")
    if said.missing_everywhere:
        told.append(f"Missing in all rows of some institution: {enumerated(said.missing_everywhere)}.")
    if said.without_events:
        told.append(f"Institutions without a single event: {said.without_events}.")
    if found.method in FALLBACKS:
        told.append(f"The outcome was separated, so the model is fitted by {FALLBACKS[found.method]}.")
    return element("p", {"class": "note"}, " ".join(told)) if told else NOTHING
