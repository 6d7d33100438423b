from __future__ import annotations

import pytest

from sealane.errors import InputError
from sealane.governance.contract import Contract
from sealane.governance.repair import load_repair
from sealane.node.mapping import Mapped, full_mapping, parse_mapping


def test_options() -> None:
    assert parse_mapping(["income=Jahres Einkommen [USD]", "bad= a=b ", "grade=g[0]"]) == {
        "income": Mapped("Jahres Einkommen", "USD"), "bad": Mapped("a=b"), "grade": Mapped("g", "0"),
    }


@pytest.mark.parametrize("option", ["income", "=x", "income=", ""])
def test_malformed_options(option: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_mapping([option])
    assert caught.value.code == "dataset.mapping-malformed"


def test_a_field_mapped_twice() -> None:
    with pytest.raises(InputError):
        parse_mapping(["income=a", "income=b"])


def test_unmapped_fields_take_the_column_of_their_name(contract: Contract) -> None:
    mapping = full_mapping(contract, {"income": Mapped("inc")}, ["inc", "bad", "income", "other"])
    assert mapping == {"bad": "bad", "income": "inc"}


@pytest.mark.parametrize(("mapping", "code"), [
    ({"incom": Mapped("inc")}, "contract.unknown-field"),
    ({"income": Mapped("nowhere")}, "dataset.unknown-column"),
    ({"income": Mapped("inc", "EUR")}, "dataset.unit-differs"),
    ({"bad": Mapped("inc", "1")}, "dataset.unit-differs"),
])
def test_mappings_that_do_not_fit(contract: Contract, mapping: dict[str, Mapped], code: str) -> None:
    with pytest.raises(InputError) as caught:
        full_mapping(contract, mapping, ["inc"])
    assert caught.value.code == code


def test_the_contracts_unit_may_be_declared(contract: Contract) -> None:
    assert full_mapping(contract, {"income": Mapped("inc", "USD")}, ["inc"]) == {"income": "inc"}


def test_another_unit_may_be_declared_where_a_repair_converts_from_it(contract: Contract) -> None:
    repair = load_repair(b'''
[[steps]]
do = "convert"
field = "income"
factor = 1.1
from_unit = "EUR"
''', contract)
    assert full_mapping(contract, {"income": Mapped("inc", "EUR")}, ["inc"], repair) == {"income": "inc"}
    with pytest.raises(InputError) as caught:
        full_mapping(contract, {"income": Mapped("inc", "GBP")}, ["inc"], repair)
    assert caught.value.code == "dataset.unit-differs"
    assert "--repair" in str(caught.value.hint)
