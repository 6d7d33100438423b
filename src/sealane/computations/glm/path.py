"""A path of penalised models, with cross-validation whose folds never leave their nodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sealane.computations.base import Payload
from sealane.computations.design.layout import original_units
from sealane.computations.design.rebuild import describe
from sealane.computations.disclosure import hidden_under
from sealane.computations.glm.descent import Pull
from sealane.computations.glm.estimate import Task, null_model
from sealane.computations.glm.folds import deal, weigh_folds
from sealane.computations.glm.opening import out_of_range
from sealane.computations.glm.penalty import PenaltyParameters
from sealane.computations.glm.quadratics import Fold, Place, Steps, evaluate, fit_gaussian, fit_step, open_gaussian
from sealane.computations.newton import Array

RATIO = 1e-4
"""The least penalty of a path, as a share of the largest: glmnet's where rows outnumber columns."""
LEAST_SHARE = 1e-3
"""A ridge never has all coefficients at zero: its largest penalty is that of this much lasso, as in glmnet."""


async def fit_path(task: Task, penalty: PenaltyParameters) -> Payload:
    """Fit the path, choose a penalty, and return the payload.

    Raises:
        RefusedError: ``glm.fold-too-small``, ``model.not-converged``.
    """
    dealt = deal(task.own, penalty.folds, task.cohort.place)
    kind = task.basis.kind
    steps = Steps(task.cohort, kind, dealt, await weigh_folds(task.cohort, dealt),
                  [kind.even_weights(one) for one in dealt])
    gaussian = task.basis.kind.family.name == "gaussian"
    if gaussian:
        products = await open_gaussian(steps)
        total = sum(products[1:], start=products[0])
        slope, null = _null_slope(total, task.basis.design.intercept)
        lambdas = await _lambdas(task, penalty, slope / steps.weight(0))
        fits = fit_gaussian(steps, products, [_pull(task, penalty, one) for one in lambdas])
    else:
        places = await _null_places(task, steps)
        null = places[0].deviance
        free = 1 if task.basis.design.intercept else 0
        slope = float(np.abs(places[0].score[free:]).max())
        lambdas = await _lambdas(task, penalty, slope / steps.weight(0))
        fits = []
        for one in lambdas:
            places = await fit_step(steps, places, _pull(task, penalty, one), task.basis.params.maximum_iterations)
            fits.append([Fold(place.beta, place.deviance, place.unseen) for place in places])
    return await _release(task, penalty, steps, lambdas, fits, null)


def _pull(task: Task, penalty: PenaltyParameters, one: float) -> Pull:
    """Return the penalty in fitted units: in a linear model the outcome is standardised, and with it half the loss."""
    design = task.basis.design
    penalised = np.array([bool(column.parts) for column in design.columns], dtype=np.float64)
    unit = task.basis.scaling.outcome.scale if task.basis.kind.family.name == "gaussian" else 1.0
    return Pull(penalised * (one * penalty.share / unit), penalised * (one * (1.0 - penalty.share)))


async def _null_places(task: Task, steps: Steps) -> list[Place]:
    null, _ = await null_model(task, task.basis.kind)
    beta = np.zeros(len(task.basis.design.columns))
    if task.basis.design.intercept:
        beta[0] = null
    settled = await task.cohort.agree(beta)
    places = await evaluate(steps, [settled] * steps.models, range(steps.models))
    if places[0].runaway:
        raise out_of_range("the terms of the model at its start")
    return places


def _null_slope(total: Array, intercept: bool) -> tuple[float, float]:
    """Return the largest gradient where all coefficients but the intercept are zero, and the deviance there."""
    if not intercept:
        return float(np.abs(total[:-1, -1]).max()), float(total[-1, -1])
    mean = total[0, -1] / total[0, 0]
    slope = total[1:-1, -1] - total[1:-1, 0] * mean
    return float(np.abs(slope).max()), float(total[-1, -1] - mean * total[0, -1])


async def _lambdas(task: Task, penalty: PenaltyParameters, slope: float) -> list[float]:
    """Return the penalties to try, the largest first, in the units of the contract."""
    if penalty.lambdas:
        return sorted(penalty.lambdas, reverse=True)
    unit = task.basis.scaling.outcome.scale if task.basis.kind.family.name == "gaussian" else 1.0
    largest = slope * unit / max(penalty.share, LEAST_SHARE)
    spaced = [largest * math.exp(math.log(RATIO) * k / (penalty.number - 1)) for k in range(penalty.number)]
    # On a logarithm, so that agreement within 1e-9 means the same for each.
    settled = await task.cohort.agree(np.array(spaced) / largest + 1.0)
    return [float(one) * largest for one in (settled - 1.0)]


async def _release(
    task: Task, penalty: PenaltyParameters, steps: Steps, lambdas: Sequence[float], fits: Sequence[Sequence[Fold]],
    null: float,
) -> Payload:
    basis = task.basis
    design, params, n = basis.design, basis.params, basis.weight
    settled = await task.cohort.agree(np.stack([by_model[0].beta for by_model in fits]))
    flat = np.zeros((len(design.columns), len(design.columns)))
    path = [original_units(design, beta, flat, basis.scaling.predictor)[0] for beta in settled]
    chosen = await _choose(task, penalty, steps, lambdas, fits)
    at = len(lambdas) - 1 if chosen["place"] is None else chosen["place"]
    return {
        "computation": "glm.fit",
        "kind": "path",
        "family": basis.kind.family.name,
        "link": basis.kind.link.name,
        "outcome": params.outcome_column,
        "weights": params.weights, "offset": params.offset, "exposure": params.exposure,
        "penalty": penalty.kind, "l1_ratio": penalty.share, "rule": penalty.rule, "folds": penalty.folds,
        "design": describe(design, filled=params.missing == "mean"),
        "columns": design.names,
        "lambdas": list(lambdas),
        "path": path,
        "nonzero": [int(np.count_nonzero(beta[1 if design.intercept else 0 :])) for beta in settled],
        "deviance": [by_model[0].deviance * basis.scaling.deviance for by_model in fits],
        "null_deviance": null * basis.scaling.deviance,
        "cv": chosen["cv"],
        "chosen": at,
        "params": path[at],
        "nobs": basis.counts.kept,
        "total_weight": n if params.weights is not None else None,
        "dropped": hidden_under(basis.counts.rows - basis.counts.kept, task.cohort.minimum_count),
    }


async def _choose(
    task: Task, penalty: PenaltyParameters, steps: Steps, lambdas: Sequence[float], fits: Sequence[Sequence[Fold]]
) -> dict[str, Any]:
    """Return the curve of the mean error on rows not seen, and the place of the penalty that the rule takes.

    The mean over folds and its standard error are weighted by the folds' sizes, as in glmnet.
    """
    if penalty.folds == 0:
        return {"cv": None, "place": None}
    weights, whole = steps.weights.tolist(), math.fsum(steps.weights.tolist())
    unit = task.basis.scaling.deviance
    means, errors = [], []
    for by_model in fits:
        found = [fold.unseen * unit / w for fold, w in zip(by_model[1:], weights, strict=True)]
        mean = math.fsum(w * value for w, value in zip(weights, found, strict=True)) / whole
        spread = math.fsum(w * (value - mean) * (value - mean) for w, value in zip(weights, found, strict=True)) / whole
        means.append(mean)
        errors.append(math.sqrt(spread / (len(weights) - 1)))
    settled = await task.cohort.agree(np.array([means, errors]))
    mean_curve, error_curve = settled.tolist()
    least = mean_curve.index(min(mean_curve))
    within = next(k for k, value in enumerate(mean_curve) if value <= mean_curve[least] + error_curve[least])
    return {"cv": {"mean": mean_curve, "se": error_curve, "lambda_min": lambdas[least], "lambda_1se": lambdas[within]},
            "place": least if penalty.rule == "min" else within}
