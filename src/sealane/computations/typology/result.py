"""Flagged accounts by typology, month and amount, as tables and as a picture."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.picture import new_axes
from sealane.computations.promise import told
from sealane.computations.typology.definitions import SOURCES, TITLES, band_names, in_words


class TypologyResult:
    """Counts over all institutions. An account is counted at most once for each typology.

    Attributes:
        table: one row per typology: ``accounts``, ``share`` of the accounts with any transfer, ``transfers`` in
            flagged windows, ``banks`` with any flagged account, and ``hidden_by``: the rule that hides a row.
        months: by typology and month: accounts first flagged then, their transfers, and ``hidden_by``.
        bands: by typology and band: accounts by the amount that moved in flagged windows, their transfers.
        definitions: by typology, what flags an account.
        standard_error: of each count of a month or a band, if noise was asked for; else 0.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = p = dict(payload)
        self.standard_error: float = 0.0 if p["promise"] is None else p["promise"]["standard_error"]
        self.definitions: dict[str, str] = {
            name: in_words(name, rule, p["unit"]) for name, rule in p["looked_for"].items()}
        active = p["active"] or math.nan
        self.table = pd.DataFrame(
            [{"accounts": _number(one["accounts"]), "share": _number(one["accounts"]) / active,
              "transfers": _number(one["transfers"]), "banks": _number(one["banks"]), "hidden_by": one["hidden_by"]}
             for one in p["typologies"].values()], index=pd.Index(p["typologies"], name="typology"))
        self.months = _cells(p["typologies"], "by_month", p["months"], "month")
        self.bands = _cells(p["typologies"], "by_band", band_names(p["bands"]), "band")
        self.trace: Any = None

    def summary(self) -> str:
        """Return tables and definitions in plain text."""
        p = self._payload
        over = "" if p["active"] is None else f", {p['active']:,} accounts"
        wide = [part["accounts"].unstack("typology")[list(p["typologies"])] for part in (self.months, self.bands)]
        lines = [
            f"flagged accounts, {p['months'][0]} to {p['months'][-1]}{over}", _text(self.table),
            "accounts by the month in which they are first flagged", _text(wide[0]),
            "accounts by the amount in flagged windows" + (f", {p['unit']}" if p["unit"] else ""),
            _text(wide[1]),
            "\n".join(f"{TITLES[name]}: {text}" for name, text in self.definitions.items()),
            f"counts of 1 to {p['minimum_count'] - 1} are hidden, and others so that they do not follow"
            if p["promise"] is None else f"counts under {p['minimum_count']} with their noise are hidden",
        ]
        return "\n\n".join([*lines, *filter(None, [told(p["promise"])])])

    def plot(self, ax: Any = None) -> Any:
        """Draw the accounts first flagged by month, a line for each typology, and return the axes.

        Raises:
            InputError: matplotlib is not installed.
        """
        axes, months = new_axes(ax), self._payload["months"]
        for name in self._payload["typologies"]:
            accounts = self.months.loc[name, "accounts"].to_numpy(dtype=np.float64)
            drawn = axes.plot(range(len(months)), accounts, marker="o", label=TITLES[name])[0]
            if self.standard_error:
                axes.fill_between(range(len(months)), accounts - 2 * self.standard_error,
                                  accounts + 2 * self.standard_error, alpha=0.15, color=drawn.get_color())
        axes.set_xticks(range(len(months)), months, rotation=45, ha="right")
        axes.set_ylabel("accounts first flagged")
        axes.legend()
        return axes

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with shares, names of bands, definitions and their sources, JSON-ready."""
        shares = {name: None if math.isnan(value) else float(value) for name, value in self.table["share"].items()}
        return {**self._payload, "shares": shares, "band_names": band_names(self._payload["bands"]),
                "definitions": dict(self.definitions), "sources": {name: SOURCES[name] for name in self.definitions}}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"


def _cells(typologies: Mapping[str, Any], part: str, names: list[str], title: str) -> pd.DataFrame:
    rows = [{"accounts": _number(cell["accounts"]), "transfers": _number(cell["transfers"]),
             "hidden_by": cell["hidden_by"]} for one in typologies.values() for cell in one[part]]
    return pd.DataFrame(rows, index=pd.MultiIndex.from_product([list(typologies), names], names=["typology", title]))


def _text(table: pd.DataFrame) -> str:
    return table.to_string(na_rep="-", float_format=lambda value: f"{value:.4g}")


def _number(value: int | None) -> float:
    return math.nan if value is None else float(value)
