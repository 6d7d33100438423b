"""What every sector pack's contracts keep to: each field is described, ranged and coded."""

from __future__ import annotations

from collections.abc import Collection

from sealane.sectors.registry import code_systems, contract


def assert_described(contract_id: str, units: Collection[str]) -> None:
    for field in contract(contract_id).fields:
        assert field.description
        assert not field.description.endswith(".")
        if field.type in ("number", "integer"):
            assert field.minimum is not None
            assert field.maximum is not None
            assert field.unit in units, field.name
        if field.system is not None:
            system = code_systems()[field.system]
            assert all(map(system.has, field.allowed if field.code is None else [field.code]))
