"""Sections about a model of a number on held-out rows: its errors, points, learning curves and splits."""

from __future__ import annotations

from sealane.client.report.bars import Bar, bars
from sealane.client.report.lines import lines
from sealane.client.report.markup import NOTHING, Markup
from sealane.client.report.model import ErrorsPart, Report
from sealane.client.report.scatter import Panel, panels
from sealane.client.report.tables import count, estimate, figure, section, table

ALONE, JOINT = "alone", "joint"


def compared(report: Report) -> Markup:
    """Return errors by model, over all rows and at home, and what each institution gains."""
    found = report.errors
    if found is None:
        return NOTHING
    everywhere = [[name, estimate(value), estimate(found.median.get(name))]
                  for name, value in found.all.items()]
    at_home = [[name, *(estimate(one.errors.get(label)) for label in found.all), estimate(one.mean),
                estimate(one.away), count(one.rows)] for name, one in found.within.items()]
    caption = (f"{found.outcome.capitalize()} over all held-out rows, in {found.unit}; a model of an institution's own "
               "is used at home")
    parts = [table(caption, ["Model", "Root mean squared error", "Median absolute error"], everywhere, marked=JOINT)]
    if at_home:
        columns = ["Held-out rows of", *(label.capitalize() for label in found.all), "Own mean", "Elsewhere", "Rows"]
        caption = ("At home: the root mean squared error on each institution's own held-out rows, in "
                   f"{found.unit}; elsewhere: that of its own model on the rows of all others")
        parts.append(table(caption, columns, at_home, dense=True))
        parts.append(gains(found))
    return section("Errors: alone, joint, at home", *parts)


def best(found: ErrorsPart) -> str:
    """Return the model with the smallest error over all rows, of those that a federation makes."""
    made = {name: value for name, value in found.all.items() if name not in (ALONE, "pooled")}
    return min(made, key=lambda name: made[name])


def gains(found: ErrorsPart) -> Markup:
    """Return by how much the best model of the federation is nearer than an institution's own, at its home."""
    chosen = best(found)
    items = []
    for name, one in found.within.items():
        if one.errors.get(ALONE) and chosen in one.errors:
            gain = 100.0 * (1.0 - one.errors[chosen] / one.errors[ALONE])
            text = f"{gain:+.0f} %".replace("-", "−")
            items.append(Bar(name, gain, text, "joint-fill" if gain > 0 else "alone-fill"))
    if not items:
        return NOTHING
    caption = (f"By how much the error at home is smaller with the federation's best model over all rows ({chosen}) "
               "than with the institution's own. Under zero its own model is the better one there.")
    return figure(lambda identity, width: bars(items, "Gain by institution", "Smaller error at home, %",
                                               identity=identity, width=width), "gain", caption)


def agreement(report: Report) -> Markup:
    """Return predicted against observed values, institution by institution."""
    if report.errors is None or not report.errors.points:
        return NOTHING
    found = [Panel(name, one.observed, one.predicted) for name, one in report.errors.points.items()]
    unit = f"{report.errors.outcome} in {report.errors.unit}"
    caption = "Each mark is a held-out row. Axes differ from panel to panel; on the dotted line a model is right."
    return section("Predicted and observed", figure(lambda identity, width: panels(found, unit, identity, width),
                                                    "observed", caption))


def learning(report: Report) -> Markup:
    """Return the error by how much an institution has of its own."""
    if report.errors is None or not any(report.errors.learning.values()):
        return NOTHING
    found, units = report.errors.learning, report.errors.units
    caption = ("Mean error at home over the spread of the outcome there (1 is no better than a constant), when one "
               f"institution has so many {units} and all others have all of theirs. Random draws, outside the "
               "federation.")
    chart = figure(lambda identity, width: lines(found, "Learning curves", units.capitalize(), "Error / spread",
                                                 identity, width), "learning", caption)
    return section("Learning curves", chart)


def splits(report: Report) -> Markup:
    """Return the error of one model under several ways to hold rows out."""
    if report.errors is None or not report.errors.splits:
        return NOTHING
    rows = [[name, estimate(value)] for name, value in report.errors.splits.items()]
    return section("How rows are held out", table(
        f"Error of the pooled model in {report.errors.unit}, by what is held out: a split is a question, and each asks "
        "another", ["Held out", "Error"], rows))
