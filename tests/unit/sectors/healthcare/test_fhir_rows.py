"""Rows out of resources: which values are taken, and what is left out and counted."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.errors import InputError
from sealane.governance.contract import Contract
from sealane.sectors.healthcare.fhir.mapping import load_fhir_mapping
from sealane.sectors.healthcare.fhir.resources import Resource
from sealane.sectors.healthcare.fhir.rows import Rows, left_out
from sealane.sectors.registry import contract

COHORT, ENCOUNTER = contract("healthcare.cohort/v1"), contract("healthcare.encounter/v1")
LOINC, SNOMED, ICD = "http://loinc.org", "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10"
BASE = """
rows = "patient"
as_of = 2026-06-30
[[columns]]
field = "person"
from = "Patient"
path = "id"
[[columns]]
field = "age"
from = "Patient"
as = "age"
[[columns]]
field = "sex"
from = "Patient"
path = "gender"
"""


def rows(text: str, *found: dict[str, Any] | str, rules: Contract = COHORT
         ) -> tuple[dict[str, list[Any]], dict[str, int]]:
    made = Rows(load_fhir_mapping(text.encode(), rules))
    for one in found:
        made.add(one if isinstance(one, str) else Resource(one["resourceType"], one))
    return made.table(), made.counted()


def patient(name: str = "p", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": name, "gender": "female", "birthDate": "1960-07-01", **more}


def observed(value: Any, code: str = "8480-6", unit: str | None = "mm[Hg]", when: str | None = "2026-01-01",
             about: str = "Patient/p", **more: Any) -> dict[str, Any]:
    quantity = {"value": value, "system": "http://unitsofmeasure.org"} | ({} if unit is None else {"code": unit})
    return {"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": LOINC, "code": code}]},
            "subject": {"reference": about}, "valueQuantity": quantity} | (
        {} if when is None else {"effectiveDateTime": when}) | more


def condition(code: str, system: str = ICD, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "id": code, "code": {"coding": [{"system": system, "code": code}]},
            "subject": {"reference": "Patient/p"}, "recordedDate": "2020", **more}


def pressure(take: str, more: str = "") -> str:
    return BASE + f'[[columns]]\nfield = "systolic_bp"\nfrom = "Observation"\ntake = "{take}"\n{more}'


def test_age_is_in_whole_years_on_the_day_of_the_export() -> None:
    table, counted = rows(BASE, patient("b", birthDate="1960-06-30"), patient("a"), patient("c", birthDate="1960"))
    assert table == {"person": ["a", "b", "c"], "age": [65.0, 66.0, 66.0], "sex": ["female"] * 3}
    assert counted == {"used": 3}


@pytest.mark.parametrize(("take", "expected"), [
    ("last", 130.0), ("first", 150.0), ("minimum", 120.0), ("maximum", 150.0), ("mean", 400 / 3), ("count", 3.0),
    ("any", 1.0)])
def test_one_value_of_several(take: str, expected: float) -> None:
    text = pressure(take) if take not in ("count", "any") else pressure(take).replace("systolic_bp", "comorbidities") \
        + 'system = "loinc"\ncodes = ["8480-6"]'
    if take == "any":
        text = text.replace("comorbidities", "hypertension")
    found = [observed(120, when="2025-03-01"), observed(150, when="2024-01-01"),
             observed(130, when="2025-03-01T10:00:00+02:00"), observed(70, code="8462-4")]
    for order in (found, found[::-1]):
        table, counted = rows(text, *order[:2], patient(), *order[2:])
        assert table[list(table)[-1]] == [pytest.approx(expected, rel=1e-15)]
        assert counted == {"unused": 1, "used": 4}


def test_of_two_at_one_moment_the_later_in_the_files_is_last_and_the_earlier_first() -> None:
    two = [observed(120, when="2025-03-01"), observed(150, when="2025-03-01T00:00:00Z")]
    assert rows(pressure("last"), patient(), *two)[0]["systolic_bp"] == [150.0]
    assert rows(pressure("first"), patient(), *two)[0]["systolic_bp"] == [120.0]


def test_components_of_a_panel_are_found_and_other_units_only_converted_where_declared() -> None:
    panel = observed(None, code="85354-9", component=[
        {"code": {"coding": [{"system": LOINC, "code": "8480-6"}]}, "valueQuantity": {"value": 18, "code": "kPa"}}])
    del panel["valueQuantity"]
    table, counted = rows(pressure("last"), patient(), panel)
    assert table["systolic_bp"] == [None]
    assert counted == {"other-unit": 1, "used": 1}
    table, counted = rows(pressure("last", "convert = { kPa = 7.50062 }"), patient(), panel)
    assert table["systolic_bp"] == [pytest.approx(135.01116)]
    assert counted == {"used": 2}


@pytest.mark.parametrize(("resource", "reason"), [
    (observed(120, unit="mmol/L"), "other-unit"),
    (observed(120, unit=None), "no-unit"),
    (observed(120) | {"valueQuantity": {"value": 120, "unit": "kPa", "code": "mm[Hg]"}}, "contradictory-unit"),
    (observed(120) | {"valueQuantity": {"value": 120, "unit": ["kPa"], "code": {}}}, "no-unit"),
    (observed("120"), "wrong-type"),
    (observed(True), "wrong-type"),
    (observed(10**400), "wrong-type"),
    (observed(120) | {"valueQuantity": {"value": 120, "code": "mm[Hg]", "comparator": "<"}}, "not-exact"),
    (observed(120) | {"valueQuantity": {"unit": "mm[Hg]"}}, "wrong-type"),
    (observed(120) | {"valueQuantity": [{}]}, "wrong-type"),
    (observed(120, when="2026-07-01"), "future-date"),
    (observed(120, when="2027"), "future-date"),
    (observed(120, when="2026-02-30"), "malformed-date"),
    (observed(120, when="yesterday"), "malformed-date"),
    (observed(120, when="2026-01-01T99:00:00Z"), "malformed-date"),
    (observed(120, when=None), "undated"),
    (observed(120, status="entered-in-error"), "retracted"),
    (observed(120, about="Group/p"), "no-subject"),
    (observed(120, about="Patient?identifier=x|p"), "no-subject"),
    (observed(120) | {"subject": "Patient/p"}, "no-subject"),
    (observed(120, about="Patient/somebody-else"), "no-such-patient"),
    (patient(), "repeated"),
    (patient("q", birthDate="2031-01-01"), "future-date"),
    ({"resourceType": "Patient", "gender": "male"}, "no-id"),
    ({"resourceType": "Patient", "id": "x" * 65}, "no-id"),
    ("not-json", "not-json"),
])
def test_what_is_left_out_is_counted_by_reason(resource: dict[str, Any] | str, reason: str) -> None:
    table, counted = rows(pressure("last"), patient(), observed(130), resource)
    assert table["systolic_bp"] == [130.0]
    assert counted == {"used": 2, reason: 1}
    assert left_out(counted) == 1


@pytest.mark.parametrize("about", ["Patient/p", "https://north.example/fhir/Patient/p", "Patient/p/_history/3",
                                   "urn:uuid:p"])
def test_ways_to_name_a_patient(about: str) -> None:
    table, _ = rows(pressure("last"), patient(), observed(130, about=about))
    assert table["systolic_bp"] == [130.0]


def test_a_patient_is_found_by_the_bundle_s_own_name() -> None:
    made = Rows(load_fhir_mapping(pressure("last").encode(), COHORT))
    made.add(Resource("Observation", observed(130, about="urn:uuid:1234")))
    made.add(Resource("Patient", patient("p"), "urn:uuid:1234"))
    made.add(Resource("Observation", observed(140, when="2026-02-01", about="Patient/p")))
    assert made.table()["systolic_bp"] == [140.0]
    assert made.counted() == {"used": 3}


def test_a_patient_may_have_no_name_but_the_bundle_s() -> None:
    made = Rows(load_fhir_mapping(pressure("last").encode(), COHORT))
    made.add(Resource("Patient", {"resourceType": "Patient", "gender": "male", "birthDate": "1990"}, "urn:uuid:77"))
    made.add(Resource("Observation", observed(130, about="urn:uuid:77")))
    assert made.table() == {"person": ["77"], "age": [36.0], "sex": ["male"], "systolic_bp": [130.0]}


def test_what_serves_no_column_is_unused_whatever_is_wrong_with_it() -> None:
    _, counted = rows(pressure("last"), patient(), observed(1, code="2345-7", when="2031", about="Group/x"))
    assert counted == {"unused": 1, "used": 1}


GROUPED = """
rows = "encounter"
as_of = 2026-06-30
[[columns]]
field = "complaint"
from = "Condition"
system = "icd-10"
as = "code"
groups = { respiratory = ["J", "R05"], influenza_like = ["J09", "J10", "J11"], gastrointestinal = ["K", "A0"] }
other = "other"
"""


@pytest.mark.parametrize(("code", "level"), [
    ("J20.9", "respiratory"), ("J10.1", "influenza_like"), ("R05", "respiratory"), ("A09.0", "gastrointestinal"),
    ("R06", "other")])
def test_codes_in_groups_by_their_longest_begin(code: str, level: str) -> None:
    about = {"encounter": {"reference": "Encounter/e"}}
    table, _ = rows(GROUPED, encounter("e"), encounter("f"), condition(code, **about),
                    condition(code, SNOMED, id="other", **about), rules=ENCOUNTER)
    assert table["complaint"] == [level, None]


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
                    | st.sampled_from(["Patient/p", "2026-01-01", "mm[Hg]", "kPa", "8480-6", LOINC, "9999-99-99"]),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["code", "coding", "system", "value", "unit", "reference", "start", "end"]),
                        inner, max_size=3), max_leaves=6)


def spoil(data: st.DataObject, value: Any) -> Any:
    """Put something else in one place of a resource."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 5)):
        key = data.draw(st.sampled_from(sorted(value)))
        return value | {key: spoil(data, value[key])}
    if isinstance(value, list) and value and data.draw(st.integers(0, 5)):
        return [spoil(data, value[0]), *value[1:]]
    return data.draw(JSON)


@given(st.data())
def test_whatever_a_resource_holds_it_is_used_or_counted(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([pressure("last"), pressure("mean"), ENCOUNTERS]))
    rules = ENCOUNTER if text == ENCOUNTERS else COHORT
    good = [patient(), patient("q"), encounter("e"), observed(130), observed(120, component=[observed(3)]),
            condition("E11", encounter={"reference": "Encounter/e"})]
    found = []
    for one in good:
        spoilt = spoil(data, one)
        if isinstance(spoilt, dict):
            found.append(Resource(one["resourceType"], spoilt))
    made = Rows(load_fhir_mapping(text.encode(), rules))
    for resource in found:
        made.add(resource)
    assert sum(made.counted().values()) == len(found)
    assert len({len(column) for column in made.table().values()}) == 1


def test_conditions_by_prefix_and_by_code() -> None:
    text = BASE + """
[[columns]]
field = "diabetes"
from = "Condition"
system = "icd-10"
prefixes = ["E10", "E11"]
take = "any"
[[columns]]
field = "hypertension"
from = "Condition"
system = "snomed-ct"
codes = ["38341003"]
take = "any"
"""
    table, counted = rows(text, patient(), condition("E11.9"), condition("E12"), condition("E11", SNOMED),
                          condition("38341003", SNOMED), patient("q"))
    assert (table["diabetes"], table["hypertension"]) == ([1.0, 0.0], [1.0, 0.0])
    assert counted == {"unused": 2, "used": 4}
    refuted = condition("E11.9", verificationStatus={"coding": [{"code": "refuted"}]})
    assert rows(text, patient(), refuted)[0]["diabetes"] == [0.0]


def test_sums_and_counts_take_a_resource_once() -> None:
    text = BASE + '[[columns]]\nfield = "comorbidities"\nfrom = "Condition"\ntake = "count"\n'
    table, counted = rows(text, patient(), condition("E11"), condition("E11"), condition("I10"))
    assert table["comorbidities"] == [2.0]
    assert counted == {"repeated": 1, "used": 3}


def test_a_flag_that_is_false_is_no_event() -> None:
    text = BASE + '[[columns]]\nfield = "outcome"\nfrom = "Patient"\npath = "deceasedBoolean"\ntake = "any"\n'
    table, _ = rows(text, patient("a", deceasedBoolean=True), patient("b", deceasedBoolean=False), patient("c"))
    assert table["outcome"] == [1.0, 0.0, 0.0]


ENCOUNTERS = """
rows = "encounter"
as_of = 2026-06-30
[[columns]]
field = "encounter"
from = "Encounter"
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
[[columns]]
field = "diagnosis"
from = "Condition"
as = "code"
take = "first"
"""


def encounter(name: str, start: str = "2020-06-30T23:30:00-05:00", end: str = "2020-07-02T11:30:00-05:00",
              about: str = "p") -> dict[str, Any]:
    act = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
    return {"resourceType": "Encounter", "id": name, "status": "finished", "class": act,
            "subject": {"reference": f"Patient/{about}"}, "period": {"start": start, "end": end}}


def test_rows_of_encounters() -> None:
    table, counted = rows(
        ENCOUNTERS, condition("E11.9", encounter={"reference": "Encounter/e1"}), encounter("e1"),
        encounter("e2", "2021-07-01", "2021-07-01"), patient(), encounter("e3", about="nobody"),
        encounter("e4", end="2020-06-29"), encounter("e5", end="2026-07-01"), rules=ENCOUNTER)
    # The day is that of the place, not of Greenwich; the patient turns 60 on 1 July 2020.
    assert table == {"encounter": ["e1", "e2", "e3"], "class": ["IMP"] * 3, "start": ["2020-06-30", "2021-07-01",
                     "2020-06-30"], "length": [1.5, 0.0, 1.5], "age": [59.0, 61.0, None],
                     "diagnosis": ["E11.9", None, None]}
    assert counted == {"ends-before-start": 1, "future-date": 1, "used": 5}


@pytest.mark.parametrize(("text", "code"), [
    ("rows = ", "fhir.mapping-malformed"), ("rows = 'patient'", "fhir.mapping-malformed"),
    (" " * (1 << 20) + "x", "fhir.mapping-malformed"),
    (BASE.replace('"gender"', '"name[0]"'), "fhir.mapping-malformed"),
    (BASE.replace('"sex"', '"age"'), "fhir.mapping-malformed"),
    (BASE.replace('"sex"', '"gender"'), "contract.unknown-field"),
    (BASE.replace('path = "gender"', ""), "fhir.mapping-unfit"),
    (pressure("last", 'unit = "kPa"'), "fhir.mapping-unfit"),
    (pressure("last").replace("systolic_bp", "exposed"), "fhir.mapping-unfit"),
    (pressure("mean").replace("systolic_bp", "diagnosis"), "fhir.mapping-unfit"),
    (pressure("last", 'codes = ["8480-6"]'), "fhir.mapping-malformed"),
    (pressure("last", 'system = "loinc"\ncodes = ["8480-5"]'), "fhir.mapping-unfit"),
    (pressure("last", 'system = "nowhere"\ncodes = ["x"]'), "code-system.unknown"),
    (BASE + '[[columns]]\nfield = "smoking"\nfrom = "Condition"\nas = "code"\ngroups = { heavy = ["F17"] }',
     "fhir.mapping-unfit"),
    (BASE + '[[columns]]\nfield = "smoking"\nfrom = "Condition"\nas = "code"\ngroups = { never = [] }',
     "fhir.mapping-malformed"),
    (BASE + '[[columns]]\nfield = "smoking"\nfrom = "Condition"\nas = "code"\nother = "never"',
     "fhir.mapping-malformed"),
    (BASE + '[[columns]]\nfield = "smoking"\nfrom = "Condition"\npath = "x"\ngroups = { never = ["F"] }',
     "fhir.mapping-malformed"),
    (pressure("mean", 'system = "loinc"\ncodes = ["8480-6"]\nas = "date"'), "fhir.mapping-unfit"),
])
def test_mappings_that_do_not_fit_are_refused(text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        load_fhir_mapping(text.encode(), COHORT)
    assert caught.value.code == code


def test_more_rows_than_are_held_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealane.sectors.healthcare.fhir.rows.MAXIMUM_ROWS", 2)
    with pytest.raises(InputError) as caught:
        rows(BASE, *(patient(str(n)) for n in range(3)))
    assert caught.value.code == "fhir.too-many-rows"


def test_codes_and_units_come_from_the_contract() -> None:
    column = load_fhir_mapping(pressure("last").encode(), COHORT).columns[-1]
    assert (column.system, column.codes, column.unit) == (LOINC, ["8480-6"], "mm[Hg]")
    assert load_fhir_mapping(BASE.encode(), COHORT).as_of == date(2026, 6, 30)
