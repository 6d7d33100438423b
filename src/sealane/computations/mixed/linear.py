"""A linear model with a random intercept per institution, from the totals that one sum opened."""

from __future__ import annotations

from typing import Any

import numpy as np

from sealane.computations.base import Cohort
from sealane.computations.cholesky import factor
from sealane.computations.design.layout import Design, Placement, original_units
from sealane.computations.design.variables import Array
from sealane.computations.mixed.clusters import open_clusters
from sealane.computations.mixed.profile import Clusters, Fit, candidates, covariance, evaluate, log_likelihood
from sealane.errors import RefusedError

SMALLEST_PIVOT = 1e-10
"""Least share of a column that the others may leave unexplained; below it float64 cannot invert what it must."""
PERFECT = 1e-18
"""Share of the outcome's variance left unexplained that is nothing but rounding."""


async def fit_linear(
    cohort: Cohort, design: Design, outcome: str, place: Placement, x: Array, y: Array, *, rows: int, reach: float,
    reml: bool,
) -> dict[str, Any]:
    """Fit, and return what is released.

    Raises:
        RefusedError: ``mixed.collinear``, ``mixed.perfect-fit`` or ``mixed.not-converged``.
    """
    clusters = await open_clusters(cohort, x, y, rows=rows, reach=reach, reml=reml)
    fit, likelihoods = await _maximise(cohort, clusters, design, outcome)
    return _release(design, place, clusters, fit, likelihoods)


async def _maximise(cohort: Cohort, clusters: Clusters, design: Design, outcome: str) -> tuple[Fit, list[float]]:
    """Return the fit of the highest likelihood, and its log-likelihood and that of a ratio of 0 per row."""
    size = len(design.columns)
    factored = factor(clusters.products[:size, :size])
    if factored is None or float(factored.pivots.min()) < SMALLEST_PIVOT:
        # The column that those before it leave nothing of; where not even that can be told, all of them.
        got = ", ".join(design.names[:20]) if factored is None else design.names[int(np.argmin(factored.pivots))]
        raise RefusedError("mixed.collinear", "columns determine each other", got=got,
                           expected="columns that are linearly independent", hint="leave one of them out")
    pooled = evaluate(clusters, 0.0)
    if pooled is None or pooled.residual < PERFECT * clusters.total_rows:
        raise RefusedError("mixed.perfect-fit", f"the features determine {outcome!r} exactly",
                           got="no residual variation", expected="some", hint="leave out what it was computed from")
    found = candidates(clusters)
    if not found:
        raise RefusedError("mixed.not-converged", "the outcome hardly varies within institutions",
                           got="a variance ratio without bound", hint="it looks like an institution's property")
    n = clusters.total_rows
    values = [log_likelihood(clusters, fit) / n for fit in (pooled, *found)]
    settled = (await cohort.agree(np.array(values))).tolist()
    best = max(range(len(found)), key=lambda i: settled[i + 1])
    return found[best], [settled[best + 1] * n, settled[0] * n]


def _release(
    design: Design, place: Placement, clusters: Clusters, fit: Fit, likelihoods: list[float]
) -> dict[str, Any]:
    scale = fit.residual / clusters.degrees
    observed = covariance(clusters, fit) if fit.ratio > 0.0 else None
    spread = scale * fit.factored.inverse() if observed is None else observed
    params, cov = original_units(design, fit.beta, spread, place)
    unit = place.scale * place.scale
    shrink = fit.ratio / (1.0 + fit.ratio * clusters.rows)
    return {
        "reml": clusters.reml, "columns": design.names, "fe_params": params, "covariance": cov,
        "errors": "conditional on the variances" if observed is None else "observed information",
        "cov_re": fit.ratio * scale * unit, "scale": scale * unit, "icc": fit.ratio / (1.0 + fit.ratio),
        "llf_standardised": likelihoods,
        "units": [place.scale, *(column.place.scale for column in design.columns[1:])],
        "rows": [int(number) for number in clusters.rows.tolist()],
        "intercepts": (place.scale * shrink * fit.leftover).tolist(),
        "intercept_variances": (unit * scale * shrink).tolist(),
    }
