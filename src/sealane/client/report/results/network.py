"""A network: what it is, how it does, and how its loss fell round by round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import FiniteFloat

from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import count, estimate, section, table


class RoundHeld(Held):
    """A round of training."""

    round: int
    loss: FiniteFloat
    validation_loss: FiniteFloat | None = None


class NetworkHeld(Held):
    """What a trained network holds."""

    task: str
    nobs: int
    kept: int
    stopped: str
    parameters: dict[str, Any]
    history: list[RoundHeld]
    metrics: dict[str, dict[str, FiniteFloat]]


def network(result: Mapping[str, Any]) -> Markup:
    """Return the measures and the rounds of a network."""
    found = find(result, NetworkHeld, "weights", "history", "kept")
    if found is None:
        return NOTHING
    asked = found.parameters
    ended = {"rounds": "all rounds were made", "early": "the validation loss no longer fell",
             "exploded": "the training exploded"}.get(found.stopped, found.stopped)
    told = (f"A network for {found.task} by {asked.get('strategy', '')} over {count(found.nobs)} rows. The model of "
            f"round {found.kept} is kept; it ended because {ended}.")
    names = list(dict.fromkeys(name for measures in found.metrics.values() for name in measures))
    measures = table("Measures", ["Rows", *names], [
        [part, *("" if name not in held else estimate(held[name]) for name in names)]
        for part, held in found.metrics.items()])
    rounds = table("Loss by round", ["Round", "Training", "Validation"], [
        [str(one.round), estimate(one.loss), "" if one.validation_loss is None else estimate(one.validation_loss)]
        for one in found.history], marked=str(found.kept))
    return section("Network", element("p", {}, told), measures,
                   element("details", {}, element("summary", {}, "All rounds"), rounds))
