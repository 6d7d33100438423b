"""The likelihood of a linear model with a random intercept per institution, over the one variance ratio.

With V_i = I + θ 11' of institution i, V_i⁻¹ = I - θ / (1 + θ n_i) 11' and |V_i| = 1 + θ n_i. So of each institution
only n_i and the column totals s_i = [X y]'1 are needed, and of all together the products C = Σ [X y]'[X y]:

    A(θ) = C - Σ θ / (1 + θ n_i) s_i s_i',   β = A_xx⁻¹ A_xy,   rss = A_yy - A_xy'β.

The derivative of the profile likelihood is rational in θ. Its root is found by bisection with exactly rounded
operations, so all nodes arrive at the same bits; a search for the maximum itself would lose half of the digits.
Source: Laird and Ware (1982), Biometrics 38; Pinheiro and Bates (2000), Mixed-Effects Models in S and S-PLUS, section
2.2; Lindstrom and Bates (1988), JASA 83 (REML).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sealane.computations.cholesky import Factor, factor

Array = NDArray[np.float64]

GRID = (0.0, *(2.0**power for power in range(-40, 41)))
"""Variance ratios between which the derivative is looked at for a change of sign."""
BISECTIONS = 60


@dataclass(frozen=True, slots=True)
class Clusters:
    """What is opened of the institutions, in standardised units.

    Attributes:
        rows: of each institution, shape ``(k,)``.
        totals: column totals of ``[X y]`` at each institution, shape ``(k, p + 1)``.
        products: ``[X y]'[X y]`` over all rows, shape ``(p + 1, p + 1)``.
        reml: whether the likelihood is the restricted one.
    """

    rows: Array
    totals: Array
    products: Array
    reml: bool

    @property
    def total_rows(self) -> float:
        """Rows over all institutions."""
        return math.fsum(self.rows.tolist())

    @property
    def degrees(self) -> float:
        """Divisor of the residual sum of squares: n, or n - p under REML."""
        return self.total_rows - (len(self.products) - 1 if self.reml else 0)


@dataclass(frozen=True, slots=True)
class Fit:
    """The model at one variance ratio.

    Attributes:
        ratio: θ, the variance between institutions in units of the residual variance.
        beta: coefficients of the fixed effects.
        factored: of A_xx.
        residual: rss.
        leftover: what is left of each institution's total of y, ``s_iy - s_ix'β``.
        slope: derivative of minus twice the profile log-likelihood by θ.
    """

    ratio: float
    beta: Array
    factored: Factor
    residual: float
    leftover: Array
    slope: float


def evaluate(clusters: Clusters, ratio: float) -> Fit | None:
    """Fit the fixed effects at a variance ratio; None where the columns determine each other, or the outcome."""
    totals = clusters.totals
    shrink = 1.0 / (1.0 + ratio * clusters.rows)
    p = len(clusters.products) - 1
    a = _information(clusters, ratio, p + 1)
    factored = factor(a[:p, :p])
    if factored is None:
        return None
    beta = factored.solve(a[:p, p])
    residual = math.fsum([float(a[p, p]), *(-a[:p, p] * beta).tolist()])
    if not residual > 0.0:
        return None
    leftover = np.array([math.fsum([float(row[p]), *(-row[:p] * beta).tolist()]) for row in totals])
    fall = math.fsum((leftover * shrink * leftover * shrink).tolist())
    slope = -clusters.degrees * fall / residual + math.fsum((clusters.rows * shrink).tolist())
    if clusters.reml:
        spread = _weighted_products(totals[:, :p], shrink * shrink)
        slope -= math.fsum((factored.inverse() * spread).reshape(-1).tolist())
    return Fit(ratio, beta, factored, residual, leftover, slope)


def candidates(clusters: Clusters) -> list[Fit]:
    """Return the fits at all local maxima of the profile likelihood, by falling ratio at most the grid's last."""
    found: list[Fit] = []
    fits = [evaluate(clusters, ratio) for ratio in GRID]
    if fits[0] is not None and fits[0].slope >= 0.0:
        found.append(fits[0])
    for low, high in pairwise(fits):
        if low is not None and high is not None and low.slope < 0.0 <= high.slope:
            found.append(_bisect(clusters, low, high))
    return found


def log_likelihood(clusters: Clusters, fit: Fit) -> float:
    """Return the (restricted) log-likelihood with all constants, in standardised units."""
    degrees = clusters.degrees
    total = degrees * (math.log(2.0 * math.pi * fit.residual / degrees) + 1.0)
    total += math.fsum(math.log(1.0 + fit.ratio * number) for number in clusters.rows.tolist())
    if clusters.reml:
        # The determinant of A_xx = D L L' D, D the spread of its columns.
        diagonal = np.diag(fit.factored.lower) * fit.factored.spread
        total += 2.0 * math.fsum(math.log(value) for value in diagonal.tolist())
    return -0.5 * total


def covariance(clusters: Clusters, fit: Fit) -> Array | None:
    """Return the covariance of the fixed effects from the observed information, the ratio's part taken out.

    This is what statsmodels' MixedLM gives; the plain ``σ² A_xx⁻¹`` of other packages takes the ratio for known. None
    where the information is not positive definite, as it can be with a ratio of 0.
    """
    rows, ratio, p = clusters.rows, fit.ratio, len(fit.beta)
    shrink = 1.0 / (1.0 + ratio * rows)
    scale = fit.residual / clusters.degrees
    square, cube = shrink * shrink, rows * shrink * shrink * shrink
    left = fit.leftover * fit.leftover
    cross = np.array([math.fsum((square * clusters.totals[:, j] * fit.leftover).tolist()) for j in range(p)]) / scale
    first, second = -math.fsum((square * left).tolist()), 2.0 * math.fsum((cube * left).tolist())
    curve = clusters.degrees * (second / fit.residual - (first / fit.residual) ** 2)
    curve -= math.fsum((rows * rows * square).tolist())
    if clusters.reml:
        inverse = fit.factored.inverse()
        fall, bend = (_weighted_products(clusters.totals[:, :p], weights) for weights in (square, 2.0 * cube))
        turned = np.array([[math.fsum((inverse[j] * fall[k]).tolist()) for k in range(p)] for j in range(p)])
        curve += math.fsum((inverse * bend).reshape(-1).tolist()) - math.fsum((turned * turned.T).reshape(-1).tolist())
    if not curve > 0.0:
        return None
    information = _information(clusters, ratio, p) / scale - np.multiply.outer(cross, cross) / (curve / 2.0)
    factored = factor(information)
    return None if factored is None else factored.inverse()


def _information(clusters: Clusters, ratio: float, size: int) -> Array:
    shrink = 1.0 / (1.0 + ratio * clusters.rows)
    return clusters.products[:size, :size] - _weighted_products(clusters.totals[:, :size], ratio * shrink)


def _bisect(clusters: Clusters, low: Fit, high: Fit) -> Fit:
    for _ in range(BISECTIONS):
        middle = evaluate(clusters, (low.ratio + high.ratio) / 2.0)
        if middle is None or middle.ratio in (low.ratio, high.ratio):
            break
        low, high = (middle, high) if middle.slope < 0.0 else (low, middle)
    return high


def _weighted_products(totals: Array, weights: Array) -> Array:
    """Return Σ w_i s_i s_i', each entry exactly rounded."""
    size = totals.shape[1]
    out = np.empty((size, size))
    for j in range(size):
        for k in range(j, size):
            out[j, k] = out[k, j] = math.fsum((weights * totals[:, j] * totals[:, k]).tolist())
    return out
