"""A sector pack declared in TOML files: one loader reads them, and nothing that lies beside them is let be.

| file | holds | without it |
|---|---|---|
| ``sector.toml`` | name, title, purposes, minimum count, an example study | no pack |
| ``contracts/*.toml`` | data contracts, at least one | no pack |
| ``grading.toml`` | labels that are proposed for fields | cautious ones |
| ``code_systems.toml`` | code systems that fields name | none |
| ``deidentification.toml`` | what is done to a table that is shown | no default |
| ``supervision.toml`` | what is handed to a supervisor about a model | no such report |
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sealane.core.ids import NAME
from sealane.errors import InputError
from sealane.governance.classification import GradingTable, load_grading
from sealane.governance.contract import Contract, load_contract
from sealane.governance.deidentification import load_deidentification
from sealane.governance.fault import first_fault
from sealane.governance.study_file import DEFAULT_MINIMUM_COUNT
from sealane.sectors.code_system import load_code_systems
from sealane.sectors.names import SECTOR
from sealane.sectors.pack import SectorPack, StudyExample
from sealane.sectors.supervision import load_supervision
from sealane.sectors.toml_text import toml_text

DECLARATION = "sector.toml"
BESIDE = ("grading.toml", "code_systems.toml", "deidentification.toml", "supervision.toml")
Read = TypeVar("Read")


class _Example(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=f"^(?:{NAME.pattern})$")]
    purpose: str
    data_contract: str
    computation: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class _Declaration(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=f"^(?:{SECTOR.pattern})$", max_length=32)]
    title: Annotated[str, Field(min_length=1, max_length=200)]
    minimum_count: Annotated[int, Field(strict=True, ge=2, le=1_000_000)] = DEFAULT_MINIMUM_COUNT
    purposes: Annotated[dict[Annotated[str, Field(pattern=f"^(?:{NAME.pattern})$")], str], Field(min_length=1)]
    example: _Example | None = None


def load_pack(package: str) -> SectorPack:
    """Read the pack that an installed package declares.

    Args:
        package: import name of the package in which the files lie, such as its own ``__name__``.

    Raises:
        InputError: a file is missing, malformed or of another name, or one speaks of what another does not hold.
    """
    folder = files(package)
    there = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    if DECLARATION not in there:
        raise InputError("sector.undeclared", f"package {package} declares no sector", expected=DECLARATION,
                         hint="`sealane sector new NAME` writes a pack to compare it with")
    unknown = sorted(set(there) - {DECLARATION, *BESIDE})
    if unknown:
        raise _malformed(unknown[0], "nothing reads a file of this name", expected=", ".join((DECLARATION, *BESIDE)))
    declared = _read(folder.joinpath(DECLARATION), _load_declaration)
    contracts = _contracts(folder, declared.name)
    grading = _beside(folder, "grading.toml", load_grading) or GradingTable()
    _check_grading(grading, contracts)
    return SectorPack(
        name=declared.name, title=declared.title, contracts=contracts, purposes=declared.purposes, grading=grading,
        code_systems=_beside(folder, "code_systems.toml", load_code_systems) or {},
        deidentification=_beside(folder, "deidentification.toml", load_deidentification),
        minimum_count=declared.minimum_count, example=_example(declared, contracts),
        supervision=_beside(folder, "supervision.toml", load_supervision))


def _load_declaration(data: bytes) -> _Declaration:
    try:
        return _Declaration.model_validate(tomllib.loads(data.decode("utf-8-sig")))
    except ValidationError as error:
        where, what = first_fault(error, "declaration")
        raise _malformed(DECLARATION, f"malformed at {where}", got=what) from error
    except (ValueError, RecursionError) as error:
        raise _malformed(DECLARATION, "not TOML", got=str(error)[:200]) from error


def _contracts(folder: Traversable, sector: str) -> dict[str, Contract]:
    within = folder.joinpath("contracts")
    entries = sorted((entry for entry in within.iterdir() if entry.name.endswith(".toml")),
                     key=lambda entry: entry.name) if within.is_dir() else []
    if not entries:
        raise _malformed("contracts", "the pack holds no data contract", expected="contracts/NAME-v1.toml")
    found: dict[str, Contract] = {}
    for entry in entries:
        one = _read(entry, load_contract)
        if one.id.partition(".")[0] != sector or one.id in found:
            raise _malformed(entry.name, "a contract's id begins with its sector, and no two are of one id",
                             got=one.id, expected=f"{sector}.SUBJECT/v1")
        found[one.id] = one
    return found


def _check_grading(grading: GradingTable, contracts: dict[str, Contract]) -> None:
    for contract, fields in grading.contracts.items():
        known = contracts[contract].names if contract in contracts else []
        for name in fields:
            if name not in known:
                raise _malformed("grading.toml", "a label is given to a field that no contract of the pack has",
                                 got=f"{contract}: {name}"[:120], expected=", ".join(known or contracts)[:300])


def _example(declared: _Declaration, contracts: dict[str, Contract]) -> StudyExample | None:
    one = declared.example
    if one is None:
        return None
    if one.purpose not in declared.purposes or one.data_contract not in contracts:
        raise _malformed(DECLARATION, "the example has a purpose or a contract that the pack does not hold",
                         got=f"{one.purpose}, {one.data_contract}"[:200],
                         expected=", ".join((*declared.purposes, *contracts))[:300])
    return StudyExample(name=one.name, purpose=one.purpose, data_contract=one.data_contract,
                        computation=one.computation, parameters=toml_text(one.parameters))


def _beside(folder: Traversable, name: str, load: Callable[[bytes], Read]) -> Read | None:
    file = folder.joinpath(name)
    return _read(file, load) if file.is_file() else None


def _read(file: Traversable, load: Callable[[bytes], Read]) -> Read:
    try:
        return load(file.read_bytes())
    except InputError as error:
        if error.code == "sector.malformed":
            raise
        raise _malformed(file.name, error.message, got=error.got, expected=error.expected) from error


def _malformed(file: str, what: str, *, got: str | None = None, expected: str | None = None) -> InputError:
    return InputError("sector.malformed", f"{file} of a sector pack: {what}", got=got, expected=expected,
                      hint="compare it with a pack that `sealane sector new NAME` writes")
