"""Released counts as pandas tables, with the rule that hid each hidden cell and a test of independence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.promise import told
from sealane.computations.statistics.axes import MISSING
from sealane.computations.statistics.chi_square import ChiSquare, chi_square


class TableResult:
    """Counts by level.

    Attributes:
        counts: a Series by level, or a DataFrame of two columns' levels; hidden cells are NaN.
        rules: in the same shape, the rule that hid a cell; None where it is shown.
        rows: rows counted; None with noise.
        dropped: rows left out for a missing value; None where that would tell too much.
        row_totals: of a table of two columns without noise; hidden ones are NaN.
        column_totals: see there.
        test: of independence over the levels that are not missing; None with noise, with a hidden cell among them, or
            where fewer than two rows or columns hold anything. A statistic over hidden cells would tell of them.
        chi2: its statistic, and so are ``dof``, ``pvalue`` and ``cramers_v``; NaN without a test.
        standard_error: of each count: the deviation of the noise in it; None without noise.
        epsilon: what was promised, as text, and so is ``delta``; None without noise.
        delta: see there.
        unit: whose presence is hidden; None without noise.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        promise = payload["promise"] or {}
        self.standard_error: float | None = promise.get("standard_error")
        self.epsilon: str | None = promise.get("epsilon")
        self.delta: str | None = promise.get("delta")
        self.unit: str | None = promise.get("unit")
        self.rows: int | None = payload["rows"]
        self.dropped: int | None = payload["dropped"]
        self._axes = [pd.Index(levels, name=name)
                      for name, levels in zip(payload["columns"], payload["levels"], strict=True)]
        cells = np.array([math.nan if one is None else one for one in payload["counts"]], dtype=np.float64)
        self.counts: pd.Series[Any] | pd.DataFrame = self._shaped(cells)
        self.rules: pd.Series[Any] | pd.DataFrame = self._shaped(np.array(payload["rules"], dtype=object))
        margins = payload.get("margins")
        totals = [None, None] if margins is None else [
            pd.Series(numbers, index=axis, dtype=np.float64, name="total")
            for numbers, axis in zip(margins, self._axes, strict=True)]
        self.row_totals: pd.Series[Any] | None = totals[0]
        self.column_totals: pd.Series[Any] | None = totals[1]
        self.test: ChiSquare | None = self._tested()
        self.chi2 = self.test.statistic if self.test else math.nan
        self.dof = self.test.dof if self.test else math.nan
        self.pvalue = self.test.pvalue if self.test else math.nan
        self.cramers_v = self.test.cramers_v if self.test else math.nan
        self.trace: Any = None

    def _shaped(self, cells: Any) -> pd.Series[Any] | pd.DataFrame:
        if len(self._axes) == 1:
            return pd.Series(cells, index=self._axes[0], name="count")
        return pd.DataFrame(cells.reshape(len(self._axes[0]), -1), index=self._axes[0], columns=self._axes[1])

    def _tested(self) -> ChiSquare | None:
        if len(self._axes) == 1 or self.standard_error is not None:
            return None
        ends = [len(axis) - (axis[-1] == MISSING) for axis in self._axes]
        known = self.counts.to_numpy()[:ends[0], :ends[1]]
        return None if np.isnan(known).any() else chi_square(known, self._payload["correction"])

    def summary(self) -> str:
        """Return the table in plain text."""
        table = self.counts
        if isinstance(table, pd.DataFrame) and self.row_totals is not None and self.column_totals is not None:
            table = table.assign(total=self.row_totals)
            last = pd.Series([*self.column_totals, self.rows], index=table.columns, name="total", dtype=np.float64)
            table = pd.concat([table, last.to_frame().T])
        parts = [table.to_string(na_rep="hidden", float_format=lambda value: f"{value:.0f}")]
        least = self._payload["minimum_count"]
        if self.standard_error is not None:
            parts.append(f"{told(self._payload['promise'])}; hidden: under {least} with its noise")
        elif self._payload["hidden"]:
            parts.append(f"hidden: cells under {least} rows and others, so that these do not follow")
        if self.test is not None:
            parts.append(f"chi-square {self.chi2:.6g}, {self.test.dof} degrees of freedom, p {self.pvalue:.4g}"
                         f"{', with Yates correction' if self.test.corrected else ''}; V {self.cramers_v:.3g}")
        elif len(self._axes) == 2 and self.standard_error is None and self._payload["hidden"]:
            parts.append("no test: its statistic would tell of hidden cells")
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the payload, and the test."""
        found = self.test
        return self._payload | {"test": None if found is None else {
            "statistic": found.statistic, "dof": found.dof, "pvalue": found.pvalue, "cramers_v": found.cramers_v,
            "corrected": found.corrected, "expected": found.expected.tolist()}}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return str(self.counts.to_frame()._repr_html_() if isinstance(self.counts, pd.Series)  # type: ignore[operator]
                   else self.counts._repr_html_())  # type: ignore[operator]
