"""Rules for models with an intercept per institution, and the intercepts themselves where everybody lets them show."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sealane.computations.base import Cohort
from sealane.computations.design.layout import Design, Placement
from sealane.computations.glm.intercepts import own_intercept
from sealane.computations.glm.likelihood import Likelihood
from sealane.computations.glm.opening import open_sums, out_of_range
from sealane.computations.newton import Array
from sealane.computations.outcome import AMOUNTS
from sealane.errors import RefusedError


def own_shortfall(y: Array, family: str, minimum: int) -> int:
    """Return 1 if a node's own kept rows are too few, or too much alike, for an intercept of their own; else 0."""
    short = len(y) < minimum
    if family not in AMOUNTS:
        short = short or not bool((y > 0).any()) or (family == "binomial" and not bool((y == 0).any()))
    return int(short)


def check_institution_rows(short: int, minimum: int) -> None:
    """Refuse institutions' own intercepts where some have no estimate, or rest on too few rows.

    Raises:
        RefusedError: ``glm.institution-without-intercept``.
    """
    if short:
        raise RefusedError("glm.institution-without-intercept", "some institutions have no intercept of their own",
                           got=f"{short} institutions with too few rows, or with one outcome only",
                           expected=f"at least {minimum} rows, with and without the event, at each",
                           hint='use institution_effects = "none", or run without these institutions')


async def open_intercepts(
    cohort: Cohort, likelihood: Likelihood, beta: Array, predictor: Placement, design: Design
) -> dict[str, Any]:
    """Open institutions' own intercepts, in the contract's units, if every one of them waived; else nothing.

    Args:
        cohort: of the run.
        likelihood: of the model.
        beta: coefficients at the maximum; a dispersion after them is left out.
        predictor: how the linear predictor was fitted.
        design: of the model.
    """
    if not cohort.exposed:
        return {"intercepts": None}
    coefficients = beta[: len(design.columns)]
    own = own_intercept(likelihood.kind, likelihood.own, likelihood.own.predictor(coefficients))
    part = np.zeros(cohort.size)
    part[cohort.place] = math.nan if own is None else own
    opened = await open_sums(cohort, {"intercepts": part}, {"intercepts": part.shape})
    if opened.runaway:
        raise out_of_range("institutions' intercepts")
    shift = math.fsum(b * c.place.centre / c.place.scale
                      for b, c in zip(coefficients.tolist(), design.columns, strict=True))
    values = [predictor.centre + predictor.scale * (value - shift) for value in opened.sums["intercepts"].tolist()]
    return {"intercepts": dict(zip(cohort.names, values, strict=True))}
