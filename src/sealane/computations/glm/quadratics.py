"""Penalised fits of all folds together: a quadratic for each, opened once (gaussian) or at each step (the others).

Model 0 is fitted to all rows, model k to all but fold k. Where the loss is not quadratic its second-order
approximation at the last coefficients takes its place, as in iteratively reweighted least squares. Source: Friedman,
Hastie and Tibshirani (2010), J. Stat. Softw. 33(1), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort
from sealane.computations.few_rows import own_effective, rests_on_few
from sealane.computations.glm.descent import Pull, Quadratic, minimise
from sealane.computations.glm.opening import open_sums, out_of_range, packed, unpacked
from sealane.computations.glm.working import Kind, Own, gram
from sealane.computations.newton import HALVINGS, Array
from sealane.errors import RefusedError

SETTLED = 1e-9
"""Largest relative change of coefficients that ends a fit; steps shrink quadratically, so the rest is far less."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One model at one penalty: coefficients, deviance over its own rows, and over those that it has not seen."""

    beta: Array
    deviance: float
    unseen: float


@dataclass(frozen=True, slots=True)
class Steps:
    """What every model needs.

    Attributes:
        cohort: of the run.
        kind: family and link.
        dealt: the node's rows by fold: private.
        weights: opened weight of each fold.
        even: weights of the node's rows by fold where all coefficients are 0: private.
    """

    cohort: Cohort
    kind: Kind
    dealt: Sequence[Own]
    weights: Array
    even: Sequence[Array]

    @property
    def models(self) -> int:
        """Number of models: one, and one for each fold."""
        return 1 + (len(self.dealt) if len(self.dealt) > 1 else 0)

    def weight(self, model: int) -> float:
        """Return the weight of the rows that a model sees."""
        return math.fsum(w for fold, w in enumerate(self.weights.tolist()) if fold != model - 1)


async def open_gaussian(steps: Steps) -> list[Array]:
    """Return the cross-products of columns and outcome by fold: one sum serves all penalties and all folds."""
    size = steps.dealt[0].x.shape[1] + 1
    own = np.stack([packed(gram(np.column_stack([one.x, one.y if one.offset is None else one.y - one.offset]),
                                np.ones_like(one.y) if one.weights is None else one.weights)) for one in steps.dealt])
    opened = await open_sums(steps.cohort, {"products": own}, {"products": own.shape})
    if opened.runaway:
        raise out_of_range("cross-products")
    return [unpacked(triangle, size) for triangle in opened.sums["products"]]


def fit_gaussian(steps: Steps, products: Sequence[Array], pulls: Sequence[Pull]) -> list[list[Fold]]:
    """Return the fits of every model at each penalty, by penalty."""
    total = products[0].copy()
    for other in products[1:]:
        total += other
    by_model = []
    for model in range(steps.models):
        unseen = np.zeros_like(total) if model == 0 else products[model - 1]
        seen = total - unseen
        weight = steps.weight(model)
        quadratic = Quadratic(seen[:-1, :-1] / weight, seen[:-1, -1] / weight)
        beta, fits = np.zeros(len(total) - 1), []
        for pull in pulls:
            beta = minimise(quadratic, pull, beta)
            fits.append(Fold(beta, _form(seen, beta), _form(unseen, beta)))
        by_model.append(fits)
    return [list(fits) for fits in zip(*by_model, strict=True)]


@dataclass(frozen=True, slots=True)
class Place:
    """A model at evaluated coefficients: opened sums there."""

    beta: Array
    information: Array
    score: Array
    deviance: float
    unseen: float
    runaway: bool

    def quadratic(self, weight: float) -> Quadratic:
        """Return the loss's approximation here, per unit of weight."""
        linear = self.score.copy()
        for j, value in enumerate(self.beta.tolist()):
            linear += self.information[j] * value
        return Quadratic(self.information / weight, linear / weight)


async def evaluate(steps: Steps, betas: Sequence[Array], models: Sequence[int]) -> list[Place]:
    """Evaluate some models at agreed coefficients: one sum."""
    size = len(betas[0])
    own: dict[str, Array] | None = {}
    triangles, scores, totals = [], [], []
    for model, beta in zip(models, betas, strict=True):
        parts = _parts(steps, beta, model)
        if parts is None:
            own = None
            break
        triangles.append(packed(parts[0]))
        scores.append(parts[1])
        totals.append(parts[2])
    if own is not None:
        own = {"information": np.stack(triangles), "score": np.stack(scores), "totals": np.stack(totals)}
    count = len(models)
    opened = await open_sums(steps.cohort, own, {"information": (count, size * (size + 1) // 2),
                                                 "score": (count, size), "totals": (count, 2)})
    seen, unseen = opened.sums["totals"].T.tolist()
    return [Place(beta, unpacked(opened.sums["information"][k], size), opened.sums["score"][k], seen[k], unseen[k],
                  opened.runaway) for k, beta in enumerate(betas)]


async def fit_step(steps: Steps, places: list[Place], pull: Pull, iterations: int) -> list[Place]:
    """Bring every model to its minimum at one penalty, all of them together: one sum for each step.

    Raises:
        RefusedError: ``model.not-converged``.
    """
    places = list(places)
    for _ in range(iterations):
        wanted = [minimise(place.quadratic(steps.weight(model)), pull, place.beta)
                  for model, place in enumerate(places)]
        moving = [model for model, place in enumerate(places) if _distance(wanted[model], place.beta) > SETTLED]
        if not moving:
            return places
        await _advance(steps, places, wanted, moving, pull)
    raise RefusedError("model.not-converged", "a penalised fit did not converge", got=f"{iterations} iterations",
                       hint="raise maximum_iterations, or try larger penalties only")


async def _advance(
    steps: Steps, places: list[Place], wanted: Sequence[Array], moving: list[int], pull: Pull
) -> None:
    """Move models towards what they want, each halved until its objective does not rise; in place."""
    share = dict.fromkeys(moving, 1.0)
    for _ in range(HALVINGS):
        # Not agreed at each step, which would double the rounds: all that leads here rounds one way only, from agreed
        # coefficients and opened sums, and what comes of it is agreed before it is released.
        proposed = [places[m].beta + share[m] * (wanted[m] - places[m].beta) for m in moving]
        for model, place in zip(moving, await evaluate(steps, proposed, moving), strict=True):
            allowed = _cost(steps, model, places[model], pull) + 1e-12
            if not place.runaway and _cost(steps, model, place, pull) <= allowed:
                places[model] = place
                del share[model]
            else:
                share[model] /= 2.0
        moving = [model for model in moving if model in share]
        if not moving:
            return
    raise RefusedError("model.not-converged", "no step lowers the penalised loss", got=f"{HALVINGS} halvings",
                       hint="a feature with extreme values may need a logarithm or a narrower range")


def _distance(wanted: Array, beta: Array) -> float:
    return float(np.abs(wanted - beta).max()) / (1.0 + float(np.abs(beta).max()))


def _cost(steps: Steps, model: int, place: Place, pull: Pull) -> float:
    return place.deviance / (2.0 * steps.weight(model)) + pull.cost(place.beta)


def _parts(steps: Steps, beta: Array, model: int) -> tuple[Array, Array, Array] | None:
    information, score, totals = np.zeros((len(beta), len(beta))), np.zeros(len(beta)), np.zeros(2)
    weights, even = list[Array](), list[Array]()
    for fold, own in enumerate(steps.dealt):
        worked = steps.kind.work(own, own.predictor(beta))
        if worked is None:
            return None
        if fold == model - 1:
            totals[1] += worked.deviance
            continue
        weights.append(worked.weights)
        even.append(steps.even[fold])
        information += gram(own.x, worked.weights)
        score += own.x.T @ worked.scores
        totals[0] += worked.deviance
    few = rests_on_few(np.concatenate(weights), own_effective(np.concatenate(even)), steps.cohort.minimum_count)
    return None if few else (information, score, totals)


def _form(products: Array, beta: Array) -> float:
    """Return the squared error of coefficients from cross-products."""
    signed = np.append(-beta, 1.0)
    return math.fsum((products * np.multiply.outer(signed, signed)).reshape(-1).tolist())
