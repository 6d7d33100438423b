"""Weighted means of the outcome in each arm, and their covariance from sums alone.

With weights w(e) normalised in each arm the mean is Σwy / Σw (Hájek). Its influence function takes the estimated score
into account: with s = (t - e)x the score of a row, I the information of the propensity model, r = w(y - μ) in its arm
and H = Σ w'(y - μ)x, w' being the weight's slope by the linear predictor,

    μ̂ - μ ≈ (Σr + H' I⁻¹ Σs) / Σw,

so that the covariance follows from Σr², Σrs, Σss', H and I. Source: Lunceford and Davidian (2004), Stat. Med.
23:2937-2960, section 3; Stefanski and Boos (2002), Am. Stat. 56:29-38, for the sandwich of stacked equations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort, real
from sealane.computations.causal.arms import Role
from sealane.computations.causal.propensity import Propensity
from sealane.computations.causal.support import Arms, Support
from sealane.computations.causal.weights import Weights
from sealane.computations.cholesky import factor
from sealane.computations.design.layout import Placement
from sealane.computations.disclosure import effective_rows
from sealane.computations.newton import Array
from sealane.errors import RefusedError

FLAT = 1e-15
"""Mean square of weighted residuals, in units of the outcome's spread, that is nothing but rounding."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Means of the outcome in the contract's units, treated first, and their covariance; inverse information.

    Attributes:
        means: agreed.
        covariance: agreed, shape ``(2, 2)``.
        inverse: of the propensity model's information.
    """

    means: tuple[float, float]
    covariance: list[list[float]]
    inverse: Array


async def open_effect(
    cohort: Cohort, propensity: Propensity, support: Support, weights: Weights, arms: Arms, x: Array, y: Array,
    score: Array, role: Role, place: Placement, top: float,
) -> Effect:
    """Open the weighted means, then what their covariance is made of: one sum each.

    Args:
        cohort: of the run.
        propensity: the model of the score.
        support: opened sums of the weights.
        weights: own ones.
        arms: which own rows are in which.
        x: own standardised features.
        y: own outcomes in the contract's units.
        score: own propensity scores.
        role: of the outcome.
        place: of the outcome.
        top: what no weight exceeds.

    Raises:
        RefusedError: ``ipw.range-too-wide``, ``ipw.dominated`` or ``ipw.constant-outcome``.
    """
    unit = (y - place.centre) / place.scale
    reach = max(abs(bound - place.centre) / place.scale for bound in (role.low, role.high))
    own = [float((weights.values[arm] * unit[arm]).sum()) for arm in arms]
    terms = {"outcome": real(own, propensity.bound(top * reach))}
    if role.amount:
        parts = [weights.values[arm] * (y[arm] / role.high) for arm in arms]
        terms["amounts"] = real([[float(part.sum()), float((part**2).sum())] for part in parts],
                                propensity.bound(top * max(top, 1.0)))
    opened = await cohort.sum(terms)
    if role.amount:
        _check_dominance(opened["amounts"].tolist(), cohort.minimum_count)
    means = await cohort.agree(opened["outcome"] / np.array(support.totals))
    size, upper = x.shape[1], np.triu_indices(x.shape[1])
    apart = 2.0 * reach
    treated = arms[0].astype(np.float64)
    residual = np.where(arms[0], unit - means[0], unit - means[1])
    r, slope, s = weights.values * residual, weights.slopes * residual, treated - score
    crossed = np.stack([x[arm].T @ (r * s)[arm] for arm in arms])
    slopes = np.stack([x[arm].T @ slope[arm] for arm in arms])
    big = propensity.reach
    sums = await cohort.sum({
        "squares": real([float((r[arm] ** 2).sum()) for arm in arms], propensity.bound((top * apart) ** 2)),
        "crossed": real(crossed, propensity.bound(top * apart * big)),
        "slopes": real(slopes, propensity.bound(top * apart * big)),
        "scores": real(((x * (s**2)[:, None]).T @ x)[upper], propensity.bound(big * big)),
        "information": real(((x * (score * (1.0 - score))[:, None]).T @ x)[upper], propensity.bound(big * big)),
    })
    factored = factor(_full(sums["information"], size))
    if factored is None or min(sums["squares"]) <= FLAT * propensity.rows:
        raise RefusedError("ipw.constant-outcome", "the outcome does not vary within an arm", got="one value",
                           expected="a spread in each arm")
    inverse, outer = factored.inverse(), _full(sums["scores"], size)
    lever = [factored.solve(sums["slopes"][a]) for a in (0, 1)]
    derived = []
    for a, b in ((0, 0), (0, 1), (1, 1)):
        total = float(sums["squares"][a]) if a == b else 0.0
        total += _dot(lever[a], sums["crossed"][b]) + _dot(lever[b], sums["crossed"][a])
        total += _dot(lever[a], np.array([_dot(row, lever[b]) for row in outer]))
        derived.append(total / (support.totals[a] * support.totals[b]) * propensity.rows)
    settled = (await cohort.agree(np.array(derived))).tolist()
    scale = place.scale * place.scale / propensity.rows
    c11, c10, c00 = (one * scale for one in settled)
    first, second = (place.centre + place.scale * one for one in means.tolist())
    return Effect((first, second), [[c11, c10], [c10, c00]], inverse)


def _check_dominance(amounts: list[list[float]], minimum: int) -> None:
    """Refuse a mean that few rows make: their values would follow from it."""
    if any(0.0 < effective_rows(total, squares) < minimum for total, squares in amounts):
        raise RefusedError("ipw.dominated", "few rows make up nearly all of the outcome in an arm",
                           got=f"under {minimum} effective rows", expected=f"at least {minimum} in each arm",
                           hint="take a logarithm of the outcome, or clip it, when the dataset is added")


def _full(values: Array, size: int) -> Array:
    out = np.zeros((size, size))
    out[np.triu_indices(size)] = values
    return np.asarray(np.triu(out) + np.triu(out, 1).T, dtype=np.float64)


def _dot(a: Array, b: Array) -> float:
    """Return an inner product, exactly rounded."""
    return math.fsum((a * b).tolist())
