"""The definition of a cohort in OMOP's terms: who enters, when follow-up ends, what is measured before."""

from __future__ import annotations

import tomllib
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sealane.core.canonical import canonical_bytes
from sealane.errors import InputError
from sealane.governance.contract import RANGED, Contract
from sealane.governance.contract import Field as ContractField
from sealane.governance.fault import first_fault

MAXIMUM_BYTES = 1 << 20
MAXIMUM_DAYS = 36_600
Domain = Literal["condition_occurrence", "drug_exposure", "procedure_occurrence", "measurement", "observation",
                 "device_exposure", "visit_occurrence", "death"]
Derived = Literal["person", "index_date", "age", "sex", "time", "event", "event_kind", "outcome"]
Take = Literal["any", "count", "last", "first", "minimum", "maximum", "mean"]
MEASURED: frozenset[Domain] = frozenset(("measurement", "observation"))
FOLLOWED: frozenset[Derived] = frozenset(("time", "event", "event_kind", "outcome"))

Concept = Annotated[int, Field(ge=1, le=2**31 - 1)]
Days = Annotated[int, Field(ge=0, le=MAXIMUM_DAYS)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ConceptSet(_Part):
    """Records of one table whose concept is in a set.

    Attributes:
        domain: ``from`` in the file: the table.
        concepts: standard concepts; none for every death.
        descendants: whether the concepts below them in ``concept_ancestor`` count too.
    """

    domain: Domain = Field(alias="from")
    concepts: Annotated[list[Concept], Field(max_length=10_000)] = []
    descendants: bool = True

    @model_validator(mode="after")
    def _some_concept(self) -> ConceptSet:
        if not self.concepts and self.domain != "death":
            raise ValueError("a concept set names concepts")
        return self


class Entry(ConceptSet):
    """Who enters the cohort: at the first such record of a person.

    Attributes:
        prior_days: days of observation that a person has before it, at least.
    """

    prior_days: Days = 0


class OmopColumn(_Part):
    """One field of the contract, and what fills it.

    Attributes:
        field: of the contract.
        derived: ``as`` in the file: something of the person or of the follow-up.
        domain: ``from`` in the file: the table of a covariate.
        concepts: of a covariate.
        descendants: whether the concepts below count too.
        days: how long before the index date, at most; that day itself counts.
        take: of the covariate's records.
        unit_concepts: units that values are in.
        convert: factor by concept of another unit; values in any further unit are left out and counted.
    """

    field: str
    derived: Derived | None = Field(default=None, alias="as")
    domain: Domain | None = Field(default=None, alias="from")
    concepts: Annotated[list[Concept], Field(max_length=10_000)] = []
    descendants: bool = True
    days: Days = MAXIMUM_DAYS
    take: Take = "any"
    unit_concepts: Annotated[list[Concept], Field(max_length=100)] = []
    convert: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]{0,9}$")],
                  Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}

    @model_validator(mode="after")
    def _one_kind(self) -> OmopColumn:
        if (self.derived is None) == (self.domain is None):
            raise ValueError("a column has either `as` or `from`")
        if self.domain is not None and not self.concepts:
            raise ValueError("a covariate names concepts")
        if self.valued and self.domain not in MEASURED:
            raise ValueError("only measurements and observations have values")
        return self

    @property
    def valued(self) -> bool:
        """Return whether values, not records, are what is taken."""
        return self.domain is not None and self.take not in ("any", "count")


class Definition(_Part):
    """A cohort.

    Attributes:
        as_of: day of the extract; no record after it is used.
        cohort: who enters, and when.
        outcome: what follow-up waits for; None where no column asks.
        follow_up_days: how long it lasts at most.
        columns: one for each field that is filled.
    """

    as_of: date
    cohort: Entry
    outcome: ConceptSet | None = None
    follow_up_days: Annotated[int, Field(ge=1, le=MAXIMUM_DAYS)] = MAXIMUM_DAYS
    columns: Annotated[list[OmopColumn], Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def _coherent(self) -> Definition:
        if len({column.field for column in self.columns}) != len(self.columns):
            raise ValueError("a field is filled once")
        if self.outcome is None and any(column.derived in FOLLOWED for column in self.columns):
            raise ValueError("time and event ask for an outcome")
        return self

    @property
    def binary(self) -> bool:
        """Return whether the outcome is asked as yes or no, so that everybody has to be followed to the end."""
        return any(column.derived == "outcome" for column in self.columns)

    @property
    def tables(self) -> list[str]:
        """Return the tables that are read."""
        sets = [self.cohort, *([self.outcome] if self.outcome else [])]
        domains = {one.domain for one in sets} | {column.domain for column in self.columns if column.domain}
        below = any(one.concepts and one.descendants for one in sets) or any(
            column.domain and column.descendants for column in self.columns)
        return sorted({"person", "observation_period", "death", *domains} | ({"concept_ancestor"} if below else set()))

    def to_bytes(self) -> bytes:
        """Return the canonical form, for hashing."""
        return canonical_bytes(self.model_dump(mode="json", by_alias=True))


def load_definition(data: bytes, contract: Contract) -> Definition:
    """Read a cohort's definition for datasets under a contract.

    Raises:
        InputError: not TOML, malformed, or it does not fit the contract.
    """
    if len(data) > MAXIMUM_BYTES:
        raise InputError("omop.definition-malformed", "the definition is too large", got=f"{len(data)} bytes",
                         expected=f"at most {MAXIMUM_BYTES}")
    try:
        content = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError("omop.definition-malformed", "the definition is not TOML", got=str(error)[:200]) from error
    try:
        definition = Definition.model_validate(content)
    except ValidationError as error:
        where, what = first_fault(error, "definition")
        raise InputError("omop.definition-malformed", f"the definition is malformed at {where}", got=what,
                         hint="docs/healthcare.md lists its keys") from error
    for column in definition.columns:
        _check(column, contract.field(column.field))
    return definition


def _check(column: OmopColumn, field: ContractField) -> None:
    texts = ("category", "text")
    fits = {"person": field.type == "text", "index_date": field.type == "date", "sex": field.type in texts}.get(
        column.derived or "", field.type in RANGED)
    if not fits:
        raise InputError("omop.definition-unfit", f"the column for {column.field!r} does not fit", got=field.type,
                         expected=f"a field that can hold {column.derived or column.take}")
    if column.valued and field.unit not in (None, "1") and not column.unit_concepts:
        raise InputError("omop.definition-unfit", f"the column for {column.field!r} names no unit", got="none",
                         expected=f"unit_concepts that stand for {field.unit}",
                         hint="units are concepts of the vocabulary UCUM in OMOP")
    if column.derived == "time" and field.unit != "d":
        raise InputError("omop.definition-unfit", f"the column for {column.field!r} is in days", got=str(field.unit),
                         expected="d", hint="choose a contract that counts days")
