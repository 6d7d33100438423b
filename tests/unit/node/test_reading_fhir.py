"""FHIR files as a node's dataset: registered, counted, read again, and hostile ones survived."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sealane.core.clock import ManualClock
from sealane.errors import InputError, RefusedError
from sealane.node.datasets import Report, add_dataset, open_dataset
from sealane.node.register import Register
from sealane.node.sources import parse_source, with_mapping

CANARY = "CANARY-8842"
SAMPLE = Path(__file__).parents[4] / "shared" / "conformance" / "fhir-r4-sample"
needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason="../shared/conformance/fhir-r4-sample is absent")
MAPPING = """
rows = "patient"
as_of = 2026-06-30
[[columns]]
field = "age"
from = "Patient"
as = "age"
[[columns]]
field = "sex"
from = "Patient"
path = "gender"
[[columns]]
field = "glucose"
from = "Observation"
take = "last"
convert = { "mmol/L" = 18.016 }
[[columns]]
field = "outcome"
from = "Condition"
system = "snomed-ct"
codes = ["46177005"]
take = "any"
"""
ENCOUNTERS = """
rows = "encounter"
as_of = 2026-06-30
[[columns]]
field = "person"
from = "Patient"
path = "id"
[[columns]]
field = "class"
from = "Encounter"
as = "code"
path = "class"
[[columns]]
field = "start"
from = "Encounter"
as = "date"
[[columns]]
field = "length"
from = "Encounter"
as = "days"
[[columns]]
field = "age"
from = "Patient"
as = "age"
"""


def patient(name: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": name, "gender": "male", "birthDate": "1970-01-01", "note": CANARY}


def glucose(about: str, value: float, unit: str, when: str = "2026-01-01") -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "subject": {"reference": f"Patient/{about}"},
            "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}, "effectiveDateTime": when,
            "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "export"
    made.mkdir()
    (made / "1.ndjson").write_text("\n".join(map(json.dumps, [patient("a"), patient("b")])))
    (made / "2.json").write_text(json.dumps({"resourceType": "Bundle", "entry": [
        {"resource": one} for one in [
            patient("c"), glucose("a", 90, "mg/dL"), glucose("b", 5, "mmol/L"), glucose("c", 7, CANARY),
            glucose("a", 500, "mg/dL", "2030-01-01")]]}))
    (made / "notes.txt").write_text(CANARY)
    (tmp_path / "mapping.toml").write_text(MAPPING)
    return made


def add(register: Register, clock: ManualClock, folder: Path, mapping: str | None = None,
        contract: str = "healthcare.cohort/v1") -> Report:
    file = folder.parent / "mapping.toml"
    if mapping is not None:
        file.write_text(mapping)
    return add_dataset(register, "patients", with_mapping(f"fhir:{folder}", file), contract, {}, now=clock())


def test_files_become_rows_and_what_was_left_out_is_counted(register: Register, clock: ManualClock, folder: Path
                                                            ) -> None:
    report = add(register, clock, folder)
    assert report.rows == 3
    assert report.counted == {"future-date": 1, "other-unit": 1, "used": 5}
    assert report.unfilled == ("outcome",)
    assert CANARY not in json.dumps(report.to_dict())
    frame = open_dataset(register, "patients", report.version).frame(["age", "sex", "glucose", "outcome"])
    assert frame["glucose"].tolist()[:2] == [90.0, pytest.approx(90.08)]
    assert frame["glucose"].isna().tolist() == [False, False, True]
    assert frame["outcome"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("change", ["file", "mapping", "more"])
def test_another_file_or_mapping_is_another_version(register: Register, clock: ManualClock, folder: Path, change: str
                                                    ) -> None:
    add(register, clock, folder)
    if change == "mapping":
        (folder.parent / "mapping.toml").write_text(MAPPING.replace("2026-06-30", "2026-06-29"))
    else:
        with (folder / ("1.ndjson" if change == "file" else "3.ndjson")).open("a") as file:
            file.write("\n" + json.dumps(patient("d")))
    with pytest.raises(RefusedError) as caught:
        open_dataset(register, "patients")
    assert caught.value.code == "dataset.changed"


def test_a_file_cut_in_half_is_reported_and_one_that_holds_nothing_refused(
        register: Register, clock: ManualClock, folder: Path) -> None:
    data = (folder / "2.json").read_bytes()
    (folder / "2.json").write_bytes(data[:len(data) // 2])
    report = add(register, clock, folder)
    assert report.counted["cut-off"] == 1
    (folder / "2.json").write_text('{"resourceType": "Bundle", "entry": [{"re' + CANARY)
    with pytest.raises(InputError) as caught:
        add(register, clock, folder)
    assert caught.value.code == "fhir.unreadable"
    assert "2.json" in str(caught.value)
    assert CANARY not in str(caught.value.to_dict())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04\x00\xff", b"hello\n", b"[" * 100_000])
def test_what_is_no_fhir_file_is_named(register: Register, clock: ManualClock, folder: Path, content: bytes) -> None:
    (folder / "2.json").write_bytes(content)
    with pytest.raises(InputError) as caught:
        add(register, clock, folder)
    assert caught.value.code == "fhir.unreadable"


def test_an_empty_type_of_a_bulk_export_is_no_fault(register: Register, clock: ManualClock, folder: Path) -> None:
    (folder / "0.ndjson").write_bytes(b"")
    assert add(register, clock, folder).rows == 3


def test_folders_mappings_and_dates_that_cannot_be(register: Register, clock: ManualClock, folder: Path) -> None:
    empty = folder.parent / "empty"
    empty.mkdir()
    for where, mapping, code in [
        (empty, None, "fhir.no-files"), (folder.parent / "none", None, "dataset.not-found"),
        (folder, MAPPING.replace("2026-06-30", "2126-06-30"), "fhir.mapping-malformed"),
    ]:
        with pytest.raises(InputError) as caught:
            add(register, clock, where, mapping)
        assert caught.value.code == code
    (folder.parent / "mapping.toml").unlink()
    with pytest.raises(InputError) as caught:
        add(register, clock, folder)
    assert caught.value.code == "dataset.not-found"


@pytest.mark.parametrize("text", ["fhir:export", "fhir:export?mapping=", "fhir:?mapping=m.toml", "omop:cdm",
                                  "fhir:postgresql://h/db?mapping=m.toml",
                                  f"omop:postgresql://h/db?mapping=m&schema={'s' * 64}", "omop:x?mapping=a%00"])
def test_sources_without_a_mapping(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_source(text)
    assert caught.value.code == "dataset.source-malformed"


def test_sources_mean_the_same_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = parse_source("fhir:export?mapping=m%20x.toml").text
    monkeypatch.chdir("/")
    source = parse_source(text)
    assert (source.path, source.mapping) == (tmp_path / "export", tmp_path / "m x.toml")
    remote = parse_source(f"omop:postgresql://ann:{CANARY}@db.north/cdm?schema=cdm54&mapping=/m.toml&sslmode=require")
    assert remote.location == f"postgresql://ann:{CANARY}@db.north/cdm?sslmode=require"
    assert (remote.schema, str(remote)) == ("cdm54", "omop:postgresql://db.north/cdm by /m.toml")
    assert parse_source(remote.text) == remote
    with pytest.raises(InputError) as caught:
        with_mapping("loans.csv", Path("m.toml"))
    assert caught.value.code == "dataset.mapping-unused"


@needs_sample
def test_the_published_sample_patients_and_what_they_have(register: Register, clock: ManualClock, tmp_path: Path
                                                          ) -> None:
    mapping = MAPPING.replace("46177005", "15777000")
    (tmp_path / "x.toml").write_text(mapping)
    report = add_dataset(register, "sample", with_mapping(f"fhir:{SAMPLE}", tmp_path / "x.toml"),
                         "healthcare.cohort/v1", {}, now=clock())
    frame = open_dataset(register, "sample", report.version).frame(["age", "sex", "outcome"])
    patients = {one["id"]: one for one in sample("Patient")}
    assert report.rows == len(patients) == 13
    chosen = [patients[name] for name in sorted(patients)]
    assert frame["sex"].tolist() == [one["gender"] for one in chosen]
    assert frame["age"].tolist() == [2026 - int(one["birthDate"][:4]) - (one["birthDate"][5:] > "06-30")
                                     for one in chosen]
    ill = {one["subject"]["reference"].removeprefix("Patient/") for one in sample("Condition")
           if any(coding["code"] == "15777000" for coding in one["code"]["coding"])}
    assert frame["outcome"].sum() == len(ill) == 5
    assert sum(report.counted.values()) == sum(len(path.read_text().splitlines()) for path in SAMPLE.iterdir())


@needs_sample
def test_the_published_sample_encounters(register: Register, clock: ManualClock, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(ENCOUNTERS)
    report = add_dataset(register, "sample", with_mapping(f"fhir:{SAMPLE}", tmp_path / "x.toml"),
                         "healthcare.encounter/v1", {}, now=clock())
    frame = open_dataset(register, "sample", report.version).frame(["class", "start", "length", "age"])
    found = sorted(sample("Encounter"), key=lambda one: str(one["id"]))
    assert len(frame) == len(found) == 1215
    assert frame["class"].tolist() == [one["class"]["code"] for one in found]
    assert [day.strftime("%Y-%m-%d") for day in frame["start"]] == [one["period"]["start"][:10] for one in found]
    assert (frame["length"] >= 0).all()
    assert frame["age"].notna().all()


def sample(kind: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLE / f"{kind}.ndjson").read_text().splitlines()]
