"""Newton's method on opened sums, with the ways in which a model can have no answer told apart.

Nobody outside chooses the next coefficients: each node derives them from opened sums, and ``agree`` only settles the
last bits. Source: Green (1984), Iteratively reweighted least squares, J. R. Stat. Soc. B 46(2).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort
from sealane.computations.cholesky import Factor, factor
from sealane.errors import RefusedError

SMALLEST_PIVOT = 1e-10
"""Least share of a column that the others may leave unexplained; below it float64 cannot invert what it must."""
LAST_STEP = 1e-8
"""Largest last step in standardised units: the information is then as good as at the maximum."""
ROUNDING = 1e-20
"""Relative gain of the deviance that is nothing but rounding."""
HALVINGS = 20
NEARLY_FLAT = 1e-4
STRIDE = 0.4
STRIDES = 3

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Point:
    """The opened sums at some coefficients.

    Attributes:
        beta: the coefficients, shape ``(p,)``, of standardised columns.
        information: minus the second derivative of the log-likelihood or its expectation, shape ``(p, p)``.
        score: first derivative, shape ``(p,)``.
        deviance: minus twice the log-likelihood, up to a constant.
        runaway: whether some node's sums went past a public bound, or would rest on few of its rows, so that the others
            mean nothing.
    """

    beta: Array
    information: Array
    score: Array
    deviance: float
    runaway: bool = False


@dataclass(frozen=True, slots=True)
class Solution:
    """The maximum: opened sums there, the last step that is still to be taken, and the inverse information."""

    point: Point
    step: Array
    inverse: Array
    iterations: int


@dataclass(frozen=True, slots=True)
class Slope:
    """What is climbed.

    Attributes:
        at: evaluates agreed coefficients over the cohort.
        names: of the coefficients, for errors.
        units: how much of each standardised column is one natural unit: a spread of a number, the whole of a level.
        perfect: deviance under which every row counts as predicted without doubt; 0 where that cannot be.
        bounded: whether there is a maximum for certain, as a penalty makes one.
    """

    at: Callable[[Array], Awaitable[Point]]
    names: list[str]
    units: Array
    perfect: float = 0.0
    bounded: bool = False

    def effects(self, step: Array) -> Array:
        """Return the size of each coefficient's step in natural units."""
        return np.asarray(np.abs(step) / self.units, dtype=np.float64)

    def named(self, sizes: Array) -> str:
        """Return the names of the coefficients with the largest sizes."""
        threshold = 0.1 * float(sizes.max())
        chosen = [name for name, size in zip(self.names, sizes.tolist(), strict=True) if size >= threshold]
        return ", ".join([name for name in chosen if name != "Intercept"][:10]) or "Intercept"


async def climb(slope: Slope, cohort: Cohort, start: Point, *, iterations: int, tolerance: float) -> Solution:
    """Climb from ``start`` until the next step promises nothing.

    Raises:
        RefusedError: ``model.collinear``, ``model.separation`` or ``model.not-converged``.
    """
    if start.runaway:
        raise RefusedError("model.not-converged", "the fit has nowhere to begin", got="a node's sums past their bounds",
                           hint="a feature with extreme values may need a logarithm or a narrower range")
    check_collinear(start.information, slope)
    point = start
    strides = held = 0
    for number in range(iterations + 1):
        factored, step, gain = _newton_step(point, slope)
        scale = abs(point.deviance) + 0.1
        settled = float(np.abs(step).max()) <= LAST_STEP * (1.0 + float(np.abs(point.beta).max()))
        if gain <= tolerance * scale and (settled or gain <= ROUNDING * scale):
            return Solution(point, step, factored.inverse(), number)
        if point.deviance < slope.perfect:
            raise _separation(step, slope)
        # Where there is no maximum the deviance flattens while the coefficients go on at a steady pace; near a true
        # maximum the steps shrink quadratically and this cannot last.
        strides = strides + 1 if gain <= NEARLY_FLAT * scale and float(slope.effects(step).max()) > STRIDE else 0
        if strides >= STRIDES and not slope.bounded:
            raise _separation(step, slope)
        if number < iterations:
            following, ran = await _advance(slope, cohort, point, step)
            # Where outcomes are nearly told apart, what is left of the weights lies with a few rows.
            held = held + 1 if ran else 0
            if slope.perfect and held >= STRIDES:
                raise _separation(step, slope)
            point = following
    raise RefusedError("model.not-converged", "the fit did not converge", got=f"{iterations} iterations",
                       expected=f"relative gain of at most {tolerance:g}",
                       hint="raise maximum_iterations, or leave out features that nearly determine each other")


def check_collinear(information: Array, slope: Slope) -> None:
    """Refuse columns that determine each other.

    Raises:
        RefusedError: ``model.collinear``.
    """
    factored = factor(information)
    if factored is None or float(factored.pivots.min()) < SMALLEST_PIVOT:
        spread = np.sqrt(np.maximum(np.diag(information), np.finfo(np.float64).tiny))
        vectors = np.linalg.eigh(information / np.outer(spread, spread))[1]
        raise RefusedError("model.collinear", "features determine each other", got=slope.named(np.abs(vectors[:, 0])),
                           expected="columns that are linearly independent", hint="leave one of them out")


async def _advance(slope: Slope, cohort: Cohort, point: Point, step: Array) -> tuple[Point, bool]:
    """Take the step, halved until the deviance does not rise; return too whether any part of it ran away."""
    allowed, ran = point.deviance + 1e-9 * (abs(point.deviance) + 0.1), False
    for halving in range(HALVINGS):
        candidate = await slope.at(await cohort.agree(point.beta + step * 0.5**halving))
        if not candidate.runaway and candidate.deviance <= allowed:
            return candidate, ran
        ran = ran or candidate.runaway
    if ran and slope.perfect:
        raise _separation(step, slope)
    if ran and slope.bounded:
        raise RefusedError("model.rests-on-few", "the estimate would rest on few rows of an institution",
                           expected="the minimum count of effective rows where an institution has four times as many",
                           hint="leave out or merge what separates the outcome")
    raise RefusedError("model.not-converged", "no step lowers the deviance", got=f"{HALVINGS} halvings",
                       hint="a feature with extreme values may need a logarithm or a narrower range")


def _newton_step(point: Point, slope: Slope) -> tuple[Factor, Array, float]:
    """Return the factored information, the step and how much deviance it promises to gain."""
    factored = factor(point.information)
    if factored is None:
        flat = np.diag(point.information) <= 0.0
        raise _separation(np.where(flat, 1.0, 0.0) if bool(flat.any()) else point.beta, slope)
    step = factored.solve(point.score)
    gain = math.fsum((step * point.score).tolist())
    if not math.isfinite(gain):
        raise _separation(step, slope)
    # The exact gain is a square; only rounding makes a vanishing one negative.
    return factored, step, max(gain, 0.0)


def _separation(step: Array, slope: Slope) -> RefusedError:
    sizes = np.where(np.isfinite(step), slope.effects(step), np.inf)
    return RefusedError("model.separation", "the outcome is separated: some coefficients have no finite estimate",
                        got=slope.named(sizes), expected="events and non-events among all values",
                        hint="leave these out, or merge levels")
