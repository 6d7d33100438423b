"""Weekly counts with what was expected and where the alarm went off, as a table and as a curve."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.picture import new_axes
from sealane.computations.promise import told
from sealane.computations.surveillance.detection import judge, series_of

_METHODS = {"c1": "EARS C1", "c2": "EARS C2", "c3": "EARS C3", "cusum": "CUSUM of standardised counts"}


class OutbreakResult:
    """Weekly counts over all institutions.

    Attributes:
        table: one row per week, by its last day or its number: ``count``, ``expected``, ``statistic``, ``alarm``, and
            ``hidden_by``: the rule that hides a count. Hidden counts, and weeks without a baseline, are NaN.
        alarms: the weeks that stand out.
        standard_error: of each count, if noise was asked for; else 0.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = p = dict(payload)
        self.standard_error: float = 0.0 if p["promise"] is None else p["promise"]["standard_error"]
        counts = p["counts"]
        found = judge(series_of(counts, p["minimum_count"], self.standard_error), p["method"],
                      baseline=p["baseline"], threshold=p["threshold"], reference=p["reference"])
        dated = bool(p["weeks"]) and isinstance(p["weeks"][0], str)
        index = pd.DatetimeIndex(p["weeks"], name="week_ending") if dated else pd.Index(p["weeks"], name="week")
        self.table = pd.DataFrame({
            "count": [math.nan if number is None else float(number) for number in counts], "expected": found.expected,
            "statistic": found.statistic, "alarm": found.alarm,
            "hidden_by": ["minimum-count" if number is None else None for number in counts]}, index=index)
        self.alarms: list[Any] = [week for week, alarm in zip(p["weeks"], found.alarm, strict=True) if alarm]
        self.trace: Any = None

    def summary(self) -> str:
        """Return weeks, alarms and the method in plain text."""
        p = self._payload
        of = f" of {', '.join(p['codes'])}"[:200] if p["codes"] else ""
        k = f", k {p['reference']:g}" if p["method"] == "cusum" else ""
        lines = [
            f"weekly counts{of}: {len(self.alarms)} alarms" + (": " + ", ".join(map(str, self.alarms)) if self.alarms
                                                               else ""),
            self.table.to_string(na_rep="-", float_format=lambda value: f"{value:.4g}"),
            f"{_METHODS[p['method']]}, baseline {p['baseline']} weeks, threshold {p['threshold']:g}{k}; "
            f"a count under {p['minimum_count']} is hidden, and taken for {p['minimum_count'] / 2:g}",
        ]
        return "\n\n".join([*lines, *filter(None, [told(p["promise"])])])

    def plot(self, ax: Any = None) -> Any:
        """Draw counts, expectation and alarms, and return the axes.

        Raises:
            InputError: matplotlib is not installed.
        """
        axes, table = new_axes(ax), self.table
        axes.step(table.index, table["count"], where="mid", color="tab:blue", label="count")
        if self.standard_error:
            axes.fill_between(table.index, table["count"] - 2 * self.standard_error,
                              table["count"] + 2 * self.standard_error, step="mid", alpha=0.2, color="tab:blue",
                              label="± 2 standard errors of the noise")
        axes.plot(table.index, table["expected"], color="black", linewidth=0.8, label="expected")
        hidden = table["hidden_by"].notna()
        axes.scatter(table.index[hidden], np.full(int(hidden.sum()), self._payload["minimum_count"] / 2), marker="x",
                     color="tab:gray", label=f"hidden: under {self._payload['minimum_count']}")
        over = table[table["alarm"]]
        axes.scatter(over.index, over["count"], color="tab:red", zorder=3, label="alarm")
        axes.set_ylabel("rows per week")
        axes.legend()
        return axes

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with expectations and alarms, JSON-ready."""
        numbers = {name: [None if math.isnan(value) else float(value) for value in self.table[name]]
                   for name in ("expected", "statistic")}
        return {**self._payload, **numbers, "alarms": list(self.alarms)}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"
