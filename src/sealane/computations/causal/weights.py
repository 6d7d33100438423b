"""Weights from propensity scores, and the slope of each by the linear predictor.

With e the propensity score:  ate: 1/e and 1/(1 - e);  att: 1 and e/(1 - e);  overlap: 1 - e and e.
Sources: Robins, Rotnitzky and Zhao (1994), J. Am. Stat. Assoc. 89:846-866; stabilised: Robins, Hernán and Brumback
(2000), Epidemiology 11:550-560; overlap: Li, Morgan and Zaslavsky (2018), J. Am. Stat. Assoc. 113:390-400.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.causal.parameters import Estimand
from sealane.computations.design.variables import Array


@dataclass(frozen=True, slots=True)
class Weights:
    """A node's own weights: private.

    Attributes:
        values: shape ``(n_rows,)``.
        slopes: the derivative of each by the linear predictor; 0 where the score is truncated.
        truncated: where it is.
    """

    values: Array
    slopes: Array
    truncated: NDArray[np.bool_]


def weigh(score: Array, treated: NDArray[np.bool_], estimand: Estimand, truncate: tuple[float, float]) -> Weights:
    """Return the weights of rows.

    Args:
        score: propensity scores.
        treated: which rows are.
        estimand: over whom the effect is averaged.
        truncate: public limits of the scores.
    """
    e = np.clip(score, *truncate)
    truncated = (score < truncate[0]) | (score > truncate[1])
    if estimand == "ate":
        values, slopes = np.where(treated, 1.0 / e, 1.0 / (1.0 - e)), np.where(treated, -(1.0 - e) / e, e / (1.0 - e))
    elif estimand == "att":
        odds = e / (1.0 - e)
        values, slopes = np.where(treated, 1.0, odds), np.where(treated, 0.0, odds)
    else:
        values, slopes = np.where(treated, 1.0 - e, e), np.where(treated, -1.0, 1.0) * e * (1.0 - e)
    return Weights(values, np.where(truncated, 0.0, slopes), truncated)


def largest(estimand: Estimand, truncate: tuple[float, float]) -> float:
    """Return what no weight exceeds."""
    low, high = truncate
    return {"ate": max(1.0 / low, 1.0 / (1.0 - high)), "att": max(1.0, high / (1.0 - high)), "overlap": 1.0}[estimand]
