"""Code systems: the form that a code of LOINC, ICD-10, ATC and others has, and its check digit where it has one.

A code of the right form need not exist: the systems themselves are large and licensed, and none lies in this package.
"""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sealane.core.ids import NAME
from sealane.errors import InputError
from sealane.governance.fault import first_fault

MAXIMUM_CODE = 64
_PRODUCTS = ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
             (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
             (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
             (9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
_TURN = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


class CodeSystem(BaseModel):
    """One code system.

    Attributes:
        uri: that FHIR and contracts name it by.
        name: short, for mappings and command lines.
        title: for people.
        pattern: regular expression that a whole code matches.
        check: how its last digit is checked, where it is: ``mod10`` of LOINC (Luhn), ``verhoeff`` of SNOMED CT.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    uri: Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]{1,30}:[!-~]{1,200}$")]
    name: Annotated[str, Field(pattern=f"^(?:{NAME.pattern})$")]
    title: str
    pattern: Annotated[str, Field(min_length=1, max_length=500)]
    check: Literal["mod10", "verhoeff"] | None = None

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError("pattern is a regular expression") from error
        return pattern

    def has(self, code: str) -> bool:
        """Tell whether a text has the form of a code of this system, its check digit included."""
        if len(code) > MAXIMUM_CODE or not re.fullmatch(self.pattern, code):
            return False
        digits = [int(one) for one in code if one.isdigit()]
        return self.check is None or (_luhn(digits) if self.check == "mod10" else _verhoeff(digits))


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    systems: Annotated[list[CodeSystem], Field(max_length=1000)]


def load_code_systems(data: bytes) -> dict[str, CodeSystem]:
    """Read code systems from TOML, by URI.

    Raises:
        InputError: not TOML, malformed, or two of one URI or name.
    """
    try:
        table = _Table.model_validate(tomllib.loads(data.decode("utf-8-sig")))
    except ValidationError as error:
        where, what = first_fault(error, "table")
        raise InputError("code-system.malformed", f"table of code systems is malformed at {where}", got=what) from error
    except (ValueError, RecursionError) as error:
        raise InputError("code-system.not-toml", "table of code systems is not TOML", got=str(error)[:200]) from error
    by_uri = {system.uri: system for system in table.systems}
    if len(by_uri) != len(table.systems) or len({system.name for system in table.systems}) != len(table.systems):
        raise InputError("code-system.malformed", "two code systems have one URI or one name",
                         expected="each once")
    return by_uri


def _luhn(digits: list[int]) -> bool:
    """Source: ISO/IEC 7812-1, annex B; LOINC Users' Guide, appendix on check digits."""
    doubled = [2 * digit - 9 * (digit > 4) if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _verhoeff(digits: list[int]) -> bool:
    """Source: Verhoeff, Error detecting decimal codes (1969); SNOMED CT Technical Implementation Guide, check digit."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        for _ in range(place % 8):
            digit = _TURN[digit]
        check = _PRODUCTS[check][digit]
    return check == 0
