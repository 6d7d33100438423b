"""Pairs with their measures, as a table and as a forest."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.picture import new_axes
from sealane.computations.surveillance.measures import measures, signals
from sealane.errors import InputError

_RULES = {"ror": "lower limit of the ROR above 1", "evans": "PRR of at least 2 and chi-square of at least 4",
          "ic": "lower limit of the IC above 0"}


class DisproportionalityResult:
    """Measures of disproportionality over the reports of all institutions.

    Attributes:
        table: one row per pair: ``drug``, ``event``, the cells ``a`` to ``d``, ``expected`` reports, ``ROR``, ``PRR``
            and ``IC`` with their limits (``_low``, ``_high``), ``chi2`` (with Yates' correction), ``signal``, and
            ``hidden_by``: the rule that hides a pair. Hidden numbers are NaN.
        signals: the rows of it that are signals, strongest first.
        rows: reports counted: those in which no column of drugs and events is missing.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        self.rows: int = payload["rows"]
        pairs = payload["pairs"]
        cells = np.array([[math.nan if pair[key] is None else pair[key] for pair in pairs] for key in "abcd"],
                         dtype=np.float64)
        found = measures(cells, payload["confidence"])
        self.table = pd.DataFrame({
            "drug": [pair["drug"] for pair in pairs], "event": [pair["event"] for pair in pairs],
            **dict(zip("abcd", cells, strict=True)), **found,
            "signal": signals(cells, found, payload["rule"], payload["least_reports"]),
            "hidden_by": [pair["hidden_by"] for pair in pairs]})
        self.signals = self.table[self.table["signal"]].sort_values("IC_low", ascending=False)
        self.trace: Any = None

    def summary(self) -> str:
        """Return what was counted, the signals and their rule in plain text."""
        p = self._payload
        hidden = self.table["hidden_by"].value_counts()
        shown = ["drug", "event", "a", "expected", "ROR", "ROR_low", "ROR_high", "PRR", "chi2", "IC", "IC_low",
                 "signal"]
        table = self.signals if len(self.table) > 40 else self.table
        return "\n\n".join([
            f"{self.rows:,} reports, {len(self.table):,} pairs, {len(self.signals):,} signals",
            table[shown].to_string(index=False, na_rep="-", float_format=lambda value: f"{value:.4g}"),
            f"signal: {_RULES[p['rule']]}, and at least {p['least_reports']} reports\n"
            + ("hidden pairs: " + ", ".join(f"{number} by {rule}" for rule, number in hidden.items())
               if len(hidden) else "no pair is hidden")])

    def plot(self, ax: Any = None, measure: str = "ROR", most: int = 30) -> Any:
        """Draw the pairs that are shown, those of the highest lower limits first, and return the axes.

        Raises:
            InputError: matplotlib is not installed, or no such measure.
        """
        if measure not in ("ROR", "PRR", "IC"):
            raise InputError("disproportionality.unknown-measure", "there is no such measure to draw",
                             got=repr(measure)[:40], expected="ROR, PRR or IC")
        axes = new_axes(ax)
        low, high = f"{measure}_low", f"{measure}_high"
        shown = self.table.dropna(subset=[measure, low, high]).sort_values(low, ascending=False).head(most)[::-1]
        places = np.arange(len(shown))
        centre = shown[measure].to_numpy()
        axes.errorbar(centre, places, xerr=[centre - shown[low], shown[high] - centre], fmt="none", color="tab:gray")
        axes.scatter(centre, places, c=np.where(shown["signal"], "tab:red", "tab:blue"), zorder=3)
        axes.axvline(0.0 if measure == "IC" else 1.0, color="black", linewidth=0.8)
        if measure != "IC":
            axes.set_xscale("log")
        axes.set_yticks(places, list(shown["drug"] + " × " + shown["event"]))
        axes.set_xlabel(f"{measure} with {100 * self._payload['confidence']:g} % interval (red: signal)")
        return axes

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with the measures of each pair, JSON-ready; what is hidden or has no value is None."""
        rows = self.table.astype(object).where(self.table.notna(), None).to_dict(orient="records")
        return {**self._payload, "pairs": [{str(key): value for key, value in row.items()} for row in rows]}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"
