"""The data contract: the fields, units and rules that a dataset conforms to."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from difflib import get_close_matches
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from sealane.core.canonical import content_hash
from sealane.core.ids import CONTRACT_ID
from sealane.errors import InputError
from sealane.governance.fault import first_fault

if TYPE_CHECKING:
    import pandas as pd

FieldType = Literal["number", "integer", "category", "boolean", "date", "text"]
RANGED: frozenset[FieldType] = frozenset(("number", "integer", "boolean"))
MAXIMUM_FIELDS = 10_000
MAXIMUM_LEVELS = 10_000
MAXIMUM_BYTES = 1 << 20
INFERRED = "simulation.inferred/v1"
"""Names what :func:`infer_contract` makes."""
_SYSTEM = re.compile(r"[a-z][a-z0-9+.-]{1,30}:[!-~]{1,200}")
_CODE = re.compile(r"[!-~]([ -~]{0,62}[!-~])?")


class Field(BaseModel):
    """One column that a contract speaks of.

    Attributes:
        name: what computations call it.
        type: ``boolean`` is read as the numbers 0 and 1; ``category`` and ``text`` as strings.
        unit: UCUM code, or ISO 4217 for money; None where there is none.
        minimum: smallest legal value, inclusive; only for ranged types.
        maximum: largest legal value, inclusive; only for ranged types.
        allowed: legal levels of a ``category``, in their order.
        nullable: whether a value may be missing.
        past: of a ``date``: whether it has come to pass, so that none lies after the day on which it is added.
        system: URI of a code system such as ``http://loinc.org``; without a code, the field's values are codes of it.
        code: of what the field measures, in that system.
        description: one sentence for people.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    type: FieldType
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    nullable: bool = False
    past: bool = False
    system: str | None = None
    code: str | None = None
    description: str = ""

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not 1 <= len(name) <= 128 or not name.isprintable() or name != name.strip():
            raise ValueError("a field's name has 1 to 128 printable characters, no spaces around it")
        return name

    @field_validator("allowed", mode="before")
    @classmethod
    def _levels(cls, levels: Any) -> Any:
        return tuple(levels) if isinstance(levels, list) else levels

    @model_validator(mode="after")
    def _coherent(self) -> Field:
        bounds = [bound for bound in (self.minimum, self.maximum) if bound is not None]
        if bounds and self.type not in RANGED:
            raise ValueError(f"a {self.type} has no range")
        if not all(math.isfinite(bound) for bound in bounds):
            raise ValueError("a range is finite")
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise ValueError("the minimum lies above the maximum")
        if bool(self.allowed) != (self.type == "category"):
            raise ValueError("a category, and nothing else, lists its allowed levels")
        if len(set(self.allowed)) != len(self.allowed) or len(self.allowed) > MAXIMUM_LEVELS:
            raise ValueError(f"levels are distinct and at most {MAXIMUM_LEVELS}")
        if self.type == "boolean" and (self.minimum not in (None, 0.0) or self.maximum not in (None, 1.0)):
            raise ValueError("a boolean lies between 0 and 1")
        if self.past and self.type != "date":
            raise ValueError("only a date has come to pass")
        if self.system is not None and not _SYSTEM.fullmatch(self.system):
            raise ValueError("a code system is named by its URI")
        if self.code is not None and (self.system is None or not _CODE.fullmatch(self.code)):
            raise ValueError("a code is up to 64 printable characters of a code system")
        if self.system is not None and self.code is None and self.type not in ("category", "text"):
            raise ValueError(f"the values of a {self.type} are no codes: name the code of what it measures")
        return self

    @model_serializer(mode="wrap")
    def _without_later_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A field that does not use them is written, and hashed, as it was before there were any.
        written: dict[str, Any] = handler(self)
        return {key: value for key, value in written.items() if value or key not in ("past", "system", "code")}


class CrossRule(BaseModel):
    """A rule over two fields, or a field and a constant, of one row: a matter of quality, it excludes no row.

    It speaks of rows in which both sides are present and, if asked for, another field has a given level.

    Attributes:
        name: of the rule.
        left: a field.
        relation: how the left side stands to the right.
        right: the other field; None where ``value`` is the right side.
        value: a constant: a number, a level, or a date in ISO 8601.
        where: the rule holds only where these fields have these levels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    left: str
    relation: Literal["<", "<=", "==", "!=", ">=", ">"]
    right: str | None = None
    value: float | int | str | None = None
    where: dict[str, str] = {}

    @model_validator(mode="after")
    def _one_right_side(self) -> CrossRule:
        if (self.right is None) == (self.value is None):
            raise ValueError("a rule has a right field or a value")
        return self


class Freshness(BaseModel):
    """How old a row may be: days since the date in a field."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    field: str
    days: int


class Contract(BaseModel):
    """A named, versioned list of fields. Two parties that hold the same :attr:`hash` mean the same rules.

    Attributes:
        id: ``sector.subject/vN``.
        title: for people.
        fields: in their order.
        key: fields that together name a row; where none is given a row that is there twice counts as repeated.
        rules: across fields; they tell quality and exclude nothing.
        freshness: how old rows may be; they tell quality and exclude nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str
    title: str = ""
    fields: tuple[Field, ...]
    key: tuple[str, ...] = ()
    rules: tuple[CrossRule, ...] = ()
    freshness: Freshness | None = None

    @field_validator("id")
    @classmethod
    def _legal_id(cls, text: str) -> str:
        if not CONTRACT_ID.fullmatch(text):
            raise ValueError("a contract's id reads sector.subject/v1")
        return text

    @field_validator("fields", "key", "rules", mode="before")
    @classmethod
    def _as_tuple(cls, fields: Any) -> Any:
        return tuple(fields) if isinstance(fields, list) else fields

    @field_validator("fields")
    @classmethod
    def _distinct(cls, fields: tuple[Field, ...]) -> tuple[Field, ...]:
        names = [field.name for field in fields]
        if not 1 <= len(names) <= MAXIMUM_FIELDS or len(set(names)) != len(names):
            raise ValueError(f"a contract has 1 to {MAXIMUM_FIELDS} fields with distinct names")
        return fields

    @model_validator(mode="after")
    def _known_names(self) -> Contract:
        types = {field.name: field.type for field in self.fields}
        named = [*self.key]
        for rule in self.rules:
            named += [rule.left, rule.right or rule.left, *rule.where]
        if any(name not in types for name in named) or len(set(self.key)) != len(self.key):
            raise ValueError("key and rules name the contract's own fields")
        if len({rule.name for rule in self.rules}) != len(self.rules):
            raise ValueError("rules have distinct names")
        for rule in self.rules:
            if rule.right is not None and (types[rule.left] in RANGED, types[rule.left] == "date") != (
                    types[rule.right] in RANGED, types[rule.right] == "date"):
                raise ValueError("a rule compares numbers with numbers, dates with dates, texts with texts")
            if rule.value is not None and isinstance(rule.value, str) == (types[rule.left] in RANGED):
                raise ValueError("a rule compares a number with a number, anything else with a text")
            if types[rule.left] == "date" and rule.value is not None:
                date.fromisoformat(str(rule.value))  # a ValueError says what is wrong with it
        if self.freshness is not None and types.get(self.freshness.field) != "date":
            raise ValueError("freshness names a field of type date")
        return self

    @property
    def names(self) -> list[str]:
        """Return the names of the fields in their order."""
        return [field.name for field in self.fields]

    @property
    def hash(self) -> str:
        """Return SHA-256 over the canonical form, in hex."""
        return content_hash(self.model_dump(mode="json")).hex()

    def field(self, name: str) -> Field:
        """Return the field of that name.

        Raises:
            InputError: there is none.
        """
        for field in self.fields:
            if field.name == name:
                return field
        near = get_close_matches(name, self.names, n=3)
        where = "its fields are in the sector pack"
        if self.id == INFERRED:
            where = "a column that a frame lacks is left out: fill it with NaN there, or give the contract"
        raise InputError("contract.unknown-field", f"contract {self.id} has no such field", got=repr(name[:80]),
                         expected=f"one of {len(self.fields)} fields",
                         hint=f"did you mean {', '.join(near)}?" if near else where)


def load_contract(source: bytes | Path) -> Contract:
    """Read a contract from TOML: its bytes, or the path of a file.

    Raises:
        InputError: unreadable, not TOML, or not a contract.
    """
    try:
        data = source.read_bytes() if isinstance(source, Path) else source
    except OSError as error:
        raise InputError("contract.unreadable", "contract file cannot be read", got=error.strerror) from error
    if len(data) > MAXIMUM_BYTES:
        raise InputError("contract.too-large", "contract is too large", got=f"{len(data)} bytes",
                         expected=f"at most {MAXIMUM_BYTES}")
    try:
        content = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError("contract.not-toml", "contract is not TOML", got=str(error)[:200]) from error
    try:
        return Contract.model_validate(content)
    except ValidationError as error:
        where, what = first_fault(error, "contract")
        raise InputError("contract.malformed", f"contract is malformed at {where}", got=what,
                         hint="compare it with a contract of a built-in sector pack") from error


def infer_contract(frames: Mapping[str, pd.DataFrame]) -> Contract:
    """Return the contract that plain frames fit: for simulation only, where all rows are at hand anyway.

    Ranges and levels are taken over all frames; integers that are only 0 and 1 become ``boolean``; a column that
    some frame lacks is left out. Decimals are numbers.

    Args:
        frames: one frame per institution, columns named by strings.

    Raises:
        InputError: no frame, no common column, a column of durations or of several types, or of different types in
            different frames.
    """
    if not frames:
        raise InputError("contract.no-frames", "there is no frame to infer a contract from", got=0,
                         expected="at least one")
    parts = list(frames.values())
    names = [name for name in parts[0].columns if all(name in part.columns for part in parts)]
    if not names:
        raise InputError("contract.no-common-column", "the frames share no column", got=f"{len(parts)} frames")
    if any(not part.columns.is_unique for part in parts):
        raise InputError("contract.duplicate-column", "a frame has two columns of one name")
    fields = [_infer_field(str(name), [part[name] for part in parts]) for name in names]
    return Contract(id=INFERRED, title="Inferred from the frames of a simulation", fields=tuple(fields))


def _infer_field(name: str, columns: list[pd.Series[Any]]) -> Field:
    import pandas as pd  # here only: a coordinator reads contracts and has no frame, and pandas takes 80 MB

    nullable = any(bool(column.isna().any()) for column in columns)
    present = [column.dropna() for column in columns]
    kinds = {_kind(name, column) for column in present if len(column)} or {"number"}
    if kinds == {"number", "boolean"}:
        kinds = {"number"}
    if len(kinds) > 1:
        raise InputError("contract.type-differs", f"column {name!r} has different types in different frames",
                         got=" and ".join(sorted(kinds)), expected="one type")
    kind = kinds.pop()
    if kind == "date":
        return Field(name=name, type="date", nullable=nullable)
    values = pd.concat([column.astype(object) for column in present if len(column)] or [pd.Series(dtype=object)])
    if kind == "category":
        levels = sorted({str(value) for value in values})
        if len(levels) > MAXIMUM_LEVELS:
            return Field(name=name, type="text", nullable=nullable)
        return Field(name=name, type="category", allowed=tuple(levels), nullable=nullable)
    numbers = values.astype(float)
    if not len(numbers):
        return Field(name=name, type="number", minimum=0.0, maximum=0.0, nullable=nullable)
    low, high = float(numbers.min()), float(numbers.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError("contract.not-finite", f"column {name!r} holds infinite values", expected="finite numbers")
    whole = bool((numbers == numbers.round()).all())
    if whole and bool(numbers.isin((0.0, 1.0)).all()):
        return Field(name=name, type="boolean", minimum=0.0, maximum=1.0, nullable=nullable)
    # A column of whole floats stays a number in other runs of the same data, so only integer storage makes an integer.
    stored = all(pd.api.types.is_integer_dtype(column.dtype) for column in columns)
    return Field(name=name, type="integer" if stored else "number", minimum=low, maximum=high, nullable=nullable)


def _kind(name: str, column: pd.Series[Any]) -> str:
    import numpy as np
    import pandas as pd

    if pd.api.types.is_bool_dtype(column.dtype):
        return "boolean"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "date"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return "number"
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "category"
    types = set(map(type, column))
    if any(issubclass(one, timedelta | np.timedelta64) for one in types):
        raise InputError("contract.duration", f"column {name!r} holds durations, which no field of a contract has",
                         got="timedelta", expected="a number of some unit",
                         hint="make them numbers, such as column.dt.total_seconds()")
    kinds = {"boolean" if issubclass(one, bool | np.bool_) else "number" if issubclass(one, Real | Decimal)
             else "category" for one in types}
    if len(kinds) == 2 and "category" not in kinds:
        kinds = {"number"}
    if len(kinds) > 1:
        raise InputError("contract.mixed-types", f"column {name!r} holds texts beside numbers or booleans",
                         got=", ".join(sorted(one.__name__ for one in types))[:200], expected="values of one type",
                         hint="column.astype(str) makes them levels, pandas.to_numeric(column) numbers")
    return kinds.pop()
