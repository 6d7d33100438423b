"""Accounts that typologies of money laundering flag, for a supervisor: totals, months, amounts, definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import FiniteFloat

from sealane.client.report.bars import Bar, bars
from sealane.client.report.markup import NOTHING, Markup, element, join
from sealane.client.report.results.counts import HIDDEN, PromiseHeld
from sealane.client.report.results.read import Held, find
from sealane.client.report.tables import count, figure, section, table


class CellHeld(Held):
    """Accounts in a month or a band, None where hidden."""

    name: str
    accounts: int | None = None
    transfers: int | None = None


class TypologyHeld(Held):
    """One typology."""

    accounts: int | None = None
    transfers: int | None = None
    banks: int | None = None
    by_month: list[CellHeld]
    by_band: list[CellHeld]


class TypologiesHeld(Held):
    """What a count of typologies holds."""

    typologies: dict[str, TypologyHeld]
    definitions: dict[str, str]
    sources: dict[str, str]
    shares: dict[str, FiniteFloat | None]
    active: int | None = None
    unit: str | None = None
    promise: PromiseHeld | None = None


def typologies(result: Mapping[str, Any]) -> Markup:
    """Return bars of the totals, tables by month and by amount, and what was looked for."""
    if result.get("computation") != "typology.rules":
        return NOTHING
    found = find(result, TypologiesHeld, "typologies", "definitions")
    if found is None:
        return NOTHING
    known = [Bar(titled(name), float(one.accounts), count(one.accounts)) for name, one in found.typologies.items()
             if one.accounts is not None]
    chart = figure(lambda name, width: bars(known, "Flagged accounts", "accounts", identity=name, width=width),
                   "typologies", "An account is counted once for each typology; a flag is a reason to look, no finding."
                   ) if known else NOTHING
    noise = "" if found.promise is None else (
        f" Noise of standard deviation {found.promise.standard_error:.1f} is in each count of a month and of a band "
        f"(ε {found.promise.epsilon}, δ {found.promise.delta}).")
    over = "" if found.active is None else f"{count(found.active)} accounts with transfers were looked at."
    rows = [[titled(name), *map(shown, (one.accounts, one.transfers, one.banks)), percent(found.shares.get(name))]
            for name, one in found.typologies.items()]
    meant = [[titled(name), text, found.sources.get(name, "")] for name, text in found.definitions.items()]
    amount = f"Amount in flagged windows{f', {found.unit}' if found.unit else ''}"
    return section(
        "Flagged accounts", element("p", {}, (over + noise).strip()), chart,
        table("At all institutions together", ["Typology", "Accounts", "Transfers", "Institutions", "Share"], rows),
        by_cell(found, "by_month", "Accounts by the month in which they are first flagged", "Month"),
        by_cell(found, "by_band", "Accounts by the amount of their transfers in flagged windows", amount),
        table("What was looked for", ["Typology", "Flags an account with", "After"], meant, words=True))


def by_cell(found: TypologiesHeld, part: str, caption: str, title: str) -> Markup:
    """Return a table with a row for each month or band, and a column for each typology."""
    columns: list[list[CellHeld]] = [getattr(one, part) for one in found.typologies.values()]
    rows = [[line[0].name, *(shown(cell.accounts) for cell in line)] for line in zip(*columns, strict=True)]
    return join(table(caption, [title, *map(titled, found.typologies)], rows))


def titled(name: str) -> str:
    """Return a typology's name for people."""
    return name.replace("_", "-" if name.startswith("fan") else " ").capitalize()


def shown(number: int | None) -> str:
    """Return a count, or that it is hidden."""
    return HIDDEN if number is None else count(number)


def percent(share: float | None) -> str:
    """Return a share of accounts."""
    return "–" if share is None else f"{share:.2%}"
