"""Covariances that do not trust the model's variance: bread, meat, bread, both opened in one sum.

By row the meat is the sum of each row's score squared (White 1980, Econometrica 48(4); HC0). By institution it is the
sum of each institution's own score squared (Liang and Zeger 1986, Biometrika 73(1)), which its node computes at home.
The bread is the observed information, as in statsmodels.
"""

from __future__ import annotations

import numpy as np

from sealane.computations.cholesky import factor
from sealane.computations.glm.intercepts import without_own
from sealane.computations.glm.likelihood import Likelihood
from sealane.computations.glm.opening import open_sums, packed, unpacked
from sealane.computations.glm.working import gram
from sealane.computations.newton import Array
from sealane.errors import RefusedError

FEWEST_INSTITUTIONS = 3
"""The scores of institutions sum to zero: of two, each would be the other's, with the sign changed."""


def check_institutions(institutions: int, columns: int) -> None:
    """Refuse a covariance by institution that would have no full rank, or show a single institution's score.

    Raises:
        RefusedError: ``glm.too-few-institutions``.
    """
    # Scores that sum to zero span at most one dimension less than there are institutions.
    fewest = max(FEWEST_INSTITUTIONS, columns + 1)
    if institutions < fewest:
        raise RefusedError("glm.too-few-institutions", "too few institutions for errors clustered by institution",
                           got=f"{institutions} institutions, {columns} coefficients",
                           expected=f"at least {fewest} institutions", hint='use covariance = "robust"')


async def sandwich(likelihood: Likelihood, beta: Array, *, clustered: bool) -> Array:
    """Return the covariance of the coefficients, without small-sample correction: one sum.

    Args:
        likelihood: of the model.
        beta: coefficients at the maximum, settled.
        clustered: by institution; else by row.

    Raises:
        RefusedError: ``glm.no-robust-covariance``.
    """
    own, size = likelihood.own, len(beta)
    predictor, worked = likelihood.predictor(beta), likelihood.work(beta)
    parts = None
    if predictor is not None and worked is not None:
        x, curvature = own.x, likelihood.kind.curvature(own, predictor)
        if likelihood.profiled:
            # What the institution's own intercept takes of each column goes, in the bread and in the meat.
            x = without_own(x, curvature)
        if clustered:
            score = x.T @ worked.scores
            meat = np.outer(score, score)
        else:
            squares = worked.scores**2
            meat = gram(x, squares if own.weights is None else squares / own.weights)
        parts = {"bread": packed(gram(x, curvature)), "meat": packed(meat)}
    shape = (size * (size + 1) // 2,)
    opened = await open_sums(likelihood.cohort, parts, {"bread": shape, "meat": shape})
    factored = None if opened.runaway else factor(unpacked(opened.sums["bread"], size))
    if factored is None:
        raise RefusedError("glm.no-robust-covariance", "the observed information has no inverse", got="not definite",
                           expected="a maximum of the likelihood", hint='use covariance = "model"')
    half = factored.solve(unpacked(opened.sums["meat"], size))
    covariance = factored.solve(np.ascontiguousarray(half.T))
    return np.asarray((covariance + covariance.T) / 2.0, dtype=np.float64)
