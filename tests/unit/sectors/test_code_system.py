"""Forms and check digits of codes, against codes that their publishers print."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from sealane.errors import InputError
from sealane.governance.contract import Contract, Field
from sealane.sectors import registry
from sealane.sectors.code_system import CodeSystem, load_code_systems
from sealane.sectors.pack import SectorPack
from sealane.sectors.registry import code_system, packs

SYNDROMES = b"""
[[systems]]
uri = "urn:example:syndromes"
name = "syndromes"
title = "Syndromes of a hospital's own list"
pattern = 'B[0-9]{2}(\\.[0-9]{2}){0,3}\\.?'
"""
ADDED = load_code_systems(SYNDROMES)
RIVAL = load_code_systems(SYNDROMES.replace(b"B[0-9]", b"C[0-9]"))
NO_SYSTEMS: dict[str, object] = {"urn:example:none": "text"}
OWN = SectorPack("own", "Own", contracts={"own.thing/v1": Contract(id="own.thing/v1", fields=(
    Field(name="syndrome", type="text", system="urn:example:syndromes"),))}, purposes={})
WRONG = SectorPack("wrong", "Wrong", contracts={"wrong.thing/v1": Contract(id="wrong.thing/v1", fields=(
    Field(name="pressure", type="number", system="http://loinc.org", code="8480-5"),))}, purposes={})


@pytest.mark.parametrize(("name", "right", "wrong"), [
    ("loinc", "8480-6", "8480-5"),                       # systolic blood pressure
    ("loinc", "2093-3", "2093"),                         # total cholesterol
    ("snomed-ct", "22298006", "22298007"),               # myocardial infarction
    ("snomed-ct", "44054006", "44054060"),               # type 2 diabetes
    ("icd-10", "I25.1", "heart"),
    ("icd-10", "E10-E14", "E1"),
    ("icd-10-cm", "S72.001A", "72.001A"),
    ("icd-11", "BA41.Z", "OA41"),                        # letters O and I are in no code
    ("atc", "C10AA05", "C10A5"),                         # atorvastatin
    ("cvx", "140", "flu"),
    ("administrative-gender", "female", "F"),
])
def test_codes(name: str, right: str, wrong: str) -> None:
    system = code_system(name)
    assert system.has(right)
    assert not system.has(wrong)
    assert code_system(system.uri) == system


def test_a_long_code_is_refused_before_it_is_matched() -> None:
    assert not code_system("act-code").has("A" * 65)


@pytest.mark.parametrize(("data", "code"), [
    (b"systems = 1", "code-system.malformed"), (b"\xff", "code-system.not-toml"),
    (SYNDROMES * 2, "code-system.malformed"),
    (SYNDROMES.replace(b"B[0-9]", b"B[0-9"), "code-system.malformed"),
    (SYNDROMES.replace(b"urn:example:", b"Example "), "code-system.malformed"),
])
def test_malformed_tables(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        load_code_systems(data)
    assert caught.value.code == code


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(InputError) as caught:
        code_system("loin")
    assert caught.value.code == "code-system.unknown"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(**groups: str) -> None:
        here = __name__
        found = {"sealane.code_systems": groups.get("systems"), "sealane.sectors": groups.get("sector")}
        monkeypatch.setattr(registry, "entry_points", lambda group: [
            EntryPoint(name, f"{here}:{value}", group) for value in [found.get(group)] if value
            for name in [groups.get("name", "more")]])
        packs.cache_clear()

    yield install
    monkeypatch.undo()
    packs.cache_clear()


def test_another_package_adds_a_code_system(installed: Any) -> None:
    installed(systems="ADDED", sector="OWN", name="own")
    assert code_system("syndromes").has("B04.02.01")
    assert not code_system("syndromes").has("A04")
    assert isinstance(registry.contract("own.thing/v1").fields[0].system, str)


@pytest.mark.parametrize(("groups", "code"), [
    ({"sector": "OWN", "name": "own"}, "sector.unknown-code-system"),
    ({"sector": "WRONG", "name": "wrong"}, "sector.malformed-code"),
    ({"systems": "NO_SYSTEMS"}, "sector.broken"),
    ({"systems": "MISSING"}, "sector.broken"),
])
def test_packs_that_do_not_fit_are_refused(installed: Any, groups: dict[str, str], code: str) -> None:
    installed(**groups)
    with pytest.raises(InputError) as caught:
        registry.code_systems()
    assert caught.value.code == code


def test_two_meanings_of_one_system_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [
        EntryPoint(name, f"{__name__}:{name}", group) for name in ("ADDED", "RIVAL")
        if group == "sealane.code_systems"])
    packs.cache_clear()
    with pytest.raises(InputError) as caught:
        registry.code_systems()
    monkeypatch.undo()
    packs.cache_clear()
    assert caught.value.code == "sector.ambiguous"


def test_a_system_is_a_value() -> None:
    assert isinstance(code_system("loinc"), CodeSystem)
