"""Cumulative incidence as a reader of the field expects it: lifelines' names over released counts."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.survival.incidence_curves import Incidence, estimate
from sealane.computations.survival.ladders import Steps

Array = NDArray[np.float64]


class IncidenceResult:
    """Curves of one or several groups and causes on one grid of times.

    With several groups, columns are pairs of group and cause; else they are causes.

    Attributes:
        cumulative_density_: the cumulative incidence, index time.
        variance_: of it.
        confidence_interval_lower_, confidence_interval_upper_: log-log bands, of the same columns.
        event_table: at_risk, censored and the events of each cause by time (and group, if there are several).
        grid: resolution, and how many grid times were merged into others and why.
        hidden: the rule that hides each hidden group.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        self.grid: dict[str, Any] = dict(payload["grid"])
        self.hidden: dict[str, str] = dict(payload["hidden"])
        self._single = payload["by"] is None
        self._causes = list(payload["causes"])
        self._counts = {name: _read(group, self._causes) for name, group in payload["groups"].items()}
        self._curves: dict[tuple[str, str], Incidence] = {}
        for name, counts in self._counts.items():
            curves = estimate(counts.times, counts.at_risk, counts.events, float(payload["confidence"]))
            self._curves |= {(name, cause): curve for cause, curve in zip(self._causes, curves, strict=True)}
        times = np.unique(np.concatenate([curve.times for curve in self._curves.values()]))
        index = pd.Index(times, name="timeline")
        self.cumulative_density_ = self._frame("incidence", index)
        self.variance_ = self._frame("variance", index)
        self.confidence_interval_lower_ = self._frame("lower", index)
        self.confidence_interval_upper_ = self._frame("upper", index)
        tables = {name: counts.table(self._causes) for name, counts in self._counts.items()}
        self.event_table = (next(iter(tables.values())) if self._single
                            else pd.concat(tables, names=[str(payload["by"]), "event_at"]))
        self.trace: Any = None

    def at(self, times: Sequence[float]) -> pd.DataFrame:
        """Return the cumulative incidence at some times, of 0 and later."""
        return self._frame("incidence", pd.Index([float(time) for time in times], name="timeline"))

    def summary(self) -> str:
        """Return rows, events and the incidence at the last time by group and cause, in plain text."""
        rows = []
        for (name, cause), curve in self._curves.items():
            counts = self._counts[name]
            rows.append([name, cause, counts.rows, int(counts.events[self._causes.index(cause)].sum()),
                         curve.incidence[-1], curve.lower[-1], curve.upper[-1]])
        frame = pd.DataFrame(rows, columns=["group", "cause", "rows", "events", "incidence", "lower", "upper"])
        grid, unit = self.grid, f" {self.grid['unit']}" if self.grid["unit"] else ""
        lines = [f"Cumulative incidence over the cohort at the last time, {self._payload['confidence']:.0%} limits",
                 frame.to_string(index=False, float_format=lambda value: f"{value:.4f}"),
                 f"grid of {grid['resolution']:g}{unit} (chosen by the {grid['chosen_by']})"
                 + (f", {grid['merged']} times merged into others (minimum-count)" if grid["merged"] else "")]
        return "\n".join(lines + [f"hidden: {name} ({rule})" for name, rule in self.hidden.items()])

    def plot(self, ax: Any = None) -> Any:
        """Draw the curves with their bands and return the Axes.

        Raises:
            InputError: matplotlib is not installed.
        """
        from sealane.computations.survival.pictures import draw_incidence

        labels = {key: key[1] if self._single else ", ".join(key) for key in self._curves}
        return draw_incidence({labels[key]: curve for key, curve in self._curves.items()}, ax, self.grid["unit"])

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with what follows from it, JSON-ready."""
        curves = [{"group": name, "cause": cause, "times": c.times.tolist(), "incidence": c.incidence.tolist(),
                   "lower": c.lower.tolist(), "upper": c.upper.tolist()} for (name, cause), c in self._curves.items()]
        return {**self._payload, "curves": curves}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"

    def _frame(self, what: str, index: pd.Index) -> pd.DataFrame:
        at = index.to_numpy(dtype=np.float64)
        columns = {key[1] if self._single else key: curve.on(getattr(curve, what), at)
                   for key, curve in self._curves.items()}
        return pd.DataFrame(columns, index=index)


class _Counts:
    """Released counts of one group, on the times at which anything happens."""

    def __init__(self, rows: int, leavings: Steps, entries: Steps, events: list[Steps]) -> None:
        self.rows = rows
        self.times: Array = np.unique(np.concatenate([one.times for one in (leavings, entries, *events)]))
        gone = leavings.before(self.times) + sum(one.before(self.times) for one in events)
        self.at_risk: Array = rows - float(entries.numbers.sum()) + entries.before(self.times) - gone
        self.events: Array = np.array([one.on(self.times) for one in events])
        self._leavings = leavings.on(self.times)

    def table(self, causes: list[str]) -> pd.DataFrame:
        """Return the counts by time."""
        columns = {"at_risk": self.at_risk, "censored": self._leavings, **dict(zip(causes, self.events, strict=True))}
        return pd.DataFrame(columns, index=pd.Index(self.times, name="event_at")).astype(np.int64)


def _read(group: Mapping[str, Any], causes: list[str]) -> _Counts:
    def steps(one: Mapping[str, Any]) -> Steps:
        return Steps(np.array(one["times"], dtype=np.float64), np.array(one["numbers"], dtype=np.float64))

    return _Counts(group["rows"], steps(group["leavings"]), steps(group["entries"]),
                   [steps(group["events"][cause]) for cause in causes])
