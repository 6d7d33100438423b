"""Transfers of an institution as arrays: account, day, month, direction, amount. All of it is private to the node."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.columns import codes, floats, limits
from sealane.computations.typology.parameters import TypologyParameters
from sealane.errors import InputError
from sealane.governance.contract import Contract, Field

PARTS = 10_000
"""Amounts are summed as whole ten-thousandths, so that what lies at a threshold does so whatever was added before."""
KEYS = ("text", "integer", "category")
Whole = NDArray[np.int64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Period:
    """Whole calendar months.

    Attributes:
        first: day of the first month.
        last: day of the last month.
        months: how many.
    """

    first: date
    last: date
    months: int

    @property
    def labels(self) -> list[str]:
        """Return the months as ``2026-01``, the earliest first."""
        start = self.first.year * 12 + self.first.month - 1
        return [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in range(start, start + self.months)]


@dataclass(frozen=True, slots=True)
class Transfers:
    """Usable rows of the period.

    Attributes:
        accounts: how many there are.
        days: in the period.
        account: place of each row's account.
        day: counted from the period's first.
        month: counted from the first.
        incoming: whether money came in.
        amount: in ten-thousandths.
        counterparty: place of the other side, -1 where it is not known.
        counted: whether structuring counts it, by its column.
        holder: by account, whom a promise is made to; None without a promise.
    """

    accounts: int
    days: int
    account: Whole = field(repr=False)
    day: Whole = field(repr=False)
    month: Whole = field(repr=False)
    incoming: Marks = field(repr=False)
    amount: Whole = field(repr=False)
    counterparty: Whole = field(repr=False)
    counted: Marks = field(repr=False)
    holder: pd.DataFrame | None = field(repr=False)


def read_period(until: str, months: int) -> Period:
    """Return the last whole months up to a day.

    Raises:
        InputError: ``typology.until``: it is no day.
    """
    try:
        after = date.fromisoformat(until) + timedelta(days=1)
        end = date(after.year, after.month, 1)
        start = end.year * 12 + end.month - 1 - months
        return Period(date(start // 12, start % 12 + 1, 1), end - timedelta(days=1), months)
    except (ValueError, OverflowError):
        raise InputError("typology.until", "rows go up to a day", got=repr(until)[:40],
                         expected="a date such as 2026-11-30") from None


def check_columns(contract: Contract, params: TypologyParameters) -> None:
    """Refuse columns that cannot play their part.

    Raises:
        InputError: ``typology.column-type``, ``typology.unknown-level``, ``typology.negative-amount``.
    """
    _expect(contract.field(params.account), KEYS)
    if params.counterparty is not None:
        _expect(contract.field(params.counterparty), KEYS)
    _expect(contract.field(params.time), ("date",))
    _expect(contract.field(params.amount), ("number", "integer"))
    if limits(contract.field(params.amount))[0] < 0:
        raise InputError("typology.negative-amount", f"column {params.amount!r} may be negative",
                         expected="a minimum of zero or more in the contract",
                         hint="amounts go with a direction; derive them so at the source")
    _levels(contract.field(params.direction), (params.incoming, params.outgoing))
    if params.structuring.column is not None and "structuring" in params.typologies:
        _levels(contract.field(params.structuring.column), params.structuring.levels)


def read_transfers(frame: pd.DataFrame, contract: Contract, params: TypologyParameters, period: Period
                   ) -> tuple[Transfers, int]:
    """Return the usable rows of the period, and how many of it miss what every rule needs.

    Raises:
        InputError: rows outside the contract, or an account of several holders (``typology.several-holders``).
    """
    days = _days(frame[params.time], params.time)
    inside = ~np.isnat(days) & (days >= np.datetime64(period.first)) & (days <= np.datetime64(period.last))
    account = pd.factorize(frame[params.account])[0]
    direction = contract.field(params.direction)
    way = codes(frame[params.direction], known_levels(direction), params.direction)
    came, went = (known_levels(direction).index(level) for level in (params.incoming, params.outgoing))
    amount = floats(frame[params.amount], contract.field(params.amount))
    usable = inside & (account >= 0) & np.isin(way, (came, went)) & ~np.isnan(amount)
    kept = np.flatnonzero(usable)
    place, accounts = pd.factorize(account[kept])
    months = days[kept].astype("datetime64[M]")
    other = np.full(len(kept), -1) if params.counterparty is None else pd.factorize(
        frame[params.counterparty].iloc[kept])[0]
    found = Transfers(
        accounts=len(accounts), days=(period.last - period.first).days + 1, account=place.astype(np.int64),
        day=(days[kept] - np.datetime64(period.first)).astype(np.int64),
        month=(months - np.datetime64(period.first, "M")).astype(np.int64), incoming=way[kept] == came,
        amount=np.rint(amount[kept] * PARTS).astype(np.int64), counterparty=other.astype(np.int64),
        counted=_counted(frame.iloc[kept], contract, params),
        holder=None if params.unit is None else _holders(frame[params.unit].iloc[kept], place, params.unit))
    return found, int(inside.sum()) - len(kept)


def known_levels(field: Field) -> tuple[str, ...]:
    """Return the levels of a category or a flag."""
    return field.allowed if field.type == "category" else ("0", "1")


def _counted(frame: pd.DataFrame, contract: Contract, params: TypologyParameters) -> Marks:
    column = params.structuring.column
    if column is None or "structuring" not in params.typologies:
        return np.ones(len(frame), dtype=np.bool_)
    levels = known_levels(contract.field(column))
    return np.isin(codes(frame[column], levels, column), [levels.index(one) for one in params.structuring.levels])


def _holders(holder: pd.Series[Any], account: Whole, name: str) -> pd.DataFrame:
    """Return one row per account with its holder, in the order of accounts."""
    pairs = pd.DataFrame({"account": account, name: holder.to_numpy()}).drop_duplicates()
    if bool(pairs["account"].duplicated().any()):
        raise InputError("typology.several-holders", f"an account has rows of several values of {name!r}",
                         expected="one for each account", hint="name the account itself as unit")
    return pairs.sort_values("account").reset_index(drop=True)


def _days(series: pd.Series[Any], name: str) -> NDArray[np.datetime64]:
    present = series.notna()
    dates = pd.to_datetime(series.where(present, None), errors="coerce", format="ISO8601", utc=True)
    if bool((dates.isna() & present).any()):
        raise InputError("typology.not-a-date", f"column {name!r} holds values that are no dates",
                         expected="dates in ISO 8601", hint="check the dataset against its contract")
    return np.asarray(dates.dt.tz_localize(None).to_numpy().astype("datetime64[D]"))


def _expect(field: Field, types: tuple[str, ...]) -> None:
    if field.type not in types:
        raise InputError("typology.column-type", f"column {field.name!r} cannot play its part", got=field.type,
                         expected=" or ".join(types))


def _levels(field: Field, wanted: tuple[str, ...]) -> None:
    _expect(field, ("category", "boolean"))
    unknown = [level for level in wanted if level not in known_levels(field)]
    if unknown:
        raise InputError("typology.unknown-level", f"column {field.name!r} has no such levels",
                         got=", ".join(unknown)[:80], expected="levels of the contract")
