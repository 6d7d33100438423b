"""The healthcare pack's table: what it proposes."""

from __future__ import annotations

import pytest

from sealane.governance.contract import Contract, Field
from sealane.governance.protection import required_protection
from sealane.sectors.healthcare import PACK
from sealane.sectors.registry import grading


@pytest.mark.parametrize(("name", "label"), [
    ("id_card", "sensitive-personal:4"), ("genome_build", "sensitive-personal:4"), ("patient_name", "personal:4"),
    ("birth_date", "personal:4"), ("MRN", "personal:4"), ("postcode", "location:4"), ("age", "personal:3"),
    ("hiv_status", "health:5:core"), ("mental_health", "health:4"), ("total_cost", "financial-account:3"),
    ("ward", "internal:2"), ("cholesterol", "health:3"), ("surname_of_method", "health:3"),
])
def test_names(name: str, label: str) -> None:
    made = Contract(id="test.names/v1", fields=(Field(name=name, type="number"),))
    assert str(PACK.grading.propose(made, {})[name].label) in (label, label.removesuffix(":core"))


def test_every_contract_asks_for_a_person_and_a_sandbox_and_none_is_forbidden() -> None:
    for contract_id, contract in PACK.contracts.items():
        found = grading(contract_id).propose(contract, {})
        need = required_protection(one.label for one in found.values())
        assert need.sandboxed, contract_id
        assert not need.forbidden, contract_id


def test_special_disease_is_never_used() -> None:
    made = Contract(id="test.names/v1", fields=(Field(name="hiv", type="boolean"),))
    assert required_protection([PACK.grading.propose(made, {})["hiv"].label]).forbidden
