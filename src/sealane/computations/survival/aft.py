"""``survival.aft``: accelerated failure time models over the rows of all institutions, equal to a pooled fit.

Weibull, log-logistic and log-normal times with right censoring. Two sums set the model up (counts; moments), one opens
the constant of the likelihood, and each Newton step is one more: first of the model with an intercept only, then of the
whole one.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.columns import limits
from sealane.computations.design.layout import Column, Design, Measured, lay_out, matrix, original_units
from sealane.computations.design.parameters import FeatureParameters, Name
from sealane.computations.design.rare_outcomes import check_events_at_levels, own_events_at_levels
from sealane.computations.design.rebuild import describe
from sealane.computations.design.screening import Counts, screen, take_counts
from sealane.computations.design.variables import Array, read_rows, read_variables
from sealane.computations.disclosure import check_events_per_parameter, hidden_under
from sealane.computations.newton import Slope, Solution, climb
from sealane.computations.survival.aft_distributions import DISTRIBUTIONS, Distribution
from sealane.computations.survival.aft_likelihood import Likelihood
from sealane.computations.survival.aft_result import AftResult
from sealane.computations.survival.rows import TimeParameters, check_time, event_level, read_times
from sealane.errors import InputError, RefusedError
from sealane.governance import contract as governed

SHORTEST = 2.0**-20
"""Least time as a share of the contract's longest, where the contract names none: logarithms need a public range."""
Distributions = Literal["weibull", "log_logistic", "log_normal"]


class AftParameters(FeatureParameters):
    """Parameters of ``survival.aft``, beside those of every regression.

    Attributes:
        duration: column of the time from the beginning of observation to its end.
        event: column that says whether it ended in the event; else the row is censored.
        censored: level of ``event`` that is no event; to be named where that is a category.
        distribution: ``weibull``, ``log_logistic`` or ``log_normal``.
        confidence: level of the confidence intervals.
        maximum_iterations: most Newton steps.
        tolerance: largest relative change of the deviance that the next step may still promise.
    """

    duration: Name
    event: Name
    censored: Annotated[str | None, Field(max_length=128)] = None
    distribution: Distributions = "weibull"
    confidence: Annotated[float, Field(gt=0.5, le=0.9999)] = 0.95
    maximum_iterations: Annotated[int, Field(ge=1, le=100)] = 40
    tolerance: Annotated[float, Field(gt=0, le=1e-4)] = 1e-10

    @property
    def times(self) -> TimeParameters:
        """Duration and event as all survival computations read them."""
        return TimeParameters(duration=self.duration, event=self.event, censored=self.censored)

    @model_validator(mode="after")
    def _coherent(self) -> AftParameters:
        model = self.model
        if model.outcome is not None:
            raise ValueError("the formula has a right side only: duration and event are the outcome")
        if not model.intercept:
            raise ValueError("this model has an intercept: leave 0 + or - 1 out of the formula")
        if self.duration == self.event or {self.duration, self.event} & set(model.variables):
            raise ValueError("duration, event and features are columns of their own")
        return self


class AftFit:
    """Accelerated failure time model."""

    outputs = ("model",)
    individual_level = False  # sums and coefficients over the cohort
    opens = "counts of levels, and each step's cross-products, scores and deviance"

    @property
    def name(self) -> str:
        """Return ``survival.aft``."""
        return "survival.aft"

    @property
    def parameters(self) -> type[AftParameters]:
        """Return the model of its parameters."""
        return AftParameters

    def columns(self, params: AftParameters) -> list[str]:
        """Return times, event and features."""
        return [params.duration, params.event, *params.model.variables]

    async def run(self, data: Dataset, cohort: Cohort, params: AftParameters) -> Payload:
        """Fit the model.

        Raises:
            InputError: a column that cannot play its part, rows outside the contract, or times of 0.
            RefusedError: too few rows or events, or a model without an answer.
        """
        distribution = DISTRIBUTIONS[params.distribution]
        field = check_time(data.contract, params.times)
        low, high = _span(field)
        variables = read_variables(data.contract, params.model)
        frame = data.frame(self.columns(params))
        times = read_times(frame, data.contract, params.times)
        read = read_rows(frame, variables, params.missing)
        rows = replace(read, kept=read.kept & times.known)
        time = _log_times(field, times.end, frame.index)[rows.kept]
        event = (times.kind[rows.kept] > 0).astype(np.float64)
        by_level = own_events_at_levels(rows, variables, event > 0)
        counts = await take_counts(cohort, rows, variables, {"events": int(event.sum())} | by_level)
        basis = screen(counts, variables, cohort)
        _check_events(counts, cohort)
        check_events_at_levels(counts, cohort.minimum_count, others_too=True)
        beside = [Measured(params.duration, low, high, time)]
        design = await lay_out(cohort, rows, variables, counts, intercept=True, beside=beside)
        check_events_per_parameter(counts.others["events"], len(design.columns) + 1)
        place = design.measured[params.duration]
        target = Column(params.duration, (), place, (low - place.centre) / place.scale,
                        (high - place.centre) / place.scale)
        x, log_time = matrix(design, rows), (time - place.centre) / place.scale

        def likelihood(columns: int) -> Likelihood:
            return Likelihood(cohort, design.columns[:columns], target, distribution, x[:, :columns], log_time, event,
                              rows=counts.kept, events=counts.others["events"])

        whole = likelihood(len(design.columns))
        constant = await whole.log_times()
        null = await _fit(cohort, params, design, likelihood(1), 1, np.array([*_start(distribution)]))
        first = np.zeros(len(design.columns) + 1)
        first[[0, -1]] = null.point.beta + null.step
        fit = await _fit(cohort, params, design, whole, len(design.columns), first)
        payload = await _release(cohort, params, distribution, design, counts, constant, null, fit)
        return payload | {"basis": basis, "longest": limits(field)[1],
                          "event_level": event_level(data.contract, params.times)}

    def present(self, payload: Payload) -> AftResult:
        """Return the result with lifelines' names."""
        return AftResult(payload)


def _span(field: governed.Field) -> tuple[float, float]:
    """Return the public range of log time, rounded outwards: a bound must not hang on a logarithm's last bit."""
    low, high = limits(field)
    if high <= 0.0:
        raise InputError("survival.no-time", f"the contract leaves no time in {field.name!r}", got=f"at most {high:g}",
                         expected="a maximum above 0")
    if low <= 0.0:
        low = 1.0 if field.type == "integer" else high * SHORTEST
    return math.floor(math.log(low) * 2.0**30 - 1.0) / 2.0**30, math.ceil(math.log(high) * 2.0**30 + 1.0) / 2.0**30


def _log_times(field: governed.Field, times: Array, index: pd.Index) -> Array:
    if bool((times <= 0.0).any()):
        raise InputError("aft.no-time", f"column {field.name!r} holds times of 0", expected="times above 0",
                         hint="a time of 0 has no logarithm: leave such rows out of the dataset, or count from earlier")
    with np.errstate(invalid="ignore"):
        out = np.log(times)
    low = _span(field)[0]
    if bool((out < low).any()):
        raise InputError("aft.too-short", f"column {field.name!r} holds times too short for its range",
                         expected=f"at least {math.exp(low):.3g}", hint="give the contract a minimum above 0")
    return np.asarray(out, dtype=np.float64)


def _check_events(counts: Counts, cohort: Cohort) -> None:
    if counts.others["events"] < cohort.minimum_count:
        raise RefusedError("aft.too-few-events", "too few rows ended in the event", got=f"under {cohort.minimum_count}",
                           expected=f"at least {cohort.minimum_count}", hint="follow up for longer")


def _start(distribution: Distribution) -> tuple[float, float]:
    mean, inverse_spread = distribution.start
    return mean * inverse_spread, inverse_spread


async def _fit(
    cohort: Cohort, params: AftParameters, design: Design, likelihood: Likelihood, columns: int, start: Array
) -> Solution:
    slope = Slope(likelihood.at, [*design.names[:columns], params.duration], np.append(design.units[:columns], 1.0))
    first = await likelihood.at(await cohort.agree(start))
    return await climb(slope, cohort, first, iterations=params.maximum_iterations, tolerance=params.tolerance)


async def _release(
    cohort: Cohort, params: AftParameters, distribution: Distribution, design: Design, counts: Counts,
    constant: float, null: Solution, fit: Solution,
) -> Payload:
    n, events, size = counts.kept, counts.others["events"], len(design.columns)
    place = design.measured[params.duration]
    # Of -log t and of log ρ = log r - log(spread of log time), for each event.
    moved = events * (place.centre + math.log(place.scale)) + place.scale * constant
    upper = np.triu_indices(size + 1)
    settled = await cohort.agree(np.concatenate([
        fit.point.beta + fit.step, fit.inverse[upper] * n,
        [(-0.5 * one.point.deviance - moved) / n for one in (fit, null)]]))
    values, likelihoods = settled[: size + 1].tolist(), [float(one) * n for one in settled[-2:]]
    inverse = np.zeros((size + 1, size + 1))
    inverse[upper] = settled[size + 1 : -2] / n
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    location, spread = _location(values, inverse)
    coefficients, covariance = original_units(design, location, spread, place)
    censored = hidden_under(n - events, cohort.minimum_count)
    return {
        "computation": "survival.aft",
        "distribution": distribution.name,
        "duration": params.duration,
        "event": params.event,
        "design": describe(design, filled=params.missing == "mean"),
        "confidence": params.confidence,
        "columns": design.names,
        "params": coefficients[:size],
        # ρ itself: its logarithm, which may differ in the last bit between machines, is taken by whoever reads it.
        "shape": values[-1] / place.scale,
        "covariance": covariance,
        "centre": place.centre + place.scale * values[0] / values[-1],
        "llf": likelihoods[0],
        "llf_null": likelihoods[1],
        "nobs": n,
        "events": None if censored is None else events,
        "dropped": hidden_under(counts.rows - n, cohort.minimum_count),
        "iterations": fit.iterations + null.iterations,
    }


def _location(values: list[float], inverse: Array) -> tuple[Array, Array]:
    """Turn (γ, r) and their covariance into (γ / r, log r) and theirs; log r itself is left at 0.

    At the maximum the observed information carries over exactly, since the score is 0 there.
    """
    *gamma, r = values
    size = len(values)
    turned = np.diag([1.0 / r] * size)
    turned[:-1, -1] = [-g / (r * r) for g in gamma]
    # Both products entry by entry, exactly rounded.
    half = np.array([[math.fsum((turned[i] * inverse[:, j]).tolist()) for j in range(size)] for i in range(size)])
    covariance = np.array([[math.fsum((half[i] * turned[j]).tolist()) for j in range(size)] for i in range(size)])
    return np.array([*(g / r for g in gamma), 0.0]), (covariance + covariance.T) / 2.0
