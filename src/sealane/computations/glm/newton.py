"""Newton's method on opened sums, with the ways in which a model can have no answer told apart.

Nobody outside chooses the next coefficients: each node derives them from opened sums, and ``agree`` only settles the
last bits. Source: Green (1984), Iteratively reweighted least squares, J. R. Stat. Soc. B 46(2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort
from sealane.computations.cholesky import Factor, factor
from sealane.computations.glm.design import Array, Design
from sealane.computations.glm.likelihood import Likelihood, Point
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
PERFECT = 1e-5


@dataclass(frozen=True, slots=True)
class Solution:
    """The maximum: opened sums there, the last step that is still to be taken, and the inverse information."""

    point: Point
    step: Array
    inverse: Array
    iterations: int


async def maximise(
    likelihood: Likelihood, cohort: Cohort, start: Point, *, iterations: int, tolerance: float, binomial: bool
) -> Solution:
    """Climb from ``start`` until the next step promises nothing.

    Raises:
        RefusedError: ``glm.collinear``, ``glm.separation`` or ``glm.not-converged``.
    """
    design = likelihood.design
    _check_collinear(start.information, design)
    point = start
    strides = 0
    for number in range(iterations + 1):
        factored, step, gain = _newton_step(point, design)
        scale = abs(point.deviance) + 0.1
        settled = float(np.abs(step).max()) <= LAST_STEP * (1.0 + float(np.abs(point.beta).max()))
        if gain <= tolerance * scale and (settled or gain <= ROUNDING * scale):
            return Solution(point, step, factored.inverse(), number)
        if binomial and point.deviance < PERFECT * likelihood.rows:
            raise _separation(step, design)
        # Where there is no maximum the deviance flattens while the coefficients go on at a steady pace; near a true
        # maximum the steps shrink quadratically and this cannot last.
        strides = strides + 1 if gain <= NEARLY_FLAT * scale and float(_effects(step, design).max()) > STRIDE else 0
        if strides >= STRIDES:
            raise _separation(step, design)
        if number < iterations:
            point = await _advance(likelihood, cohort, point, step)
    raise RefusedError("glm.not-converged", "the fit did not converge", got=f"{iterations} iterations",
                       expected=f"relative gain of at most {tolerance:g}",
                       hint="raise maximum_iterations, or leave out features that nearly determine each other")


async def _advance(likelihood: Likelihood, cohort: Cohort, point: Point, step: Array) -> Point:
    """Take the step, halved until the deviance does not rise."""
    allowed = point.deviance + 1e-9 * (abs(point.deviance) + 0.1)
    for halving in range(HALVINGS):
        candidate = await likelihood.at(await cohort.agree(point.beta + step * 0.5**halving))
        if not candidate.runaway and candidate.deviance <= allowed:
            return candidate
    raise RefusedError("glm.not-converged", "no step lowers the deviance", got=f"{HALVINGS} halvings",
                       hint="a feature with extreme values may need a logarithm or a narrower range")


def _newton_step(point: Point, design: Design) -> tuple[Factor, Array, float]:
    """Return the factored information, the step and how much deviance it promises to gain."""
    factored = factor(point.information)
    if factored is None:
        flat = np.diag(point.information) <= 0.0
        raise _separation(np.where(flat, 1.0, 0.0) if bool(flat.any()) else point.beta, design)
    step = factored.solve(point.score)
    gain = math.fsum((step * point.score).tolist())
    if not math.isfinite(gain):
        raise _separation(step, design)
    # The exact gain is a square; only rounding makes a vanishing one negative.
    return factored, step, max(gain, 0.0)


def _check_collinear(information: Array, design: Design) -> None:
    factored = factor(information)
    if factored is None or float(factored.pivots.min()) < SMALLEST_PIVOT:
        spread = np.sqrt(np.maximum(np.diag(information), np.finfo(np.float64).tiny))
        vectors = np.linalg.eigh(information / np.outer(spread, spread))[1]
        raise RefusedError("glm.collinear", "features determine each other", got=_named(np.abs(vectors[:, 0]), design),
                           expected="columns that are linearly independent", hint="leave one of them out")


def _effects(step: Array, design: Design) -> Array:
    """Return the size of each coefficient's step: for one spread of a number, for the whole of a level."""
    unit = [column.place.scale if column.code >= 0 else 1.0 for column in design.columns]
    return np.asarray(np.abs(step) / np.array(unit), dtype=np.float64)


def _separation(step: Array, design: Design) -> RefusedError:
    sizes = np.where(np.isfinite(step), _effects(step, design), np.inf)
    return RefusedError("glm.separation", "the outcome is separated: some coefficients have no finite estimate",
                        got=_named(sizes, design), expected="events and non-events among all values",
                        hint="leave these out, or merge levels")


def _named(sizes: Array, design: Design) -> str:
    threshold = 0.1 * float(sizes.max())
    chosen = [column.name for column, size in zip(design.columns, sizes.tolist(), strict=True) if size >= threshold]
    return ", ".join([name for name in chosen if name != "Intercept"][:10]) or "Intercept"
