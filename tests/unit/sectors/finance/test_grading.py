"""The finance pack's table: what it proposes, and what lets today's studies run."""

from __future__ import annotations

import pytest

from sealane.governance.classification import Label
from sealane.governance.contract import Contract, Field
from sealane.governance.protection import required_protection
from sealane.sectors.finance import PACK
from sealane.sectors.registry import contract, grading

LOANS = "finance.credit-application/v1"


def test_a_credit_application_asks_for_secure_sums_and_no_sandbox() -> None:
    found = grading(LOANS).propose(contract(LOANS), {})
    assert set(found) == set(contract(LOANS).names)
    need = required_protection(one.label for one in found.values())
    assert (need.secure, need.sandboxed, need.important, need.forbidden) == (True, False, False, False)
    assert found["annual_inc"].label == Label("personal", 3)


@pytest.mark.parametrize(("name", "label"), [
    ("id_card", "sensitive-personal:4"), ("customer_id_number", "sensitive-personal:4"),
    ("password", "sensitive-personal:4"),
    ("account_no", "financial-account:4"), ("IBAN", "financial-account:4"), ("mobile", "personal:3"),
    ("date_of_birth", "personal:3"), ("birth_date", "personal:3"), ("diagnosis", "health:4"),
    ("longitude", "location:3"),
    ("salary", "personal:3"), ("fico_score", "personal:3"), ("net_margin", "trade-secret:3"), ("colour", "internal:3"),
])
def test_names(name: str, label: str) -> None:
    made = Contract(id="test.names/v1", fields=(Field(name=name, type="number"),))
    assert str(PACK.grading.propose(made, {})[name].label) == label


def test_content_outweighs_an_innocent_name() -> None:
    made = Contract(id="test.names/v1", fields=(Field(name="colour", type="text"),))
    assert str(PACK.grading.propose(made, {"colour": ["bank-card"]})["colour"].label) == "financial-account:4"


def test_a_contract_that_no_pack_holds_gets_cautious_labels() -> None:
    assert grading("test.none/v1").default == "internal:3"
