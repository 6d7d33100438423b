"""What a sector pack holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from sealane.governance.contract import Contract, load_contract


@dataclass(frozen=True, slots=True)
class SectorPack:
    """Contracts and purposes of one sector.

    Attributes:
        name: of the sector, such as ``finance``.
        title: for people.
        contracts: by id.
        purposes: what a study of this sector may be for, each with one sentence that says what it covers.
    """

    name: str
    title: str
    contracts: Mapping[str, Contract]
    purposes: Mapping[str, str]


def load_contracts(package: str) -> dict[str, Contract]:
    """Read the contracts that lie in a pack's ``contracts`` folder, by id.

    Raises:
        InputError: a file is no contract.
    """
    found = (load_contract(entry.read_bytes()) for entry in sorted(files(package).joinpath("contracts").iterdir(),
                                                                   key=lambda entry: entry.name)
             if entry.name.endswith(".toml"))
    return {contract.id: contract for contract in found}
