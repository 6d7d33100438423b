"""What the agriculture demo asks and says: questions that fit their contracts, and no claim that was not found."""

from __future__ import annotations

import copy
import re
from types import SimpleNamespace
from typing import Any

import pytest

from sealane.cli.agriculture_demo import quotes, rice, soil, walk
from sealane.cli.example_data import find_example
from sealane.computations.requirements import required_columns
from sealane.governance.repair import load_repair
from sealane.sectors.registry import check_purpose, contract

STEP = '[[steps]]\ndo = "convert"\nfield = "clay"\nfactor = 10\nfrom_unit = "%"'


def test_every_question_fits_the_contract_of_its_rows() -> None:
    farms, villages, markets = (find_example(name) for name in ("soil", "rice", "quotes"))
    asked = [(question, farms) for question in (soil.checking(), *soil.questions(farms).values())]
    asked += [(question, villages) for question in rice.questions().values()]
    asked += [(question, markets) for question in quotes.questions().values()]
    for question, example in asked:
        check_purpose(example.sector, example.purpose)
        assert required_columns(question.computation, question.parameters, contract(example.contract)), question.name
        assert re.fullmatch(r"[a-z-]+", question.name)


def test_the_formula_is_the_examples_own() -> None:
    from sealane_examples.agriculture.rice import FORMULA

    assert rice.FORMULA == FORMULA


def test_what_was_put_in_is_the_examples_own() -> None:
    from sealane_examples.agriculture.quotes import JUMP_BEGINS, PEST_BEGINS

    assert {flag: day for flag, (day, _) in quotes.PUT_IN.items()} == {
        "jump": JUMP_BEGINS.date().isoformat(), "pest_sighted": PEST_BEGINS.date().isoformat()}


def test_the_declared_conversion_is_of_the_whole_sheet_and_legal() -> None:
    found = [{"institution": "goias-2", "column": "clay", "step": STEP},
             {"institution": "bahia", "column": "clay", "step": ""}]
    repairs = soil.declared(found)
    assert set(repairs) == {"goias-2"}
    steps = load_repair(repairs["goias-2"].encode(), contract("agriculture.soil-sample/v1")).steps
    assert [(one.do, one.field, one.factor) for one in steps] == [  # type: ignore[union-attr]
        ("convert", "clay", 10.0), ("convert", "organic_carbon", 10.0)]
    assert soil.declared([]) == {}
    assert "No farm was found" in soil.units_text({})
    assert "goias-2" in soil.units_text(repairs)


ERRORS: dict[str, Any] = {
    "all": {"alone": 54.0, "joint": 51.0, "own level": 44.0},
    "median": {"alone": 17.0, "joint": 30.0, "own level": 23.0},
    "within": {"a": {"errors": {"alone": 10.0, "own level": 20.0}, "away": 300.0},
               "b": {"errors": {"alone": 90.0, "own level": 60.0}, "away": 200.0}}}


def test_a_farm_whose_own_model_is_better_is_named() -> None:
    told = soil.clay_text(ERRORS)
    assert "better one at home for a." in told
    assert "200 to 300 g/kg" in told
    changed = copy.deepcopy(ERRORS)
    changed["within"]["a"]["errors"]["own level"] = 5.0
    assert "better one at home" not in soil.clay_text(changed)
    assert "51%" in soil.notes({"alone": {"institution": "b", "share": 0.51}})[1]


@pytest.mark.parametrize(("alarms", "words"), [
    (["2026-02-01", "2026-04-12"], "the week that ends on 2026-04-12; 1 week before it gave a false one"),
    (["2026-04-12"], "no weeks before it gave a false one"),
    (["2026-02-01"], "No alarm follows; 1 week before"),
])
def test_a_false_alarm_is_called_one(alarms: list[str], words: str) -> None:
    told = quotes.warning_text("jump", SimpleNamespace(alarms=alarms, standard_error=5.5))
    assert told.startswith("Made-up quotes")
    assert words in told


def test_the_lead_has_no_number_of_made_up_rows() -> None:
    told = walk.lead(ERRORS, {"all": {"alone": 0.374, "joint": 0.38}})
    assert told.endswith(quotes.LABEL)
    assert "200 and more" in told
    assert "0.380 jointly and to 0.374 alone" in told
