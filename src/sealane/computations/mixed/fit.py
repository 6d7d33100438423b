"""``model.mixed``: a linear model with a random intercept for each institution, equal to a pooled fit.

Three sums: counts; moments; and the totals of each institution, from which every node finds the same maximum. The
institutions' own intercepts are part of the result, so all of them have to have waived that theirs becomes known.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.cholesky import factor
from sealane.computations.design.layout import Design, Measured, Placement, lay_out, matrix, original_units
from sealane.computations.design.screening import screen, take_counts
from sealane.computations.design.variables import read_rows, read_variables
from sealane.computations.disclosure import hidden_under
from sealane.computations.mixed.clusters import open_clusters
from sealane.computations.mixed.parameters import MixedParameters
from sealane.computations.mixed.profile import Clusters, Fit, candidates, covariance, evaluate, log_likelihood
from sealane.computations.mixed.result import MixedResult
from sealane.computations.outcome import read_outcome
from sealane.errors import RefusedError

SMALLEST_PIVOT = 1e-10
"""Least share of a column that the others may leave unexplained; below it float64 cannot invert what it must."""
PERFECT = 1e-18
"""Share of the outcome's variance left unexplained that is nothing but rounding."""


class MixedFit:
    """Linear mixed model, random intercept per institution."""

    outputs = ("model",)
    individual_level = False  # totals of institutions that waived it, and coefficients over all of them

    @property
    def name(self) -> str:
        """Return ``model.mixed``."""
        return "model.mixed"

    @property
    def parameters(self) -> type[MixedParameters]:
        """Return the model of its parameters."""
        return MixedParameters

    def columns(self, params: MixedParameters) -> list[str]:
        """Return outcome and features."""
        return [params.outcome_column, *params.model.variables]

    async def run(self, data: Dataset, cohort: Cohort, params: MixedParameters) -> Payload:
        """Fit the model.

        Raises:
            InputError: a column that cannot play its part, or rows outside the contract.
            RefusedError: ``mixed.not-waived``, ``mixed.too-few-rows``, ``mixed.collinear``, ``mixed.perfect-fit``,
                ``mixed.not-converged``, or what every model refuses.
        """
        if not cohort.exposed:
            raise RefusedError(
                "mixed.not-waived", "a random intercept per institution makes single institutions' totals computable",
                got="a cohort in which not all have waived that", expected="a waiver of each institution, by name",
                hint="waive in each agreement, or combine own models by model.meta, which needs no waiver")
        outcome = read_outcome(data.contract.field(params.outcome_column), "gaussian")
        variables = read_variables(data.contract, params.model)
        frame = data.frame(self.columns(params))
        y = outcome.read(frame[params.outcome_column], "gaussian")
        read = read_rows(frame, variables, params.missing)
        rows = replace(read, kept=read.kept & ~np.isnan(y))
        own = y[rows.kept]
        counts = await take_counts(cohort, rows, variables, {"lacking": int(len(own) < cohort.minimum_count)})
        basis = screen(counts, variables, cohort)
        if counts.others["lacking"]:
            raise RefusedError("mixed.too-few-rows", "institutions have too few rows for an intercept of their own",
                               got=f"{counts.others['lacking']} of {cohort.size} institutions",
                               expected=f"at least {cohort.minimum_count} rows at each")
        beside = [Measured(outcome.field.name, outcome.low, outcome.high, own)]
        design = await lay_out(cohort, rows, variables, counts, intercept=True, beside=beside)
        place = design.measured[outcome.field.name]
        reach = max(*(column.reach for column in design.columns),
                    *(abs(bound - place.centre) / place.scale for bound in (outcome.low, outcome.high)))
        clusters = await open_clusters(cohort, matrix(design, rows), (own - place.centre) / place.scale,
                                       rows=counts.kept, reach=reach, reml=params.reml)
        fit, likelihoods = await _maximise(cohort, clusters, design, outcome.field.name)
        facts = {"basis": basis, "outcome": outcome.field.name, "confidence": params.confidence, "nobs": counts.kept,
                 "dropped": hidden_under(counts.rows - counts.kept, cohort.minimum_count)}
        return facts | _release(cohort, design, place, clusters, fit, likelihoods)

    def present(self, payload: Payload) -> MixedResult:
        """Return the result with statsmodels' names."""
        return MixedResult(payload)


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
    cohort: Cohort, design: Design, place: Placement, clusters: Clusters, fit: Fit, likelihoods: list[float]
) -> Payload:
    scale = fit.residual / clusters.degrees
    observed = covariance(clusters, fit) if fit.ratio > 0.0 else None
    spread = scale * fit.factored.inverse() if observed is None else observed
    params, cov = original_units(design, fit.beta, spread, place)
    unit = place.scale * place.scale
    shrink = (fit.ratio / (1.0 + fit.ratio * clusters.rows)).tolist()
    return {
        "computation": "model.mixed",
        "reml": clusters.reml,
        "columns": design.names,
        "fe_params": params,
        "covariance": cov,
        "errors": "conditional on the variances" if observed is None else "observed information",
        "cov_re": fit.ratio * scale * unit,
        "scale": scale * unit,
        "icc": fit.ratio / (1.0 + fit.ratio),
        "llf_standardised": likelihoods,
        "units": [place.scale, *(column.place.scale for column in design.columns[1:])],
        "institutions": [
            {"name": name, "rows": int(number), "intercept": place.scale * factor * left,
             "variance": unit * scale * factor}
            for name, number, factor, left in zip(cohort.names, clusters.rows.tolist(), shrink,
                                                  fit.leftover.tolist(), strict=True)],
    }
