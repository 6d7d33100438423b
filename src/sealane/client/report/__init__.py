"""A run's report: the numbers as ``report.json``, and a page that shows them and needs nothing else."""

from __future__ import annotations

from sealane.client.report.chapters import render_chapters
from sealane.client.report.model import Report, parse_report
from sealane.client.report.page import render_report

__all__ = ["Report", "parse_report", "render_chapters", "render_report"]
