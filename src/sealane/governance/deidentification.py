"""A sector's defaults for desensitising a table: rules by name and type of field, for any of its contracts.

They become the same rules that a steward could write; whoever needs others writes those.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from sealane.errors import InputError
from sealane.governance.contract import Contract, FieldType
from sealane.governance.contract import Field as ContractField
from sealane.governance.desensitise import Desensitisation, Rule
from sealane.governance.fault import first_fault

_RULE: TypeAdapter[Any] = TypeAdapter(Rule)


class DefaultRule(BaseModel):
    """What is done to the fields that it speaks of.

    Attributes:
        names: regular expression that a field's whole name matches, in small letters; None for any.
        types: of fields; empty for any.
        coded: whether it speaks only of fields whose values are codes of a code system.
        rule: as a steward would write it, without the field.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: str | None = None
    types: tuple[FieldType, ...] = ()
    coded: bool = False
    rule: dict[str, Any]

    @field_validator("names")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError("names is a regular expression") from error
        return pattern

    @field_validator("rule")
    @classmethod
    def _a_rule(cls, rule: dict[str, Any]) -> dict[str, Any]:
        _RULE.validate_python({**rule, "field": "any"})
        return rule

    def speaks_of(self, field: ContractField) -> bool:
        """Tell whether a field is among those."""
        return ((self.names is None or re.fullmatch(self.names, field.name.lower()) is not None)
                and (not self.types or field.type in self.types)
                and (not self.coded or (field.system is not None and field.code is None)))


class Deidentification(BaseModel):
    """Defaults of one sector.

    Attributes:
        k: fewest rows that may agree in the quasi-identifiers.
        quasi_identifiers: regular expression of their names.
        rules: the first that speaks of a field counts; a field of which none speaks is left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    k: Annotated[int, Field(ge=2)] = 5
    quasi_identifiers: str
    rules: tuple[DefaultRule, ...]

    def for_fields(self, contract: Contract, filled: Collection[str]) -> Desensitisation:
        """Return the rules for a dataset under a contract.

        Args:
            contract: of the dataset.
            filled: fields that it has columns for.

        Raises:
            InputError: none of them is a quasi-identifier.
        """
        made = []
        for field in (field for field in contract.fields if field.name in filled):
            found = next((rule for rule in self.rules if rule.speaks_of(field)), None)
            if found is not None:
                made.append(_RULE.validate_python({**found.rule, "field": field.name}))
        quasi = tuple(rule.field for rule in made if re.fullmatch(self.quasi_identifiers, rule.field.lower()))
        if not quasi:
            raise InputError("desensitise.no-default", "the sector's defaults find no quasi-identifier in the dataset",
                             got=", ".join(rule.field for rule in made)[:200] or "no field",
                             hint="write the rules, and name them with --rules")
        return Desensitisation(k=self.k, quasi_identifiers=quasi, rules=tuple(made))


def load_deidentification(data: bytes) -> Deidentification:
    """Read a sector's defaults from TOML.

    Raises:
        InputError: not TOML, or malformed.
    """
    try:
        return Deidentification.model_validate(tomllib.loads(data.decode("utf-8-sig")))
    except ValidationError as error:
        where, what = first_fault(error, "defaults")
        raise InputError("desensitise.malformed", f"the defaults are malformed at {where}", got=what) from error
    except (ValueError, RecursionError) as error:
        raise InputError("desensitise.not-toml", "the defaults are not TOML", got=str(error)[:200]) from error
