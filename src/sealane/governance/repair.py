"""Declared repairs of a dataset: what is done to the columns at every read, after mapping and before the contract."""

from __future__ import annotations

import math
import tomllib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sealane.core.canonical import canonical_bytes
from sealane.errors import InputError
from sealane.governance.contract import RANGED, Contract
from sealane.governance.fault import first_fault

MAXIMUM_STEPS = 1000
MAXIMUM_BYTES = 1 << 20


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Impute(_Step):
    """Fill missing values with a constant, or with the median or the most frequent of the present ones."""

    do: Literal["impute"]
    field: str
    by: Literal["constant", "median", "mode"]
    value: float | int | str | None = None

    @model_validator(mode="after")
    def _value_with_constant(self) -> Impute:
        if (self.by == "constant") != (self.value is not None):
            raise ValueError("a constant, and nothing else, has a value")
        return self


class Clip(_Step):
    """Move numbers outside a range to its nearer end."""

    do: Literal["clip"]
    field: str
    minimum: float | None = None
    maximum: float | None = None

    @model_validator(mode="after")
    def _some_end(self) -> Clip:
        if self.minimum is None and self.maximum is None:
            raise ValueError("clip has a minimum or a maximum")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("the minimum lies above the maximum")
        return self


class Deduplicate(_Step):
    """Keep the first of the rows that agree in some fields, or in all."""

    do: Literal["deduplicate"]
    fields: tuple[str, ...] = ()


class Convert(_Step):
    """Convert numbers to the contract's unit: value × factor + offset."""

    do: Literal["convert"]
    field: str
    factor: float = 1.0
    offset: float = 0.0
    from_unit: str = ""


class Recode(_Step):
    """Write other texts for some texts: a source's codes become the contract's levels."""

    do: Literal["recode"]
    field: str
    codes: dict[str, str]


Step = Annotated[Impute | Clip | Deduplicate | Convert | Recode, Field(discriminator="do")]


class Repair(_Step):
    """Repairs in the order in which they are done."""

    steps: tuple[Step, ...]

    @field_validator("steps")
    @classmethod
    def _bounded(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if not 1 <= len(steps) <= MAXIMUM_STEPS:
            raise ValueError(f"a repair has 1 to {MAXIMUM_STEPS} steps")
        numbers = [number for step in steps for number in step.model_dump().values() if isinstance(number, float)]
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError("numbers are finite")
        return steps

    def to_text(self) -> str:
        """Return the canonical form, as it is stored and enters the dataset's version."""
        return canonical_bytes(self.model_dump(mode="json")).decode()


def load_repair(data: bytes, contract: Contract) -> Repair:
    """Read ``repair.toml`` for datasets under a contract.

    Raises:
        InputError: not TOML, a step is unknown or malformed, or names no field of the contract or one of another type.
    """
    if len(data) > MAXIMUM_BYTES:
        raise InputError("repair.too-large", "the repair is too large", got=f"{len(data)} bytes",
                         expected=f"at most {MAXIMUM_BYTES}")
    try:
        content: Any = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError("repair.not-toml", "the repair is not TOML", got=str(error)[:200]) from error
    try:
        repair = Repair.model_validate(content)
    except ValidationError as error:
        where, what = first_fault(error, "steps")
        raise InputError("repair.malformed", f"the repair is malformed at {where}", got=what,
                         hint="steps are impute, clip, deduplicate, convert and recode") from error
    for step in repair.steps:
        for name in step.fields if isinstance(step, Deduplicate) else (step.field,):
            field = contract.field(name)
            numeric = isinstance(step, Clip | Convert) or (isinstance(step, Impute) and step.by == "median")
            if numeric and field.type not in RANGED:
                raise InputError("repair.not-a-number", f"a step that needs numbers names {name!r}", got=field.type,
                                 expected="number, integer or boolean")
    return repair


def stored_repair(text: str) -> Repair | None:
    """Return the repair that a register holds; None where there is none."""
    return Repair.model_validate_json(text) if text else None
