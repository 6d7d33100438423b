"""Whether a sector pack is fit for use, beyond being well-formed: what its author has still to write."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

from sealane.computations.requirements import required_columns
from sealane.errors import InputError
from sealane.governance.contract import RANGED, Contract
from sealane.sectors.pack import SectorPack


def faults(pack: SectorPack) -> list[str]:
    """Return what a pack lacks, one sentence each; nothing for a pack that is in order.

    A field needs a sentence that says what it is, and a range where it is a number: bounds of secure sums come from
    ranges. A purpose is a sentence. The example must run on its contract. Where a pack has defaults for tables that are
    shown, they must find what tells rows apart in each of its contracts.
    """
    found = [*_purposes(pack), *_example(pack)]
    for contract in pack.contracts.values():
        found += [f"{contract.id}: {one}" for one in _fields(contract)]
        found += [f"{contract.id}: {one}" for one in _shown(pack, contract)]
    return found


def _purposes(pack: SectorPack) -> Iterator[str]:
    for name, text in pack.purposes.items():
        if len(text.split()) < 4:
            yield f"purpose {name}: say in a sentence what it covers"


def _fields(contract: Contract) -> Iterator[str]:
    if not contract.title:
        yield "it has no title"
    for field in contract.fields:
        if not field.description:
            yield f"{field.name}: say in a sentence what it is"
        if field.type in RANGED and field.type != "boolean" and (field.minimum is None or field.maximum is None):
            yield f"{field.name}: give minimum and maximum, which bound secure sums"
        if field.type in ("number", "integer") and field.unit is None:
            yield f'{field.name}: give a unit, "1" for a plain number'


def _example(pack: SectorPack) -> Iterator[str]:
    one = pack.example
    if one is None:
        yield "it has no example study"
        return
    try:
        required_columns(one.computation, tomllib.loads(one.parameters), pack.contracts[one.data_contract])
    except InputError as error:
        yield f"example {one.name}: {error.message}{f' ({error.got})' if error.got else ''}"


def _shown(pack: SectorPack, contract: Contract) -> Iterator[str]:
    if pack.deidentification is None:
        return
    try:
        pack.deidentification.for_fields(contract, contract.names)
    except InputError as error:
        yield f"deidentification.toml: {error.message}"
