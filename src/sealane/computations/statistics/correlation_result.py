"""Released correlations as matrices, with tests that follow from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from sealane.computations.disclosure import rule_lines

Undefined = Literal["nothing-varies", "range-too-wide"]
"""Why a pair that may be shown has no correlation: a column has one value, or the grid of ranks does not tell."""

class CorrelationResult:
    """Correlations of every pair of columns.

    Attributes:
        r: the matrix, as ``DataFrame.corr()`` gives it; NaN where hidden or where a column does not vary.
        n: rows that know both; NaN where hidden. The diagonal is empty.
        pvalues: two-sided, against no correlation, by Student's t with n - 2 degrees of freedom; NaN without n.
        basis: by pair of columns, how many institutions have rows that know both, where not all have.
        rules: the rule that hid a correlation, or why there is none (``nothing-varies`` or ``range-too-wide``); None
            where it is shown.
        grid: for Spearman by column the width of the first cells within which values share a rank, finer where rows
            crowd; 0 where every integer has a cell.
        method: ``pearson`` or ``spearman``.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        self.method: str = payload["method"]
        self.grid: dict[str, float] | None = payload["grid"]
        names = list(payload["columns"])
        size = len(names), len(names)
        r, n = np.full(size, np.nan), np.full(size, np.nan)
        p, rules = np.full(size, np.nan), np.full(size, None, dtype=object)
        np.fill_diagonal(r, 1.0)
        for one in payload["pairs"]:
            i, j = one["pair"]
            for a, b in ((i, j), (j, i)):
                r[a, b] = np.nan if one["r"] is None else one["r"]
                n[a, b] = np.nan if one["rows"] is None else one["rows"]
                p[a, b] = _pvalue(one["r"], one["rows"])
                rules[a, b] = one["rule"]
        self.basis: dict[tuple[str, str], int] = {
            (names[one["pair"][0]], names[one["pair"][1]]): one["institutions"] for one in payload["pairs"]
            if one["institutions"] not in (None, payload["institutions"])}
        self.r, self.n, self.pvalues, self.rules = (
            pd.DataFrame(matrix, index=names, columns=names) for matrix in (r, n, p, rules))
        self.trace: Any = None

    def summary(self) -> str:
        """Return the matrix in plain text."""
        shown = [[_cell(r, rule) for r, rule in zip(*row, strict=True)]
                 for row in zip(self.r.to_numpy(), self.rules.to_numpy(), strict=True)]
        parts = [f"{self.method} correlation",
                 pd.DataFrame(shown, index=self.r.index, columns=self.r.columns).to_string(),
                 *rule_lines(rule for rule in self.rules.to_numpy().ravel() if rule not in get_args(Undefined))]
        if self.grid and any(self.grid.values()):
            widths = [f"{name} {width:.3g}" for name, width in self.grid.items() if width]
            parts.append(f"ranks on a grid, finer where rows crowd: {', '.join(widths)}")
        parts += [f"{one} and {other}: rows at {number} of {self._payload['institutions']} institutions"
                  for (one, other), number in self.basis.items()]
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the payload, each pair with its p value."""
        pairs = [one | {"pvalue": None if math.isnan(p := _pvalue(one["r"], one["rows"])) else p}
                 for one in self._payload["pairs"]]
        return self._payload | {"pairs": pairs}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return str(self.r._repr_html_())  # type: ignore[operator]


def _cell(r: float, rule: str | None) -> str:
    if rule in get_args(Undefined):
        return str(rule)
    return "hidden" if math.isnan(r) else f"{r:.4f}"


def _pvalue(r: float | None, rows: int | None) -> float:
    from scipy.stats import t

    if r is None or rows is None or rows < 3:
        return math.nan
    if abs(r) >= 1.0:
        return 0.0
    return float(2.0 * t.sf(abs(r) * math.sqrt((rows - 2) / (1.0 - r * r)), rows - 2))
