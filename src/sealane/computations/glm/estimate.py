"""Climbing to the estimate that a study asks for, by way of a null model and fallbacks where it asks for these."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort
from sealane.computations.glm.families import Poisson
from sealane.computations.glm.intercepts import PROFILED
from sealane.computations.glm.likelihood import Baseline, Likelihood
from sealane.computations.glm.overdispersion import Joint
from sealane.computations.glm.release import Basis, Maximum
from sealane.computations.glm.sandwich import sandwich
from sealane.computations.glm.separation import RIDGE, Firth, Ridge
from sealane.computations.glm.working import Kind, Own
from sealane.computations.newton import SMALLEST_PIVOT, Array, Point, Slope, Solution, climb
from sealane.errors import RefusedError

CERTAIN = 1e-5
"""Deviance per row under which a binomial model predicts every row without doubt."""
FLAT = 1e-5
"""Largest slope per row at a maximum, for links that do not take every predictor. Where means near the border of what
they may be, weights grow without end and steps vanish though the slope does not."""

PENALISED_ITERATIONS = 100
"""Steps to a penalised maximum, which starts far from it and approaches it slowly where the outcome is separated."""


@dataclass(frozen=True, slots=True)
class Task:
    """A model ready to be fitted.

    Attributes:
        cohort: of the run.
        basis: what is public about it.
        own: the node's rows: private.
        saturated: the node's part of the saturated log-likelihood: private.
        offset: opened mean of the offset, in fitted units.
    """

    cohort: Cohort
    basis: Basis
    own: Own
    saturated: float
    offset: float

    async def climb(self, slope: Slope, first: Point, least: int = 0) -> Solution:
        """Climb by the study's own patience, in at least so many steps."""
        params = self.basis.params
        return await climb(slope, self.cohort, first, iterations=max(params.maximum_iterations, least),
                           tolerance=params.tolerance)


async def estimate(task: Task) -> tuple[Likelihood, Maximum]:
    """Return the likelihood at the estimate, and the estimate.

    Raises:
        RefusedError: the model has no answer.
    """
    if task.basis.params.estimates_alpha:
        return await _with_alpha(task)
    likelihood = Likelihood(task.cohort, task.basis.kind, task.own, profiled=task.basis.params.fixed_effects)
    null, null_deviance = await null_model(task, task.basis.kind)
    first, baseline = await _first(task, likelihood, null)
    if null_deviance is None:
        null_deviance = baseline.null_deviance
    binomial = task.basis.kind.family.name == "binomial"
    design = task.basis.design
    slope = Slope(likelihood.at, design.names, design.units, CERTAIN * task.basis.weight if binomial else 0.0)
    try:
        solution = await task.climb(slope, first)
    except RefusedError as error:
        if error.code != "model.separation":
            raise
        params = task.basis.params
        if params.on_separation == "refuse":
            also = "; or ask for on_separation = \"firth\"" if params.may_penalise else ""
            raise RefusedError("model.separation",
                               "the outcome is separated: some coefficients have no finite estimate", got=error.got,
                               expected=error.expected, hint=f"{error.hint}{also}") from None
        return await _separated(task, likelihood, baseline, null_deviance, first.beta)
    bordered = (task.basis.kind.family.name, task.basis.kind.link.name) not in PROFILED
    if bordered and float(np.abs(solution.point.score).max()) > FLAT * task.basis.weight:
        raise RefusedError("glm.boundary", "the best fit has means on the border of what the family allows",
                           got=f"link {task.basis.kind.link.name}", expected="a maximum inside",
                           hint="use a link that takes every predictor, such as log or logit")
    beta, covariance, robust = solution.point.beta + solution.step, solution.inverse, False
    if task.basis.params.covariance != "model":
        # The settled coefficients: a score squared would otherwise hang on each node's own last bits.
        beta, robust = await task.cohort.agree(beta), True
        covariance = await _robust(task, likelihood, beta)
    return likelihood, Maximum(beta, covariance, solution.point.deviance, likelihood.pearson, baseline.saturated,
                               null_deviance, solution.iterations, robust=robust)


async def null_model(task: Task, kind: Kind) -> tuple[float, float | None]:
    """Return the null model's predictor, its offset apart, and its deviance where that had to be fitted for."""
    if task.own.offset is None:
        return task.basis.scaling.null, None
    ones = Own(np.ones((len(task.own.y), 1)), task.own.y, task.own.offset, task.own.weights)
    likelihood = Likelihood(task.cohort, kind, ones)
    start = await task.cohort.agree(np.array([task.basis.scaling.null - task.offset]))
    first, _ = await likelihood.start(start, None, 0.0)
    solution = await task.climb(Slope(likelihood.at, ["Intercept"], np.ones(1)), first)
    settled = await task.cohort.agree(solution.point.beta + solution.step)
    return float(settled[0]), solution.point.deviance


async def _first(task: Task, likelihood: Likelihood, null: float) -> tuple[Point, Baseline]:
    """Evaluate the null model where there is an intercept, else zero."""
    design = task.basis.design
    beta = np.zeros(len(design.columns))
    if design.intercept:
        beta[0] = null
    known = task.basis.scaling.null if task.own.offset is None else None
    first, baseline = await likelihood.start(beta, known, task.saturated)
    if likelihood.profiled:
        left = np.diag(first.information) < SMALLEST_PIVOT * baseline.whole
        if bool(left.any()):
            named = ", ".join(name for name, gone in zip(design.names, left.tolist(), strict=True) if gone)
            raise RefusedError("model.collinear", "features do not vary within any institution", got=named,
                               expected="columns that institutions' own intercepts leave something of",
                               hint="leave them out, or use institution_effects = \"none\"")
    return first, baseline


async def _robust(task: Task, likelihood: Likelihood, beta: Array) -> Array:
    params, basis = task.basis.params, task.basis
    clustered = params.covariance == "institution"
    covariance = await sandwich(likelihood, beta, clustered=clustered)
    n, size = basis.counts.kept, len(basis.design.columns) + basis.intercepts
    if params.covariance == "robust-hc1":
        covariance = covariance * (n / (n - size))
    elif clustered:
        # Source: Cameron and Miller (2015), J. Human Resources 50(2), equation (12).
        groups = basis.counts.contributors
        covariance = covariance * (groups / (groups - 1.0) * ((n - 1.0) / (n - size)))
    return covariance


async def _separated(
    task: Task, likelihood: Likelihood, baseline: Baseline, null_deviance: float, start: Array
) -> tuple[Likelihood, Maximum]:
    """Fit what the study allows in place of the likelihood's own maximum, which lies at infinity."""
    design, method = task.basis.design, task.basis.params.on_separation
    if method == "firth":
        penalised: Firth | Ridge = Firth(likelihood)
    else:
        free = [RIDGE] * len(design.columns)
        free[0] = 0.0 if design.intercept else RIDGE
        penalised = Ridge(likelihood, np.array(free))
    slope = Slope(penalised.at, design.names, design.units, bounded=True)
    solution = await task.climb(slope, await penalised.at(start), PENALISED_ITERATIONS)
    return likelihood, Maximum(
        solution.point.beta + solution.step, solution.inverse, penalised.deviance, likelihood.pearson,
        baseline.saturated, null_deviance, solution.iterations, method)


async def _with_alpha(task: Task) -> tuple[Likelihood, Maximum]:
    """Fit a Poisson model, and from there coefficients and dispersion together."""
    profiled, design = task.basis.params.fixed_effects, task.basis.design
    poisson = Likelihood(task.cohort, Kind(Poisson(), task.basis.kind.link), task.own, profiled=profiled)
    null, _ = await null_model(task, poisson.kind)
    first, _ = await _first(task, poisson, null)
    start = await task.climb(Slope(poisson.at, design.names, design.units), first)
    joint = Joint(task.cohort, task.own, profiled)
    theta = await joint.start(start.point.beta + start.step)
    slope = Slope(joint.at, [*design.names, "alpha"], np.append(design.units, 1.0))
    solution = await task.climb(slope, await joint.at(theta))
    settled = await task.cohort.agree(solution.point.beta + solution.step)
    # Deviance and chi-square are those of the family with its dispersion where it came to lie.
    kind = joint.kind(settled)
    likelihood = Likelihood(task.cohort, kind, task.own, profiled=profiled)
    saturated = task.own.total(kind.family.saturated(task.own.y))
    point, baseline = await likelihood.start(settled[:-1], None, saturated)
    return likelihood, Maximum(settled, solution.inverse, point.deviance, likelihood.pearson, baseline.saturated, None,
                               start.iterations + solution.iterations)
