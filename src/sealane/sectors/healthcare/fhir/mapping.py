"""The mapping from FHIR resources to a contract's fields: which resource, which element, which of several."""

from __future__ import annotations

import tomllib
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sealane.core.canonical import canonical_bytes
from sealane.errors import InputError
from sealane.governance.contract import RANGED, Contract
from sealane.governance.contract import Field as ContractField
from sealane.governance.fault import first_fault
from sealane.sectors.registry import code_system

MAXIMUM_BYTES = 1 << 20
Kind = Literal["Patient", "Encounter", "Observation", "Condition", "Procedure", "MedicationRequest",
               "MedicationAdministration", "MedicationStatement", "Immunization", "AllergyIntolerance",
               "DiagnosticReport"]
Reading = Literal["value", "code", "date", "year", "age", "days"]
Take = Literal["last", "first", "minimum", "maximum", "mean", "sum", "count", "any"]
ADDS: frozenset[Take] = frozenset(("mean", "sum", "count"))
"""A resource that is there twice would count twice here; anywhere else it changes nothing."""

CODED_AT: dict[str, str] = {"MedicationRequest": "medicationCodeableConcept",
                            "MedicationAdministration": "medicationCodeableConcept",
                            "MedicationStatement": "medicationCodeableConcept", "Immunization": "vaccineCode",
                            "Encounter": "type"}
VALUE_AT: dict[tuple[str, Reading], str] = {
    ("Encounter", "days"): "period", ("Encounter", "date"): "period.start", ("Patient", "age"): "birthDate",
    ("Condition", "date"): "onsetDateTime", ("Procedure", "date"): "performedDateTime"}

Path = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z][A-Za-z0-9]*){0,7}$", max_length=200)]
Code = Annotated[str, Field(min_length=1, max_length=64)]


class FhirColumn(BaseModel):
    """One field of the contract, and where it is read from.

    Attributes:
        field: of the contract.
        source: ``from`` in the file: the resource type.
        path: dotted names of elements down to the value; lists are gone through. None for the usual place.
        system: code system, by short name or URI, that ``codes`` and ``prefixes`` are of.
        codes: whole codes; a resource counts where its code is one of them.
        prefixes: begins of codes, such as ``E11`` of ICD-10.
        code_path: where its code lies; None for the usual place.
        groups: begins of codes by the level that is written for a code that is read; the longest that fits counts.
        other: level of a code in no group; None writes nothing.
        unit: UCUM unit of the value; the contract's where none is given.
        convert: factors from other units to that one; values in any further unit are left out and counted.
        read: ``as`` in the file: what is made of the value.
        take: which of several values of a row, or what of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    field: str
    source: Kind = Field(alias="from")
    path: Path | None = None
    system: str | None = None
    codes: list[Code] = []
    prefixes: list[Code] = []
    code_path: Path | None = None
    groups: dict[str, Annotated[list[Code], Field(min_length=1, max_length=1000)]] = {}
    other: str | None = None
    unit: str | None = None
    convert: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    read: Reading = Field(default="value", alias="as")
    take: Take = "last"

    @model_validator(mode="after")
    def _coherent(self) -> FhirColumn:
        if (self.codes or self.prefixes) and self.system is None:
            raise ValueError("codes and prefixes are of a system")
        if self.system is not None and not (self.codes or self.prefixes or self.read == "code"):
            raise ValueError("a system has codes or prefixes, or the code is read")
        begins = [begin for group in self.groups.values() for begin in group]
        if (self.groups and self.read != "code") or len(set(begins)) != len(begins):
            raise ValueError("groups are of codes that are read, and a begin is in one of them")
        if self.other is not None and not self.groups:
            raise ValueError("other is beside groups")
        return self


class FhirMapping(BaseModel):
    """How resources become rows.

    Attributes:
        rows: what one row is.
        as_of: day of the export: nothing lies behind it, and ages of patients are as of then.
        columns: one for each field that is filled.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rows: Literal["patient", "encounter"]
    as_of: date
    columns: Annotated[list[FhirColumn], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _distinct(self) -> FhirMapping:
        if len({column.field for column in self.columns}) != len(self.columns):
            raise ValueError("a field is read once")
        return self

    @property
    def row_kind(self) -> Kind:
        """Return the type of resource that makes a row."""
        return "Patient" if self.rows == "patient" else "Encounter"

    def to_bytes(self) -> bytes:
        """Return the canonical form, for hashing."""
        return canonical_bytes(self.model_dump(mode="json", by_alias=True))


def load_fhir_mapping(data: bytes, contract: Contract) -> FhirMapping:
    """Read a mapping for datasets under a contract; codes and units that it leaves out are the contract's.

    Raises:
        InputError: not TOML, malformed, or it does not fit the contract.
    """
    if len(data) > MAXIMUM_BYTES:
        raise InputError("fhir.mapping-malformed", "the mapping is too large", got=f"{len(data)} bytes",
                         expected=f"at most {MAXIMUM_BYTES}")
    try:
        content = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError("fhir.mapping-malformed", "the mapping is not TOML", got=str(error)[:200]) from error
    try:
        mapping = FhirMapping.model_validate(content)
    except ValidationError as error:
        where, what = first_fault(error, "mapping")
        raise InputError("fhir.mapping-malformed", f"the mapping is malformed at {where}", got=what,
                         hint="docs/healthcare.md lists its keys") from error
    filled = [_fill(column, contract.field(column.field)) for column in mapping.columns]
    return mapping.model_copy(update={"columns": filled})


def _fill(column: FhirColumn, field: ContractField) -> FhirColumn:
    update: dict[str, Any] = {}
    if column.system is not None:
        system = code_system(column.system)
        update["system"] = system.uri
        wrong = [code for code in column.codes if not system.has(code)]
        if wrong:
            raise _unfit(column, f"a code of another form than {system.title}", wrong[0])
    elif column.source == "Observation" and column.path is None:
        if field.system is None or field.code is None:
            raise _unfit(column, "no code of the observation, in the mapping or in the contract", "none")
        update |= {"system": field.system, "codes": [field.code]}
    elif column.read == "code" and field.system is not None:
        update["system"] = field.system
    if column.read == "value" and column.take not in ("count", "any") and column.unit is None:
        update["unit"] = field.unit
    elif column.unit is not None and column.unit != field.unit:
        raise _unfit(column, f"the contract's unit is {field.unit}; name factors under `convert`", column.unit)
    if column.path is None:
        update["path"] = VALUE_AT.get((column.source, column.read))
    filled = column.model_copy(update=update)
    _check_type(filled, field)
    return filled


def _check_type(column: FhirColumn, field: ContractField) -> None:
    number = (column.take in ("count", "any", "minimum", "maximum", "mean", "sum")
              or column.read in ("year", "age", "days"))
    fits = field.type in RANGED if number else field.type in ("category", "text") if column.read == "code" \
        else field.type in ("date", "category", "text") if column.read == "date" else True
    if not fits:
        raise _unfit(column, f"the field is of type {field.type}", f"{column.read}, {column.take}")
    located = (column.path is not None or column.take in ("count", "any") or column.read == "code"
               or (column.source == "Observation" and column.read == "value"))
    if not located:
        raise _unfit(column, f"name the path of the value in {column.source}", "no path")
    levels = {*column.groups, *([column.other] if column.other is not None else [])}
    if field.type == "category" and not levels <= set(field.allowed):
        raise _unfit(column, f"levels of the field: {', '.join(field.allowed)}"[:200],
                     min(levels - set(field.allowed)))
    if column.read in ("code", "date") and column.take not in ("first", "last"):
        raise _unfit(column, "of codes and dates the first or the last is taken", column.take)


def _unfit(column: FhirColumn, what: str, got: str) -> InputError:
    return InputError("fhir.mapping-unfit", f"the column for {column.field!r} does not fit", got=repr(got)[:80],
                      expected=what, hint="docs/healthcare.md shows mappings")
