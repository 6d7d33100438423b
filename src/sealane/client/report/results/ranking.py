"""How a score ranks, is calibrated and treats groups."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from pydantic import FiniteFloat

from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.results.counts import HIDDEN
from sealane.client.report.results.read import Held, find
from sealane.client.report.roc import Series, roc_curves
from sealane.client.report.tables import count, estimate, figure, rate, section, table


class RocHeld(Held):
    """Cumulated counts at every cut."""

    thresholds: list[FiniteFloat | None]
    events: list[int]
    others: list[int]


class AtHeld(Held):
    """Counts at a threshold, None where they are hidden."""

    threshold: FiniteFloat
    tp: int | None
    fp: int | None
    fn: int | None
    tn: int | None


class GroupHeld(Held):
    """A group at every threshold; nothing where it is hidden."""

    group: str
    rule: str | None = None
    at: list[AtHeld]


class CalibrationHeld(Held):
    """How probabilities hold."""

    brier: FiniteFloat
    brier_error: FiniteFloat
    mean: FiniteFloat
    intercept: FiniteFloat | None = None
    slope: FiniteFloat | None = None
    moved: tuple[FiniteFloat, FiniteFloat] | None = None

    def told(self) -> tuple[str, str]:
        """Return slope and intercept in words, each with how far it can be off by where scores lie between cuts."""
        if self.moved is None:
            return estimate(self.slope), estimate(self.intercept)
        return (f"{estimate(self.slope)} (within {self.moved[1]:.2g})",
                f"{estimate(self.intercept)} (within {self.moved[0]:.2g})")


class RankingHeld(Held):
    """What a judged score holds."""

    auc: FiniteFloat | None
    auc_error: FiniteFloat
    unranked: str | None = None
    ks: FiniteFloat | None
    ks_error: FiniteFloat
    roc: RocHeld
    bands: list[int]
    thresholds: list[AtHeld]
    groups: list[GroupHeld]
    calibration: CalibrationHeld | None = None


def ranking(result: Mapping[str, Any]) -> Markup:
    """Return the curve and the tables."""
    if result.get("computation") != "metrics.ranking":
        return NOTHING
    found = find(result, RankingHeld, "roc", "bands")
    if found is None or not found.roc.events or not found.roc.events[-1] or not found.roc.others[-1]:
        return NOTHING
    told = f"No AUC and KS: {found.unranked}."
    if found.auc is not None:
        told = (f"AUC {rate(found.auc)} (scores themselves within {found.auc_error:.2g}), "
                f"Gini {rate(2 * found.auc - 1)}, KS {rate(found.ks)} (at most {found.ks_error:.2g} more).")
    if found.calibration is not None:
        one = found.calibration
        slope, intercept = one.told()
        told += (f" Brier {one.brier:.4f} (within {one.brier_error:.2g}); calibration slope {slope}, "
                 f"intercept {intercept}.")
    series = Series("joint", "joint", [n / found.roc.others[-1] for n in found.roc.others],
                    [n / found.roc.events[-1] for n in found.roc.events], found.auc)
    parts = [element("p", {}, told),
             figure(lambda identity, width: roc_curves([series], identity, width), "judged",
                    "Cuts between which no few rows lie"), lift(found)]
    if found.thresholds:
        parts.append(table("At thresholds", ["Threshold", *HEADS], [cells(f"{one.threshold:g}", one)
                                                                    for one in found.thresholds]))
    if found.groups:
        parts.append(table("By group", ["Group", *HEADS], [row for one in found.groups for row in by_group(one)]))
    return section("How the score ranks", *parts)


HEADS = ("Selected", "True positive rate", "False positive rate", "Precision")


def lift(found: RankingHeld) -> Markup:
    """Return a row for each band, the riskiest first."""
    events, others, rows = found.roc.events, found.roc.others, list[list[str]]()
    for a, b in pairwise(found.bands):
        inside, number = events[b] - events[a], events[b] - events[a] + others[b] - others[a]
        share = inside / number if number else 0.0
        rows.append([f"{len(rows) + 1}", count(number), count(inside), rate(share),
                     f"{share * (events[-1] + others[-1]) / events[-1]:.2f}", rate(events[b] / events[-1])])
    return table("Bands of the score, riskiest first", ["Band", "Rows", "Events", "Rate", "Lift", "Gain"], rows)


def by_group(one: GroupHeld) -> list[list[str]]:
    """Return a row for each threshold, or one that says the group is hidden."""
    if one.rule is not None:
        return [[one.group, *[HIDDEN] * len(HEADS)]]
    return [cells(f"{one.group}, from {at.threshold:g}", at) for at in one.at]


def cells(name: str, at: AtHeld) -> list[str]:
    """Return the rates at a threshold."""
    if at.tp is None or at.fp is None or at.fn is None or at.tn is None:
        return [name, *[HIDDEN] * len(HEADS)]
    pairs = ((at.tp + at.fp, at.tp + at.fp + at.fn + at.tn), (at.tp, at.tp + at.fn), (at.fp, at.fp + at.tn),
             (at.tp, at.tp + at.fp))
    return [name, *(rate(part / whole if whole else None) for part, whole in pairs)]
