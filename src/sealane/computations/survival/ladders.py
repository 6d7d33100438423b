"""Released counts of one group as arrays: what a curve, a test and a table are made of. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Steps:
    """How many rows at each of ascending times."""

    times: Array
    numbers: Array

    def before(self, times: Array) -> Array:
        """Return how many rows come before each time."""
        total = np.concatenate([[0.0], np.cumsum(self.numbers)])
        return np.asarray(total[np.searchsorted(self.times, times, side="left")], dtype=np.float64)

    def on(self, times: Array) -> Array:
        """Return how many rows come at exactly each of ascending times, among which its own are."""
        out = np.zeros(len(times))
        out[np.searchsorted(times, self.times)] = self.numbers
        return out


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """Counts of one group as released."""

    rows: float
    events: Steps
    leavings: Steps
    entries: Steps

    @property
    def times(self) -> Array:
        """All times at which anything happens, ascending."""
        return np.unique(np.concatenate([self.events.times, self.leavings.times, self.entries.times]))

    def at_risk(self, times: Array, events: Steps | None = None) -> Array:
        """Return the rows at risk at times, with events put elsewhere if so asked."""
        late = float(self.entries.numbers.sum())
        gone = (events or self.events).before(times) + self.leavings.before(times)
        return self.rows - late + self.entries.before(times) - gone

    def shared(self, times: Array, until: Array) -> Steps:
        """Return the events at times that groups share, by ends of intervals that hold whole own ones."""
        places = np.searchsorted(until, self.events.times)
        return Steps(times, np.bincount(places, self.events.numbers, len(times)).astype(np.float64))

    def table(self) -> pd.DataFrame:
        """Return counts as lifelines lays them out: who is there from the beginning enters at time 0."""
        times = np.union1d([0.0], self.times)
        observed, censored, late = self.events.on(times), self.leavings.on(times), self.entries.on(times)
        at_risk = self.at_risk(times) + late
        late[0] += self.rows - self.entries.numbers.sum()
        frame = {"removed": observed + censored, "observed": observed, "censored": censored, "entrance": late,
                 "at_risk": at_risk}
        return pd.DataFrame(frame, index=pd.Index(times, name="event_at")).round().astype(np.int64)


def read_group(payload: Mapping[str, Any]) -> GroupCounts:
    """Read a group of a payload."""
    steps = [Steps(np.array(payload[name]["times"], dtype=np.float64),
                   np.array(payload[name]["numbers"], dtype=np.float64)) for name in ("events", "leavings", "entries")]
    return GroupCounts(payload["rows"], *steps)
