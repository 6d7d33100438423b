"""The agriculture pack: units, words of EPCIS, labels, and places that are coarsened before a table is shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from described import assert_described

import sealane
from sealane.core.secret import Secret
from sealane.governance.desensitise import columns_read, desensitise
from sealane.governance.protection import required_protection
from sealane.governance.study_file import parse_study_file
from sealane.node.conformance import check_rows
from sealane.sectors.agriculture import PACK
from sealane.sectors.registry import check_purpose, code_system, contract, deidentification, pack
from sealane.sectors.study_text import new_study

IDS = [f"agriculture.{name}/v1" for name in
       ("market-price", "parcel-season", "soil-sample", "soybean-disease", "traceability-event", "weather-station")]
UNITS = {"1", "%", "g/kg", "mg/kg", "cmol/kg", "g/cm3", "[pH]", "mS/m", "deg", "cm", "m", "mm", "m3", "kg", "har",
         "kg/har", "/kg", "h", "Cel", "m/s", "MJ/m2", "hPa"}
"""UCUM."""


def test_the_pack_is_found_and_holds_its_contracts() -> None:
    assert pack("agriculture") is PACK
    assert sorted(PACK.contracts) == IDS
    check_purpose("agriculture", "soil-mapping")
    assert all(len(text.split()) > 4 and text[0].isupper() for text in PACK.purposes.values())


@pytest.mark.parametrize("contract_id", IDS)
def test_fields_are_described_ranged_and_coded(contract_id: str) -> None:
    assert_described(contract_id, UNITS)


@pytest.mark.parametrize("contract_id", IDS)
def test_every_field_has_a_label_and_no_study_needs_a_sandbox(contract_id: str) -> None:
    rules = contract(contract_id)
    # Places are graded by name, whatever the contract.
    assert {*PACK.grading.contracts[contract_id], "latitude", "longitude"} >= set(rules.names)
    labels = {name: found.label for name, found in PACK.grading.propose(rules, {}).items()}
    assert {label.grade for label in labels.values()} <= {2, 3}
    need = required_protection(labels.values())
    # Plants of nobody's field, and nothing else, are all of grade 2.
    secure = contract_id != "agriculture.soybean-disease/v1"
    assert (need.secure, need.sandboxed, need.important, need.forbidden) == (secure, False, False, False)
    if "latitude" in labels:
        assert str(labels["latitude"]) == str(labels["longitude"]) == "location:3"


def test_a_households_parcel_is_personal_and_a_cadastral_number_names_its_holder() -> None:
    parcels = contract("agriculture.parcel-season/v1")
    found = PACK.grading.propose(parcels, {"parcel_key": ["resident-identity"]})
    assert str(found["output"].label) == "personal:3"
    assert str(found["parcel_key"].label) == "sensitive-personal:4"
    fields = tuple(parcels.field("parcel_key").model_copy(update={"name": name})
                   for name in ("cadastral_no", "farmer_name", "germplasm"))
    made = parcels.model_copy(update={"id": "test.names/v1", "fields": fields})
    proposed = {name: str(one.label) for name, one in PACK.grading.propose(made, {}).items()}
    assert proposed == {"cadastral_no": "personal:4", "farmer_name": "personal:4", "germplasm": "trade-secret:4"}


def test_words_of_epcis_are_those_of_its_standard() -> None:
    """Some of GS1 CBV 2.0, sections 7.1 and 7.2, and EPCIS 2.0, section 7.3: bare words, not URIs."""
    event = contract("agriculture.traceability-event/v1")
    assert set(event.field("type").allowed) == {
        "ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent"}
    assert event.field("action").allowed == ("ADD", "OBSERVE", "DELETE")
    assert {"commissioning", "inspecting", "packing", "shipping", "receiving", "sensor_reporting",
            "void_shipping"} <= set(event.field("biz_step").allowed)
    assert {"in_transit", "recalled", "non_conformant", "sellable_accessible", "completeness_verified"} <= set(
        event.field("disposition").allowed)


@pytest.mark.parametrize(("name", "legal", "illegal"), [
    ("agrovoc", ["c_6599", "c_8373"], ["6599", "c_"]), ("eppo", ["ORYSA", "GLXMA", "NILALU"], ["orysa", "ORY"]),
    ("cbv-bizstep", ["shipping", "void_shipping"], ["Shipping", "urn:epcglobal:cbv:bizstep:shipping"]),
])
def test_forms_of_codes(name: str, legal: list[str], illegal: list[str]) -> None:
    system = code_system(name)
    assert all(map(system.has, legal))
    assert not any(map(system.has, illegal))


def test_rules_across_fields_tell_quality() -> None:
    rules = contract("agriculture.weather-station/v1")
    rows = {"date": pd.Series(["2026-01-01"] * 2), "temperature": pd.Series([4.0, 61.0])}
    checked = check_rows(rules, rows, 2)
    assert checked.invalid.tolist() == [False, True]
    assert {rule.name for rule in rules.rules} == {"minimum-under-mean", "mean-under-maximum"}


@pytest.mark.parametrize("contract_id", IDS)
def test_free_text_is_left_out_of_a_shown_table(contract_id: str) -> None:
    rules, table = contract(contract_id), deidentification(contract_id)
    assert table is not None
    made = {rule.field: rule.do for rule in table.for_fields(rules, rules.names).rules}
    for field in rules.fields:
        if field.type == "date" or field.name in ("latitude", "longitude"):
            assert made[field.name] == "generalise"
        if field.type == "text" and field.system is None:
            assert made.get(field.name) in (None, "pseudonym")


def test_places_are_coarsened_to_a_tenth_of_a_degree() -> None:
    rules, table = contract("agriculture.soil-sample/v1"), deidentification("agriculture.soil-sample/v1")
    assert table is not None
    frame = pd.DataFrame({
        "sample_key": ["CANARY"] * 6, "latitude": [-12.41234, -12.41777, -12.4499, -12.4001, -12.43, -12.44],
        "longitude": [-45.99] * 6, "altitude": [726.4] * 6, "sampled": pd.to_datetime(["2019-08-14"] * 6),
        "clay": [202.5] * 6})
    wanted = table.for_fields(rules, frame.columns)
    shown = desensitise(frame[columns_read(wanted)], wanted, Secret(b"k" * 32))
    assert set(shown["latitude"]) == {"[-12.5, -12.4)"}
    assert set(shown["longitude"]) == {"[-46, -45.9)"}
    assert set(shown["altitude"]) == {"[700, 800)"}
    assert set(shown["sampled"]) == {"2019-08"}
    assert set(shown["clay"]) == {202.5}
    assert "CANARY" not in shown.to_csv()
    assert set(wanted.quasi_identifiers) == {"latitude", "longitude", "altitude", "sampled"}


def test_a_study_to_begin_from() -> None:
    study = parse_study_file(new_study("agriculture").encode())
    assert study.purpose == "soil-mapping"
    assert study.parameters["institution_effects"] == "fixed"


@pytest.mark.parametrize(("field", "factor", "verdict"), [
    ("area", 15.0, "looks like mu among har (area)"),
    ("crop_yield", 1.0 / 15.0, "looks like kg/mu among kg/har (crop yield)"),
    ("crop_yield", 1e-3, "looks like t/har among kg/har (crop yield)"),
])
def test_an_institution_that_counts_in_mu_or_tonnes_is_found(field: str, factor: float, verdict: str) -> None:
    random = np.random.default_rng(7)
    scale = 0.5 if field == "area" else 5000.0
    frames = {name: pd.DataFrame({field: (scale * random.lognormal(0.0, 0.4, 150)).round(4)})
              for name in ("north", "south", "west", "east")}
    frames["east"][field] *= factor
    federation = sealane.simulate(frames, contract=contract("agriculture.parcel-season/v1"))
    repairs = federation.run("quality.harmonise", columns=[field]).to_dict()["repairs"]
    assert [(one["institution"], one["verdict"]) for one in repairs] == [("east", verdict)]
