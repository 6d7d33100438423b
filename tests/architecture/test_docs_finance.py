"""docs/finance.md: its recipe is legal, and its tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from sealane.governance.study_file import read_study_file
from sealane.sectors.finance import PACK
from sealane.sectors.finance.recipe import Make, load_recipe
from sealane.sectors.registry import contract


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return (root / "docs" / "finance.md").read_text(encoding="utf-8")


def section(text: str, head: str) -> str:
    return text.partition(f"\n## {head}")[2].partition("\n## ")[0]


def test_the_recipe_is_legal(text: str) -> None:
    (recipe,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(load_recipe(recipe.encode(), contract("finance.card-transaction/v1")).features) == 5


def test_every_word_of_recipes_is_listed(text: str) -> None:
    part = section(text, "Feature recipes")
    assert {word for word in get_args(Make) if f"`{word}`" not in part} == set()


def test_contracts_systems_and_purposes(text: str) -> None:
    assert set(re.findall(r"^\| `(finance\.[^`]+)`", text, re.MULTILINE)) == set(PACK.contracts)
    assert set(re.findall(r"^\| `(iso-[0-9]+)`", text, re.MULTILINE)) == {
        system.name for system in PACK.code_systems.values()}
    named = section(text, "Purposes and labels").split("[Labels]")[0]
    assert set(re.findall(r"`([a-z-]+)`", named)) == set(PACK.purposes)


def test_labels(text: str) -> None:
    part = section(text, "Purposes and labels")
    used = {label for fields in PACK.grading.contracts.values() for label in fields.values()}
    assert {label for label in used if f"`{label}`" not in part} == set()


def test_the_example_recipe_makes_what_its_study_reads(root: Path) -> None:
    rules = contract("finance.card-transaction/v1")
    recipe = load_recipe((root / "examples" / "finance" / "recipe-cards.toml").read_bytes(), rules)
    study = read_study_file(root / "examples" / "finance" / "study-odd-cards.toml")
    assert set(recipe.fields) <= set(study.parameters["features"])
    assert set(study.parameters["features"]) - set(recipe.fields) == {"amount", "hour"}
