"""Patients for tests of survival studies, and the same rows put on a result's grid for lifelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd


def patients(n: int = 900, seed: int = 7) -> pd.DataFrame:
    """Return patients with a hazard that depends on age, dose and group; days are whole, some enter late."""
    random = np.random.default_rng(seed)
    age = random.normal(60.0, 10.0, n)
    dose = random.gamma(2.0, 1.0, n).clip(0.0, 12.0)
    arm = random.choice(["control", "new", "old"], n, p=[0.5, 0.3, 0.2])
    sex = random.choice(["f", "m"], n)
    risk = 0.03 * (age - 60.0) - 0.2 * dose + 0.5 * (arm == "old") - 0.4 * (arm == "new") + 0.3 * (sex == "m")
    event_at = random.exponential(300.0 * np.exp(-risk))
    leaves_at = random.uniform(20.0, 700.0, n)
    days = np.ceil(np.minimum(event_at, leaves_at))
    entered = np.where(random.random(n) < 0.5, 0.0, np.floor(random.uniform(0.0, 150.0, n)))
    return pd.DataFrame({
        "days": days, "dead": (event_at <= leaves_at).astype(int), "age": age.round(1), "dose": dose.round(2),
        "arm": arm, "sex": sex, "entered": np.minimum(entered, days - 1),
    })


def spread(frame: pd.DataFrame, number: int = 3) -> dict[str, pd.DataFrame]:
    """Give every institution its share of the rows, by turns."""
    return {f"n{i}": frame.iloc[i::number] for i in range(number)}


def on_grid(
    frame: pd.DataFrame, released: Mapping[str, Mapping[str, Sequence[float]]], horizon: float | None = None,
    end: str = "days", event: str = "dead", begin: str | None = None,
) -> pd.DataFrame:
    """Replace times by the merged ones of a result, with arithmetic of this test's own.

    Args:
        frame: rows of one group.
        released: ``times`` of events, leavings and entries of the group, and ``until`` when of the former two.
        horizon: of the study.
        end: column of the time at which a row ends.
        event: column that says how.
        begin: column of late entries.
    """
    out = frame.copy()
    if horizon is not None:
        out.loc[out[end] > horizon, event] = 0
        out[end] = out[end].clip(upper=horizon)
    dead = out[event] == 1
    out.loc[dead, end] = later(out.loc[dead, end], released["events"])
    out.loc[~dead, end] = later(out.loc[~dead, end], released["leavings"])
    if begin is not None:
        out = out[out[begin] < (np.inf if horizon is None else horizon)]
        out[begin] = earlier(out[begin], released["entries"]["times"])
    return out


def later(values: pd.Series, ladder: Mapping[str, Sequence[float]]) -> np.ndarray:
    """Return the time of the first interval that ends not before each value."""
    assert len(ladder["times"]) == len(ladder["until"])
    intervals = list(zip(ladder["until"], ladder["times"], strict=True))
    return np.array([next((time for until, time in intervals if until >= value - 1e-9), np.inf) for value in values])


def earlier(values: pd.Series, times: Sequence[float]) -> np.ndarray:
    """Return the last of some times that is not after each value, or 0."""
    return np.array([max((time for time in times if time <= value + 1e-9), default=0.0) for value in values])
