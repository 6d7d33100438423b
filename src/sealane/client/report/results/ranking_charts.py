"""Pictures of a judged score: the KS curve, lift by band, and calibration by band; from counts that may be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pydantic import FiniteFloat

from sealane.client.report.bars import Bar, bars
from sealane.client.report.calibration import Group, calibration_plot
from sealane.client.report.markup import NOTHING, Markup, join
from sealane.client.report.results.ranking import RocHeld
from sealane.client.report.results.read import Held, find
from sealane.client.report.shares import ks_curves
from sealane.client.report.tables import count, figure, section


class MeanHeld(Held):
    """Mean probability of a band."""

    mean: FiniteFloat


class CalibrationHeld(Held):
    """How probabilities hold, by band."""

    bands: list[MeanHeld]


class JudgedHeld(Held):
    """What a judged score holds of use for pictures."""

    roc: RocHeld
    bands: list[int]
    calibration: CalibrationHeld | None = None


def ranking_charts(result: Mapping[str, Any]) -> Markup:
    """Return the pictures."""
    if result.get("computation") != "metrics.ranking":
        return NOTHING
    found = find(result, JudgedHeld, "roc", "bands")
    if found is None or len(found.roc.events) < 2 or not found.roc.events[-1] or not found.roc.others[-1]:
        return NOTHING
    return join(ks(found.roc), lift(found), calibration(found))


def ks(roc: RocHeld) -> Markup:
    """Return the KS curve at the cuts that may be shown."""
    events, others = roc.events[-1], roc.others[-1]
    selected = [(a + b) / (events + others) for a, b in zip(roc.events, roc.others, strict=True)]
    found, wrong = [a / events for a in roc.events], [b / others for b in roc.others]
    chart = figure(lambda identity, width: ks_curves(selected, found, wrong, identity, width), "judged-ks",
                   "KS is the largest distance between the two curves, at cuts that may be shown.")
    return section("KS", chart)


def inside(found: JudgedHeld) -> list[tuple[int, int]]:
    """Return events and rows of each band, the riskiest first."""
    roc = found.roc
    return [(roc.events[b] - roc.events[a], roc.events[b] - roc.events[a] + roc.others[b] - roc.others[a])
            for a, b in pairwise(found.bands)]


def lift(found: JudgedHeld) -> Markup:
    """Return the lift of each band as a bar."""
    overall = found.roc.events[-1] / (found.roc.events[-1] + found.roc.others[-1])
    items = [Bar(f"band {number}", events / rows / overall, f"{events / rows / overall:.2f}", "joint-fill")
             for number, (events, rows) in enumerate(inside(found), 1) if rows]
    if not items:
        return NOTHING
    chart = figure(lambda identity, width: bars(items, "Lift by band", "Lift (1 is no better than chance)",
                                                identity=identity, width=width), "judged-lift",
                   "Bands of the score, the riskiest first; how many rows each has stands in the table above.")
    return section("Lift", chart)


def calibration(found: JudgedHeld) -> Markup:
    """Return the mean probability of each band against what happened in it."""
    if found.calibration is None:
        return NOTHING
    groups = [group(band.mean, events, rows)
              for band, (events, rows) in zip(found.calibration.bands, inside(found), strict=False) if rows]
    if not groups:
        return NOTHING
    return section("Calibration", figure(lambda identity, width: calibration_plot(groups, identity, width),
                                         "judged-calibration", caption(groups)))


def group(mean: float, events: int, rows: int) -> Group:
    """Return a band with the 95 % interval of its share. Source: Wilson (1927), JASA 22, 209-212."""
    share, squared = events / rows, 1.959963984540054**2
    centre = (share + squared / (2 * rows)) / (1 + squared / rows)
    half = squared**0.5 / (1 + squared / rows) * (share * (1 - share) / rows + squared / (4 * rows**2)) ** 0.5
    return Group(min(max(mean, 0.0), 1.0), share, max(centre - half, 0.0), min(centre + half, 1.0), rows)


def caption(groups: Sequence[Group]) -> str:
    """Return what the plot shows."""
    return (f"{len(groups)} bands of like probability, {count(min(one.rows for one in groups))} rows or more in each, "
            "with 95 % intervals (Wilson). On the dotted line, probabilities are what happens.")
