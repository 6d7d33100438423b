"""A page of several runs: each a chapter with names of its own; and what held-out rows make possible."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from sealane.client.report import render_chapters
from sealane.errors import InputError

RUN: dict[str, Any] = {
    "sector": "healthcare", "cohort": ["north", "south"], "rounds": 4,
    "study": {"name": "risk", "hash": "ab" * 32, "purpose": "p", "computation": "glm.fit", "scheme": "masking",
              "minimum_cohort": 2},
    "coefficients": [{"name": "age", "joint": 0.5, "se": 0.1, "low": 0.3, "high": 0.7, "pooled": 0.5}],
    "ratio": "Odds ratio", "bytes_sent": {"north": 10, "south": 20},
}
GROUPS = [{"predicted": 0.2, "observed": 0.25, "low": 0.1, "high": 0.4, "rows": 20},
          {"predicted": 0.7, "observed": 0.65, "low": 0.5, "high": 0.8, "rows": 21}]
CALIBRATED = {"slope": 0.91, "slope_se": 0.12, "intercept": -0.05, "intercept_se": 0.2}
JUDGED: dict[str, Any] = {
    "calibration": {"north": CALIBRATED | {"slope": 0.44}, "joint": CALIBRATED | {"groups": GROUPS},
                    "pooled": CALIBRATED},
    "concordance": {"all": {"alone": {"north": 0.611}, "joint": 0.677, "pooled": 0.678},
                    "within": {"north": {"alone": 0.6, "joint": 0.62, "rows": 50, "bad": 12}}},
    "grid": {"resolution": 30.4375, "unit": "d", "furthest_from_pooled": 3e-9, "furthest_from_ungridded_in_se": 0.18,
             "ungridded": {"age": 0.51}},
    "heldout": {"rows": 41, "bad": 17}, "notes": ["Read this first."],
}


def fields(**changes: Any) -> dict[str, Any]:
    chapters = [{"title": "First", "text": "What came of it.", "report": RUN},
                {"title": "Second", "text": "And of this.", "report": RUN | JUDGED}]
    data = [{"title": "Rows", "source": "A clinic", "licence": "CC0", "rows": 7}]
    return {"title": "Two runs", "lead": "Both went well.", "chapters": chapters, "data": data, "wall_s": 3.0} | changes


class Reader(HTMLParser):
    """Collects headings by level, names, what refers to them, and text."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[tuple[str, str]] = []
        self.names: list[str] = []
        self.wanted: list[str] = []
        self.text = ""
        self.tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag
        found = {name: value or "" for name, value in attrs}
        self.names += [found["id"]] if "id" in found else []
        self.wanted += found.get("aria-labelledby", "").split()
        self.wanted += [found["href"][1:]] if "href" in found else []

    def handle_data(self, data: str) -> None:
        if re.fullmatch("h[1-6]", self.tag):
            self.heads.append((self.tag, data))
        self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def test_chapters_are_numbered_and_their_sections_a_level_lower() -> None:
    heads = read(render_chapters(fields())).heads
    assert heads[0] == ("h1", "Two runs")
    assert ("h2", "1. First") in heads
    assert ("h3", "Odds ratios") in heads
    assert ("h2", "Odds ratios") not in heads
    levels = [int(tag[1]) for tag, _ in heads]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_no_name_is_given_twice_and_all_that_are_asked_for_exist() -> None:
    reader = read(render_chapters(fields()))
    assert len(reader.names) == len(set(reader.names))
    assert set(reader.wanted) <= set(reader.names)
    assert {"chapter-1", "chapter-2"} <= set(reader.wanted)


def test_text_in_a_chapter_stays_text() -> None:
    hostile = 'id="x" <h2>& aria-labelledby="y"'
    chapters = [{"title": hostile, "text": hostile, "report": RUN | {"notes": [hostile]}}]
    page = render_chapters(fields(chapters=chapters))
    reader = read(page)
    assert reader.text.count(hostile) == 4  # in the contents, the heading, the text and the note
    assert ("h2", hostile) not in reader.heads
    assert 'id="x"' not in page


def test_what_held_out_rows_tell() -> None:
    reader = read(render_chapters(fields()))
    words = " ".join(reader.text.split())
    for told in ("Calibration", "2 groups of like predicted risk, 20 rows or more", "0.44", "0.91", "−0.05",
                 "Concordance on the same 41 held-out rows, 17 of them with the event", "0.677", "0.611",
                 "differ by at most 3e-09", "grid of 1 month", "0.18 standard errors", "0.51", "Read this first."):
        assert told in words, told


@pytest.mark.parametrize(("changes", "where"), [
    ({"chapters": []}, "chapters"), ({"surprise": 1}, "surprise"),
    ({"chapters": [{"title": "a", "text": "b", "report": RUN | {"rounds": -1}}]}, "chapters.0.report.rounds"),
])
def test_malformed_pages_are_refused(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(InputError) as refused:
        render_chapters(fields(**changes))
    assert refused.value.code == "report.malformed"
    assert where in refused.value.message
