"""Which features a card uses: steps by Akaike's criterion, all candidates of a step tried in the same rounds.

Source: Akaike (1974), IEEE Trans. Autom. Control 19:716-723; the steps are those of R's ``step``: the best single
change is made while it lowers the criterion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort
from sealane.computations.scorecard.candidates import Model, try_each
from sealane.computations.scorecard.likelihood import Fitted, Likelihood
from sealane.computations.scorecard.parameters import ScorecardParameters


@dataclass(frozen=True, slots=True)
class Step:
    """A change that was made: the feature and whether it came in; the criterion after it."""

    feature: str | None
    entered: bool
    aic: float


@dataclass(frozen=True, slots=True)
class Path:
    """The model at the end, its null model's deviance, the steps, and how many changes could not be tried."""

    fitted: Fitted
    null_deviance: float
    steps: list[Step]
    untried: int


async def choose(
    cohort: Cohort, likelihood: Likelihood, params: ScorecardParameters, share: float
) -> Path:
    """Fit, and change the model while that lowers Akaike's criterion.

    Args:
        cohort: of the run.
        likelihood: of the features that may come in.
        params: of the study.
        share: of rows with the event.

    Raises:
        RefusedError: the first model or the last has no answer.
    """
    limits, size = (params.maximum_iterations, params.tolerance), len(likelihood.names)
    start = math.log(share / (1.0 - share))
    null = await likelihood.fit(cohort, (), np.array([start]), *limits)
    fitted = null
    if params.stepwise in ("backward", "none"):
        # A coefficient of -1 is what a feature alone has.
        fitted = await likelihood.fit(cohort, tuple(range(size)), np.array([start] + [-1.0] * size), *limits)
    model = _padded(fitted, size)
    steps, untried = [Step(None, fitted is not null, model.aic)], 0
    while params.stepwise != "none":
        changes = _changes(model.columns, size, params.stepwise)
        tried = await try_each(cohort, likelihood, model, changes)
        untried += sum(one is None for one in tried)
        best = min((one for one in tried if one is not None), key=lambda one: one.aic, default=model)
        if best.aic >= model.aic:
            break
        changed = (set(best.columns) ^ set(model.columns)).pop()
        steps.append(Step(likelihood.names[changed], changed in best.columns, best.aic))
        model = best
    if len(steps) > 1:
        fitted = await likelihood.fit(cohort, model.columns, model.beta[[0, *(k + 1 for k in model.columns)]], *limits)
    return Path(fitted, null.deviance, steps, untried)


def _padded(fitted: Fitted, size: int) -> Model:
    beta = np.zeros(size + 1)
    beta[[0, *(k + 1 for k in fitted.columns)]] = fitted.beta
    return Model(fitted.columns, beta, fitted.deviance)


def _changes(columns: tuple[int, ...], size: int, way: str) -> list[tuple[int, ...]]:
    """Return the columns of each model that is one feature away."""
    out = list[tuple[int, ...]]()
    if way in ("forward", "both"):
        out += [(*columns, k) for k in range(size) if k not in columns]
    if way in ("backward", "both"):
        out += [tuple(other for other in columns if other != k) for k in columns]
    return out
