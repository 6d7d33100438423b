"""A description as the DataFrame that pandas' own ``describe`` gives, with what was hidden and why beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from sealane.computations.disclosure import rule_lines
from sealane.computations.promise import told
from sealane.computations.statistics.axes import MISSING

STATISTICS = ("count", "missing", "mean", "std", "variance", "skewness", "5%", "25%", "50%", "75%", "95%")


class Description(pd.DataFrame):
    """Statistics of numeric columns, as ``DataFrame.describe`` has them; hidden ones are NaN.

    Without groups the index holds statistics and the columns are those described. With groups the index holds the
    groups, and columns are pairs (column, statistic), as ``groupby(…).describe()`` has it. It is a DataFrame: selecting
    from it gives plain ones.

    Attributes:
        levels: counts of each categorical column, missing last: a Series, or with groups a DataFrame with one column
            for each; hidden cells are NaN.
        suppressed: the rule of each hidden cell, by column and cell, with groups by column, group and cell.
        quantile_error: how far each numeric column's quantiles can be from the exact ones, by column, with groups by
            (column, group).
        basis: how many institutions have values of a numeric column at all, where not all have, by column, with groups
            by (column, group).
        rows: rows over the cohort, rounded if asked for; with noise the noised count.
        groups: names of the groups; None without.
        standard_error: of each noised count; None without noise.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    _metadata: ClassVar[list[str]] = [
        "_payload", "levels", "suppressed", "quantile_error", "basis", "rows", "groups", "standard_error", "trace"]

    _payload: dict[str, Any]
    levels: dict[str, Any]
    suppressed: dict[str, Any]
    quantile_error: dict[Any, float]
    basis: dict[Any, int]
    rows: int
    groups: list[str] | None
    standard_error: float | None
    trace: Any

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def summary(self) -> str:
        """Return the tables in plain text."""
        parts = [f"{self.rows:,} rows"]
        if self.shape[1]:
            parts.append(pd.DataFrame(self).T.to_string(na_rep="hidden", float_format=lambda value: f"{value:.6g}"))
        for name, levels in self.levels.items():
            parts.append(f"{name}\n" + levels.to_string(na_rep="hidden", float_format=lambda value: f"{value:.0f}"))
        whole, columns = self._payload["institutions"], self._payload["columns"].values()
        parts += rule_lines(rule for one in columns for cells in one["groups"].values()
                            for rule in cells["rules"].values())
        parts += [f"{name if isinstance(name, str) else ' of '.join(name)}: values at {number} of {whole} institutions"
                  for name, number in self.basis.items()]
        if self._payload["promise"]:
            parts.append(told(self._payload["promise"]))
        return "\n\n".join(parts)

    def to_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the payload; with arguments what ``DataFrame.to_dict`` returns."""
        return pd.DataFrame(self).to_dict(*args, **kwargs) if args or kwargs else dict(self._payload)


def described(payload: Mapping[str, Any]) -> Description:
    """Return a released payload as a DataFrame."""
    by, columns = payload["by"], payload["columns"]
    numeric = {name: one["groups"] for name, one in columns.items() if one["type"] not in ("category", "boolean")}
    names = [name for name in STATISTICS if any(name in cells for one in numeric.values() for cells in one.values())]

    def numbers(cells: Mapping[str, Any]) -> list[float]:
        return [np.nan if cells.get(name) is None else float(cells[name]) for name in names]

    if by is None:
        found = Description({name: numbers(one["all"]) for name, one in numeric.items()}, index=names, dtype=np.float64)
    else:
        pairs = pd.MultiIndex.from_product([list(numeric), names]) if numeric else None
        rows = [[value for one in numeric.values() for value in numbers(one[group])] for group in payload["groups"]]
        found = Description(rows, index=pd.Index(payload["groups"], name=by), columns=pairs, dtype=np.float64)
    found._payload = dict(payload)
    found.rows, found.groups, found.trace = payload["rows"], None if by is None else list(payload["groups"]), None
    found.standard_error = payload["promise"]["standard_error"] if payload["promise"] else None
    found.levels = {name: _levels(one["groups"], name, by) for name, one in columns.items() if name not in numeric}
    found.suppressed = {name: hidden for name, one in columns.items() if (hidden := _rules(one["groups"], by))}
    found.quantile_error = {name if by is None else (name, group): cells["quantile_error"]
                            for name, one in numeric.items() for group, cells in one.items()
                            if cells.get("quantile_error") is not None}
    found.basis = {name if by is None else (name, group): cells["institutions"]
                   for name, one in numeric.items() for group, cells in one.items()
                   if cells.get("institutions") not in (None, payload["institutions"])}
    return found


def _levels(groups: Mapping[str, Any], name: str, by: str | None) -> pd.Series[Any] | pd.DataFrame:
    series = {group: pd.Series({**cells["levels"], MISSING: cells["missing"]}, dtype=np.float64, name=name)
              for group, cells in groups.items()}
    if by is None:
        return series["all"]
    table = pd.DataFrame(series)
    table.columns.name, table.index.name = by, name
    return table


def _rules(groups: Mapping[str, Any], by: str | None) -> dict[str, Any]:
    rules = {group: dict(cells["rules"]) for group, cells in groups.items() if cells["rules"]}
    return rules if by is not None else rules.get("all", {})
