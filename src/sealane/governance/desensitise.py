"""Desensitisation: keyed pseudonyms, generalisation, shifted dates, top and bottom coding, and k-anonymity.

It lessens what a table gives away; it does not make it anonymous against somebody who knows more. Fields that no rule
names are left out. Sources: RFC 2104 (HMAC); GB/T 37964-2019, annexes A and B, for the techniques' names; Sweeney,
k-anonymity (2002).
"""

from __future__ import annotations

import hmac
import tomllib
from collections.abc import Sequence
from typing import Annotated, Any, Literal, assert_never

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sealane.core.secret import Secret
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import RANGED, Contract
from sealane.governance.fault import first_fault

PSEUDONYM_DIGITS = 32
MAXIMUM_BYTES = 1 << 20


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str


class Keep(_Rule):
    """Leave a field as it is."""

    do: Literal["keep"]


class Pseudonym(_Rule):
    """Write a keyed pseudonym: the same for the same text, of no use to whoever lacks the key."""

    do: Literal["pseudonym"]


class Generalise(_Rule):
    """Write a number's interval of a width (one from ``top`` on), a date's month or year, or a level's group."""

    do: Literal["generalise"]
    width: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    top: Annotated[float, Field(allow_inf_nan=False)] | None = None
    to: Literal["month", "year"] | None = None
    groups: dict[str, str] = {}
    other: str = "other"

    @model_validator(mode="after")
    def _one_way(self) -> Generalise:
        if [self.width is not None, self.to is not None, bool(self.groups)].count(True) != 1:
            raise ValueError("generalise has a width, a `to` or groups")
        if self.top is not None and (self.width is None or self.top % self.width):
            raise ValueError("a top is where an interval of the width begins")
        return self


class ShiftDates(_Rule):
    """Move a date by a number of days that is secret and the same for all rows of a subject."""

    do: Literal["shift-dates"]
    subject: str
    days: Annotated[int, Field(ge=1, le=3660)] = 180


class Code(_Rule):
    """Write the end of a range for every number beyond it."""

    do: Literal["code"]
    bottom: float | None = None
    top: float | None = None


Rule = Annotated[Keep | Pseudonym | Generalise | ShiftDates | Code, Field(discriminator="do")]


class Desensitisation(BaseModel):
    """What is done to a table before somebody sees it.

    Attributes:
        rules: one for each field that is written.
        quasi_identifiers: fields of the output by which a row could be recognised.
        k: fewest rows that may agree in all of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    k: Annotated[int, Field(ge=2, le=1_000_000)] = 5
    quasi_identifiers: Annotated[tuple[str, ...], Field(min_length=1)]
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _coherent(self) -> Desensitisation:
        names = [rule.field for rule in self.rules]
        if len(set(names)) != len(names):
            raise ValueError("a field has one rule")
        if not set(self.quasi_identifiers) <= set(names):
            raise ValueError("quasi-identifiers are fields that are written")
        return self


def load_desensitisation(data: bytes, contract: Contract) -> Desensitisation:
    """Read ``rules.toml`` for datasets under a contract.

    Raises:
        InputError: not TOML, malformed, or a rule names no field of the contract or one of another type.
    """
    try:
        if len(data) > MAXIMUM_BYTES:
            raise InputError("desensitise.too-large", "the rules are too large", got=f"{len(data)} bytes",
                             expected=f"at most {MAXIMUM_BYTES}")
        rules = Desensitisation.model_validate(tomllib.loads(data.decode("utf-8-sig")))
    except ValidationError as error:
        where, what = first_fault(error, "rules")
        raise InputError("desensitise.malformed", f"the rules are malformed at {where}", got=what,
                         hint="rules are keep, pseudonym, generalise, shift-dates and code") from error
    except (ValueError, RecursionError) as error:
        raise InputError("desensitise.not-toml", "the rules are not TOML", got=str(error)[:200]) from error
    for rule in rules.rules:
        kind = contract.field(rule.field).type
        if isinstance(rule, ShiftDates):
            contract.field(rule.subject)
        fits = {ShiftDates: kind == "date", Code: kind in RANGED}.get(type(rule), True)
        if isinstance(rule, Generalise):
            fits = kind in RANGED if rule.width is not None else kind == "date" if rule.to is not None \
                else kind in ("category", "text")
        if not fits:
            raise InputError("desensitise.type-differs", f"the rule for {rule.field!r} does not fit its type", got=kind)
    return rules


def columns_read(rules: Desensitisation) -> list[str]:
    """Return the fields that the rules read, subjects of date shifts among them."""
    subjects = [rule.subject for rule in rules.rules if isinstance(rule, ShiftDates)]
    return list(dict.fromkeys([*(rule.field for rule in rules.rules), *subjects]))


def desensitise(frame: pd.DataFrame, rules: Desensitisation, key: Secret) -> pd.DataFrame:
    """Return the table that may be shown.

    Args:
        frame: typed columns of a dataset, those of :func:`columns_read`.
        rules: what is done.
        key: of the pseudonyms and date shifts; whoever has it can undo both.

    Raises:
        RefusedError: fewer than k rows agree in the quasi-identifiers somewhere; nothing is written then.
    """
    written = pd.DataFrame({rule.field: _apply(rule, frame, key) for rule in rules.rules})
    check_k_anonymity(written, rules.quasi_identifiers, rules.k)
    return written


def smallest_group(frame: pd.DataFrame, quasi_identifiers: Sequence[str]) -> int:
    """Return the fewest rows that agree in all quasi-identifiers; missing values agree with each other."""
    return int(frame.groupby(list(quasi_identifiers), dropna=False, observed=True).size().min()) if len(frame) else 0


def check_k_anonymity(frame: pd.DataFrame, quasi_identifiers: Sequence[str], k: int) -> None:
    """Refuse a table in which fewer than k rows agree in the quasi-identifiers.

    Raises:
        RefusedError: it is one.
    """
    if smallest_group(frame, quasi_identifiers) < k:
        raise RefusedError("desensitise.k-too-small", "rows could be recognised by the quasi-identifiers",
                           got=f"a group of fewer than {k} rows", expected=f"at least {k} rows in every group",
                           hint="generalise further, or leave a quasi-identifier out")


def pseudonym(key: Secret, field: str, text: str) -> str:
    """Return HMAC-SHA-256 of a text under the key and the field's name, its first 32 hex digits."""
    message = len(field).to_bytes(4, "big") + field.encode() + text.encode("utf-8", "surrogatepass")
    return hmac.digest(key.reveal(), b"pseudonym" + message, "sha256").hex()[:PSEUDONYM_DIGITS]


def shift_of(key: Secret, subject: str, days: int) -> int:
    """Return a subject's secret shift in days, from -days to days."""
    digest = hmac.digest(key.reveal(), b"date-shift" + subject.encode("utf-8", "surrogatepass"), "sha256")
    return int.from_bytes(digest[:16], "big") % (2 * days + 1) - days


def _apply(rule: Keep | Pseudonym | Generalise | ShiftDates | Code, frame: pd.DataFrame, key: Secret
           ) -> pd.Series[Any]:
    values = frame[rule.field]
    match rule:
        case Keep():
            return values
        case Pseudonym():
            return values.map(lambda value: None if pd.isna(value) else pseudonym(key, rule.field, _text(value)))
        case Generalise():
            return _generalise(rule, values)
        case ShiftDates():
            shifts = frame[rule.subject].map(lambda value: 0 if pd.isna(value)
                                             else shift_of(key, _text(value), rule.days))
            # A date without a subject is left out: unshifted, it would be the date itself.
            return (values + pd.to_timedelta(shifts.astype(np.int64), unit="D")).mask(frame[rule.subject].isna())
        case Code():
            return values.clip(rule.bottom, rule.top)
        case _:
            assert_never(rule)


def _generalise(rule: Generalise, values: pd.Series[Any]) -> pd.Series[Any]:
    if rule.width is not None:
        width, top = rule.width, rule.top
        lows = pd.Series(np.floor(values.to_numpy(np.float64, na_value=np.nan) / width) * width, index=values.index)
        return lows.map(lambda low: None if pd.isna(low) else f"[{top:.12g}, inf)" if top is not None and low >= top
                        else f"[{low:.12g}, {low + width:.12g})")
    if rule.to is not None:
        form = "%Y-%m" if rule.to == "month" else "%Y"
        return values.map(lambda day: None if pd.isna(day) else day.strftime(form))
    return values.map(lambda level: None if pd.isna(level) else rule.groups.get(level, rule.other))


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
