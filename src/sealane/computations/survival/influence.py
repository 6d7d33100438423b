"""The variance of a subdistribution model: the sum of squares of what each row did to the coefficients.

A row acts through the score (η_i) and, where it left or could have, through the curve of leaving that weights others
(ψ_i); both are computed at its node from public functions of time. With weights G(t-) / G(T-), and A_0, A_1 the sums of
e^η / G(T-) and x e^η / G(T-) over the competing rows up to u,

    q(u) = Σ_{t > u} G(t-) dΛ(t) (A_1(u) - x̄(t) A_0(u)),
    ψ_i  = Σ_u q(u) / (n(u) - c(u)) · (1[leaves at u] - 1[at risk at u] c(u) / n(u)),

c and n being rows that leave and rows at risk. Source: Fine and Gray (1999), section 4; n - c stands for n since G is a
product and not an exponential, so on a grid with ties this is the derivative to the last digit.
"""

from __future__ import annotations

import math

import numpy as np

from sealane.computations.base import Cohort, count, real
from sealane.computations.survival.bounds import power_above
from sealane.computations.survival.subdistribution import (
    Array,
    OwnSets,
    Staying,
    SubdistributionLikelihood,
    sums_by_place,
)
from sealane.errors import RefusedError

LARGEST = 2.0**16
"""How far the squares of rows' influences on the score may sum beyond the events, in squared reaches of covariates."""


async def meat(
    cohort: Cohort, own: OwnSets, curve: Staying, likelihood: SubdistributionLikelihood, beta: Array, *, reach: float,
    weight: float,
) -> Array:
    """Open the sum of squares of all rows' influences on the score, shape ``(p, p)``: two sums.

    Args:
        cohort: of the run.
        own: own rows.
        curve: of leaving.
        likelihood: evaluated at ``beta``.
        beta: coefficients.
        reach: largest absolute value of a column that the contract allows.
        weight: public bound on a node's sum of e^η / G(T-), which the likelihood has held it to.

    Raises:
        RefusedError: ``fine-gray.unbounded``.
    """
    risk = np.exp(own.x @ beta)
    q = await _pull(cohort, own, curve, likelihood, risk, reach=reach, weight=weight)
    influence = _score(own, likelihood, risk) + _through_weights(own, curve, q)
    size = len(beta)
    rows, columns = np.triu_indices(size)
    local = (influence.T @ influence)[rows, columns]
    most = power_above(LARGEST * float(own.events.sum()) * reach * reach)
    fits = bool((np.abs(local) <= most).all())
    opened = await cohort.sum({"squares": real(local if fits else np.zeros_like(local), most),
                               "unbounded": count([0 if fits else 1], 1)})
    if int(opened["unbounded"][0]):
        raise RefusedError("fine-gray.unbounded", "single rows move the coefficients without bound",
                           got="hazards that are far apart", hint="leave out what tells who has the event next")
    out = np.zeros((size, size))
    out[rows, columns] = out[columns, rows] = opened["squares"]
    return out


async def _pull(
    cohort: Cohort, own: OwnSets, curve: Staying, likelihood: SubdistributionLikelihood, risk: Array, *, reach: float,
    weight: float,
) -> Array:
    """Open A_0 and A_1 at the times of leaving, and return q there, shape ``(n_times, p)``; no times, no sum."""
    size = own.x.shape[1]
    if not len(curve.places):
        return np.zeros((0, size))
    chosen = own.competing
    scaled = (risk / own.stayed)[chosen]
    values = np.column_stack([scaled, own.x[chosen] * scaled[:, None]])
    first = np.searchsorted(curve.places, own.stop[chosen], side="left")
    local = sums_by_place(first, values, len(curve.places) + 1).cumsum(axis=0)[:-1]
    opened = await cohort.sum({"a0": real(local[:, 0], power_above(weight)),
                               "a1": real(local[:, 1:], power_above(weight * reach))})
    # Sums over the slots after each time of leaving, from behind.
    hazard = own.late * likelihood.hazard
    behind = np.concatenate([np.cumsum(hazard[::-1])[::-1], [0.0]])
    means = np.concatenate([np.cumsum((likelihood.means * hazard[:, None])[::-1], axis=0)[::-1], np.zeros((1, size))])
    after = np.searchsorted(own.slots, curve.places, side="right")
    return np.asarray(opened["a1"] * behind[after, None] - means[after] * opened["a0"][:, None], dtype=np.float64)


def _score(own: OwnSets, likelihood: SubdistributionLikelihood, risk: Array) -> Array:
    """Return each row's part of the score, the hazard it was under taken off: shape ``(n_rows, p)``."""
    hazard, means = likelihood.hazard, likelihood.means
    expected = own.x * own.exposure(hazard)[:, None]
    for j in range(own.x.shape[1]):
        expected[:, j] -= own.exposure(hazard * means[:, j])
    out = -risk[:, None] * expected
    dead = own.dead
    out[dead] += own.x[dead] - means[own.high[dead] - 1]
    return np.asarray(out, dtype=np.float64)


def _through_weights(own: OwnSets, curve: Staying, q: Array) -> Array:
    """Return what each row does through the curve of leaving: shape ``(n_rows, p)``."""
    left = curve.at_risk - curve.leavings
    # Where all leave, no event of interest comes after: q is 0.
    pull = np.where(left[:, None] > 0.0, q / np.where(left > 0.0, left, 1.0)[:, None], 0.0)
    under = np.concatenate([np.zeros((1, q.shape[1])), np.cumsum(pull * (curve.leavings / curve.at_risk)[:, None],
                                                                axis=0)])
    out = -under[np.searchsorted(curve.places, own.stop, side="right")]
    gone = own.kind == 0
    out[gone] += pull[np.searchsorted(curve.places, own.stop[gone], side="left")]
    return np.asarray(out, dtype=np.float64)


def sandwich(inverse: Array, squares: Array) -> Array:
    """Return inverse · squares · inverse, each entry exactly rounded."""
    size = range(len(inverse))
    half = np.array([[math.fsum((inverse[i] * squares[:, j]).tolist()) for j in size] for i in size])
    whole = np.array([[math.fsum((half[i] * inverse[:, j]).tolist()) for j in size] for i in size])
    return np.asarray((whole + whole.T) / 2.0, dtype=np.float64)
