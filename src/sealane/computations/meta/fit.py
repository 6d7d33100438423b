"""``model.meta``: a model of its own at each institution, and a meta-analysis of their estimates.

For when one model over all rows would be wrong: effects may differ between institutions, and the result says by how
much. Two sums set the model up (counts; moments), one asks how many institutions could fit it, and the rest are sums
over their estimates.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from sealane.computations.base import Cohort, Dataset, Payload, count
from sealane.computations.design.layout import Design, Placement, lay_out, matrix, original_units
from sealane.computations.design.screening import Counts, screen, take_counts
from sealane.computations.design.variables import Array, read_rows, read_variables
from sealane.computations.disclosure import ROWS_PER_COLUMN, hidden_under
from sealane.computations.meta.estimates import FURTHEST, Estimates, check_openings, not_waived
from sealane.computations.meta.heterogeneity import Combined, combine, openings
from sealane.computations.meta.local import LocalFit
from sealane.computations.meta.own_model import read_model
from sealane.computations.meta.parameters import MetaParameters
from sealane.computations.meta.result import MetaResult
from sealane.errors import RefusedError

LINKS = {"gaussian": "identity", "binomial": "logit", "poisson": "log", "cox": "log hazard"}
HEAVIEST = 14
"""Bits of weight per row of the cohort: a gaussian model may leave as little as 2^-14 of the variance unexplained."""


class MetaFit:
    """Meta-analysis of the institutions' own models."""

    outputs = ("model",)
    individual_level = False  # sums over institutions; single institutions' estimates only where all waived it
    opens = "weighted sums over the institutions' own estimates, fewer than would give one of them away"

    @property
    def name(self) -> str:
        """Return ``model.meta``."""
        return "model.meta"

    @property
    def parameters(self) -> type[MetaParameters]:
        """Return the model of its parameters."""
        return MetaParameters

    def columns(self, params: MetaParameters) -> list[str]:
        """Return outcome and features."""
        return [*params.outcome_columns, *params.model.variables]

    async def run(self, data: Dataset, cohort: Cohort, params: MetaParameters) -> Payload:
        """Fit at each node and combine.

        Raises:
            InputError: a column that cannot play its part, or rows outside the contract.
            RefusedError: ``meta.not-waived``, ``meta.too-few-rows``, ``meta.not-estimable``, ``meta.not-converged``,
                or what every model refuses.
        """
        if params.by_institution and not cohort.exposed:
            raise not_waived("each institution's own estimates")
        check_openings(cohort, openings(params.method, hartung_knapp=params.hartung_knapp))
        variables = read_variables(data.contract, params.model)
        frame = data.frame(self.columns(params))
        model = read_model(frame, data.contract, params)
        read = read_rows(frame, variables, params.missing)
        rows = replace(read, kept=read.kept & model.known)
        lacking = not model.enough(rows.kept, cohort.minimum_count)
        counts = await take_counts(cohort, rows, variables, {"lacking": int(lacking)})
        basis = screen(counts, variables, cohort)
        if counts.others["lacking"]:
            raise _lacking(counts.others["lacking"], cohort)
        design = await lay_out(cohort, rows, variables, counts, intercept=params.family != "cox", centred=True,
                               beside=model.beside(rows.kept))
        place = model.place(design)
        own = await _estimate(cohort, design, place, counts, model.fit(matrix(design, rows), rows.kept, place))
        if cohort.exposed:
            await own.reveal()
        found = await combine(own, params.method, hartung_knapp=params.hartung_knapp,
                              iterations=params.maximum_iterations)
        return _release(cohort, params, design, place, counts, own, found) | {"basis": basis}

    def present(self, payload: Payload) -> MetaResult:
        """Return the result with statsmodels' names."""
        return MetaResult(payload)


async def _estimate(
    cohort: Cohort, design: Design, place: Placement, counts: Counts, own: LocalFit | None
) -> Estimates:
    """Hold own estimates against their public bounds, and open at how many nodes there are none within them."""
    units = _units(design, place)
    heaviest = 2.0 ** (math.frexp(counts.kept)[1] + HEAVIEST)
    size = len(design.columns)
    theta, variance, fits = np.zeros(size), np.ones(size), False
    if own is not None:
        coefficients, covariance = original_units(design, own.beta, own.covariance, place)
        theta = (np.array(coefficients) - _centres(design, place)) / units
        variance = np.diag(np.array(covariance)) / (units * units)
        fits = bool((np.abs(theta) <= FURTHEST).all() and (variance <= FURTHEST).all()
                    and (variance * heaviest >= 1.0).all())
    failed = int((await cohort.sum({"not_estimable": count([0 if fits else 1], 1)}))["not_estimable"][0])
    if failed:
        raise RefusedError("meta.not-estimable", "institutions cannot fit this model on rows of their own",
                           got=f"{failed} of {cohort.size} institutions",
                           expected=f"{ROWS_PER_COLUMN} rows (Cox: events) per column, all levels, no separation",
                           hint="leave features out, merge levels, or fit one model over all rows")
    return Estimates(cohort, theta, variance, heaviest)


def _lacking(number: int, cohort: Cohort) -> RefusedError:
    return RefusedError("meta.too-few-rows", "institutions have too few rows or events for a model of their own",
                        got=f"{number} of {cohort.size} institutions",
                        expected=f"at least {cohort.minimum_count} rows, and as many with each outcome, at each",
                        hint="fit one model over all rows")


def _units(design: Design, place: Placement) -> Array:
    """Return what an estimate is divided by to be of order one: a spread of the outcome for a spread of the column."""
    slopes = [place.scale / column.place.scale for column in design.columns]
    if design.intercept:
        shifts = math.fsum(abs(column.place.centre / column.place.scale) for column in design.columns[1:])
        slopes[0] = place.scale * (1.0 + shifts)
    return np.array(slopes)


def _centres(design: Design, place: Placement) -> Array:
    return np.array([place.centre if design.intercept and j == 0 else 0.0 for j in range(len(design.columns))])


def _release(
    cohort: Cohort, params: MetaParameters, design: Design, place: Placement, counts: Counts, own: Estimates,
    found: Combined,
) -> Payload:
    units, centres = _units(design, place), _centres(design, place)

    def effects(values: Array | None) -> list[float] | None:
        return None if values is None else (centres + units * values).tolist()

    def squares(values: Array | None) -> list[float] | None:
        return None if values is None else (units * units * values).tolist()

    institutions: list[dict[str, Any]] | None = None
    if params.by_institution:
        institutions = [
            {"name": name, "params": effects(own.theta[i]), "variance": squares(own.variance[i])}
            for i, name in enumerate(cohort.names)]
    return {
        "computation": "model.meta",
        "family": params.family,
        "link": LINKS[params.family],
        "outcome": params.outcome_columns[0],
        "event": params.event,
        "method": params.method,
        "hartung_knapp": params.hartung_knapp and found.varying is not None,
        "confidence": params.confidence,
        "columns": design.names,
        "fixed": effects(found.fixed.mean if found.fixed else None),
        "fixed_variance": squares(found.fixed.variance if found.fixed else None),
        "random": effects(found.varying.mean if found.varying else None),
        "random_variance": squares(found.varying.variance if found.varying else None),
        "hartung_knapp_variance": squares(found.hartung_knapp),
        "tau2": squares(found.tau2),
        "q": None if found.q is None else found.q.tolist(),
        "iterations": found.iterations,
        "institutions": cohort.size,
        "by_institution": institutions,
        "nobs": counts.kept,
        "dropped": hidden_under(counts.rows - counts.kept, cohort.minimum_count),
    }
