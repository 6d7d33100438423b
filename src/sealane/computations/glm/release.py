"""From the maximum to a payload: covariance, likelihood and criteria, in the contract's units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sealane.computations.base import Cohort, Payload
from sealane.computations.design.layout import Design, original_units
from sealane.computations.design.rebuild import describe
from sealane.computations.design.screening import Counts
from sealane.computations.disclosure import hidden_under
from sealane.computations.glm.opening import out_of_range
from sealane.computations.glm.parameters import GlmParameters
from sealane.computations.glm.scaling import Scaling
from sealane.computations.glm.working import Kind
from sealane.computations.newton import Array
from sealane.errors import RefusedError

PERFECT = 1e-18
"""Share of the outcome's variance left unexplained that is nothing but rounding."""


@dataclass(frozen=True, slots=True)
class Maximum:
    """A fit in standardised units, all of it opened or settled.

    Attributes:
        beta: coefficients, shape ``(n_parameters,)``; of an estimated dispersion its logarithm comes last.
        covariance: theirs, of a dispersion of 1 where it is the model's; shape ``(n_parameters, n_parameters)``.
        deviance, pearson: at the coefficients.
        saturated: see :meth:`.families.Family.saturated`.
        null_deviance: None where there is none.
        iterations: Newton steps.
        method: ``maximum-likelihood``, ``firth`` or ``ridge``.
        robust: whether the covariance is one already, without regard to the dispersion.
    """

    beta: Array
    covariance: Array
    deviance: float
    pearson: float
    saturated: float
    null_deviance: float | None
    iterations: int
    method: str = "maximum-likelihood"
    robust: bool = False


@dataclass(frozen=True, slots=True)
class Basis:
    """What a fit rests on: the public facts that a payload repeats."""

    params: GlmParameters
    kind: Kind
    design: Design
    scaling: Scaling
    counts: Counts
    weight: float
    intercepts: int


async def release(cohort: Cohort, basis: Basis, maximum: Maximum) -> Payload:
    """Return the payload of a fit.

    Raises:
        RefusedError: ``glm.perfect-fit``.
    """
    params, kind, design, n = basis.params, basis.kind, basis.design, basis.weight
    size = len(design.columns) + basis.intercepts
    left, unit = n - size, basis.scaling.deviance
    family = kind.family
    if family.dispersed and maximum.deviance < PERFECT * n:
        raise RefusedError("glm.perfect-fit", f"the features determine {params.outcome_column!r} exactly",
                           got="no residual variation", expected="some", hint="leave out what it was computed from")
    known = math.isfinite(maximum.pearson)
    if family.dispersed and not known:
        raise out_of_range("Pearson's chi-square")
    dispersion = maximum.pearson / left if family.dispersed else 1.0
    scale, deviance = dispersion * unit, maximum.deviance * unit
    # A linear model's is taken at its best scale, as in statsmodels. Source: Venables and Ripley, section 7.
    best = deviance / n if (family.name, kind.link.name) == ("gaussian", "identity") else scale
    likelihood = family.likelihood(deviance, maximum.saturated, n, best)
    covariance = maximum.covariance if maximum.robust else dispersion * maximum.covariance
    # All of the same order, so that agreement within 1e-9 means the same for each.
    upper, width = np.triu_indices(len(maximum.beta)), len(maximum.beta)
    settled = await cohort.agree(np.concatenate([maximum.beta, covariance[upper] * n, [likelihood / n]]))
    settled_covariance = np.zeros((width, width))
    settled_covariance[upper] = settled[width:-1] / n
    settled_covariance = np.triu(settled_covariance) + np.triu(settled_covariance, 1).T
    beta = settled[:width]
    names = design.names
    parameters = size
    if params.estimates_alpha:
        beta, settled_covariance = await _out_of_logarithm(cohort, beta, settled_covariance)
        names, parameters = [*names, "alpha"], size + 1
    coefficients, cov = original_units(design, beta, settled_covariance, basis.scaling.predictor)
    llf = float(settled[-1]) * n
    return {
        "computation": "glm.fit",
        "kind": "fit",
        "family": family.name,
        "link": kind.link.name,
        "method": maximum.method,
        "covariance_type": params.covariance,
        "outcome": params.outcome_column,
        "weights": params.weights, "offset": params.offset, "exposure": params.exposure,
        "institution_effects": params.institution_effects,
        "design": describe(design, filled=params.missing == "mean"),
        "intercept": params.has_intercept,
        "confidence": params.confidence,
        "columns": names,
        "params": coefficients,
        "covariance": cov,
        "scale": scale,
        "deviance": deviance,
        "null_deviance": None if maximum.null_deviance is None else maximum.null_deviance * unit,
        "pearson_chi2": maximum.pearson * unit if known else None,
        "llf": llf,
        "aic": -2.0 * llf + 2.0 * parameters,
        "nobs": basis.counts.kept,
        "total_weight": n if params.weights is not None else None,
        "dropped": hidden_under(basis.counts.rows - basis.counts.kept, cohort.minimum_count),
        "df_model": size - 1,
        "df_resid": _whole(left),
        "iterations": maximum.iterations,
    }


async def _out_of_logarithm(cohort: Cohort, beta: Array, covariance: Array) -> tuple[Array, Array]:
    """Return alpha in place of its logarithm; at the maximum the covariance follows by the chain rule."""
    alpha = float((await cohort.agree(np.array([math.exp(beta[-1])])))[0])
    factor = np.ones(len(beta))
    factor[-1] = alpha
    return np.append(beta[:-1], alpha), covariance * np.multiply.outer(factor, factor)


def _whole(value: float) -> Any:
    return int(value) if value == int(value) else value
