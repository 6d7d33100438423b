"""Sections about flagged accounts and odd rows, from results of real runs, and what they say is hidden."""

from __future__ import annotations

import html
import re

import pytest
from card_rows import CONTRACT as CARDS
from card_rows import FEATURES, card_rows
from expected_error import raises
from transfers import CONTRACT, transfers

import sealane
from sealane.client.report.results.isolation import isolation
from sealane.client.report.results.suppressed import hidden_cells, suppressed
from sealane.client.report.results.typologies import typologies
from sealane.errors import InputError
from sealane.sectors.registry import contract

NAMES = ("north", "south", "west")


@pytest.fixture(scope="module")
def flagged() -> dict[str, object]:
    frames = {name: transfers(seed, acting=14) for seed, name in enumerate(NAMES)}
    found = sealane.simulate(frames, contract=contract(CONTRACT)).run(
        "typology.rules", until="2026-06-30", months=6, bands=[5000, 15_000, 35_000], structuring={
            "column": "method", "levels": ["cash", "wire"]})
    return dict(found.to_dict())


def text(markup: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup)))


def test_flagged_accounts(flagged: dict[str, object]) -> None:
    told = text(typologies(flagged))
    assert "Structuring 42 168 3" in told
    assert "Fan-in" in told
    assert "5,000 to 15,000" in told
    assert "2026-03" in told
    assert "Egmont Group" in told
    assert "8,000 to under 10,000 USD" in told
    assert typologies({}) == ""
    assert typologies(flagged | {"computation": "statistics.table"}) == ""
    with raises("report.malformed", InputError):
        typologies(flagged | {"typologies": {"fan_in": 3}})


def test_hidden_cells_are_named_by_month_and_band_and_nothing_else(flagged: dict[str, object]) -> None:
    cells = list(hidden_cells(flagged))
    assert cells
    assert {one.place[0] for one in cells} == {"typologies"}
    assert {one.rule for one in cells} <= {"minimum-count", "complementary"}
    assert any("2026-" in one.place[-1] for one in cells)
    assert "2026-" in text(suppressed(flagged))


def test_odd_rows() -> None:
    frame, _ = card_rows(1, rows=3000)
    frames = {name: frame.iloc[k::3].reset_index(drop=True) for k, name in enumerate(NAMES)}
    found = sealane.simulate(frames, contract=CARDS).run(
        "anomaly.isolation", features=FEATURES, trees=10, levels=4).to_dict()
    told = text(isolation(found))
    assert "3 000 rows, told apart by 10 trees" in told
    assert "0.001 about 3 hidden" in told
    assert re.search(r"0\.01 about 30 0\.[5-9]", told)
    assert [one.place[-1] for one in hidden_cells(found)] == ["0.001 of rows"]
    assert isolation({}) == ""
