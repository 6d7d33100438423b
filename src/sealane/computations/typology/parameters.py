"""What a study says of the typologies it counts: columns, windows and thresholds."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.base import Parameters
from sealane.computations.promise import Name, PromisedParameters

Typology = Literal["fan_in", "fan_out", "structuring", "rapid_movement"]
TYPOLOGIES: tuple[Typology, ...] = ("fan_in", "fan_out", "structuring", "rapid_movement")
Days = Annotated[int, Field(ge=1, le=366)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Level = Annotated[str, Field(max_length=256)]


class Fan(Parameters):
    """Many counterparties on one side of an account.

    Attributes:
        counterparties: fewest different ones in a window.
        days: length of the window, its last day included.
        amount: least total of the window.
    """

    counterparties: Annotated[int, Field(ge=2, le=100_000)] = 10
    days: Days = 7
    amount: Amount = 0.0


class Structuring(Parameters):
    """Several amounts just under a threshold, which together reach it.

    Attributes:
        threshold: from which a single transfer would be reported.
        floor: smallest amount that is just under it, as a part of the threshold.
        transfers: fewest in a window.
        days: length of the window.
        direction: which transfers count: ``in``, ``out`` or ``both``.
        column: category or flag by which further ones are left out, such as how money moved; None for all.
        levels: of that column, that count, such as cash.
    """

    threshold: Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)] = 10_000.0
    floor: Annotated[float, Field(ge=0, lt=1)] = 0.8
    transfers: Annotated[int, Field(ge=2, le=100_000)] = 3
    days: Days = 7
    direction: Literal["in", "out", "both"] = "in"
    column: Name | None = None
    levels: Annotated[tuple[Level, ...], Field(max_length=1000)] = ()

    @model_validator(mode="after")
    def _coherent(self) -> Structuring:
        if (self.column is None) != (not self.levels) or len(set(self.levels)) != len(self.levels):
            raise ValueError("a column and its distinct levels come together")
        return self


class RapidMovement(Parameters):
    """What comes in goes out again within days.

    Attributes:
        days: length of the window, which ends on a day with a transfer out.
        amount: least total that came in.
        share: of it that went out at least; at most 2 - share went out.
    """

    days: Days = 2
    amount: Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)] = 10_000.0
    share: Annotated[float, Field(gt=0, le=1)] = 0.9


class TypologyParameters(PromisedParameters):
    """Parameters of ``typology.rules``. A row is a transfer, seen from an account of the institution.

    Attributes:
        account: column that names the institution's own account.
        counterparty: column that names the other side; None where neither fan is counted.
        direction: category of whether money came in or went out.
        incoming: its level for money that came in.
        outgoing: its level for money that went out.
        time: column of the day.
        amount: column of the amount, of zero and more.
        until: the day (ISO 8601) up to which rows go; the last month is over by then.
        months: how many whole calendar months are looked at.
        typologies: which are counted.
        fan_in: what makes one.
        fan_out: what makes one.
        structuring: what makes one.
        rapid_movement: what makes one.
        bands: ascending edges of the amounts by which accounts are counted.
    """

    account: Name = "account_key"
    counterparty: Name | None = "counterparty_key"
    direction: Name = "direction"
    incoming: Level = "in"
    outgoing: Level = "out"
    time: Name = "time"
    amount: Name = "amount"
    until: Annotated[str, Field(max_length=40)]
    months: Annotated[int, Field(ge=1, le=120)]
    typologies: Annotated[tuple[Typology, ...], Field(min_length=1)] = TYPOLOGIES
    fan_in: Fan = Fan()
    fan_out: Fan = Fan()
    structuring: Structuring = Structuring()
    rapid_movement: RapidMovement = RapidMovement()
    bands: Annotated[tuple[Amount, ...], Field(min_length=1, max_length=50)] = (1e4, 1e5, 1e6)

    @model_validator(mode="after")
    def _coherent(self) -> TypologyParameters:
        columns = [self.account, self.direction, self.time, self.amount,
                   *([] if self.counterparty is None else [self.counterparty])]
        if len(set(columns)) != len(columns):
            raise ValueError("account, counterparty, direction, time and amount are different columns")
        if len(set(self.typologies)) != len(self.typologies):
            raise ValueError("typologies are distinct")
        if self.counterparty is None and {"fan_in", "fan_out"} & set(self.typologies):
            raise ValueError("a fan is counted by counterparties")
        if self.incoming == self.outgoing:
            raise ValueError("in and out are two levels")
        if any(a >= b for a, b in pairwise(self.bands)):
            raise ValueError("bands ascend")
        if self.promised and self.unit is None:
            raise ValueError("a promise is made to accounts, or to who holds them: name the column as unit")
        if self.unit == self.account and self.rows_per_unit != 1:
            raise ValueError("an account is one account: rows_per_unit is for a unit that holds several")
        return self

    @property
    def read(self) -> list[str]:
        """The columns that are counted by."""
        beside = [self.structuring.column] if "structuring" in self.typologies and self.structuring.column else []
        counted = [self.account, self.counterparty, self.direction, self.time, self.amount, *beside]
        return list(dict.fromkeys(name for name in counted if name is not None))

    @property
    def cells(self) -> int:
        """Cells of one typology: its months, then its bands."""
        return self.months + len(self.bands) + 1
