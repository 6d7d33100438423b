"""Many models near one: the deviance of each at its maximum, all in the same rounds.

Around the model there is, information and score of all features are opened once. Each candidate starts where that
quadratic has its maximum and goes on with the same information (the chord method; Kelley (1995), Iterative Methods for
Linear and Nonlinear Equations, section 5.4.1), so that a step opens a score and a deviance of each and no matrix.
Candidates follow from opened sums by single operations that IEEE 754 rounds in one way: nodes need not agree on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort
from sealane.computations.cholesky import Factor, factor
from sealane.computations.newton import SMALLEST_PIVOT, Array
from sealane.computations.scorecard.likelihood import Likelihood

GAIN = 1e-11
"""Relative gain of the deviance that another step would promise at the end."""
STEPS = 30

Columns = NDArray[np.bool_]


@dataclass(slots=True)
class _Trial:
    columns: Columns
    factored: Factor
    beta: Array
    deviance: float = math.inf
    done: bool = False
    failed: bool = False

    def move(self, score: Array, deviance: float) -> None:
        """Take a step from an opened score and deviance, unless there is nothing left to gain, or it went wrong."""
        step = self.factored.solve(score[self.columns])
        gain = math.fsum((step * score[self.columns]).tolist())
        self.failed = not math.isfinite(gain) or deviance > self.deviance * (1.0 + 1e-9)
        self.deviance = min(deviance, self.deviance)
        self.done = self.failed or gain <= GAIN * (deviance + 0.1)
        if not self.done:
            self.beta[self.columns] += step


@dataclass(frozen=True, slots=True)
class Model:
    """Coefficients of all features, 0 where one is not in the model, intercept first; and the deviance there."""

    columns: tuple[int, ...]
    beta: Array
    deviance: float

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self.deviance + 2.0 * (len(self.columns) + 1)


async def try_each(
    cohort: Cohort, likelihood: Likelihood, model: Model, changes: Sequence[tuple[int, ...]]
) -> list[Model | None]:
    """Return each changed model at its maximum; None where its features determine each other or it has none nearby.

    Args:
        cohort: of the run.
        likelihood: of all features.
        model: at its maximum.
        changes: the features of each changed model.
    """
    information, score = await likelihood.around(cohort, model.beta)
    trials = [_start(information, score, model.beta, columns) for columns in changes]
    for _ in range(STEPS):
        moving = [trial for trial in trials if trial is not None and not trial.done]
        if not moving:
            break
        scores, deviances = await likelihood.at_each(cohort, np.column_stack([trial.beta for trial in moving]))
        for k, trial in enumerate(moving):
            trial.move(scores[:, k], float(deviances[k]))
    return [None if trial is None or trial.failed or not trial.done else Model(columns, trial.beta, trial.deviance)
            for columns, trial in zip(changes, trials, strict=True)]


def _start(information: Array, score: Array, beta: Array, columns: tuple[int, ...]) -> _Trial | None:
    """Begin at the maximum of the quadratic over the changed model's columns."""
    inside = np.zeros(len(beta), dtype=np.bool_)
    inside[[0, *(k + 1 for k in columns)]] = True
    factored = factor(information[np.ix_(inside, inside)])
    if factored is None or float(factored.pivots.min()) < SMALLEST_PIVOT:
        return None
    right = score[inside]
    for gone in np.flatnonzero(~inside & (beta != 0.0)).tolist():
        right = right + information[inside, gone] * beta[gone]
    begun = np.where(inside, beta, 0.0)
    begun[inside] += factored.solve(right)
    return _Trial(inside, factored, begun)
