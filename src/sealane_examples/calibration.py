"""Whether predicted risks are what happens: slope, intercept, and the observed share in groups of predicted risk."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

GROUPS = 10
FEWEST = 10
"""Fewest rows of a group that is shown."""
NORMAL_975 = 1.959963984540054


def calibration(outcome: NDArray[np.int64], scores: NDArray[np.float64]) -> dict[str, Any]:
    """Return slope and intercept with their standard errors, and groups of rows in the order of their score.

    Slope: coefficient of the linear score in a logistic model of the outcome, 1 where risks are spread as they should
    be, under 1 where they are too extreme. Intercept: that of a model whose slope is held at 1, 0 where as many events
    happen as are predicted. Source: Cox (1958), Biometrika 45, 562-565; Steyerberg (2019), Clinical Prediction
    Models, section 15.3.

    Args:
        outcome: 0 or 1, shape ``(n_rows,)``.
        scores: linear predictor on the logit scale, shape ``(n_rows,)``.
    """
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    ones = np.ones(len(scores))
    spread = GLM(outcome, np.column_stack([ones, scores]), family=Binomial()).fit()
    level = GLM(outcome, ones, family=Binomial(), offset=scores).fit()
    return {
        "slope": float(spread.params[1]),
        "slope_se": float(spread.bse[1]),
        "intercept": float(level.params[0]),
        "intercept_se": float(level.bse[0]),
        "groups": groups(outcome, 1.0 / (1.0 + np.exp(-scores))),
    }


def groups(outcome: NDArray[np.int64], risks: NDArray[np.float64]) -> list[dict[str, float]]:
    """Return the observed share in tenths of predicted risk; fewer groups where a tenth has under ``FEWEST`` rows."""
    order = np.argsort(risks, kind="stable")
    count = max(min(GROUPS, len(order) // FEWEST), 1)
    found = []
    for rows in np.array_split(order, count):
        observed = float(outcome[rows].mean())
        low, high = wilson(observed, len(rows))
        found.append({"predicted": float(risks[rows].mean()), "observed": observed, "low": low, "high": high,
                      "rows": len(rows)})
    return found


def wilson(share: float, rows: int) -> tuple[float, float]:
    """Return the 95 % interval of a share.

    Source: Wilson (1927), Journal of the American Statistical Association 22, 209-212.
    """
    squared = NORMAL_975**2
    centre = (share + squared / (2 * rows)) / (1 + squared / rows)
    half = NORMAL_975 / (1 + squared / rows) * float(np.sqrt(share * (1 - share) / rows + squared / (4 * rows**2)))
    return max(centre - half, 0.0), min(centre + half, 1.0)
