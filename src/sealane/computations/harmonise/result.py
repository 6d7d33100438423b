"""The verdicts as a table, what to do about them, and pictures."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.harmonise.factors import SOURCES, Conversion, conversions
from sealane.computations.harmonise.verdict import (
    AGREES,
    ALL_MISSING,
    CANNOT_TELL,
    LOOKS_LIKE,
    MOSTLY_ZERO,
    OTHER_CODES,
    SHIFTED,
)
from sealane.computations.picture import new_axes
from sealane.errors import InputError

_ADVICE = {
    SHIFTED: "no known unit explains it: ask what is measured, in whom, and in which unit",
    MOSTLY_ZERO: "zero may stand for missing: map it to missing, or recode it, when the dataset is added",
    ALL_MISSING: "leave the column out, or the institution",
    OTHER_CODES: "map its codes to those of the others with a step do = \"recode\"",
}
_COLOURS = {AGREES: 0, CANNOT_TELL: 1, ALL_MISSING: 1}


class HarmoniseResult:
    """What each institution's column looks like beside the others'.

    Attributes:
        verdicts: a DataFrame, institutions by columns, of the public verdicts.
        conclusions: a Series by column: ``agree``, ``odd`` (a majority agrees, the rest is named), ``contradictory``
            (no majority) or ``cannot tell`` (too few institutions could say).
        repairs: a DataFrame with one row for each institution and column that stands apart: the advice, and as
            ``step`` the repair for ``dataset add --repair`` where a known factor explains it.
        histograms: joint histograms by column, of those in which nobody stands apart; hidden cells are NaN.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        columns: Mapping[str, Any] = payload["columns"]
        names = payload["institutions"]
        self.verdicts = pd.DataFrame({name: column["verdicts"] for name, column in columns.items()}, index=names,
                                     dtype=object)
        self.conclusions = pd.Series({name: column["conclusion"] for name, column in columns.items()},
                                     name="conclusion", dtype=object)
        self.repairs = pd.DataFrame(
            [_repair(institution, name, column, verdict) for name, column in columns.items()
             for institution, verdict in zip(names, column["verdicts"], strict=True)
             if verdict not in (AGREES, CANNOT_TELL)],
            columns=["institution", "column", "verdict", "advice", "step"])
        self.histograms = {name: _histogram(column["histogram"]) for name, column in columns.items()
                           if column["histogram"] is not None}
        self.trace: Any = None

    def clusters(self, column: str) -> dict[str, list[str]]:
        """Return who shares a verdict on a column.

        Raises:
            InputError: the column was not checked.
        """
        given = self.verdicts[self._checked(column)]
        return {str(verdict): [str(name) for name in given.index[given == verdict]] for verdict in given.unique()}

    def summary(self) -> str:
        """Return verdicts, conclusions and advice in plain text."""
        parts = [self.verdicts.T.assign(conclusion=self.conclusions).to_string()]
        parts += ["\n".join([f"{repair['institution']}, {repair['column']}: {repair['verdict']}", repair["advice"],
                             *filter(None, [repair["step"]])]) for repair in self.repairs.to_dict(orient="records")]
        return "\n\n".join(parts)

    def plot(self, column: str | None = None, ax: Any = None) -> Any:
        """Draw the verdicts, or the joint histogram of one column, and return the axes.

        Raises:
            InputError: matplotlib is not installed, or the column has no histogram.
        """
        axes = new_axes(ax)
        if column is not None:
            return self._plot_histogram(self._checked(column), axes)
        shades = np.array([[_COLOURS.get(verdict, 2) for verdict in row] for row in self.verdicts.to_numpy()])
        axes.imshow(shades, cmap="RdYlGn_r", vmin=0, vmax=2, aspect="auto", alpha=0.5)
        for (i, j), verdict in np.ndenumerate(self.verdicts.to_numpy()):
            axes.text(j, i, str(verdict).replace(" among ", "\namong ").replace(" (", "\n("), ha="center", va="center",
                      fontsize=8)
        axes.set_xticks(range(len(self.verdicts.columns)), list(self.verdicts.columns))
        axes.set_yticks(range(len(self.verdicts.index)), list(self.verdicts.index))
        axes.set_title("Units and codes by institution")
        return axes

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with the advice, JSON-ready."""
        return {**self._payload, "repairs": self.repairs.to_dict(orient="records")}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"

    def _checked(self, column: str) -> str:
        if column not in self.verdicts.columns:
            raise InputError("harmonise.not-checked", "the column was not checked", got=repr(column[:80]),
                             expected=", ".join(map(str, self.verdicts.columns[:20])))
        return column

    def _plot_histogram(self, column: str, axes: Any) -> Any:
        if column not in self.histograms:
            raise InputError("harmonise.no-histogram", f"column {column!r} has no joint histogram",
                             got=self.conclusions[column], expected="a column in which nobody stands apart",
                             hint="a part of it would be the histogram of a single institution")
        cells = self.histograms[column].iloc[:-1]
        shown = cells["count"].fillna(0.0).to_numpy()
        used = np.flatnonzero(cells["count"].isna().to_numpy() | (shown > 0))
        cells, shown = cells.iloc[used.min() : used.max() + 1], shown[used.min() : used.max() + 1]
        axes.bar(range(len(cells)), shown, width=1.0, color="tab:blue", alpha=0.7)
        step = max(1, len(cells) // 8)
        axes.set_xticks(range(0, len(cells), step), [str(name) for name in cells.index[::step]], rotation=30,
                        ha="right", fontsize=8)
        axes.set_xlabel(column)
        axes.set_ylabel(f"rows (cells under {self._payload['minimum_count']} are left out)")
        return axes


def _repair(institution: str, name: str, column: Mapping[str, Any], verdict: str) -> dict[str, str]:
    step, advice = "", _ADVICE.get(verdict, "")
    if verdict.startswith(LOOKS_LIKE):
        known: tuple[Conversion, ...] = conversions(column["quantity"], column["unit"])
        found = next(one for one in known if LOOKS_LIKE + one.name == verdict)
        advice = (f"convert it when the dataset is added, once a person has looked ({SOURCES[found.quantity]}); "
                  "several units can have about the same factor")
        offset = f"\noffset = {found.offset:.12g}" if found.offset else ""
        step = (f'[[steps]]\ndo = "convert"\nfield = "{name}"\nfactor = {found.factor:.12g}{offset}\n'
                f'from_unit = "{found.own}"')
    return {"institution": institution, "column": name, "verdict": verdict, "advice": advice, "step": step}


def _histogram(payload: Mapping[str, Any]) -> pd.DataFrame:
    counts = [math.nan if number is None else float(number) for number in payload["counts"]]
    if "levels" in payload:
        return pd.DataFrame({"count": counts}, index=[*payload["levels"], "missing"])
    edges = payload["edges"]
    low, high = [-math.inf, *edges, math.nan], [*edges, math.inf, math.nan]
    names = [f"under {edges[0]:.3g}", *(f"{a:.3g} to {b:.3g}" for a, b in pairwise(edges)),
             f"{edges[-1]:.3g} and more", "missing"]
    return pd.DataFrame({"low": low, "high": high, "count": counts}, index=names)
