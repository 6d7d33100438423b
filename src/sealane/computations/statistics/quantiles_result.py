"""Released quantiles as pandas tables, with how far each can be from the exact one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.disclosure import rule_lines
from sealane.computations.promise import told


class QuantilesResult:
    """Quantiles.

    Attributes:
        values: probabilities by column, as ``DataFrame.quantile`` gives them; with groups by (column, group). Hidden
            ones are NaN.
        errors: in the same shape, how far each can be from the quantile of the pooled values (numpy's linear one). With
            noise it is the width of a cell, to which the noise comes.
        rules: in the same shape, the rule that hid a quantile; None where it is shown.
        basis: how many institutions have values of a column at all, where not all have, by column, with groups by
            (column, group).
        standard_error: of the noise in each cell of the histograms; None without a promise.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        self.values = self._table("values").astype(np.float64)
        self.errors = self._table("errors").astype(np.float64)
        self.rules = self._table("rules")
        self.basis: dict[Any, int] = {
            name if payload["by"] is None else (name, group): cells["institutions"]
            for name, column in payload["columns"].items() for group, cells in column["groups"].items()
            if cells["institutions"] not in (None, payload["institutions"])}
        self.standard_error: float | None = (payload["promise"] or {}).get("standard_error")
        self.trace: Any = None

    def _table(self, key: str) -> pd.DataFrame:
        by, columns = self._payload["by"], self._payload["columns"]
        series = {name if by is None else (name, group): cells[key]
                  for name, column in columns.items() for group, cells in column["groups"].items()}
        table = pd.DataFrame(series, index=pd.Index(self._payload["probabilities"], name="probability"), dtype=object)
        if by is not None:
            table.columns = pd.MultiIndex.from_tuples(list(series), names=["column", by])
        return table

    def summary(self) -> str:
        """Return the table in plain text."""
        worst = {name: float(np.nanmax([*self.errors[name].to_numpy().ravel(), -1.0]))
                 for name in self._payload["columns"]}
        bounds = [f"{name} {error:.3g}" for name, error in worst.items() if error >= 0.0]
        parts = [self.values.to_string(na_rep="hidden", float_format=lambda value: f"{value:.6g}"),
                 *rule_lines(self.rules.to_numpy().ravel().tolist())]
        if bounds:
            parts.append(f"each within its column's bound of the exact quantile, or nearer"
                         f"{', noise apart' if self.standard_error is not None else ''}: {', '.join(bounds)}")
        parts += [f"{name if isinstance(name, str) else ' of '.join(name)}: values at {number} of "
                  f"{self._payload['institutions']} institutions" for name, number in self.basis.items()]
        if self.standard_error is not None:
            parts.append(told(self._payload["promise"]))
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the payload."""
        return dict(self._payload)

    def __repr__(self) -> str:
        return self.summary()
