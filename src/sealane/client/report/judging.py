"""Sections about a model on held-out rows that a bank asks for: the KS curve, lift by tenths, and SHAP values."""

from __future__ import annotations

from sealane.client.report.bars import Bar, bars
from sealane.client.report.markup import NOTHING, Markup
from sealane.client.report.model import Report
from sealane.client.report.shares import ks_curves
from sealane.client.report.tables import count, estimate, figure, rate, section, table

MOST_FEATURES = 15


def ks(report: Report) -> Markup:
    """Return the joint model's KS curve, made of its ROC curve and the number of held-out rows."""
    curve, fold = report.roc.get("joint"), report.heldout
    # A report shows this where lift is known too: what else ranks patients has no use for it.
    if curve is None or fold is None or not report.lift or len(curve.fpr) < 2:
        return NOTHING
    share = fold.bad / fold.rows
    selected = [right * share + wrong * (1.0 - share) for wrong, right in zip(curve.fpr, curve.tpr, strict=True)]
    caption = "The joint model on held-out rows. KS is the largest distance between the two curves."
    known = report.metrics.ks.joint if report.metrics is not None and report.metrics.ks is not None else None
    chart = figure(lambda identity, width: ks_curves(selected, curve.tpr, curve.fpr, identity, width, known=known),
                   "ks", caption)
    return section("KS", chart)


def lift(report: Report) -> Markup:
    """Return the lift of the joint model by tenths of the held-out rows."""
    if not report.lift:
        return NOTHING
    names = [f"tenth {number}" for number in range(1, len(report.lift) + 1)]
    items = [Bar(name, one.lift, f"{one.lift:.2f}", "joint-fill", one.low, one.high)
             for name, one in zip(names, report.lift, strict=True)]
    caption = (
        "How many times as often the event happens in a tenth of the held-out rows as in all of them, the riskiest "
        "tenth first, with 95 % intervals (Wilson)."
    )
    chart = figure(lambda identity, width: bars(items, "Lift", "Lift (1 is no better than chance)", identity=identity,
                                                width=width), "lift", caption)
    rows = [[name, count(one.rows), count(one.events), f"{one.lift:.2f}", rate(one.gain)]
            for name, one in zip(names, report.lift, strict=True)]
    return section("Lift", chart, table("Gain: share of all events in this tenth and those before",
                                        ["Part", "Rows", report.event.capitalize(), "Lift", "Gain"], rows))


def shap(report: Report) -> Markup:
    """Return the mean size of the SHAP values of the joint model."""
    if not report.shap:
        return NOTHING
    ordered = sorted(report.shap.items(), key=lambda pair: -pair[1])
    items = [Bar(name, value, estimate(value), "joint-fill") for name, value in ordered[:MOST_FEATURES]]
    left = len(ordered) - len(items)
    caption = (
        "Mean size of each feature's part in a row's log odds. They follow from the released trees and the rows they "
        f"are asked for: no institution is asked anything more.{f' {left} smaller ones are left out.' if left else ''}"
    )
    chart = figure(lambda identity, width: bars(items, "SHAP values", "Mean |SHAP|, log odds", identity=identity,
                                                width=width), "shap", caption)
    return section("What moves the score", chart)
