"""The sections about the result. Each returns nothing when the report has no data for it."""

from __future__ import annotations

from sealane.client.report import errors, judging, validation
from sealane.client.report.bars import Bar, bars
from sealane.client.report.forest import Estimate, coefficient_plot
from sealane.client.report.markup import NOTHING, Markup, element, join
from sealane.client.report.model import CoefficientPart, MetricsPart, Report
from sealane.client.report.results.basis import basis
from sealane.client.report.results.comparison import comparison
from sealane.client.report.results.correlation import correlation
from sealane.client.report.results.counts import counts
from sealane.client.report.results.drift import drift
from sealane.client.report.results.effects import effects
from sealane.client.report.results.gbdt import gbdt
from sealane.client.report.results.harmonise import harmonise
from sealane.client.report.results.histogram import histogram
from sealane.client.report.results.incidence import incidence
from sealane.client.report.results.isolation import isolation
from sealane.client.report.results.kaplan_meier import kaplan_meier
from sealane.client.report.results.meta import meta
from sealane.client.report.results.mixed import mixed
from sealane.client.report.results.network import network
from sealane.client.report.results.outbreak import outbreak
from sealane.client.report.results.penalty import penalty
from sealane.client.report.results.proportionality import proportionality
from sealane.client.report.results.quantiles import quantiles
from sealane.client.report.results.ranking import ranking
from sealane.client.report.results.ranking_charts import ranking_charts
from sealane.client.report.results.scorecard import scorecard
from sealane.client.report.results.signals import signals
from sealane.client.report.results.suppressed import suppressed
from sealane.client.report.results.table_one import table_one
from sealane.client.report.results.typologies import typologies
from sealane.client.report.roc import roc_curves, series_of
from sealane.client.report.tables import count, enumerated, estimate, figure, rate, section, table

NORMAL_975 = 1.959963984540054
INTERCEPT = "Intercept"
RESULTS = (
    harmonise, table_one, counts, histogram, quantiles, correlation, comparison, kaplan_meier, incidence,
    proportionality, penalty, meta, mixed, effects, signals, outbreak, scorecard, network, ranking,
    ranking_charts, drift, typologies, isolation, suppressed,
)
"""Sections that a released result decides: each shows what it finds, the last what is hidden."""
JOINT, POOLED = "Joint", "Pooled (outside the federation)"


def headline(report: Report) -> tuple[str, str]:
    """Return the result as a title, and in a sentence or two."""
    cohort = f"{len(report.cohort)} institutions ({enumerated(report.cohort)})"
    computation = report.study.computation
    if report.metrics is None:
        took = "" if report.wall_s is None else f" and {report.wall_s:.1f} seconds"
        rounds = "one round" if report.rounds == 1 else f"{report.rounds} rounds"
        return (
            f"{computation}: one result from {len(report.cohort)} institutions",
            f"{cohort} computed {computation} together in {rounds}{took}; no row left its institution.",
        )
    auc = report.metrics.auc
    title = f"The joint model ranks with an AUC of {rate(auc.joint)}"
    told = [f"{cohort} fitted it together in {report.rounds} rounds; no row left its institution."]
    if auc.alone:
        mean = sum(auc.alone.values()) / len(auc.alone)
        title += f"; alone, institutions reach {rate(mean)} on average"
        spread = f"{rate(min(auc.alone.values()))} to {rate(max(auc.alone.values()))}"
        told.append(f"Each institution alone reaches {spread}.")
    if auc.pooled is not None:
        told.append(f"With all rows in one place it would be {rate(auc.pooled)}.")
    return title, " ".join(told)


def metrics(report: Report) -> Markup:
    """Return how alone, joint and pooled compare."""
    found = report.metrics
    if found is None:
        return NOTHING
    fold = ""
    if report.heldout is not None:
        fold = (
            f" All are scored on the same {count(report.heldout.rows)} held-out rows, {report.heldout.bad} of them "
            f"{report.event}."
        )
    names = [*found.auc.alone, JOINT, *([POOLED] if found.auc.pooled is not None else [])]
    columns = ["Model", "AUC", *(["± SE"] if found.auc_se else []), *(["KS"] if found.ks else [])]
    rows = [[shown(name), *cells(found, name)] for name in names]
    parts = [
        table(f"Alone, joint and pooled.{fold}", columns, rows, marked=JOINT),
        figure(lambda identity, width: auc_bars(found, identity, width), "auc", auc_caption(found)),
        within(found, report.event.capitalize()),
    ]
    return section("Alone, joint, pooled", *parts)


def shown(name: str) -> str:
    """Return a model's name in the table."""
    return name if name in (JOINT, POOLED) else f"{name} alone"


def cells(found: MetricsPart, name: str) -> list[str]:
    """Return a model's numbers."""
    parts = [found.auc, *([found.auc_se] if found.auc_se else []), *([found.ks] if found.ks else [])]
    if name == JOINT:
        return [rate(part.joint) for part in parts]
    if name == POOLED:
        return [rate(part.pooled) for part in parts]
    return [rate(part.alone.get(name)) for part in parts]


def auc_bars(found: MetricsPart, identity: str, width: int) -> Markup:
    """Return the areas as bars from 0.5, which is chance."""
    errors = found.auc_se

    def bar(name: str, value: float, error: float | None, style: str) -> Bar:
        half = None if error is None else NORMAL_975 * error
        ends = (None, None) if half is None else (max(value - half, 0.0), min(value + half, 1.0))
        return Bar(name, value, rate(value), style, *ends)

    items = [
        bar(name, value, errors.alone.get(name) if errors else None, "alone-fill")
        for name, value in found.auc.alone.items()
    ]
    items.append(bar("joint", found.auc.joint, errors.joint if errors else None, "joint-fill"))
    if found.auc.pooled is not None:
        items.append(bar("pooled", found.auc.pooled, errors.pooled if errors else None, "pooled-fill"))
    return bars(items, "AUC by model", "AUC, from chance (0.5)", base=0.5, identity=identity, width=width)


def auc_caption(found: MetricsPart) -> str:
    """Return what the bars show."""
    if found.auc_se is None:
        return "Area under the ROC curve."
    return (
        "Area under the ROC curve, with 95 % intervals over the choice of held-out rows. All models are scored on the "
        "same rows, so their differences are surer than the intervals suggest."
    )


def within(found: MetricsPart, event: str) -> Markup:
    """Return AUC at home: a model cannot gain here from telling institutions apart."""
    if not found.within:
        return NOTHING
    rows = [
        [name, rate(part.alone), rate(part.joint), rate(part.pooled), count(part.rows), count(part.bad)]
        for name, part in found.within.items()
    ]
    caption = (
        "AUC within each institution: scored on its own held-out rows only. With so few rows these vary a lot."
    )
    return table(caption, ["Held-out rows of", "Alone", "Joint", "Pooled", "Rows", event], rows)


def roc(report: Report) -> Markup:
    """Return the ROC curves."""
    if not report.roc:
        return NOTHING
    areas: dict[str, float] = {}
    if report.metrics is not None:
        areas = dict(report.metrics.auc.alone) | {"joint": report.metrics.auc.joint}
        if report.metrics.auc.pooled is not None:
            areas["pooled"] = report.metrics.auc.pooled
    series = series_of({name: (curve.fpr, curve.tpr) for name, curve in report.roc.items()}, areas)
    caption = (
        "Further towards the upper left is better. Where joint and pooled agree, the dashes lie on the thick line."
    )
    chart = figure(lambda identity, width: roc_curves(series, identity, width), "roc", caption)
    return section("ROC curves", chart)


def coefficients(report: Report) -> Markup:
    """Return the forest plot and the table under it."""
    found = report.coefficients
    if not found:
        return NOTHING
    plotted, unit, caption = on_one_axis([one for one in found if not one.name.endswith(INTERCEPT)], report.ratio)
    chart = NOTHING
    ratio = report.ratio
    if plotted:
        chart = figure(
            lambda identity, width: coefficient_plot(
                plotted, unit, identity, width, ratio=ratio is not None, title=f"{ratio}s" if ratio else "Coefficients"
            ),
            "coefficients",
            caption,
        )
    columns = ["Coefficient", "Joint", "SE", "95 % from", "to"]
    pooled = any(one.pooled is not None for one in found)
    rows = [
        [one.name, *map(estimate, (one.joint, one.se, one.low, one.high)), *([estimate(one.pooled)] if pooled else [])]
        for one in found
    ]
    numbers = table("All coefficients, each on its column's own unit", columns + ["Pooled"] * pooled, rows, dense=True)
    heading = f"{ratio}s" if ratio else "Coefficients"
    return section(heading, chart, element("details", {}, element("summary", {}, "All numbers"), numbers))


def on_one_axis(found: list[CoefficientPart], ratio: str | None) -> tuple[list[Estimate], str, str]:
    """Return the estimates on a unit that they share, that unit, and a caption.

    With known scales it is one standard deviation of the column. Without, a ratio is that of one unit of the column,
    and what has no ratio is shown in units of its standard error.
    """
    left_out = "1" if ratio else "zero"
    marks = f"A filled dot has an interval that leaves {left_out} out. The intercept is left out of the plot."
    if ratio and all(one.scale is not None for one in found):
        caption = f"Numbers: {ratio.lower()} per standard deviation. Levels and flags: against the reference. {marks}"
        return [scaled(one, one.scale or 0.0) for one in found], ratio, caption
    if ratio:
        caption = f"Numbers: {ratio.lower()} per unit of the column. Levels: against the reference. {marks}"
        return [scaled(one, 1.0) for one in found], ratio, caption
    if all(one.scale is not None for one in found):
        caption = f"Numbers: change of the linear score per standard deviation. Levels: against the reference. {marks}"
        return [scaled(one, one.scale or 0.0) for one in found], "Change of the linear score", caption
    if all(one.se for one in found):
        caption = f"Each coefficient divided by its standard error, so that all fit one axis. {marks}"
        return [scaled(one, 1 / (one.se or 1.0)) for one in found], "Coefficient / standard error (z)", caption
    return [], "", ""


def scaled(one: CoefficientPart, scale: float) -> Estimate:
    """Return one estimate, multiplied."""

    def times(value: float | None) -> float | None:
        return None if value is None else value * scale

    return Estimate(one.name, one.joint * scale, times(one.low), times(one.high), times(one.pooled))


def notes(report: Report) -> Markup:
    """Return what a reader has to know beside the numbers."""
    return join(*(element("p", {"class": "note"}, one) for one in report.notes))


def body(report: Report) -> Markup:
    """Return all sections about the result."""
    judged = (errors.compared, errors.agreement, errors.learning, errors.splits, metrics, roc, judging.ks, judging.lift,
              validation.calibration, validation.concordance, coefficients, validation.grid, judging.shap, gbdt)
    opening = join(notes(report), basis(report.result))
    return join(opening, *(told(report) for told in judged), *(told(report.result) for told in RESULTS))
