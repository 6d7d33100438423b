"""Which weeks stand out, from released counts alone: nothing here sees a number that the reader does not.

A hidden count is one of 1 to m - 1: it counts as m / 2, and its variance, ((m - 1)² - 1) / 12, is added to that of
whatever it is in. The noise of a promise is in every count; a baseline is never taken for steadier than that noise.

Sources: EARS C1, C2, C3: Hutwagner, Thompson, Seeman and Treadwell (2003), J. Urban Health 80 (suppl. 1):i89-i96;
Fricker, Hegler and Dunfee (2008), Stat. Med. 27:3407-3429. CUSUM: Page (1954), Biometrika 41:100-115; standardised
counts: Rossi, Lampugnani and Marchi (1999), Stat. Med. 18:2111-2122.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Method = Literal["c1", "c2", "c3", "cusum"]
LAG: dict[Method, int] = {"c1": 0, "c2": 2, "c3": 2, "cusum": 0}
"""Weeks between the baseline and the week that is judged, so that a slow outbreak does not raise its own baseline."""
LEAST_VARIANCE = 0.25
"""Where all counts of a baseline are equal: half a case."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a method says of each week, shape ``(n_weeks,)``; NaN where it has no baseline yet.

    Attributes:
        expected: mean of the baseline.
        statistic: what is held against the threshold.
        alarm: where it is over it.
    """

    expected: Array
    statistic: Array
    alarm: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Series:
    """Counts as the detector takes them.

    Attributes:
        values: hidden ones as m / 2.
        unknown: variance of what is not known of each.
        noise: variance of the noise in each.
    """

    values: Array
    unknown: Array
    noise: float


def series_of(counts: Sequence[int | None], minimum_count: int, standard_error: float) -> Series:
    """Return the released counts as a series."""
    hidden = np.array([number is None for number in counts])
    values = [minimum_count / 2.0 if number is None else float(number) for number in counts]
    spread = ((minimum_count - 1) ** 2 - 1) / 12.0
    return Series(np.array(values), np.where(hidden, spread, 0.0), standard_error**2)


def judge(series: Series, method: Method, *, baseline: int, threshold: float, reference: float) -> Judged:
    """Judge each week.

    Args:
        series: of counts.
        method: how.
        baseline: weeks in a baseline: the ones before each week, or (CUSUM) the first ones.
        threshold: over which a week is an alarm; for the CUSUM its decision interval h, reached or over.
        reference: the CUSUM's k: half the shift, in standard deviations, that it is to find.
    """
    if method == "cusum":
        return _cusum(series, baseline, threshold, reference)
    expected, statistic = _standardised(series, baseline, LAG[method])
    if method == "c3":
        excess = np.maximum(statistic - 1.0, 0.0)
        statistic = np.array([excess[max(t - 2, 0) : t + 1].sum() for t in range(len(excess))])
    with np.errstate(invalid="ignore"):
        return Judged(expected, statistic, statistic > threshold)


def _standardised(series: Series, baseline: int, lag: int) -> tuple[Array, Array]:
    """Return the mean of each week's baseline, and how many of its standard deviations the week lies above it."""
    size = len(series.values)
    expected, statistic = np.full(size, math.nan), np.full(size, math.nan)
    for t in range(baseline + lag, size):
        window = slice(t - lag - baseline, t - lag)
        known = max(float(series.values[window].var(ddof=1)), series.noise, LEAST_VARIANCE)
        spread = math.sqrt(known + float(series.unknown[window].mean()) + series.unknown[t])
        expected[t] = series.values[window].mean()
        statistic[t] = (series.values[t] - expected[t]) / spread
    return expected, statistic


def _cusum(series: Series, baseline: int, interval: float, reference: float) -> Judged:
    """Add up what lies more than k above the mean of the first weeks; begin again after an alarm."""
    size, first = len(series.values), slice(0, baseline)
    mean = float(series.values[first].mean())
    # A count of people scatters like Poisson's at least; what the first weeks show beyond that counts too.
    scatter = max(mean + series.noise, float(series.values[first].var(ddof=1)), LEAST_VARIANCE)
    scatter += float(series.unknown[first].mean())
    expected, statistic = np.full(size, math.nan), np.full(size, math.nan)
    alarm, height = np.zeros(size, dtype=np.bool_), 0.0
    for t in range(baseline, size):
        step = (series.values[t] - mean) / math.sqrt(scatter + series.unknown[t])
        height = max(0.0, height + step - reference)
        expected[t], statistic[t], alarm[t] = mean, height, height >= interval
        height = 0.0 if alarm[t] else height
    return Judged(expected, statistic, alarm)
