"""From risk sets to what is released of a Cox model: coefficients, baselines, test of proportionality, concordance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sealane.computations.base import Cohort, real
from sealane.computations.design.layout import Design, original_units
from sealane.computations.design.rebuild import describe
from sealane.computations.newton import Point, Slope, Solution, climb
from sealane.computations.survival.bounds import reach_of
from sealane.computations.survival.concordance import Concordance, concordance
from sealane.computations.survival.cox_parameters import CoxParameters
from sealane.computations.survival.grid import FineGrid
from sealane.computations.survival.likelihood import PartialLikelihood
from sealane.computations.survival.own_likelihood import OwnLikelihood
from sealane.computations.survival.proportionality import statistics, transforms
from sealane.computations.survival.risk_sets import Array, RiskSets, Slots
from sealane.computations.survival.settling import Group
from sealane.errors import RefusedError

RUNAWAYS = 8
"""Steps past the public bound of e^η after which there is no maximum to be expected: hazards a million-fold apart."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the run arrived at, in standardised units, the same at every node.

    Attributes:
        beta: coefficients.
        covariance: of these.
        likelihood: logarithm of the partial likelihood, less the penalty.
        null: the same at coefficients of zero.
        iterations: Newton steps taken.
        proportionality: statistics of each coefficient by function of time.
        agreement: of risk and time.
        risk: sums of e^η over the risk set at each slot; None with a baseline per institution.
    """

    beta: Array
    covariance: Array
    likelihood: float
    null: float
    iterations: int
    proportionality: dict[str, list[float]]
    agreement: Concordance | None
    risk: Array | None


async def estimate(
    cohort: Cohort, own: RiskSets, design: Design, params: CoxParameters, groups: Mapping[int, Group],
    resolution: float, rows: int,
) -> Estimate:
    """Maximise the partial likelihood, and look at what it implies.

    Raises:
        RefusedError: a model without an answer, or ranges too wide for exact sums.
    """
    slots, size = own.slots, len(design.columns)
    reach = reach_of(cohort, design, rows, slots.total)
    likelihood = (OwnLikelihood(cohort, own, reach, params.ties, design, rows) if params.stratify_by_institution
                  else PartialLikelihood(cohort, own, reach, params.ties))
    await likelihood.start()
    # Per standard deviation with divisor n - 1, as lifelines scales; columns here have divisor n.
    ridge = params.penalizer * rows * rows / (rows - 1)

    runaways = 0

    async def at(beta: Array) -> Point:
        nonlocal runaways
        point = await likelihood.at(beta)
        if point.runaway:
            runaways += 1
            if runaways == RUNAWAYS:
                raise _monotone(slope, beta)
            return point
        if not ridge:
            return point
        squares = float(np.cumsum(beta * beta)[-1])
        return replace(point, information=point.information + ridge * np.eye(size), score=point.score - ridge * beta,
                       deviance=point.deviance + ridge * squares)

    slope = Slope(at, design.names, design.units)
    start = await at(np.zeros(size))
    solution = await climb(slope, cohort, start, iterations=params.maximum_iterations, tolerance=params.tolerance)
    beta, covariance, ends = await _settle(cohort, solution, start, slots.total)
    functions = transforms(slots, groups, resolution)
    sums = np.array([np.cumsum(one[:, None] * likelihood.residuals, axis=0)[-1] for one in functions.values()])
    if functions and isinstance(likelihood, OwnLikelihood):
        sums = (await cohort.sum({"residuals": real(sums, reach.score)}))["residuals"]
    tests: dict[str, list[float]] = {}
    if functions:
        found = await cohort.agree(statistics(functions, sums, covariance, slots))
        tests = dict(zip(functions, found.tolist(), strict=True))
    agreement = await concordance(cohort, own, beta, rows, pooled=not params.stratify_by_institution)
    risk = likelihood.sums.s0 if isinstance(likelihood, PartialLikelihood) else None
    return Estimate(beta, covariance, *ends, solution.iterations, tests, agreement, risk)


def _monotone(slope: Slope, beta: Array) -> RefusedError:
    return RefusedError("survival.monotone", "the partial likelihood rises without end: hazards drift apart",
                        got=slope.named(slope.effects(beta)), expected="coefficients with finite estimates",
                        hint="leave out what tells who has the event next, or ask for a ridge penalty (penalizer)")


async def _settle(
    cohort: Cohort, solution: Solution, start: Point, events: int
) -> tuple[Array, Array, tuple[float, float]]:
    """Settle coefficients, covariance and both log-likelihoods; all are brought to one order."""
    point, size = solution.point, len(solution.step)
    upper = np.triu_indices(size)
    ends = np.array([point.deviance, start.deviance]) / (-2.0 * events)
    settled = await cohort.agree(np.concatenate([point.beta + solution.step, solution.inverse[upper] * events, ends]))
    covariance = np.zeros((size, size))
    covariance[upper] = settled[size:-2] / events
    covariance = np.triu(covariance) + np.triu(covariance, 1).T
    return settled[:size], covariance, (float(settled[-2]) * events, float(settled[-1]) * events)


def released(found: Estimate, design: Design, slots: Slots, fine: FineGrid, *, filled: bool) -> dict[str, Any]:
    """Return the model, JSON-ready, in the contract's units."""
    params, covariance = original_units(design, found.beta, found.covariance)
    agreement = found.agreement
    return {
        "design": describe(design, filled=filled), "columns": design.names, "params": params, "covariance": covariance,
        "centre": [column.place.centre for column in design.columns], "events": slots.total,
        "events_per_parameter": slots.total / len(design.columns),
        "log_likelihood": found.likelihood, "null_log_likelihood": found.null, "iterations": found.iterations,
        "proportionality": found.proportionality,
        "concordance": None if agreement is None else {"index": agreement.index, "error": agreement.error},
    }


def baselines(
    found: Estimate, slots: Slots, names: tuple[tuple[str, ...], ...], fine: FineGrid
) -> list[dict[str, Any]] | None:
    """Return the baseline hazard of each stratum at mean covariates; None where institutions have their own.

    Source: Breslow (1972), discussion of Cox's paper, J. R. Stat. Soc. B 34(2); used for both kinds of ties.
    """
    if found.risk is None:
        return None
    hazard = (slots.events / found.risk).tolist()
    return [{"stratum": list(names[number]), "times": fine.times(slots.places[a:b]), "hazard": hazard[a:b]}
            for number, a, b in zip(slots.strata, slots.first[:-1], slots.first[1:], strict=True)]
