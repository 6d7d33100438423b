"""Recipes: features that look back over an account's earlier rows, said in a file and made when a dataset is read."""

from __future__ import annotations

import tomllib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sealane.core.canonical import canonical_bytes
from sealane.errors import InputError
from sealane.governance.contract import RANGED, Contract
from sealane.governance.fault import first_fault

MAXIMUM_BYTES = 1 << 20
MAXIMUM_HOURS = 24 * 3660
Make = Literal["count", "sum", "mean", "minimum", "maximum", "z", "distinct", "recency", "new"]
OF_NUMBERS: frozenset[Make] = frozenset(("sum", "mean", "minimum", "maximum", "z"))
OF_VALUES: frozenset[Make] = frozenset(("distinct", "new"))
WHOLE_PAST: frozenset[Make] = frozenset(("recency", "new"))
Column = Annotated[str, Field(min_length=1, max_length=256)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Feature(_Part):
    """One field of the contract, made of the entity's rows strictly before each row.

    Attributes:
        field: of the contract.
        make: ``count`` of rows, ``sum``, ``mean``, ``minimum``, ``maximum`` of a column, ``z``: the row's own value, in
            standard deviations from the mean; ``distinct`` values; ``recency``: hours since the row before; ``new``: 1
            where the row's value was never there before.
        of: column of the source; none for ``count`` and ``recency``.
        hours: length of the window; or
        days: likewise. ``recency`` and ``new`` look at the whole past and take neither.
        least: fewest earlier values for ``mean`` and ``z``; with fewer the feature is missing.
    """

    field: Column
    make: Make
    of: Column | None = None
    hours: Annotated[int, Field(ge=1, le=MAXIMUM_HOURS)] | None = None
    days: Annotated[int, Field(ge=1, le=MAXIMUM_HOURS // 24)] | None = None
    least: Annotated[int, Field(ge=2, le=1000)] = 3

    @model_validator(mode="after")
    def _coherent(self) -> Feature:
        if (self.of is None) == (self.make in OF_NUMBERS | OF_VALUES):
            raise ValueError("count and recency are of no column, all others name one with `of`")
        windows = [self.hours is not None, self.days is not None].count(True)
        if windows != (0 if self.make in WHOLE_PAST else 1):
            raise ValueError("a window has hours or days; recency and new have none")
        return self

    @property
    def seconds(self) -> int | None:
        """Length of the window, None for the whole past."""
        if self.make in WHOLE_PAST:
            return None
        return (self.hours or 24 * (self.days or 0)) * 3600


class Recipe(_Part):
    """How features are made of a table.

    Attributes:
        entity: column of whose earlier rows are looked at, such as an account.
        time: column of when a row happened.
        features: one for each field that is made.
    """

    entity: Column
    time: Column
    features: Annotated[list[Feature], Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def _coherent(self) -> Recipe:
        if len(set(self.fields)) != len(self.features):
            raise ValueError("each field is made once")
        if self.entity == self.time:
            raise ValueError("entity and time are two columns")
        return self

    @property
    def fields(self) -> list[str]:
        """Fields that are made, in their order."""
        return [feature.field for feature in self.features]

    @property
    def columns(self) -> list[str]:
        """Columns of the source that are needed, each once."""
        return list(dict.fromkeys([self.entity, self.time, *(one.of for one in self.features if one.of is not None)]))

    def to_bytes(self) -> bytes:
        """Return the canonical form, the same for the same recipe."""
        return canonical_bytes(self.model_dump(mode="json"))


def load_recipe(data: bytes, contract: Contract) -> Recipe:
    """Read a recipe from TOML, for datasets under a contract.

    Raises:
        InputError: not TOML, malformed, or a field that the contract lacks or that is no number.
    """
    if len(data) > MAXIMUM_BYTES:
        raise InputError("features.recipe-malformed", "the recipe is too large", got=f"{len(data)} bytes",
                         expected=f"at most {MAXIMUM_BYTES}")
    try:
        recipe = Recipe.model_validate(tomllib.loads(data.decode("utf-8-sig")))
    except ValidationError as error:
        where, what = first_fault(error, "recipe")
        raise InputError("features.recipe-malformed", f"the recipe is malformed at {where}", got=what,
                         hint="docs/finance.md shows one") from error
    except (ValueError, RecursionError) as error:
        raise InputError("features.recipe-not-toml", "the recipe is not TOML", got=str(error)[:200]) from error
    for feature in recipe.features:
        field = contract.field(feature.field)
        if field.type not in RANGED:
            raise InputError("features.recipe-malformed", f"no feature fills {field.name!r}", got=field.type,
                             expected="a number, an integer or a boolean")
        if not field.nullable and feature.make not in ("count", "distinct"):
            raise InputError("features.recipe-malformed", f"{field.name!r} may be missing for a first row",
                             got="a field that may not be missing", expected="a nullable field")
    return recipe
