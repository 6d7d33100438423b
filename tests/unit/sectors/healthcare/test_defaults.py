"""De-identification and small cells as the healthcare pack sets them where nobody says otherwise."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from sealane.core.secret import Secret
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field
from sealane.governance.deidentification import load_deidentification
from sealane.governance.desensitise import columns_read, desensitise
from sealane.sectors import registry
from sealane.sectors.healthcare import PACK
from sealane.sectors.registry import contract, deidentification, minimum_count

KEY = Secret(b"k" * 32)
ENCOUNTER = contract("healthcare.encounter/v1")
FRAME = pd.DataFrame({
    "encounter": [f"e{n}" for n in range(12)], "person": ["CANARY"] * 12, "class": ["IMP"] * 12,
    "start": pd.to_datetime(["2025-03-04"] * 6 + ["2025-11-30"] * 6), "length": [1.5] * 12,
    "age": [90.0, 94.0, 99.0, 101.0, 90.0, 119.0] + [41.0] * 6, "sex": ["female"] * 12, "diagnosis": ["E11.9"] * 12,
})


def test_nobody_is_told_apart_from_90_on_and_no_day_is_shown() -> None:
    table = deidentification(ENCOUNTER.id)
    assert table is not None
    rules = table.for_fields(ENCOUNTER, FRAME.columns)
    assert rules.quasi_identifiers == ("start", "age", "sex")
    shown = desensitise(FRAME[columns_read(rules)], rules, KEY)
    assert set(shown["age"]) == {"[90, inf)", "[40, 50)"}
    assert set(shown["start"]) == {"2025"}
    assert set(shown["diagnosis"]) == {"E11.9"}
    text = shown.to_csv()
    assert "CANARY" not in text
    assert "2025-" not in text
    assert shown["encounter"].str.fullmatch("[0-9a-f]{32}").all()
    with pytest.raises(RefusedError) as caught:
        desensitise(FRAME.head(9)[columns_read(rules)], rules, KEY)
    assert caught.value.code == "desensitise.k-too-small"


@pytest.mark.parametrize("contract_id", sorted(PACK.contracts))
def test_every_contract_has_defaults_and_free_text_is_left_out(contract_id: str) -> None:
    rules = contract(contract_id)
    table = deidentification(contract_id)
    assert table is not None
    made = {rule.field: rule.do for rule in table.for_fields(rules, rules.names).rules}
    for field in rules.fields:
        if field.type == "date":
            assert made[field.name] == "generalise"
        if field.type == "text" and field.system is None:
            assert made.get(field.name) in (None, "pseudonym")
    assert "reaction" not in made
    assert all(made[name] == "pseudonym" for name in ("person", "encounter", "report") if name in made)


def test_a_dataset_without_quasi_identifiers_asks_for_rules() -> None:
    table = deidentification(ENCOUNTER.id)
    assert table is not None
    with pytest.raises(InputError) as caught:
        table.for_fields(Contract(id="test.none/v1", fields=(Field(name="x", type="number"),)), ["x"])
    assert caught.value.code == "desensitise.no-default"
    assert deidentification("test.none/v1") is None


@pytest.mark.parametrize(("data", "code"), [
    (b"k =", "desensitise.not-toml"), (b"k = 5", "desensitise.malformed"),
    (b"quasi_identifiers = 'a'\n[[rules]]\nrule = { do = 'nothing' }", "desensitise.malformed"),
    (b"quasi_identifiers = 'a'\n[[rules]]\nnames = '('\nrule = { do = 'keep' }", "desensitise.malformed"),
])
def test_defaults_that_are_none(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        load_deidentification(data)
    assert caught.value.code == code


def test_small_cells_are_the_pack_s(monkeypatch: pytest.MonkeyPatch) -> None:
    assert minimum_count("healthcare") == 10
    assert minimum_count("nowhere") == 10
    monkeypatch.setattr(registry, "packs", lambda: {"strict": dataclasses.replace(PACK, minimum_count=25)})
    assert minimum_count("strict") == 25
