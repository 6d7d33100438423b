"""Classification: the category and grade that are proposed for each field, from a sector's table and from content.

Grades are the five levels of JR/T 0197-2020; the tier beside them is GB/T 43697-2024's general, important or core.
A table is a default to begin from: what a law asks of an institution's own data is for its lawyers to say.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sealane.errors import InputError
from sealane.governance.contract import Contract
from sealane.governance.fault import first_fault

Category = Literal["public", "internal", "trade-secret", "personal", "location", "financial-account", "health",
                   "sensitive-personal"]
"""In this order: of two proposals of one grade, the later counts."""
Tier = Literal["general", "important", "core"]
CATEGORIES: tuple[Category, ...] = get_args(Category)
TIERS: tuple[Tier, ...] = get_args(Tier)
PERSONAL: frozenset[Category] = frozenset(("personal", "location", "financial-account", "health", "sensitive-personal"))
SENSITIVE: frozenset[Category] = frozenset(("financial-account", "health", "sensitive-personal"))
LOWEST, HIGHEST = 1, 5
_LABEL = re.compile(r"(?P<category>[a-z-]+):(?P<grade>[1-5])(?::(?P<tier>[a-z]+))?")


@dataclass(frozen=True, slots=True)
class Label:
    """What a field was found, or decided, to be.

    Attributes:
        category: what kind of data.
        grade: 1, harmless, to 5; 5 is core whatever the tier says.
        tier: general, important or core.
    """

    category: Category
    grade: int
    tier: Tier = "general"

    def __str__(self) -> str:
        """Return the label as it is written on a command line."""
        return f"{self.category}:{self.grade}" + ("" if self.tier == "general" else f":{self.tier}")

    @property
    def rank(self) -> tuple[int, int, int]:
        """Return what two labels are compared by: grade, tier, category."""
        return self.grade, TIERS.index(self.tier), CATEGORIES.index(self.category)


def read_label(text: str) -> Label:
    """Read ``CATEGORY:GRADE`` or ``CATEGORY:GRADE:TIER``.

    Raises:
        InputError: malformed, or a category or tier that is not known.
    """
    match = _LABEL.fullmatch(text)
    if (match is None or match["category"] not in CATEGORIES or (match["tier"] or "general") not in TIERS):
        raise InputError("grade.malformed", "a label is malformed", got=repr(text[:60]),
                         expected=f"CATEGORY:GRADE[:TIER] with a category among {', '.join(CATEGORIES)}, a grade from "
                                  f"{LOWEST} to {HIGHEST}, a tier among {', '.join(TIERS)}",
                         hint="such as personal:3")
    tier: Any = "core" if match["grade"] == str(HIGHEST) else match["tier"] or "general"
    category: Any = match["category"]
    return Label(category, int(match["grade"]), tier)


def at_least(first: Label, second: Label) -> Label:
    """Return a label that is under neither of two in grade, tier and protection of its category."""
    category = max(first.category, second.category, key=CATEGORIES.index)
    return Label(category, max(first.grade, second.grade), max(first.tier, second.tier, key=TIERS.index))


def lowers(label: Label, proposal: Label) -> bool:
    """Tell whether a label protects less than a proposal: in grade, in tier, or as no longer personal or sensitive."""
    return (label.grade < proposal.grade or TIERS.index(label.tier) < TIERS.index(proposal.tier)
            or any(proposal.category in group and label.category not in group for group in (PERSONAL, SENSITIVE)))


@dataclass(frozen=True, slots=True)
class Proposal:
    """A label that is proposed for a field, and why."""

    field: str
    label: Label
    reasons: tuple[str, ...]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    names: str
    label: Annotated[str, Field(max_length=60)]

    @field_validator("names")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError("names is a regular expression") from error
        return pattern


class GradingTable(BaseModel):
    """A sector's table of labels. Built with :func:`load_grading`.

    Attributes:
        default: label of a field that nothing else speaks of.
        types: label by type of field; free text may hold anything.
        content: label by kind of content that is detected.
        rules: labels by a pattern that a field's whole name matches, in small letters.
        contracts: label by field, by contract.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: str = "internal:3"
    types: dict[str, str] = Field(default_factory=lambda: {"text": "personal:3"})
    content: dict[str, str] = Field(default_factory=lambda: {
        "resident-identity": "sensitive-personal:4", "bank-card": "financial-account:4", "iban": "financial-account:4",
        "mobile-number": "personal:3", "e-mail": "personal:3", "personal-name": "personal:3"})
    rules: tuple[_Rule, ...] = ()
    contracts: dict[str, dict[str, str]] = Field(default_factory=dict)

    def propose(self, contract: Contract, found: Mapping[str, Iterable[str]]) -> dict[str, Proposal]:
        """Return a proposal for every field of a contract.

        Args:
            contract: whose fields are to be labelled.
            found: kinds of content that were detected, by field.
        """
        named = self.contracts.get(contract.id, {})
        return {field.name: self._one(field.name, field.type, named.get(field.name), found.get(field.name, ()))
                for field in contract.fields}

    def _one(self, name: str, kind: str, declared: str | None, found: Iterable[str]) -> Proposal:
        parts = [] if declared is None else [("the contract", declared)]
        parts += [("its name", rule.label) for rule in self.rules if re.fullmatch(rule.names, name.lower())]
        if not parts:
            parts = [("no rule speaks of it", self.default)]
        if kind in self.types and declared is None:
            parts.append((f"it is {kind}", self.types[kind]))
        parts += [(f"content: {one}", self.content[one]) for one in found if one in self.content]
        label = read_label(parts[0][1])
        for _, text in parts[1:]:
            label = at_least(label, read_label(text))
        return Proposal(name, label, tuple(reason for reason, _ in parts))


def load_grading(data: bytes) -> GradingTable:
    """Read a table from TOML.

    Raises:
        InputError: not TOML, or not a table of labels.
    """
    try:
        table = GradingTable.model_validate(tomllib.loads(data.decode("utf-8-sig")))
    except ValidationError as error:
        where, what = first_fault(error, "table")
        raise InputError("grading.malformed", f"grading table is malformed at {where}", got=what) from error
    except (ValueError, RecursionError) as error:
        raise InputError("grading.not-toml", "grading table is not TOML", got=str(error)[:200]) from error
    for text in (table.default, *table.types.values(), *table.content.values(), *(rule.label for rule in table.rules),
                 *(label for fields in table.contracts.values() for label in fields.values())):
        read_label(text)
    return table
