"""Linear models that a farm can fit at home: its own, joint slopes with a level of its own, and joint slopes tuned.

All take a matrix without a column for the intercept. Ridges are chosen by cross-validation on the farm's own rows, so
each model gets its best case with what the farm has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
"""Of slopes on standardised columns: from hardly any to so much that nothing but the starting point is left."""
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Linear:
    """A level and a slope for each column."""

    level: float
    slopes: Rows

    def predict(self, matrix: Rows) -> Rows:
        """Return a prediction for each row."""
        return self.level + matrix @ self.slopes


def least_squares(matrix: Rows, outcome: Rows) -> Linear:
    """Fit one model to all rows."""
    columns = np.column_stack([np.ones(len(matrix)), matrix])
    found = np.asarray(np.linalg.lstsq(columns, outcome, rcond=None)[0], dtype=np.float64)
    return Linear(float(found[0]), found[1:])


def common_slopes(parts: list[tuple[Rows, Rows]]) -> Rows:
    """Fit one set of slopes and a level for each part: least squares within parts."""
    matrix = np.concatenate([rows - rows.mean(axis=0) for rows, _ in parts])
    outcome = np.concatenate([values - values.mean() for _, values in parts])
    found: Rows = np.linalg.lstsq(matrix, outcome, rcond=None)[0]
    return found


def with_own_level(slopes: Rows, matrix: Rows, outcome: Rows) -> Linear:
    """Return joint slopes with the level that the farm's own rows ask for."""
    return Linear(float((outcome - matrix @ slopes).mean()), slopes)


def alone(matrix: Rows, outcome: Rows) -> Linear:
    """Fit the farm's own model: a ridge towards its mean."""
    return tuned(np.zeros(matrix.shape[1]), matrix, outcome)


def tuned(slopes: Rows, matrix: Rows, outcome: Rows) -> Linear:
    """Return joint slopes, moved as far as the farm's own rows warrant: a ridge of what they leave over."""
    left = outcome - matrix @ slopes
    folds = np.arange(len(matrix)) % FOLDS
    lost = np.zeros(len(PENALTIES))
    for fold in range(FOLDS):
        kept, out = folds != fold, folds == fold
        lost += [float(np.square(left[out] - model.predict(matrix[out])).sum())
                 for model in ridges(matrix[kept], left[kept])]
    moved = ridges(matrix, left)[int(lost.argmin())]
    return Linear(moved.level, slopes + moved.slopes)


def ridges(matrix: Rows, outcome: Rows) -> list[Linear]:
    """Fit a ridge for each penalty, on standardised columns; the level is not penalised.

    Source: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd ed., 3.4.1: one singular value
    decomposition serves all penalties.
    """
    centre, spread = matrix.mean(axis=0), matrix.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    left, size, right = np.linalg.svd((matrix - centre) / spread, full_matrices=False)
    along = left.T @ (outcome - outcome.mean())
    found = []
    for penalty in PENALTIES:
        slopes = right.T @ (along * size / (size**2 + penalty)) / spread
        found.append(Linear(float(outcome.mean() - centre @ slopes), slopes))
    return found


def root_mean_square(model: Linear, matrix: Rows, outcome: Rows) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean(np.square(outcome - model.predict(matrix)))))
