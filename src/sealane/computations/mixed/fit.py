"""``model.mixed``: a model with a random intercept for each institution, equal to a pooled fit.

Two sums set the model up (counts; moments). A linear model takes one more, of the totals of each institution, from
which every node finds the same maximum; a logistic one takes one per Newton step. The institutions' own intercepts are
part of the result, so all of them have to have waived that theirs becomes known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.design.layout import Measured, lay_out, matrix
from sealane.computations.design.screening import Counts, screen, take_counts
from sealane.computations.design.variables import Array, read_rows, read_variables
from sealane.computations.disclosure import check_events_per_parameter, hidden_under
from sealane.computations.mixed.linear import fit_linear
from sealane.computations.mixed.logistic import fit_logistic
from sealane.computations.mixed.parameters import MixedParameters
from sealane.computations.mixed.result import MixedResult
from sealane.computations.outcome import check_varies, read_outcome
from sealane.errors import RefusedError


class MixedFit:
    """Mixed model, random intercept per institution."""

    outputs = ("model",)
    individual_level = False  # totals of institutions that waived it, and coefficients over all of them
    opens = "each institution's rows, sums and cross-products, which is why every one of them waives that"

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
            RefusedError: ``mixed.not-waived``, ``mixed.too-few-rows``, ``outcome.constant``, a model without an
                answer, or what every model refuses.
        """
        if not cohort.exposed:
            raise RefusedError(
                "mixed.not-waived", "a random intercept per institution makes single institutions' totals computable",
                got="a cohort in which not all have waived that", expected="a waiver of each institution, by name",
                hint="waive in each agreement, or combine own models by model.meta, which needs no waiver")
        outcome = read_outcome(data.contract.field(params.outcome_column), params.family)
        name = outcome.field.name
        variables = read_variables(data.contract, params.model)
        frame = data.frame(self.columns(params))
        y = outcome.read(frame[params.outcome_column], params.family)
        read = read_rows(frame, variables, params.missing)
        rows = replace(read, kept=read.kept & ~np.isnan(y))
        own = y[rows.kept]
        events = int((own > 0).sum()) if params.family == "binomial" else 0
        lacking = _lacking(own, params, cohort.minimum_count)
        counts = await take_counts(cohort, rows, variables, {"lacking": int(lacking), "events": events})
        basis = screen(counts, variables, cohort)
        _check(counts, params, cohort)
        design = await lay_out(cohort, rows, variables, counts, intercept=True,
                               beside=[Measured(name, outcome.low, outcome.high, own)])
        x, place = matrix(design, rows), design.measured[name]
        if params.family == "binomial":
            check_events_per_parameter(min(counts.others["events"], counts.kept - counts.others["events"]),
                                       len(design.columns) + 1)
            found = await fit_logistic(cohort, design, x, own, rows=counts.kept, points=params.quadrature,
                                       iterations=params.maximum_iterations, tolerance=params.tolerance)
        else:
            reach = max(*(column.reach for column in design.columns),
                        *(abs(bound - place.centre) / place.scale for bound in (outcome.low, outcome.high)))
            found = await fit_linear(cohort, design, name, place, x, (own - place.centre) / place.scale,
                                     rows=counts.kept, reach=reach, reml=params.reml)
        return _describe(cohort, params, counts, found) | {"basis": basis, "outcome": name}

    def present(self, payload: Payload) -> MixedResult:
        """Return the result with statsmodels' names."""
        return MixedResult(payload)


def _lacking(y: Array, params: MixedParameters, minimum_count: int) -> bool:
    """Say whether a node's rows, or those with or without the event where there are any, are too few."""
    events = int((y > 0).sum())
    parts = [len(y), events, len(y) - events] if params.family == "binomial" else [len(y)]
    return len(y) < minimum_count or any(0 < part < minimum_count for part in parts)


def _check(counts: Counts, params: MixedParameters, cohort: Cohort) -> None:
    if counts.others["lacking"]:
        what = "rows, and none or as many with and without the event" if params.family == "binomial" else "rows"
        raise RefusedError("mixed.too-few-rows", "institutions have too few rows for an intercept of their own",
                           got=f"{counts.others['lacking']} of {cohort.size} institutions",
                           expected=f"at least {cohort.minimum_count} {what} at each")
    check_varies(counts.kept, counts.others["events"], params.family)


def _describe(cohort: Cohort, params: MixedParameters, counts: Counts, found: dict[str, Any]) -> Payload:
    institutions = [
        {"name": name, "rows": rows, "intercept": intercept, "variance": variance}
        for name, rows, intercept, variance in zip(
            cohort.names, found.pop("rows"), found.pop("intercepts"), found.pop("intercept_variances"), strict=True)]
    return {"computation": "model.mixed", "family": params.family, "confidence": params.confidence,
            "nobs": counts.kept, "dropped": hidden_under(counts.rows - counts.kept, cohort.minimum_count),
            "institutions": institutions, **found}
