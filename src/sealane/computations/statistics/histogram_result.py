"""A released histogram: counts with their edges, and a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.picture import new_axes
from sealane.computations.promise import told


class HistogramResult:
    """Counts by bin.

    Attributes:
        counts: a Series by interval; hidden bins are NaN.
        edges: of the bins, one more than bins.
        rules: a Series by interval, the rule that hid a bin; None where it is shown.
        below: rows under the first edge, and so are ``above`` (over the last) and ``missing``; NaN where hidden.
        above: see there.
        missing: see there.
        rows: over the cohort; None with noise.
        standard_error: of the noise in each count; None without a promise.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        self.edges = np.array(payload["edges"], dtype=np.float64)
        bins = pd.IntervalIndex.from_breaks(self.edges, closed="left", name=payload["column"])
        self.counts = pd.Series(payload["counts"], index=bins, dtype=np.float64, name="count")
        self.rules = pd.Series(payload["rules"][1:-2], index=bins, dtype=object, name="rule")
        self.below, self.above, self.missing = (
            math.nan if payload[name] is None else float(payload[name]) for name in ("below", "above", "missing"))
        self.rows: int | None = payload["rows"]
        self.standard_error: float | None = (payload["promise"] or {}).get("standard_error")
        self.trace: Any = None

    @property
    def density(self) -> pd.Series[Any]:
        """Share of the shown rows per unit of the column in each bin; it has an area of 1."""
        shown: pd.Series[Any] = self.counts / self.counts.sum() / np.diff(self.edges)
        return shown.rename("density")

    def plot(self, ax: Any = None) -> Any:
        """Draw the bins, hidden ones hatched, and return the axes.

        Args:
            ax: matplotlib axes; new ones if not given.

        Raises:
            InputError: matplotlib is not installed.
        """
        axes = new_axes(ax)
        widths, heights = np.diff(self.edges), self.counts.fillna(0.0).to_numpy()
        axes.bar(self.edges[:-1], heights, width=widths, align="edge", edgecolor="white",
                 yerr=self.standard_error if self.standard_error is not None else None)
        hidden = self.counts.isna().to_numpy()
        if hidden.any():
            axes.bar(self.edges[:-1][hidden], np.full(hidden.sum(), max(heights.max() * 0.05, 1.0)),
                     width=widths[hidden], align="edge", fill=False, hatch="///", edgecolor="grey", label="hidden")
            axes.legend()
        unit = self._payload["unit"]
        axes.set_xlabel(f"{self._payload['column']}{f' ({unit})' if unit else ''}")
        axes.set_ylabel("rows")
        return axes

    def summary(self) -> str:
        """Return the counts in plain text."""
        beside = [f"{name} {'hidden' if math.isnan(number) else f'{number:.0f}'}"
                  for name, number in (("below", self.below), ("above", self.above), ("missing", self.missing))]
        parts = [self.counts.to_string(na_rep="hidden", float_format=lambda value: f"{value:.0f}"), ", ".join(beside)]
        if self.standard_error is not None:
            parts.append(told(self._payload["promise"]))
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the payload."""
        return dict(self._payload)

    def __repr__(self) -> str:
        return self.summary()
