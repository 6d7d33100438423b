"""The report as a page for people: one file, no script, nothing fetched, every text escaped."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from sealane.client.report import sections as drawn
from sealane.client.report.chapters import apart
from sealane.client.report.markup import NOTHING, Markup, element, join
from sealane.client.report.page import head
from sealane.client.report.tables import code, section, table
from sealane.client.supervision.document import Group, Section, Shown, Table, Told

CODED = frozenset({"Version", "Key", "SHA-256", "Detail"})
"""Columns of hashes and codes."""
MOMENTS = frozenset({"At", "Signed at"})
LONG = re.compile(r"([0-9a-z]{32,})")
"""A hash or a fingerprint within a text: it may be broken anywhere, so that it does not widen the page."""


def render(told: Told) -> str:
    """Return the page."""
    numbers = itertools.count(1)
    body = element(
        "body", {},
        element("header", {}, element("p", {"class": "kicker"}, f"Sealane · {told.sector} · {told.created}"),
                element("h1", {}, told.title), element("p", {"class": "lead"}, told.lead), _note(told)),
        element("main", {}, *(_section(one, numbers) for one in told.sections)),
        element("footer", {}, element("p", {}, "Made by Sealane from verified evidence: sealane audit report.")))
    return f"<!doctype html>\n{element('html', {'lang': 'en'}, head(told.title), body)}\n"


def _note(told: Told) -> Markup:
    if not told.note:
        return NOTHING
    return element("p", {"class": "note"}, f"Note by the writer, nobody signed it: {told.note}")


def _section(one: Section, numbers: Iterator[int]) -> Markup:
    text = element("p", {}, one.text) if one.text else NOTHING
    return section(one.heading, text, *map(_group, one.part.groups), *map(_table, one.part.tables),
                   *(_shown(each, next(numbers)) for each in one.part.shown))


def _group(one: Group) -> Markup:
    rows = [[each.what, join(breakable(each.value), element("div", {"class": "note"}, each.source.words()))]
            for each in one.statements]
    return table(one.caption, ["What", "Said, and by whom"], rows, words=True) if rows else NOTHING


def breakable(text: str) -> Markup:
    """Return a text in which hashes are set as such."""
    return join(*(code(part) if place % 2 else part for place, part in enumerate(LONG.split(text))))


def _table(one: Table) -> Markup:
    rows = [[_cell(name, cell) for name, cell in zip(one.columns, row, strict=True)] for row in one.rows]
    caption = f"{one.caption} Source: {one.source.words()}."
    return table(caption, one.columns, rows, words=True, dense=len(one.columns) > 4)


def _cell(column: str, text: str) -> str:
    # A moment stays on one line.
    return code(text) if column in CODED else text.replace("-", "\u2011") if column in MOMENTS else breakable(text)


def _shown(one: Shown, number: int) -> Markup:
    note = element("p", {"class": "note"}, f"{one.caption}. Source: {one.source.words()}.")
    return join(note, apart(drawn.body(one.report), number))
