"""docs/agriculture.md and its demo's page: tables are those of the code, files are legal, figures are those found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sealane.governance.repair import load_repair
from sealane.governance.study_file import read_study_file
from sealane.sectors.agriculture import PACK
from sealane.sectors.registry import check_purpose, contract


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return (root / "docs" / "agriculture.md").read_text(encoding="utf-8")


def section(text: str, head: str) -> str:
    return text.partition(f"\n## {head}")[2].partition("\n## ")[0]


def test_contracts_purposes_systems_and_grades(text: str) -> None:
    assert set(re.findall(r"^\| `(agriculture\.[^`]+)`", text, re.MULTILINE)) == set(PACK.contracts)
    listed = section(text, "Purposes and labels").split("[Labels]")[0]
    assert set(re.findall(r"`([a-z-]+)`", listed)) == set(PACK.purposes)
    assert set(re.findall(r"`([a-z-]+)`", section(text, "Code systems").split("A pattern")[0])) - {"_", "c_"} == {
        one.name for one in PACK.code_systems.values()}
    labels = {str(label) for table in PACK.grading.contracts.values() for label in table.values()}
    labels |= {str(rule.label) for rule in PACK.grading.rules}
    assert labels <= set(re.findall(r"`([a-z-]+:[1-5])`", text))


def test_files_of_the_examples_are_legal(root: Path) -> None:
    folder = root / "examples" / "agriculture"
    studies = sorted(folder.glob("study-*.toml"))
    assert len(studies) == 4
    for path in studies:
        study = read_study_file(path)
        check_purpose(study.sector, study.purpose)
        assert contract(study.data_contract).id in PACK.contracts
    repair = load_repair((folder / "repair-per-cent.toml").read_bytes(), contract("agriculture.soil-sample/v1"))
    assert {step.field for step in repair.steps} == {"clay", "organic_carbon"}  # type: ignore[union-attr]


def test_deadline_that_the_page_names_is_one(text: str) -> None:
    from sealane.coordinator.settings import Deadlines

    assert Deadlines(absent_seconds=90000.0).absent_seconds == 90000.0
    assert "`absent_seconds`" in section(text, "Intermittent links")
