"""The whole page: one file, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealane.client.report import provenance, sections
from sealane.client.report.markup import Markup, element, join
from sealane.client.report.model import Report, parse_report
from sealane.client.report.style import STYLE

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""What a browser may load for this page: its own style sheet, and nothing else."""


def render_report(report: Report | Mapping[str, Any]) -> str:
    """Return the report as an HTML page that stands alone.

    Args:
        report: a report, or the fields of ``report.json``.

    Raises:
        InputError: the fields are not those of a report.
    """
    told = report if isinstance(report, Report) else parse_report(report)
    title, lead = sections.headline(told)
    kicker = " · ".join(filter(None, ["Sealane", told.sector, told.study.name, told.created]))
    return document(title, kicker, lead, join(sections.body(told), provenance.body(told)))


def document(title: str, kicker: str, lead: str, main: Markup, file: str = "report.json") -> str:
    """Return a whole page around its sections."""
    header = element(
        "header",
        {},
        element("p", {"class": "kicker"}, kicker),
        element("h1", {}, title),
        element("p", {"class": "lead"}, lead),
    )
    footer = element("footer", {}, element("p", {}, f"Made by Sealane from the numbers in {file}."))
    body = element("body", {}, header, element("main", {}, main), footer)
    return f"<!doctype html>\n{element('html', {'lang': 'en'}, head(title), body)}\n"


def head(title: str) -> Markup:
    """Return the page's head."""
    return element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("title", {}, join(title, " – Sealane")),
        element("style", {}, Markup(STYLE)),
    )
