"""Distributions of survival times as location and scale of log time: what one row contributes, and how much it can.

With z = ρ (log t - η) survival is S(z): exp(-e^z) (Weibull), 1 / (1 + e^z) (log-logistic) or Φ(-z) (log-normal). In
the parameters ρ and γ = ρ β, z is linear and all three log-likelihoods are concave, so Newton's method cannot be led
astray. Source: Burridge (1981), J. R. Stat. Soc. B 43; Olsen (1978), Econometrica 46, for the normal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sealane.computations.design.variables import Array


@dataclass(frozen=True, slots=True)
class Scores:
    """A node's rows at their z: log density (event) or log survival, its first derivative, minus its second."""

    value: Array
    slope: Array
    curve: Array


@dataclass(frozen=True, slots=True)
class Caps:
    """Bounds at one node on the sums of the absolute values of :class:`Scores`."""

    value: float
    slope: float
    curve: float


class Distribution(Protocol):
    """A distribution of log time."""

    @property
    def name(self) -> str:
        """Name in parameters."""

    @property
    def labels(self) -> tuple[str, str]:
        """What lifelines calls the location's and the scale's coefficients."""

    @property
    def start(self) -> tuple[float, float]:
        """Mean and inverse spread at which standardised log times start."""

    def within(self, z: Array, most: float) -> bool:
        """Say whether a node's rows stay under the public total that its bounds are built on."""

    def scores(self, z: Array, event: Array) -> Scores:
        """Evaluate a node's rows."""

    def caps(self, rows: int, steepest: float, most: float) -> Caps:
        """Bound what rows come to whose z is at most ``steepest`` in size, by operations exact on every machine."""


class Weibull:
    """Extreme values: hazards are proportional too."""

    name, labels, start = "weibull", ("lambda_", "rho_"), (0.5, 1.0)

    def within(self, z: Array, most: float) -> bool:
        """Add the cumulative hazards up, far from overflow."""
        return float(np.exp(np.minimum(z, 700.0)).sum()) <= most

    def scores(self, z: Array, event: Array) -> Scores:
        """Evaluate δ z - e^z; the caller has made sure that hazards stay under their total."""
        hazard = np.exp(z)
        return Scores(event * z - hazard, event - hazard, hazard)

    def caps(self, rows: int, steepest: float, most: float) -> Caps:
        """Use that a node's cumulative hazards sum to at most ``most``."""
        return Caps(rows * steepest + most, rows + most, most)


class LogLogistic:
    """Logistic errors: odds of survival are proportional."""

    name, labels, start = "log_logistic", ("alpha_", "beta_"), (0.0, 1.8)

    def within(self, z: Array, most: float) -> bool:
        """Return True: the bounds need no such total."""
        return True

    def scores(self, z: Array, event: Array) -> Scores:
        """Evaluate δ z - (1 + δ) log(1 + e^z)."""
        small = np.exp(-np.abs(z))
        p = np.where(z >= 0.0, 1.0, small) / (1.0 + small)
        twice = 1.0 + event
        return Scores(event * z - twice * np.logaddexp(0.0, z), event - twice * p, twice * small / (1.0 + small) ** 2)

    def caps(self, rows: int, steepest: float, most: float) -> Caps:
        """Use log(1 + e^|z|) <= 1 + |z| and p (1 - p) <= 1/4."""
        return Caps(rows * (2.0 + 3.0 * steepest), 2.0 * rows, 0.5 * rows)


class LogNormal:
    """Normal errors."""

    name, labels, start = "log_normal", ("mu_", "sigma_"), (0.0, 1.0)

    def within(self, z: Array, most: float) -> bool:
        """Return True: the bounds need no such total."""
        return True

    def scores(self, z: Array, event: Array) -> Scores:
        """Evaluate log φ(z) where there was an event, else log Φ(-z) and Mills' ratio."""
        from scipy.special import log_ndtr

        density = -0.5 * z * z - 0.5 * math.log(2.0 * math.pi)
        tail = log_ndtr(-z)
        mills = np.exp(density - tail)
        there = event > 0.0
        return Scores(np.where(there, density, tail), np.where(there, -z, -mills),
                      np.where(there, 1.0, mills * (mills - z)))

    def caps(self, rows: int, steepest: float, most: float) -> Caps:
        """Use -log Φ(-z) <= z² / 2 + |z| + 2, φ / Φ <= |z| + 1 and that the curvature is at most 1."""
        return Caps(rows * (steepest * steepest / 2.0 + steepest + 2.0), rows * (steepest + 1.0), float(rows))


DISTRIBUTIONS: dict[str, Distribution] = {one.name: one for one in (Weibull(), LogLogistic(), LogNormal())}
