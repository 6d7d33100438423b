"""One secure sum per step: information matrix, score and deviance at coefficients that all nodes have agreed on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort
from sealane.computations.few_rows import own_effective, rests_on_few
from sealane.computations.glm.intercepts import own_intercept, without_own
from sealane.computations.glm.opening import CEILING, open_sums, out_of_range, packed, unpacked
from sealane.computations.glm.working import Kind, Own, Working, gram
from sealane.computations.newton import Array, Point


@dataclass(frozen=True, slots=True)
class Baseline:
    """Opened constants of the model.

    Attributes:
        null_deviance: of a model with only an intercept, where that is known beforehand.
        saturated: part of the log-likelihood that does not depend on the coefficients.
        whole: diagonal of the information before institutions' own intercepts are taken out, shape ``(n_columns,)``.
    """

    null_deviance: float
    saturated: float
    whole: Array


class Likelihood:
    """A node's rows, ready to be evaluated with the cohort's.

    Args:
        cohort: of the run.
        kind: family and link.
        own: the node's rows.
        profiled: whether each institution has an intercept of its own.
    """

    def __init__(self, cohort: Cohort, kind: Kind, own: Own, *, profiled: bool = False) -> None:
        self.cohort, self.kind, self.own, self.profiled = cohort, kind, own, profiled
        self._even = own_effective(kind.even_weights(own))
        self.pearson = 0.0
        """Pearson's chi-square at the point evaluated last; infinite where it is past what can be summed."""

    async def start(self, beta: Array, null_predictor: float | None, saturated: float) -> tuple[Point, Baseline]:
        """Evaluate the first coefficients together with the constants of the model: one sum.

        Args:
            beta: coefficients.
            null_predictor: of a model with only an intercept; None where that is fitted otherwise.
            saturated: the node's own part of the saturated log-likelihood.

        Raises:
            RefusedError: ``glm.range-too-wide``.
        """
        constants = np.zeros(len(beta) + 2)
        constants[1] = saturated
        if null_predictor is not None:
            null = self.kind.work(self.own, np.full_like(self.own.y, null_predictor))
            constants[0] = np.nan if null is None else null.deviance
        worked = self.work(beta)
        if worked is not None:
            constants[2:] = (self.own.x**2).T @ worked.weights if self.profiled else 0.0
        point, opened = await self._sum(beta, worked, constants)
        if point.runaway:
            raise out_of_range("the terms of the model at its start")
        return point, Baseline(float(opened[0]), float(opened[1]), opened[2:])

    async def at(self, beta: Array) -> Point:
        """Evaluate agreed coefficients: one sum."""
        return (await self._sum(beta, self.work(beta), np.zeros(0)))[0]

    def predictor(self, beta: Array) -> Array | None:
        """Return the node's own linear predictor, its own intercept included; None where it has no finite one."""
        predictor = self.own.predictor(beta)
        if not self.profiled or not len(predictor):
            return predictor
        intercept = own_intercept(self.kind, self.own, predictor)
        return None if intercept is None else predictor + intercept

    def work(self, beta: Array) -> Working | None:
        """Evaluate the node's own rows; None where they have no legal mean, or few of them all weight."""
        predictor = self.predictor(beta)
        worked = None if predictor is None else self.kind.work(self.own, predictor)
        few = worked is not None and rests_on_few(worked.weights, self._even, self.cohort.minimum_count)
        return None if few else worked

    def parts(self, worked: Working) -> dict[str, Array]:
        """Return what the node's own rows add to information, score and totals."""
        x = without_own(self.own.x, worked.weights) if self.profiled else self.own.x
        with np.errstate(over="ignore", invalid="ignore"):  # what is past all floats is past the ceiling
            return self._parts(x, worked)

    @staticmethod
    def _parts(x: Array, worked: Working) -> dict[str, Array]:
        return {"information": packed(gram(x, worked.weights)), "score": x.T @ worked.scores,
                "totals": np.array([worked.deviance, _capped(worked.pearson)])}

    async def _sum(self, beta: Array, worked: Working | None, constants: Array) -> tuple[Point, Array]:
        size = len(beta)
        own = None if worked is None else self.parts(worked) | {"constants": constants}
        shapes = {"information": (size * (size + 1) // 2,), "score": (size,), "totals": (2,),
                  "constants": constants.shape}
        if not len(constants):
            shapes.pop("constants")
            own = None if own is None else {name: values for name, values in own.items() if name != "constants"}
        opened = await open_sums(self.cohort, own, shapes)
        deviance, self.pearson = opened.sums["totals"].tolist()
        self.pearson = self.pearson if self.pearson < CEILING else math.inf
        point = Point(beta, unpacked(opened.sums["information"], size), opened.sums["score"], deviance, opened.runaway)
        return point, opened.sums.get("constants", constants)


def _capped(pearson: float) -> float:
    """Return a chi-square that no row at odds with near certainty takes past the ceiling: it steers nothing."""
    return min(CEILING, pearson)
