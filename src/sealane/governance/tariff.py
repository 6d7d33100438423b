"""Prices, and amounts by them in exact decimals: what an institution asks for the use of its node and data."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sealane.errors import InputError
from sealane.governance.currency import CODES, smallest_unit
from sealane.governance.fault import first_fault
from sealane.governance.metering import DIGITS, Totals

MAXIMUM_BYTES = 4096
PRICE: Final = re.compile(r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,6})?")
UNITS: Final = {"run": "per_run", "million rows": "per_million_rows", "round": "per_round", "epsilon": "per_epsilon"}
"""By what a price is for, the field that holds it."""
Price = Annotated[str, Field(pattern=f"^(?:{PRICE.pattern})$")]
_WORDS = re.compile(rf"(\S+) per ({'|'.join(UNITS)})")


class Tariff(BaseModel):
    """Prices as decimal strings; one that is left out is zero. Only runs that completed are charged.

    Attributes:
        currency: ISO 4217 code.
        per_run: for each run.
        per_million_rows: for a million rows read, in proportion.
        per_round: for each collective call.
        per_epsilon: for one unit of epsilon charged, in proportion.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    currency: str
    per_run: Price = "0"
    per_million_rows: Price = "0"
    per_round: Price = "0"
    per_epsilon: Price = "0"

    @field_validator("currency")
    @classmethod
    def _known(cls, code: str) -> str:
        if code not in CODES:
            raise ValueError("a currency is an active code of ISO 4217, such as EUR")
        return code

    def prices(self) -> list[tuple[str, str]]:
        """Return what has a price, and that price; where nothing has one, that a run costs 0."""
        found = [(unit, getattr(self, field)) for unit, field in UNITS.items() if getattr(self, field) != "0"]
        return found or [("run", "0")]

    def describe(self) -> str:
        """Return the tariff as :func:`read_words` reads it."""
        return f"{self.currency} {', '.join(f'{price} per {unit}' for unit, price in self.prices())}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill: what, how much of it, at what price, and the amount rounded to the currency's unit."""

    what: str
    quantity: Decimal
    price: Decimal
    amount: Decimal

    def to_dict(self) -> dict[str, str]:
        """Return the line as decimal strings without exponents."""
        return {"what": self.what, "quantity": f"{self.quantity:f}", "price": f"{self.price:f}",
                "amount": f"{self.amount:f}"}


def bill(totals: Totals, tariff: Tariff) -> tuple[Line, ...]:
    """Return the lines that totals come to by a tariff.

    Each line is exact until its end and is then rounded half to even; the sum of the lines is the amount due.
    """
    quantities = (("runs", Decimal(totals.runs), tariff.per_run),
                  ("million rows", Decimal(totals.rows).scaleb(-6), tariff.per_million_rows),
                  ("rounds", Decimal(totals.rounds), tariff.per_round),
                  ("epsilon", totals.epsilon, tariff.per_epsilon))
    unit = smallest_unit(tariff.currency)
    with localcontext(prec=DIGITS):
        return tuple(Line(what, quantity, Decimal(price),
                          (quantity * Decimal(price)).quantize(unit, rounding=ROUND_HALF_EVEN))
                     for what, quantity, price in quantities)


def due(lines: tuple[Line, ...]) -> Decimal:
    """Return the sum of a bill's lines."""
    with localcontext(prec=DIGITS):
        return sum((line.amount for line in lines), Decimal(0))


def read_tariff(data: bytes) -> Tariff:
    """Read a tariff from TOML.

    Raises:
        InputError: too large, no TOML, or no tariff.
    """
    if len(data) > MAXIMUM_BYTES:
        raise InputError("tariff.too-large", "the tariff is too large", got=f"{len(data)} bytes",
                         expected=f"at most {MAXIMUM_BYTES}")
    try:
        content = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError("tariff.not-toml", "the tariff is not TOML", got=str(error)[:200]) from error
    return make_tariff(content)


def read_words(text: str) -> Tariff:
    """Read a tariff as people write it in one line: ``EUR 10.00 per run, 2.50 per million rows``.

    Raises:
        InputError: it is none.
    """
    currency, _, rest = text.strip().partition(" ")
    parts = [_WORDS.fullmatch(part.strip()) for part in rest.split(",", len(UNITS))]
    named = [part[2] for part in parts if part is not None]
    if len(named) != len(parts) or len(set(named)) != len(named):
        raise InputError("tariff.malformed", "the tariff is malformed", got=text[:80],
                         expected=f"a currency and prices per {', '.join(UNITS)}, each once",
                         hint="such as 'EUR 10.00 per run, 2.50 per million rows'")
    return make_tariff({"currency": currency, **{UNITS[part[2]]: part[1] for part in parts if part is not None}})


def make_tariff(content: Any) -> Tariff:
    """Build a tariff from plain values.

    Raises:
        InputError: it is none.
    """
    try:
        return Tariff.model_validate(content)
    except ValidationError as error:
        raise InputError("tariff.malformed", "the tariff is malformed",
                         got=": ".join(first_fault(error, "tariff")),
                         hint='prices are decimal strings, such as per_run = "10.00"') from error
