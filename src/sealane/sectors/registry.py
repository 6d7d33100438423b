"""Sector packs by name, and contracts by id over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from sealane._version import __version__
from sealane.errors import InputError, SealaneError
from sealane.governance.classification import GradingTable
from sealane.governance.contract import Contract
from sealane.governance.deidentification import Deidentification
from sealane.governance.study_file import DEFAULT_MINIMUM_COUNT
from sealane.sectors.code_system import CodeSystem
from sealane.sectors.pack import SectorPack

GROUP = "sealane.sectors"
CODE_SYSTEMS = "sealane.code_systems"
BUILT_IN = {name: f"sealane.sectors.{name}" for name in (
    "agriculture", "energy", "finance", "healthcare", "manufacturing", "transport")}
"""Packs of this distribution, so that a source tree without installed metadata knows them too."""


@lru_cache(maxsize=1)
def packs() -> dict[str, SectorPack]:
    """Return every installed pack by name. A pack's code is imported here: installing it was the trust decision.

    Raises:
        InputError: a pack does not load, or two claim one name.
    """
    found: dict[str, SectorPack] = {}
    for entry in entry_points(group=GROUP):
        _add(found, entry.name, _load(entry))
    for name, module in BUILT_IN.items():
        if name not in found:
            _add(found, name, import_module(module).PACK)
    _check_codes(found, _code_systems(found))
    return found


def providers() -> dict[str, str]:
    """Return which installed package brings each pack, with its version."""
    found = {entry.name: entry.dist for entry in entry_points(group=GROUP)}
    return {name: f"{dist.name} {dist.version}" if (dist := found.get(name)) else f"sealane {__version__}"
            for name in packs()}


def code_systems() -> dict[str, CodeSystem]:
    """Return every known code system by URI: those of the packs, and those that other packages bring.

    Raises:
        InputError: a package's table does not load, or two name one system differently.
    """
    return _code_systems(packs())


def code_system(name: str) -> CodeSystem:
    """Return the code system of a URI or a short name.

    Raises:
        InputError: none is known.
    """
    known = code_systems()
    for system in known.values():
        if name in (system.uri, system.name):
            return system
    raise InputError("code-system.unknown", "no such code system is known", got=repr(name[:80]),
                     expected=", ".join(sorted(system.name for system in known.values())),
                     hint="is the package installed that brings it?")


def pack(name: str) -> SectorPack:
    """Return the pack of a sector.

    Raises:
        InputError: none is installed under that name.
    """
    found = packs()
    if name not in found:
        raise InputError("sector.unknown", "no such sector pack is installed", got=repr(name[:80]),
                         expected=", ".join(sorted(found)), hint="is the sector pack installed here?")
    return found[name]


def contract(contract_id: str) -> Contract:
    """Return the contract of that id, whichever pack holds it.

    Raises:
        InputError: no installed pack holds it.
    """
    known = {key: value for one in packs().values() for key, value in one.contracts.items()}
    if contract_id not in known:
        near = get_close_matches(contract_id, list(known), n=2)
        raise InputError("contract.unknown", "no installed sector pack has this data contract",
                         got=repr(contract_id[:80]), expected=", ".join(sorted(known)),
                         hint=f"did you mean {' or '.join(near)}?" if near else "is the sector pack installed here?")
    return known[contract_id]


def grading(contract_id: str) -> GradingTable:
    """Return the grading table of the pack that holds a contract; a cautious one where none does."""
    for one in packs().values():
        if contract_id in one.contracts:
            return one.grading
    return GradingTable()


def deidentification(contract_id: str) -> Deidentification | None:
    """Return the defaults of de-identification of the pack that holds a contract; None where it has none."""
    return next((one.deidentification for one in packs().values() if contract_id in one.contracts), None)


def minimum_count(sector: str) -> int:
    """Return the fewest rows behind a released cell where a study file of a sector does not say."""
    found = packs().get(sector)
    return DEFAULT_MINIMUM_COUNT if found is None else found.minimum_count


def check_purpose(sector: str, purpose: str) -> None:
    """Refuse a purpose that the sector's pack does not list.

    Raises:
        InputError: the sector or the purpose is unknown.
    """
    known = pack(sector).purposes
    if purpose not in known:
        raise InputError("study.unknown-purpose", f"the {sector} pack knows no such purpose", got=repr(purpose[:80]),
                         expected=", ".join(sorted(known)), hint="choose one, or install a pack that lists yours")


def _load(entry: EntryPoint) -> SectorPack:
    value = _import(entry, "sector pack")
    if not isinstance(value, SectorPack):
        raise InputError("sector.broken", f"sector pack {entry.name} is no SectorPack", got=type(value).__name__)
    return value


def _import(entry: EntryPoint, what: str) -> Any:
    try:
        return entry.load()
    except SealaneError as error:
        raise InputError("sector.broken", f"{what} {entry.name} does not load: {error.message}", got=error.got,
                         expected=error.expected, hint=error.hint) from error
    except Exception as error:
        raise InputError("sector.broken", f"{what} {entry.name} does not load", got=type(error).__name__,
                         hint=f"reinstall or remove the package that provides {entry.value}") from error


def _code_systems(found: dict[str, SectorPack]) -> dict[str, CodeSystem]:
    """Return the packs' systems and those of the entry points, each a mapping of CodeSystem by URI."""
    known: dict[str, CodeSystem] = {}
    tables = [one.code_systems for one in found.values()]
    tables += [_import(entry, "table of code systems") for entry in entry_points(group=CODE_SYSTEMS)]
    for table in tables:
        if not isinstance(table, Mapping) or not all(isinstance(one, CodeSystem) for one in table.values()):
            raise InputError("sector.broken", "a table of code systems holds something else",
                             got=type(table).__name__, expected="CodeSystem by URI, as load_code_systems returns it")
    for system in (system for table in tables for system in table.values()):
        named = next((other for other in known.values() if system.name == other.name), system)
        if known.get(system.uri, system) != system or named != system:
            raise InputError("sector.ambiguous", "two packages mean different code systems by one URI or name",
                             got=system.uri)
        known[system.uri] = system
    return known


def _check_codes(found: dict[str, SectorPack], known: dict[str, CodeSystem]) -> None:
    """Refuse a contract that names a code system nobody brings, or a code that its system cannot have."""
    for one in (one for value in found.values() for one in value.contracts.values()):
        for field in (field for field in one.fields if field.system is not None):
            system = known.get(field.system or "")
            if system is None:
                raise InputError("sector.unknown-code-system", f"contract {one.id} names an unknown code system",
                                 got=f"{field.name}: {field.system}", hint="install the package that brings it")
            codes = [field.code] if field.code is not None else field.allowed
            if any(not system.has(code) for code in codes):
                raise InputError("sector.malformed-code", f"contract {one.id} names a code of another form",
                                 got=f"{field.name}: {field.code or 'a level'}", expected=system.title)


def _add(found: dict[str, SectorPack], name: str, value: SectorPack) -> None:
    # The same pack may be seen twice (an editable install beside its source tree); another of its name may not.
    if value.name != name or found.get(name, value) != value:
        raise InputError("sector.ambiguous", "two sector packs claim one name", got=value.name, expected=name)
    taken = {key for other in found.values() if other.name != name for key in other.contracts}
    if taken & set(value.contracts):
        raise InputError("sector.ambiguous", "two sector packs hold a contract of one id",
                         got=", ".join(sorted(taken & set(value.contracts))))
    found[name] = value
