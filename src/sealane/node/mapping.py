"""Which source column a contract's field is read from, and in which unit it was declared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sealane.errors import InputError
from sealane.governance.contract import Contract
from sealane.governance.repair import Convert, Repair

_WITH_UNIT = re.compile(r"(?P<column>.*\S)\s*\[(?P<unit>[^\[\]]+)\]")


@dataclass(frozen=True, slots=True)
class Mapped:
    """A source column, and its declared unit if there is one."""

    column: str
    unit: str | None = None


def parse_mapping(options: Iterable[str]) -> dict[str, Mapped]:
    """Read ``FIELD=COLUMN`` or ``FIELD=COLUMN [unit]``, as ``--map`` takes them.

    Raises:
        InputError: malformed, or a field is mapped twice.
    """
    mapping: dict[str, Mapped] = {}
    for option in options:
        field, separator, column = option.partition("=")
        field, column = field.strip(), column.strip()
        if not (separator and field and column):
            raise InputError("dataset.mapping-malformed", "a column mapping is malformed", got=repr(option[:80]),
                             expected="FIELD=COLUMN or FIELD=COLUMN [unit]")
        if field in mapping:
            raise InputError("dataset.mapping-malformed", "a field is mapped twice", got=repr(field[:80]))
        match = _WITH_UNIT.fullmatch(column)
        mapping[field] = Mapped(match["column"], match["unit"].strip()) if match else Mapped(column)
    return mapping


def full_mapping(
    contract: Contract, mapping: Mapping[str, Mapped], names: Iterable[str], repair: Repair | None = None
) -> dict[str, str]:
    """Return the source column of every field: as mapped, else the column of the field's own name if there is one.

    Args:
        contract: of the dataset.
        mapping: columns of fields that are named otherwise there, some with their unit.
        names: columns of the source.
        repair: what is done to the columns afterwards; a declared unit may be the one that it converts from.

    Raises:
        InputError: a mapped field is not in the contract, a mapped column not in the source, or a declared unit is
            neither the contract's nor converted by the repair. A unit is never converted on a guess.
    """
    columns = set(names)
    converted = {(step.field, step.from_unit) for step in (repair.steps if repair else ()) if isinstance(step, Convert)}
    for name, mapped in mapping.items():
        field = contract.field(name)
        if mapped.column not in columns:
            raise InputError("dataset.unknown-column", f"the source has no column for {name!r}",
                             got=repr(mapped.column[:80]), expected=f"one of {len(columns)} columns")
        if mapped.unit is not None and mapped.unit != field.unit and (name, mapped.unit) not in converted:
            raise InputError("dataset.unit-differs", f"column for {name!r} is in another unit than the contract",
                             got=mapped.unit[:40], expected=field.unit or "no unit",
                             hint="declare how it is converted: a step `convert` with this from_unit, in --repair")
    named = {name: name for name in contract.names if name in columns}
    return named | {name: mapped.column for name, mapped in mapping.items()}
