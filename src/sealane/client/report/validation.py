"""The sections that hold-out rows make possible: calibration, concordance, and what the grid of times costs."""

from __future__ import annotations

from sealane.client.report.calibration import Group, calibration_plot
from sealane.client.report.markup import NOTHING, Markup, element
from sealane.client.report.model import CalibrationPart, Report
from sealane.client.report.results.times import words
from sealane.client.report.tables import count, estimate, figure, rate, section, table

ORDER = {"joint": "Joint", "pooled": "Pooled (outside the federation)"}


def calibration(report: Report) -> Markup:
    """Return the joint model's calibration plot, and slope and intercept of every model."""
    found = report.calibration
    if not found:
        return NOTHING
    chart = NOTHING
    joint = found.get("joint")
    if joint is not None and joint.groups:
        groups = [Group(one.predicted, one.observed, one.low, one.high, one.rows) for one in joint.groups]
        fewest = min(one.rows for one in groups)
        caption = (
            f"The joint model on held-out rows, in {len(groups)} groups of like predicted risk, {fewest} rows or more "
            "in each, with 95 % intervals (Wilson). On the dotted line, risks are what happens."
        )
        chart = figure(lambda identity, width: calibration_plot(groups, identity, width), "calibration", caption)
    alone = [name for name in found if name not in ORDER]
    names = [*alone, *(name for name in ORDER if name in found)]
    rows = [[ORDER.get(name, f"{name} alone"), *calibrated(found[name])] for name in names]
    caption = "Slope: 1 is right, under 1 too extreme. Intercept: 0 is right, over 0 too low, under 0 too high."
    return section("Calibration", chart, table(caption, ["Model", "Slope", "± SE", "Intercept", "± SE"], rows,
                                               marked=ORDER["joint"]))


def calibrated(part: CalibrationPart) -> list[str]:
    """Return a model's numbers."""
    numbers = (part.slope, part.slope_se, part.intercept, part.intercept_se)
    return [f"{number:.2f}".replace("-", "−") for number in numbers]


def concordance(report: Report) -> Markup:
    """Return how well the survival models order the held-out rows."""
    found = report.concordance
    if found is None:
        return NOTHING
    fold = "" if report.heldout is None else (
        f" on the same {count(report.heldout.rows)} held-out rows, {report.heldout.bad} of them with the event"
    )
    rows = [[f"{name} alone", rate(value)] for name, value in found.all.alone.items()]
    rows += [["Joint", rate(found.all.joint)]]
    if found.all.pooled is not None:
        rows.append([ORDER["pooled"], rate(found.all.pooled)])
    parts = [table(f"Concordance{fold}; 0.5 is chance.", ["Model", "Concordance"], rows, marked="Joint")]
    if found.within:
        own = [[name, rate(one.alone), rate(one.joint), rate(one.pooled), count(one.rows), count(one.bad)]
               for name, one in found.within.items()]
        parts.append(table("Concordance within each institution: on its own held-out rows only.",
                           ["Held-out rows of", "Alone", "Joint", "Pooled", "Rows", "Events"], own))
    return section("Concordance: alone, joint, pooled", *parts)


def grid(report: Report) -> Markup:
    """Return how far the joint model is from the pooled one, on the grid and without it."""
    found = report.grid
    if found is None:
        return NOTHING
    told = (
        f"From lifelines' fit of the pooled rows on the same grid of times the joint coefficients differ by at most "
        f"{found.furthest_from_pooled:.1g}. From its fit of the times as they were, before they were put on a grid of "
        f"{words(found.resolution, found.unit)} and small steps were merged, they differ by at most "
        f"{found.furthest_from_ungridded_in_se:.2f} standard errors: the price of showing no patient's time."
    )
    joint = {one.name: one for one in report.coefficients}
    rows = [[name, estimate(joint[name].joint), estimate(joint[name].pooled), estimate(value),
             estimate(joint[name].se)] for name, value in found.ungridded.items() if name in joint]
    numbers = table("Coefficients with and without the grid",
                    ["Coefficient", "Joint", "Pooled, grid", "Pooled, no grid", "SE"], rows, dense=True)
    return section("What the grid of times costs", element("p", {}, told), numbers if rows else NOTHING)
