"""The files of rules that docs/datasets.md shows are legal, and its tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from sealane.governance.classification import CATEGORIES
from sealane.governance.dataset_state import Phase
from sealane.governance.desensitise import Rule, load_desensitisation
from sealane.governance.quality import MINIMUM_COUNT
from sealane.governance.repair import Step, load_repair
from sealane.governance.study_file import parse_study_file
from sealane.sectors.registry import contract
from sealane.sectors.study_text import new_study

LOANS = contract("finance.credit-application/v1")


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return (root / "docs" / "datasets.md").read_text(encoding="utf-8")


def kinds(union: Any) -> set[str]:
    return {get_args(one.model_fields["do"].annotation)[0] for one in get_args(get_args(union)[0])}


def test_repairs_and_rules_are_legal_and_every_kind_is_named(text: str) -> None:
    repair, jurisdictions, rules = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert {step.do for step in load_repair(repair.encode(), LOANS).steps} == kinds(Step)
    assert load_desensitisation(rules.encode(), LOANS).k == 5
    assert {kind for kind in kinds(Rule) if f"`{kind}`" not in text and f'"{kind}"' not in text} == set()
    base = new_study("finance").split("[parameters]")
    study = parse_study_file((base[0] + jurisdictions + "[parameters]" + base[1]).encode())
    assert study.jurisdictions["alice"] == "SG"


def test_phases_categories_and_the_minimum_count_are_those_of_the_code(text: str) -> None:
    assert re.findall(r"^\| (\w+) \| ", text.partition("## Profile")[0], re.MULTILINE) == ["phase", *Phase]
    named = text.partition("Categories: ")[2].partition(". The last five")[0]
    assert tuple(re.findall(r"`([\w-]+)`", named)) == CATEGORIES
    assert f"profile is {MINIMUM_COUNT}, always" in text
