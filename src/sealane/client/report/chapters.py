"""One page over several runs: each a chapter, with its result first and how it was protected last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError

from sealane.client.report import provenance, sections
from sealane.client.report.markup import NOTHING, Markup, element, join
from sealane.client.report.model import ByModel, DataPart, Part, Report, Seconds
from sealane.client.report.page import document
from sealane.client.report.tables import rate, seconds, section, table
from sealane.errors import InputError

NAMES = re.compile(r'\b(id|aria-labelledby)="([^"]*)"')


class Chapter(Part):
    """One run of a page.

    Args:
        title: heading of the chapter.
        text: what was asked, and what came of it.
        report: the run.
    """

    title: str
    text: str
    report: Report


class Beside(Part):
    """One kind of model in a comparison on the same held-out rows.

    Args:
        name: of the kind.
        auc: area under the ROC curve, alone, joint and pooled.
        ks: Kolmogorov–Smirnov distance, likewise.
    """

    name: str
    auc: ByModel
    ks: ByModel


class Chapters(Part):
    """Several runs, told to a reader.

    Args:
        title: of the page.
        lead: the result in a sentence or two.
        chapters: the runs in the order in which they are read.
        beside: kinds of model side by side, before the chapters.
        data: where the rows of the chapters come from.
        wall_s: seconds from start to end.
        timings: seconds by step.
    """

    title: str
    lead: str
    chapters: list[Chapter] = Field(min_length=1)
    beside: list[Beside] = Field(default_factory=list)
    data: list[DataPart] = Field(default_factory=list)
    wall_s: Seconds | None = None
    timings: dict[str, Seconds] = Field(default_factory=dict)


def render_chapters(fields: Mapping[str, Any]) -> str:
    """Return the page.

    Raises:
        InputError: the fields are not those of :class:`Chapters`.
    """
    try:
        told = Chapters.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            "report.malformed",
            f"the report's {'.'.join(map(str, first['loc'])) or 'top level'} is malformed",
            got=first["type"],
            expected=first["msg"],
            hint="write the file anew",
        ) from error
    first_report = told.chapters[0].report
    kicker = " · ".join(filter(None, ["Sealane", first_report.sector, first_report.created]))
    parts = [chapter(one, number) for number, one in enumerate(told.chapters, 1)]
    data = map(provenance.used_rows, told.data)
    return document(told.title, kicker, told.lead, join(contents(told), side_by_side(told), *parts, times(told), *data))


def contents(told: Chapters) -> Markup:
    """Return links to the chapters."""
    links = [element("li", {}, element("a", {"href": f"#chapter-{number}"}, one.title))
             for number, one in enumerate(told.chapters, 1)]
    return element("nav", {"aria-label": "Chapters"}, element("ol", {}, *links))


def side_by_side(told: Chapters) -> Markup:
    """Return the kinds of model as a table: alone from worst to best, joint, pooled."""
    if not told.beside:
        return NOTHING

    def cells(one: ByModel) -> list[str]:
        alone = list(one.alone.values())
        return [f"{rate(min(alone))}–{rate(max(alone))}" if alone else "–", rate(one.joint), rate(one.pooled)]

    heads = ["Model", "Alone", "Joint", "Pooled"]
    caption = "AUC on the same held-out rows. Alone: worst to best institution. Pooled: outside the federation."
    areas = table(caption, heads, [[one.name, *cells(one.auc)] for one in told.beside])
    distances = table("KS on the same rows", heads, [[one.name, *cells(one.ks)] for one in told.beside])
    return section("Side by side", areas, distances)


def chapter(one: Chapter, number: int) -> Markup:
    """Return one chapter: headings a level lower than on a page of its own, names that no other chapter has."""
    inner = join(sections.body(one.report), element(
        "details", {}, element("summary", {}, "How it was protected, traffic and time"),
        join(provenance.protection(one.report), provenance.traffic(one.report))))
    heading = element("h2", {"class": "chapter"}, f"{number}. {one.title}")
    opening = join(heading, element("p", {"class": "lead"}, one.text))
    return element("article", {"id": f"chapter-{number}"}, opening, apart(inner, number))


def apart(inner: Markup, number: int) -> Markup:
    """Return a report's sections as part of a page: headings a level lower, and names that no other part has."""
    lower = inner.replace("<h3>", "<h4>").replace("</h3>", "</h4>").replace("<h2>", "<h3>").replace("</h2>", "</h3>")
    # Text is escaped, quotes too: what matches was made by our own elements.
    return Markup(NAMES.sub(
        lambda found: f'{found[1]}="' + " ".join(f"c{number}-{name}" for name in found[2].split()) + '"', lower))


def times(told: Chapters) -> Markup:
    """Return seconds by step."""
    rows = [[name, seconds(value)] for name, value in told.timings.items()]
    if told.wall_s is not None:
        rows.append(["In all", seconds(told.wall_s)])
    return section("Time", table("Seconds by step", ["Step", "Time"], rows, marked="In all")) if rows else NOTHING
