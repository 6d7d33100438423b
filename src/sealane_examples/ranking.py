"""How well scores rank: ROC curve, area, its standard error, and the Kolmogorov–Smirnov distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.errors import InputError

POINTS = 200
"""Points of a curve that a report keeps: more than a screen shows."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What one model's scores are worth on one set of rows.

    Args:
        auc: area under the ROC curve, 0 to 1; ties count half.
        auc_se: its standard error over the choice of rows.
        ks: largest distance between the two score distributions, 0 to 1.
        fpr: false positive rates of the thinned curve, ascending from 0 to 1.
        tpr: the true positive rates that go with them.
    """

    auc: float
    auc_se: float
    ks: float
    fpr: list[float]
    tpr: list[float]


def rank(outcome: NDArray[np.int64], scores: NDArray[np.float64]) -> Ranking:
    """Return how the scores rank the rows whose outcome is 1 above those whose outcome is 0.

    Raises:
        InputError: the rows are all of one class, so that there is nothing to rank.
    """
    bad, good = scores[outcome == 1], scores[outcome == 0]
    if min(len(bad), len(good)) < 2:
        raise InputError(
            "example.one-class",
            "a ranking needs at least two rows of each outcome",
            got=f"{len(bad)} bad, {len(good)} good",
        )
    fpr, tpr = roc_curve(bad, good)
    kept = thin(len(fpr))
    return Ranking(
        auc=float(placements(bad, good).mean()),
        auc_se=auc_standard_error(bad, good),
        ks=float(np.max(np.abs(tpr - fpr))),
        fpr=[round(float(rate), 6) for rate in fpr[kept]],
        tpr=[round(float(rate), 6) for rate in tpr[kept]],
    )


def roc_curve(bad: NDArray[np.float64], good: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return false and true positive rates at every distinct score taken as threshold, from (0, 0) to (1, 1)."""
    thresholds = np.unique(np.concatenate([bad, good]))[::-1]

    def at_least(values: NDArray[np.float64]) -> NDArray[np.float64]:
        below = np.searchsorted(np.sort(values), thresholds, side="left")
        return np.concatenate([[0.0], 1.0 - below / len(values)])

    return at_least(good), at_least(bad)


def thin(count: int, limit: int = POINTS) -> NDArray[np.int64]:
    """Return at most ``limit`` indices out of ``count``, evenly spread, both ends kept."""
    return np.unique(np.linspace(0, count - 1, min(count, limit)).round().astype(np.int64))


def auc_standard_error(bad: NDArray[np.float64], good: NDArray[np.float64]) -> float:
    """Return the standard error of the area, at least two rows a class.

    Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, the variance of one area, from the share of the
    other class that each row beats (its placement).
    """
    by_bad = np.var(placements(bad, good), ddof=1) / len(bad)
    by_good = np.var(placements(good, bad), ddof=1) / len(good)
    return float(np.sqrt(by_bad + by_good))


def placements(rows: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each row the share of ``others`` that score lower, ties counted half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, rows, side="left")
    not_above = np.searchsorted(ordered, rows, side="right")
    return (below + not_above) / (2.0 * len(others))
