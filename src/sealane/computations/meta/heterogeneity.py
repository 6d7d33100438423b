"""Combining estimates: inverse-variance weights, and the variance between institutions by four methods.

All is done per coefficient, vectorised over them. What decides comes from opened sums by plain arithmetic, the same
bits at every node. Sources: DerSimonian and Laird (1986), Controlled Clinical Trials 7; Paule and Mandel (1982), J.
Res. NBS 87, solved by Newton's method as in DerSimonian and Kacker (2007), Contemp. Clin. Trials 28; Viechtbauer
(2005), J. Educ. Behav. Stat. 30, eq. 13 (Fisher scoring for REML); Hedges (1983), Psychol. Bull. 93 (unweighted);
Hartung and Knapp (2001), Stat. Med. 20.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sealane.computations.design.variables import Array
from sealane.computations.meta.estimates import FURTHEST, Estimates
from sealane.errors import RefusedError

_OPENINGS = {"fixed": 3, "unweighted": 3, "dl": 6, "pm": 6, "reml": 7}
SETTLED = {"pm": 1e-6, "reml": 1e-10}
"""Largest last step of tau², relative; that step is still taken. Newton's leaves the square of it, Fisher's a part."""
LEAST = 1e-14
"""A tau² that is nothing but rounding, in standardised units."""
SPAN = 4.0 * FURTHEST * FURTHEST
"""Largest squared distance between two estimates."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean of estimates, and the variance of it."""

    mean: Array
    variance: Array


@dataclass(frozen=True, slots=True)
class Combined:
    """What is known of the effects after combination; None where the method opens no such sum."""

    fixed: Mean | None
    varying: Mean | None
    hartung_knapp: Array | None
    tau2: Array | None
    q: Array | None
    iterations: int


def openings(method: str, *, hartung_knapp: bool) -> int:
    """Return how many sums per coefficient a method opens at the least."""
    return _OPENINGS[method] + int(hartung_knapp and method not in ("fixed", "unweighted"))


async def combine(own: Estimates, method: str, *, hartung_knapp: bool, iterations: int) -> Combined:
    """Combine the institutions' estimates.

    Raises:
        RefusedError: ``meta.not-waived``, or ``meta.not-converged``.
    """
    if method == "unweighted":
        return await _unweighted(own, hartung_knapp=hartung_knapp)
    zero = np.zeros(own.theta.shape[1])
    fixed = await _fixed(own, zero)
    df = own.institutions - 1
    if method == "fixed":
        opened = await _about(own, zero, fixed.mean, ())
        return Combined(fixed, None, None, None, opened["q"], 0)
    tau2, q, count = zero, zero, 0
    if method == "dl":
        opened = await _about(own, zero, fixed.mean, ("w2",))
        q, total = opened["q"], 1.0 / fixed.variance
        tau2 = np.maximum((q - df) / (total - opened["w2"] / total), 0.0)
    else:
        tau2, q, count = await _iterate(own, method, fixed, iterations)
    effects = await _mean(own, tau2)
    adjusted = None
    if hartung_knapp:
        spread = await _about(own, tau2, effects.mean, ())
        adjusted = effects.variance * spread["q"] / df
    return Combined(fixed, effects, adjusted, tau2, q, count)


async def _iterate(own: Estimates, method: str, fixed: Mean, iterations: int) -> tuple[Array, Array, int]:
    """Solve for tau² from 0 upwards; return it, Q, and the steps it took."""
    tau2, at, q = np.zeros_like(fixed.mean), fixed, np.zeros_like(fixed.mean)
    wanted = ("w2d2",) if method == "pm" else ("w2d2", "w2", "w3")
    for number in range(iterations):
        opened = await _about(own, tau2, at.mean, wanted)
        q = opened["q"] if number == 0 else q
        step = _paule_mandel(own, tau2, opened) if method == "pm" else _reml(tau2, 1.0 / at.variance, opened)
        tau2 = tau2 + step
        if bool((np.abs(step) <= SETTLED[method] * tau2 + LEAST).all()):
            return tau2, q, number + 1
        at = await _mean(own, tau2)
    raise RefusedError("meta.not-converged", "the variance between institutions did not settle",
                       got=f"{iterations} iterations", hint='raise maximum_iterations, or use method = "dl"')


def _paule_mandel(own: Estimates, tau2: Array, opened: dict[str, Array]) -> Array:
    """Return Newton's step for 1 / Q(tau²) = 1 / (k - 1), which is nearly straight: few steps, so few sums."""
    df = own.institutions - 1
    excess = (opened["q"] - df) * opened["q"] / df
    # Where all estimates are the same there is no slope, and nothing to explain: tau² is 0.
    slope = opened["w2d2"]
    step = np.where(slope > 0.0, excess / np.where(slope > 0.0, slope, 1.0), -tau2)
    return np.asarray(np.maximum(tau2 + step, 0.0) - tau2, dtype=np.float64)


def _reml(tau2: Array, total: Array, opened: dict[str, Array]) -> Array:
    """Return Fisher's scoring step: score over expected information, both doubled, with P = W - W11'W / (1'W1)."""
    w2, w3 = opened["w2"], opened["w3"]
    score = opened["w2d2"] - (total - w2 / total)
    information = w2 - 2.0 * w3 / total + (w2 / total) * (w2 / total)
    return np.asarray(np.maximum(tau2 + score / information, 0.0) - tau2, dtype=np.float64)


async def _fixed(own: Estimates, zero: Array) -> Mean:
    """Open the weights first: nothing else is opened where one institution has nearly all of them."""
    weights = own.weights(zero)
    total = (await own.add({"w": (weights, own.heaviest)}))["w"]
    await own.check_shares(total)
    opened = await own.add({"wt": (weights * own.theta, own.heaviest * FURTHEST)})
    return Mean(opened["wt"] / total, 1.0 / total)


async def _mean(own: Estimates, tau2: Array) -> Mean:
    weights = own.weights(tau2)
    opened = await own.add({"w": (weights, own.heaviest), "wt": (weights * own.theta, own.heaviest * FURTHEST)})
    return Mean(opened["wt"] / opened["w"], 1.0 / opened["w"])


async def _about(own: Estimates, tau2: Array, centre: Array, more: tuple[str, ...]) -> dict[str, Array]:
    """Open the weighted squares about a mean (no digits are lost to cancellation), and what else is asked for."""
    weights, heaviest = own.weights(tau2), own.heaviest
    distance = (own.theta - centre) * (own.theta - centre)
    terms = {
        "q": (weights * distance, heaviest * SPAN),
        "w2d2": (weights**2 * distance, heaviest**2 * SPAN),
        "w2": (weights**2, heaviest**2),
        "w3": (weights**3, heaviest**3),
    }
    return await own.add({name: terms[name] for name in ("q", *more)})


async def _unweighted(own: Estimates, *, hartung_knapp: bool) -> Combined:
    """Count each institution alike: three sums, which also few institutions may open."""
    k = own.institutions
    first = await own.add({"t": (own.theta, FURTHEST), "v": (own.variance, FURTHEST)})
    mean, within = first["t"] / k, first["v"] / k
    distance = (own.theta - mean) * (own.theta - mean)
    spread = (await own.add({"d2": (distance, SPAN)}))["d2"] / (k - 1)
    tau2 = np.maximum(spread - within, 0.0)
    return Combined(None, Mean(mean, (within + tau2) / k), spread / k if hartung_knapp else None, tau2, None, 0)
