"""The finance pack's contracts: units, codes, grades by JR/T 0197, and defaults for what is shown."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest
from described import assert_described

from sealane.core.secret import Secret
from sealane.governance.desensitise import columns_read, desensitise
from sealane.governance.protection import required_protection
from sealane.sectors.finance import PACK
from sealane.sectors.registry import code_system, contract, deidentification, minimum_count

IDS = ["finance.account-month/v1", "finance.card-transaction/v1", "finance.credit-application/v1",
       "finance.transfer/v1"]
UNITS = {"1", "%", "h", "d", "mo", "USD"}
"""UCUM, and ISO 4217 for money."""


def test_the_pack_holds_its_contracts_and_purposes() -> None:
    assert sorted(PACK.contracts) == IDS
    assert {"credit-risk", "anti-fraud", "anti-money-laundering", "supply-chain-finance",
            "agricultural-finance"} <= set(PACK.purposes)
    assert all(len(text.split()) > 4 and text[0].isupper() for text in PACK.purposes.values())
    assert minimum_count("finance") == 10


@pytest.mark.parametrize("contract_id", IDS)
def test_fields_are_described_ranged_and_coded(contract_id: str) -> None:
    assert_described(contract_id, UNITS)


@pytest.mark.parametrize("contract_id", [one for one in IDS if one != "finance.credit-application/v1"])
def test_every_field_has_a_grade_of_its_own_that_needs_no_sandbox(contract_id: str) -> None:
    rules = contract(contract_id)
    assert list(PACK.grading.contracts[contract_id]) == rules.names
    labels = {name: found.label for name, found in PACK.grading.propose(rules, {}).items()}
    assert {label.grade for label in labels.values()} == {2, 3}
    need = required_protection(labels.values())
    assert (need.secure, need.sandboxed, need.forbidden) == (True, False, False)
    key = PACK.grading.propose(rules, {"account_key": ["bank-card"]})["account_key"].label
    assert str(key) == "financial-account:4"


@pytest.mark.parametrize(("name", "legal", "illegal"), [
    ("iso-4217", ["CNY", "EUR"], ["cny", "US"]), ("iso-18245", ["5411", "3000-3299"], ["541", "ABCD"]),
    ("iso-3166", ["CN", "BR"], ["CHN", "c1"]),
])
def test_forms_of_codes(name: str, legal: list[str], illegal: list[str]) -> None:
    system = code_system(name)
    assert all(map(system.has, legal))
    assert not any(map(system.has, illegal))


def test_ranges_of_merchant_codes_cover_iso_18245_once() -> None:
    edges = [tuple(map(int, level.split("-"))) for level in
             contract("finance.card-transaction/v1").field("merchant_group").allowed]
    assert edges[0][0] == 1
    assert edges[-1][1] == 9999
    # 5000 and 9000 begin groups of their own; no code lies in two.
    assert all(before[1] < after[0] for before, after in pairwise(edges))


@pytest.mark.parametrize("contract_id", IDS)
def test_every_contract_has_defaults_and_free_text_is_left_out(contract_id: str) -> None:
    rules, table = contract(contract_id), deidentification(contract_id)
    assert table is not None
    made = {rule.field: rule.do for rule in table.for_fields(rules, rules.names).rules}
    for field in rules.fields:
        if field.type == "date":
            assert made[field.name] == "generalise"
        if field.type == "text" and field.system is None:
            assert made.get(field.name) in (None, "pseudonym")


def test_a_shown_table_has_no_key_no_day_and_no_cents() -> None:
    rules, table = contract("finance.transfer/v1"), deidentification("finance.transfer/v1")
    assert table is not None
    frame = pd.DataFrame({
        "account_key": ["CANARY"] * 6, "direction": ["in"] * 6, "amount": [1234.56] * 6,
        "time": pd.to_datetime(["2026-03-04 05:06:07"] * 6), "currency": ["CNY"] * 6})
    wanted = table.for_fields(rules, frame.columns)
    shown = desensitise(frame[columns_read(wanted)], wanted, Secret(b"k" * 32))
    assert set(shown["amount"]) == {"[1000, 2000)"}
    assert set(shown["time"]) == {"2026-03"}
    assert set(shown["currency"]) == {"CNY"}
    assert "CANARY" not in shown.to_csv()
