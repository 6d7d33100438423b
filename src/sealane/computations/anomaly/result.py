"""A forest that scores rows, with the scores above which a share of all institutions' rows lies."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.anomaly.forest import Shape, path_lengths, score_of
from sealane.computations.picture import new_axes
from sealane.errors import InputError


class IsolationResult:
    """An isolation forest over all institutions' rows.

    Attributes:
        features: columns that it reads, in their order.
        thresholds: by share of all rows the score above which they lie, NaN where that is hidden.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = p = dict(payload)
        self.features: list[str] = list(p["features"])
        self.thresholds = pd.Series([_number(one["score"]) for one in p["alarms"]], name="score",
                                    index=pd.Index([one["share"] for one in p["alarms"]], name="share"))
        self._shape = Shape(bytes.fromhex(p["seed"]), np.array(p["lows"], dtype=np.float64),
                            np.array(p["highs"], dtype=np.float64), np.array(p["whole"], dtype=np.bool_), p["trees"],
                            p["levels"], p["sample"], p["rows"], p["minimum_count"])
        self._masses = [np.array(mass, dtype=np.int64).reshape(-1, 2) for mass in p["masses"]]
        self.trace: Any = None

    def score(self, rows: pd.DataFrame) -> pd.Series[float]:
        """Return the score of each row: near 1 where it stands apart, 0.5 and less where it does not.

        A row that misses a feature has no score.

        Raises:
            InputError: ``anomaly.missing-column``, ``anomaly.not-numeric``.
        """
        absent = [name for name in self.features if name not in rows.columns]
        if absent:
            raise InputError("anomaly.missing-column", "the rows lack features of the forest",
                             got=", ".join(absent)[:200], expected=", ".join(self.features)[:200])
        try:
            values = rows[self.features].apply(pd.to_numeric).to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            # Not chained: the original message quotes the value.
            raise InputError("anomaly.not-numeric", "a feature holds values that are no numbers") from None
        known = ~np.isnan(values).any(axis=1)
        out = np.full(len(rows), np.nan)
        out[known] = score_of(self._shape, path_lengths(self._shape, self._masses, values[known]))
        return pd.Series(out, index=rows.index, name="score")

    def flag(self, rows: pd.DataFrame, share: float = 0.01) -> pd.Series[bool]:
        """Return which rows score above the threshold of a share; rows without a score do not.

        Raises:
            InputError: ``anomaly.no-threshold``: there is none for that share, or it is hidden.
        """
        threshold = self.thresholds.get(share, math.nan)
        if math.isnan(threshold):
            raise InputError("anomaly.no-threshold", "there is no threshold for this share of rows", got=share,
                             expected=", ".join(f"{one:g}" for one in self.thresholds.dropna().index) or "none shown")
        return (self.score(rows) > threshold).rename("flagged")

    def summary(self) -> str:
        """Return what the forest rests on and its thresholds, in plain text."""
        p = self._payload
        cuts = sum(len(mass) for mass in self._masses)
        table = self.thresholds.to_frame().assign(hidden_by=[one["hidden_by"] for one in p["alarms"]])
        dropped = f"1 to {p['minimum_count'] - 1}" if p["dropped"] is None else p["dropped"]
        return "\n\n".join([
            f"isolation forest over {p['rows']:,} rows of {p['basis']['contributing']} institutions "
            f"({dropped} left out): {p['trees']} trees, {cuts:,} cuts, {len(self._masses)} levels, isolation among "
            f"{min(p['sample'], p['rows'])} rows",
            f"features: {', '.join(self.features)}",
            "scores above which a share of all rows lies\n" + table.to_string(na_rep="-", float_format="{:.4f}".format),
            f"masses are whole multiples of {p['minimum_count']} rows; fewer count as none",
        ])

    def plot(self, ax: Any = None) -> Any:
        """Draw the score above which a share of all rows lies, and return the axes.

        Raises:
            InputError: matplotlib is not installed.
        """
        axes = new_axes(ax)
        axes.plot(self.thresholds.index, self.thresholds.to_numpy(), marker="o", color="tab:blue")
        axes.set_xscale("log")
        axes.set_xlabel("share of all rows")
        axes.set_ylabel("score above which they lie")
        return axes

    def to_dict(self) -> dict[str, Any]:
        """Return the payload: seed, ranges and masses, of which the whole forest can be made again."""
        return dict(self._payload)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"


def _number(value: float | None) -> float:
    return math.nan if value is None else value
