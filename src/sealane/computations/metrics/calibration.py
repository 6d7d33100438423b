"""Whether probabilities are as they say: recalibration by a secure logistic fit, Brier's score, and a curve by bands.

Source: Cox (1958), Biometrika 45:562-565, for slope and intercept of a logistic regression on the logit; Brier (1950),
Mon. Weather Rev. 78:1-3.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, real
from sealane.computations.scorecard.collinear import power_of_two
from sealane.computations.scorecard.likelihood import Likelihood
from sealane.errors import RefusedError

Array = NDArray[np.float64]
NEAREST = 1e-6
"""Probabilities nearer to 0 or 1 count as this near, in the fit alone: the public bound of a logit."""
_STEEPEST = 13.9
_ITERATIONS, _TOLERANCE = 50, 1e-10


async def calibrate(
    cohort: Cohort, score: Array, y: Array, band: NDArray[np.int64], number: int, rows: int
) -> dict[str, Any]:
    """Return Brier's score, the mean prediction of each band, and slope and intercept: one sum, then Newton steps.

    Args:
        cohort: of the run.
        score: own probabilities. Private.
        y: own outcomes. Private.
        band: each row's. Private.
        number: of bands.
        rows: over the cohort.
    """
    own = np.bincount(band, weights=score, minlength=number)
    opened = await cohort.sum({"scores": real(own, power_of_two(rows)),
                               "brier": real([((score - y) ** 2).sum()], power_of_two(rows))})
    held = np.clip(score, NEAREST, 1.0 - NEAREST)
    likelihood = Likelihood(np.log(held / (1.0 - held))[:, None], y, ["logit"], [_STEEPEST], rows)
    out: dict[str, Any] = {
        "brier": float(opened["brier"][0]) / rows, "sums": opened["scores"].tolist(),
        "mean": math.fsum(opened["scores"].tolist()) / rows, "intercept": None, "slope": None, "errors": None,
        "refused": None}
    try:
        fitted = await likelihood.fit(cohort, (0,), np.array([0.0, 1.0]), _ITERATIONS, _TOLERANCE)
    except RefusedError as refused:  # by rules over opened sums, so at every node alike
        return out | {"refused": refused.code}
    errors = await cohort.agree(np.sqrt(np.diag(fitted.solution.inverse)))
    return out | {"intercept": float(fitted.beta[0]), "slope": float(fitted.beta[1]), "errors": errors.tolist()}
