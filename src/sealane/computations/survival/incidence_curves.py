"""Cumulative incidence by cause from counts on a grid, its variance and bands. Pure arithmetic.

Source: Aalen and Johansen (1978), Scand. J. Stat. 5; variance by the delta method and the log-log band as in Collett
(2014), Modelling Survival Data in Medical Research, 3rd ed., section 12.2. Ties, within a cause and between causes, are
events at one time.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Incidence:
    """The cumulative incidence of one cause, one entry per time, time 0 first.

    Attributes:
        times: in the unit of the duration.
        incidence: probability to have had an event of the cause by each time.
        variance: of ``incidence``.
        lower: of the band.
        upper: of the band.
    """

    times: Array
    incidence: Array
    variance: Array
    lower: Array
    upper: Array

    def on(self, values: Array, times: Array) -> Array:
        """Return one of the arrays as a step function at times of 0 and later; past the last step it stays."""
        return np.asarray(values[np.searchsorted(self.times, times, side="right") - 1], dtype=np.float64)


def estimate(times: Array, at_risk: Array, events: Array, confidence: float) -> list[Incidence]:
    """Return the curve of each cause.

    Args:
        times: ascending, above 0.
        at_risk: rows at risk at each, above 0 wherever there is an event.
        events: of each cause at each time, shape ``(n_causes, n_times)``.
        confidence: of the band at each single time.
    """
    n, together = np.maximum(at_risk, 1.0), events.sum(axis=0)
    survival = np.cumprod(1.0 - together / n)
    before = np.concatenate([[1.0], survival[:-1]])
    return [_one(times, n, together, one, before, confidence) for one in events]


def _one(times: Array, n: Array, together: Array, events: Array, before: Array, confidence: float) -> Incidence:
    share = before / n
    incidence = np.cumsum(share * events)
    # (F(t) - F(t_j))² and F(t) - F(t_j), summed over t_j <= t with weights, opened up into cumulative sums.
    left = n - together
    greenwood = np.where(left > 0.0, together / (n * np.where(left > 0.0, left, 1.0)), 0.0)
    first = (incidence**2 * np.cumsum(greenwood) - 2.0 * incidence * np.cumsum(incidence * greenwood)
             + np.cumsum(incidence**2 * greenwood))
    second = np.cumsum(share**2 * events * (n - events) / n)
    cross = share * events / n
    third = incidence * np.cumsum(cross) - np.cumsum(incidence * cross)
    # Rounding may leave a vanishing variance under 0. Where nobody is left Greenwood's term is 0 / 0, and its factor 0.
    variance = np.maximum(first + second - 2.0 * third, 0.0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    inside = (incidence > 0.0) & (incidence < 1.0)
    safe = np.where(inside, incidence, 0.5)
    deviation = np.sqrt(variance) / (safe * np.abs(np.log(safe)))
    double = np.log(-np.log(safe))
    lower, upper = (np.where(inside, np.exp(-np.exp(double + s * z * deviation)), incidence) for s in (1.0, -1.0))
    return Incidence(np.concatenate([[0.0], times]), *(np.concatenate([[0.0], values]) for values in (
        incidence, variance, lower, upper)))
