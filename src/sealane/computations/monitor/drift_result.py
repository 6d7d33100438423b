"""Drift by period: tables, alarms and a picture."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.picture import new_axes


class Drift:
    """How populations, and the ranking of a score, move over periods.

    Attributes:
        table: a DataFrame with a row for each period and each of what is watched (and each institution if asked for):
            ``rows``, ``psi``, ``cells``, ``alarm``, and the ``rule`` that hides it.
        psi: the index of all institutions together, periods in rows, what is watched in columns.
        auc: a DataFrame by period: ``auc``, ``auc_error``, ``rows``, ``events``, ``alarm``, ``rule``; empty without
            outcomes.
        alarms: the rows of both that have one.
        edges: between the cells of each number, a value at an edge in the cell under it.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = p = dict(payload)
        self.table = pd.DataFrame(p["psi"], columns=[
            "period", "variable", "institution", "rows", "psi", "cells", "alarm", "rule"])
        self.table["psi"] = self.table["psi"].astype(np.float64)
        pooled = self.table[self.table["institution"].isna()]
        self.psi = pooled.pivot(index="period", columns="variable", values="psi").reindex(
            index=p["periods"], columns=list(dict.fromkeys(pooled["variable"])))
        self.auc = pd.DataFrame(p["auc"], columns=[
            "period", "institution", "auc", "auc_error", "rows", "events", "alarm", "rule"])
        self.auc[["auc", "auc_error"]] = self.auc[["auc", "auc_error"]].astype(np.float64)
        self.alarms = pd.concat([self.table[self.table["alarm"].astype(bool)].assign(measure="psi"),
                                 self.auc[self.auc["alarm"].astype(bool)].assign(measure="auc", variable="score")],
                                ignore_index=True)
        self.edges: dict[str, list[float]] = p["edges"]
        self.trace: Any = None

    def plot(self, ax: Any = None) -> Any:
        """Draw the index of everything watched over periods, with the limit; return the Axes.

        Raises:
            InputError: matplotlib is not installed.
        """
        ax = new_axes(ax)
        for name in self.psi.columns:
            ax.plot(self._payload["periods"], self.psi[name], marker="o", label=str(name))
        ax.axhline(self._payload["psi_limit"], color="red", linestyle="--", linewidth=0.8)
        ax.set_ylabel("population stability index")
        ax.tick_params(axis="x", labelrotation=45)
        ax.legend()
        return ax

    def summary(self) -> str:
        """Return tables and alarms in plain text."""
        lines = [f"population stability index by {self._payload['period']}",
                 self.psi.to_string(na_rep="", float_format=lambda value: f"{value:.4f}")]
        if len(self.auc):
            shown = self.auc.drop(columns="institution") if self.auc["institution"].isna().all() else self.auc
            lines += ["", shown.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.4f}")]
        lines.append("")
        for one in self.alarms.to_dict("records"):
            where = f" at {one['institution']}" if isinstance(one["institution"], str) else ""
            lines.append(f"alarm: {one['measure']} of {one['variable']} in {one['period']}{where}: "
                         f"{one[str(one['measure'])]:.4f}")
        lines += [f"{period}: hidden by {rule}" for period, rule in self._payload["hidden"].items()]
        return "\n".join(lines).rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Return the payload, JSON-ready."""
        return dict(self._payload)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"
