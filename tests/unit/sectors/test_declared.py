"""A declared pack is read whole or refused: a missing, unknown or malformed file is named, and nothing is guessed."""

from __future__ import annotations

import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sealane.errors import InputError
from sealane.governance.study_file import parse_study_file
from sealane.sectors.declared import load_pack
from sealane.sectors.scaffold import pack_files
from sealane.sectors.toml_text import toml_text

FILES = {Path(path).relative_to("src/sealane_sector_wind"): text for path, text in pack_files("wind").items()
         if path.startswith("src/")}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a package out of the scaffold's files, some of them changed, and return its import name."""
    made: list[str] = []

    def write(changed: dict[str, str | None]) -> str:
        name = f"declared_pack_{len(made)}"
        made.append(name)
        texts = {str(path): text for path, text in FILES.items()} | changed
        for path, text in texts.items():
            if text is not None:
                (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name / path).write_text(text, encoding="utf-8")
        (tmp_path / name / "__init__.py").write_text("", encoding="utf-8")
        return name

    monkeypatch.syspath_prepend(str(tmp_path))
    yield write
    for name in made:
        sys.modules.pop(name, None)


def of(path: str) -> str:
    return FILES[Path(path)]


def test_a_pack_is_what_its_files_say(package: Any) -> None:
    pack = load_pack(package({}))
    assert (pack.name, pack.title, pack.minimum_count) == ("wind", "Wind", 10)
    assert list(pack.contracts) == ["wind.record/v1"]
    assert set(pack.purposes) == {"research", "quality-improvement"}
    assert pack.grading.default == "internal:2"
    assert pack.deidentification is not None
    assert pack.example is not None
    assert tomllib.loads(pack.example.parameters) == {
        "outcome": "result", "features": ["size", "kind"], "family": "gaussian"}


def test_what_is_optional_may_be_missing(package: Any) -> None:
    bare = of("sector.toml").partition("[example]")[0]
    pack = load_pack(package({"sector.toml": bare, "grading.toml": None, "deidentification.toml": None}))
    assert (pack.example, pack.deidentification, pack.grading.default) == (None, None, "internal:3")


@pytest.mark.parametrize(("changed", "code", "said"), [
    ({"sector.toml": None}, "sector.undeclared", "declares no sector"),
    ({"sector.toml": "name = "}, "sector.malformed", "sector.toml of a sector pack: not TOML"),
    ({"sector.toml": of("sector.toml").replace("title", "titel")}, "sector.malformed", "malformed at title"),
    ({"sector.toml": of("sector.toml").replace('"wind"', '"Wind"', 1)}, "sector.malformed", "malformed at name"),
    ({"sector.toml": of("sector.toml").replace("= 10 ", "= 1 ")}, "sector.malformed", "malformed at minimum_count"),
    ({"sector.toml": of("sector.toml").replace('purpose = "research"', 'purpose = "resale"')}, "sector.malformed",
     "the example has a purpose or a contract"),
    ({"sector.toml": of("sector.toml").replace("wind.record/v1", "wind.records/v1")}, "sector.malformed",
     "the example has a purpose or a contract"),
    ({"contracts/record-v1.toml": None}, "sector.malformed", "the pack holds no data contract"),
    ({"contracts/other-v1.toml": of("contracts/record-v1.toml")}, "sector.malformed",
     "record-v1.toml of a sector pack: a contract's id"),
    ({"contracts/record-v1.toml": of("contracts/record-v1.toml").replace("wind.", "solar.")}, "sector.malformed",
     "record-v1.toml of a sector pack: a contract's id begins with its sector"),
    ({"contracts/record-v1.toml": of("contracts/record-v1.toml").replace('"text"', '"txt"')}, "sector.malformed",
     "record-v1.toml of a sector pack: contract is malformed at fields.0.type"),
    ({"grading.toml": of("grading.toml").replace("unit_key", "unit")}, "sector.malformed",
     "a label is given to a field that no contract"),
    ({"grading.toml": of("grading.toml").replace("internal:2", "interna:2")}, "sector.malformed", "grading.toml"),
    ({"deidentification.toml": "k = 1"}, "sector.malformed", "deidentification.toml"),
    ({"code_systems.toml": "systems = 1"}, "sector.malformed", "code_systems.toml"),
    ({"grades.toml": ""}, "sector.malformed", "grades.toml of a sector pack: nothing reads a file of this name"),
])
def test_what_is_wrong_is_named(package: Any, changed: dict[str, str | None], code: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        load_pack(package(changed))
    assert caught.value.code == code
    assert said in caught.value.message
    assert caught.value.hint


def test_parameters_read_back_as_they_were() -> None:
    values: dict[str, Any] = {
        "text": 'a "quoted" \\ tab\t line\n end \x7f é 🌾', "flag": True, "count": 10**12, "share": 0.1, "tiny": 5e-324,
        "day": date(2026, 6, 30), "list": [1, [2.5, "x"], []], "a key": {"inner": {"deep": [False]}, "": 1}, "none": {}}
    assert tomllib.loads(toml_text(values)) == values
    with pytest.raises(TypeError):
        toml_text({"a": None})


def test_the_scaffold_s_study_file_and_example_agree(package: Any) -> None:
    pack, study = load_pack(package({})), parse_study_file(pack_files("wind")["study.toml"].encode())
    assert pack.example is not None
    assert (study.name, study.purpose, study.data_contract, study.computation, study.parameters) == (
        pack.example.name, pack.example.purpose, pack.example.data_contract, pack.example.computation,
        tomllib.loads(pack.example.parameters))
