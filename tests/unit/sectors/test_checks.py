"""What a pack's author has still to write is found, field by field."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealane.governance.contract import Contract, Field
from sealane.sectors.checks import faults
from sealane.sectors.pack import SectorPack, StudyExample
from sealane.sectors.registry import packs

PACK = packs()["transport"]
FLIGHT = PACK.contracts["transport.flight/v1"]


@pytest.mark.parametrize("name", sorted(packs()))
def test_shipped_packs_are_in_order(name: str) -> None:
    assert faults(packs()[name]) == []


def with_field(**changes: object) -> SectorPack:
    fields = tuple(field if field.name != "delay" else Field.model_validate({**field.model_dump(), **changes})
                   for field in FLIGHT.fields)
    return replace(PACK, contracts={FLIGHT.id: Contract(id=FLIGHT.id, title=FLIGHT.title, fields=fields)})


EXAMPLE = StudyExample("flight-delay", "punctuality", FLIGHT.id, "glm.fit",
                       'outcome = "late"\nfeatures = ["wnd"]\nfamily = "binomial"\n')


@pytest.mark.parametrize(("pack", "fault"), [
    (with_field(description=""), "transport.flight/v1: delay: say in a sentence what it is"),
    (with_field(maximum=None), "transport.flight/v1: delay: give minimum and maximum, which bound secure sums"),
    (with_field(unit=None), 'transport.flight/v1: delay: give a unit, "1" for a plain number'),
    (replace(PACK, purposes={"punctuality": "Delays"}), "purpose punctuality: say in a sentence what it covers"),
    (replace(PACK, example=None), "it has no example study"),
    (replace(PACK, example=EXAMPLE),
     "example flight-delay: contract transport.flight/v1 has no such field ('wnd')"),
    (replace(PACK, example=replace(EXAMPLE, computation="glm.fitt")), "example flight-delay: "),
])
def test_a_fault_is_named(pack: SectorPack, fault: str) -> None:
    assert [one for one in faults(pack) if one.startswith(fault)]
    assert len(faults(pack)) == 1


def test_defaults_that_find_nothing_are_a_fault() -> None:
    assert PACK.deidentification is not None
    blind = PACK.deidentification.model_copy(update={"quasi_identifiers": "nothing"})
    (found,) = faults(replace(PACK, deidentification=blind))
    assert "no quasi-identifier" in found


def test_a_contract_without_a_title_is_a_fault() -> None:
    bare = Contract(id=FLIGHT.id, fields=FLIGHT.fields)
    assert faults(replace(PACK, contracts={FLIGHT.id: bare})) == [f"{FLIGHT.id}: it has no title"]
