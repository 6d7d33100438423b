"""The penalised minimum of an opened quadratic: coordinate descent, then the exact solution on what it left non-zero.

Every operation is elementwise or a factorisation that rounds one way only, so all nodes take the same branches. Source:
Friedman, Hastie and Tibshirani (2010), J. Stat. Softw. 33(1), sections 2.1 and 2.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.cholesky import factor
from sealane.computations.newton import Array
from sealane.errors import RefusedError

_SWEEPS = 8
_ATTEMPTS = 400
_ROUNDING = 1e-11
"""Relative to the largest gradient: past it a coefficient of zero is not the minimum's."""


@dataclass(frozen=True, slots=True)
class Quadratic:
    """Half b'Ab less c'b: the loss of a row, or its second-order approximation; per unit of weight."""

    matrix: Array
    linear: Array


@dataclass(frozen=True, slots=True)
class Pull:
    """The penalty: on the absolute value and on half the square of each coefficient, shape ``(n_columns,)``."""

    absolute: Array
    square: Array

    def cost(self, beta: Array) -> float:
        """Return the penalty of coefficients."""
        return math.fsum((self.absolute * np.abs(beta) + 0.5 * self.square * beta * beta).tolist())


def minimise(quadratic: Quadratic, pull: Pull, start: Array) -> Array:
    """Return the coefficients of the penalised minimum.

    Raises:
        RefusedError: ``model.not-converged``.
    """
    beta = start.copy()
    for _ in range(_ATTEMPTS):
        exact = _on_support(quadratic, pull, beta)
        if exact is not None:
            return exact
        _sweep(quadratic, pull, beta)
    raise RefusedError("model.not-converged", "coordinate descent did not converge",
                       got=f"{_ATTEMPTS * _SWEEPS} sweeps",
                       hint="leave out features that nearly determine each other, or try larger penalties only")


def _on_support(quadratic: Quadratic, pull: Pull, beta: Array) -> Array | None:
    """Solve for the coefficients that are not zero; None where signs or the others' gradients say it is not the one."""
    support: NDArray[np.bool_] = (beta != 0.0) | (pull.absolute == 0.0)
    signs = np.sign(beta)
    places = np.flatnonzero(support)
    solved = np.zeros_like(beta)
    if len(places):
        inner = quadratic.matrix[np.ix_(places, places)] + np.diag(pull.square[places])
        factored = factor(inner)
        if factored is None:
            return None
        solved[places] = factored.solve((quadratic.linear - pull.absolute * signs)[places])
    if bool((np.sign(solved) != signs)[support & (pull.absolute > 0.0)].any()):
        return None
    slope = np.abs(_gradient(quadratic, solved))
    room = _ROUNDING * float(np.abs(quadratic.linear).max(initial=0.0))
    return None if bool((slope > pull.absolute + room)[~support].any()) else solved


def _gradient(quadratic: Quadratic, beta: Array) -> Array:
    """Return c - Ab, added up column by column."""
    gradient = quadratic.linear.copy()
    for j in np.flatnonzero(beta).tolist():
        gradient -= quadratic.matrix[j] * beta[j]
    return gradient


def _sweep(quadratic: Quadratic, pull: Pull, beta: Array) -> None:
    """Move each coefficient in turn to where it alone is best, several times over, in place."""
    gradient = _gradient(quadratic, beta)
    for _ in range(_SWEEPS):
        for j in range(len(beta)):
            own = float(quadratic.matrix[j, j])
            old = float(beta[j])
            reach = float(gradient[j]) + own * old
            shrunk = math.copysign(max(abs(reach) - float(pull.absolute[j]), 0.0), reach)
            weight = own + float(pull.square[j])
            beta[j] = shrunk / weight if weight > 0.0 and shrunk != 0.0 else 0.0
            if beta[j] != old:
                gradient -= quadratic.matrix[j] * (beta[j] - old)
