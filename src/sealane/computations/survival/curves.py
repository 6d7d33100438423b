"""Kaplan-Meier estimate, Greenwood's variance and log-log bands from counts on a grid. Pure arithmetic.

Source: Kaplan and Meier (1958), J. Am. Stat. Assoc. 53(282); Greenwood (1926); the band exp(-exp(.)) as in Kalbfleisch
and Prentice (2002), The Statistical Analysis of Failure Time Data, section 1.4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """A survival curve, one entry per time, time 0 first.

    Attributes:
        times: in the unit of the duration.
        survival: probability to be without the event after each time.
        variance: Greenwood's, of ``survival``.
        lower: of the band.
        upper: of the band.
    """

    times: Array
    survival: Array
    variance: Array
    lower: Array
    upper: Array

    def on(self, values: Array, times: Array) -> Array:
        """Return one of the arrays as a step function at times of 0 and later; past the last step it stays."""
        return np.asarray(values[np.searchsorted(self.times, times, side="right") - 1], dtype=np.float64)

    def first_at_or_under(self, values: Array, level: float) -> float:
        """Return the first time at which ``values`` are at most ``level``, infinite if none is."""
        found = np.flatnonzero(values <= level)
        return float(self.times[found[0]]) if len(found) else math.inf


def estimate(times: Array, at_risk: Array, events: Array, confidence: float, noise: Array | None = None) -> Curve:
    """Return the curve.

    Args:
        times: grid times, ascending; time 0 is put before them if it is not among them.
        at_risk: rows at risk at each.
        events: events at each.
        confidence: of the band at each single time.
        noise: variance that noise adds to the logarithm of survival at each time, if there is noise.
    """
    if len(times) == 0 or times[0] != 0.0:
        times, at_risk, events = (np.concatenate([[first], values]) for first, values in
                                  ((0.0, times), (at_risk[0] if len(at_risk) else 0.0, at_risk), (0.0, events)))
        noise = None if noise is None else np.concatenate([[0.0], noise])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        survival = np.cumprod(np.where(at_risk > 0, 1.0 - events / np.where(at_risk > 0, at_risk, 1.0), 1.0))
        terms = np.where(events > 0, events / (at_risk * (at_risk - events)), 0.0)
        logs = np.cumsum(terms)  # of log S; infinite once nobody is left
        greenwood = np.where(survival > 0.0, survival * survival * logs, 0.0)
        deviation = np.sqrt(logs if noise is None else logs + noise) / np.abs(np.log(survival))
        double, z = np.log(-np.log(survival)), NormalDist().inv_cdf(0.5 + confidence / 2.0)
        lower, upper = np.exp(-np.exp(double + z * deviation)), np.exp(-np.exp(double - z * deviation))
    certain = survival >= 1.0
    gone = survival <= 0.0
    lower, upper = (np.where(gone, 0.0, np.where(certain, 1.0, limit)) for limit in (lower, upper))
    return Curve(times, np.asarray(survival, dtype=np.float64), greenwood.astype(np.float64), lower, upper)
