"""docs/healthcare.md: its files are legal, and its tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from sealane.sectors.code_system import load_code_systems
from sealane.sectors.healthcare import PACK
from sealane.sectors.healthcare.fhir import elements, resources, rows, values
from sealane.sectors.healthcare.fhir.mapping import FhirColumn, Kind, Reading, Take, load_fhir_mapping
from sealane.sectors.healthcare.omop.definition import Derived, load_definition
from sealane.sectors.healthcare.omop.definition import Domain as Table
from sealane.sectors.healthcare.omop.definition import Take as Taken
from sealane.sectors.registry import contract


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return (root / "docs" / "healthcare.md").read_text(encoding="utf-8")


def section(text: str, head: str) -> str:
    return text.partition(f"\n## {head}")[2].partition("\n## ")[0]


def test_files_are_legal(text: str) -> None:
    systems, mapping, definition = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert [one.has("B04.02.01") for one in load_code_systems(systems.encode()).values()] == [True]
    assert len(load_fhir_mapping(mapping.encode(), contract("healthcare.cohort/v1")).columns) == 5
    assert len(load_definition(definition.encode(), contract("healthcare.survival/v1")).columns) == 5


def test_contracts_with_all_their_fields_or_a_summary(text: str) -> None:
    table = dict(re.findall(r"^\| `(healthcare\.[^`]+)` \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE))
    assert set(table) == set(PACK.contracts)
    for name in ("heart-disease", "dialysis", "breast-cancer"):
        words = set(re.findall(r"[a-z_]+", table[f"healthcare.{name}/v1"]))
        assert set(contract(f"healthcare.{name}/v1").names) <= words


def test_purposes_and_systems(text: str) -> None:
    assert set(re.findall(r"`([a-z-]+)`", section(text, "Purposes and labels").split("[Labels]")[0])) == set(
        PACK.purposes)
    known = section(text, "Code systems").partition("Known here: ")[2].partition(". The table")[0].lower()
    for word in ("loinc", "snomed ct", "icd-10", "icd-10-cm", "icd-11", "atc", "rxnorm", "cvx", "gender", "act codes"):
        assert word in known
    assert len(PACK.code_systems) == 10


def test_every_key_word_and_reason_of_fhir_is_listed(text: str) -> None:
    part = section(text, "FHIR")
    keys = {field.alias or name for name, field in FhirColumn.model_fields.items()}
    assert {key for key in keys if f"`{key}`" not in part} == set()
    for words in (Reading, Take):
        assert {word for word in get_args(words) if f"`{word}`" not in part} == set()
    assert {kind for kind in get_args(Kind) if kind not in part} == set()
    source = "".join(Path(str(module.__file__)).read_text(encoding="utf-8")
                     for module in (elements, values, resources, rows))
    reasons = set(re.findall(r'Unfit\("([a-z-]+)"', source)) | set(re.findall(r'else "(no-[a-z]+)"\)', source))
    reasons |= {resources.NOT_JSON, resources.TOO_LARGE, resources.TOO_DEEP, resources.NO_RESOURCE, resources.CUT_OFF}
    reasons |= {rows.USED, rows.UNUSED, "no-such-patient", "no-such-encounter"}
    listed = part.partition("| reason | is |")[2].partition("\n\n")[0]
    named = [line.split(" | ")[0] for line in listed.splitlines()]
    assert reasons == {word for line in named for word in re.findall(r"`([a-z-]+)`", line)}
    assert len(reasons) > 20


def test_every_word_of_omop_is_listed(text: str) -> None:
    part = section(text, "OMOP")
    for words in (Derived, Taken):
        assert {word for word in get_args(words) if f"`{word}`" not in part} == set()
    assert {table for table in get_args(Table) if table not in part} == set()
    for reason in ("used", "not-observed", "short-history", "earlier-outcome", "short-follow-up", "ends-before-index",
                   "other-unit", "not-exact", "future-date", "malformed-record"):
        assert f"`{reason}`" in part
