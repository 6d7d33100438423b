"""Gradients and losses of a node's own rows, and public bounds of them.

Formulas and single precision are LightGBM's, so that a joint model differs from a pooled one by rounding only.
Source: LightGBM 4, src/objective: binary_objective.hpp, regression_objective.hpp, multiclass_objective.hpp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sealane.computations.trees.parameters import Objective

Array = NDArray[np.float64]
Single = NDArray[np.float32]
LEVELS = 64
MARGIN = 1.001
"""What a bound is larger by, for single precision rounds up."""


@dataclass(frozen=True, slots=True)
class Span:
    """Public limits of the score that any row can have: the base plus the extremes of each tree so far."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def widened(self, place: int, leaves: list[float]) -> Span:
        """Return the limits after one more tree for the score at ``place``."""
        low, high = list(self.low), list(self.high)
        low[place] += min(leaves)
        high[place] += max(leaves)
        return Span(tuple(low), tuple(high))

    def levels(self) -> list[float]:
        """Return scores from the lowest to the highest that a row can have, of a single score."""
        step = (self.high[0] - self.low[0]) / LEVELS
        return [self.low[0] + step * place for place in range(LEVELS + 1)]

    def lowered(self, above: list[int]) -> Span:
        """Return tighter limits, from how many institutions have a row above each of the :meth:`levels`."""
        high = next((level for level, number in zip(self.levels(), above, strict=True) if number == 0), self.high[0])
        return Span(self.low, (high,))

    @property
    def largest(self) -> float:
        """The largest magnitude of any score."""
        return max(*(abs(value) for value in (*self.low, *self.high)), 1.0)


@dataclass(frozen=True, slots=True)
class Loss:
    """One objective with its public facts.

    Attributes:
        objective: by LightGBM's name.
        scores: how many scores a row has.
        low: smallest legal outcome.
        high: largest legal outcome.
        positive: weight of a positive row (binary).
        delta: ``poisson_max_delta_step``.
        alpha: the quantile that a leaf is, for ``quantile``.
    """

    objective: Objective
    scores: int
    low: float
    high: float
    positive: float = 1.0
    delta: float = 0.7
    alpha: float = 0.9

    @property
    def quantile(self) -> float | None:
        """The quantile of its rows' residuals that a leaf is; None where a leaf follows from sums of derivatives."""
        return {"quantile": self.alpha, "regression_l1": 0.5}.get(self.objective)

    @property
    def ranged(self) -> bool:
        """Whether gradients or losses grow with the outcome, or leaves are searched for in its range."""
        return self.objective in ("regression", "poisson", "quantile", "regression_l1")

    def within(self, centre: float, reach: float) -> Loss:
        """Return the same objective for outcomes that are known to lie within ``reach`` of ``centre``."""
        reach += 1e-12 * abs(centre)  # for the rounding of what it is taken from
        return replace(self, low=max(self.low, centre - reach), high=min(self.high, centre + reach))

    def base(self, means: list[float]) -> list[float]:
        """Return the first score of every row: the link of the mean outcome (or quantile), or of each class's share."""
        match self.objective:
            case "regression" | "quantile" | "regression_l1":
                return means
            case "poisson":
                return [math.log(means[0])]
            case "binary":
                return [math.log(means[0] / (1.0 - means[0]))]
            case "multiclass":
                return [math.log(share) for share in means]

    def gradients(self, score: Array, outcome: Single, weight: Array) -> tuple[Single, Single]:
        """Return first and second derivatives of the loss, shape ``(scores, n_rows)`` like ``score``."""
        single = np.float32
        match self.objective:
            case "regression":
                # LightGBM rounds the residual before it weighs it.
                first, second = (score - outcome).astype(single).astype(np.float64), np.ones_like(score)
            case "quantile":
                first = np.where((score - outcome).astype(single) >= 0, 1.0 - np.float32(self.alpha), -self.alpha)
                second = np.ones_like(score)
            case "regression_l1":
                first, second = np.sign(score - outcome), np.ones_like(score)
            case "poisson":
                mean = np.exp(score)
                first, second = mean - outcome, mean * math.exp(self.delta)
            case "binary":
                return self._binary(score[0], outcome, weight)
            case "multiclass":
                share = _softmax(score)
                own = outcome[None, :] == np.arange(self.scores)[:, None]
                first = share - own
                second = self.scores / (self.scores - 1.0) * share * (1.0 - share)
        return (first * weight).astype(single), (second * weight).astype(single)

    def _binary(self, score: Array, outcome: Single, weight: Array) -> tuple[Single, Single]:
        from sealane.computations.trees.kernels import derive_binary  # numba takes a while to load

        raised = score * (2.0 * (outcome > 0) - 1.0)  # many times faster than a choice between two arrays
        np.exp(raised, out=raised)
        first, second = (np.empty((1, len(outcome)), np.float32) for _ in range(2))
        derive_binary(raised, outcome, weight, self.positive, first[0], second[0])
        return first, second

    def bounds(self, span: Span) -> tuple[float, float]:
        """Return public bounds of a row's unweighted first and second derivative."""
        match self.objective:
            case "regression":
                return MARGIN * max(span.high[0] - self.low, self.high - span.low[0]), MARGIN
            case "poisson":
                mean = math.exp(span.high[0])
                return MARGIN * max(mean, self.high), MARGIN * mean * math.exp(self.delta)
            case "binary":
                return MARGIN * max(self.positive, 1.0), MARGIN * max(self.positive, 1.0)
            case "multiclass" | "quantile" | "regression_l1":
                return MARGIN, MARGIN

    def losses(self, score: Array, outcome: Single) -> Array:
        """Return each row's loss, shape ``(n_rows,)``; without ``scale_pos_weight``."""
        match self.objective:
            case "regression":
                return np.asarray((score[0] - outcome) ** 2, np.float64)
            case "quantile":
                over = outcome - score[0]
                return np.asarray(np.maximum(self.alpha * over, (self.alpha - 1.0) * over), np.float64)
            case "regression_l1":
                return np.asarray(np.abs(outcome - score[0]), np.float64)
            case "poisson":
                return np.asarray(np.exp(score[0]) - outcome * score[0], np.float64)
            case "binary":
                from sealane.computations.trees.kernels import lose_binary  # numba takes a while to load

                losses = np.empty(len(outcome))
                lose_binary(score[0], outcome, losses)
                return losses
            case "multiclass":
                chosen = np.take_along_axis(score, outcome.astype(np.int64)[None, :], axis=0)[0]
                top = score.max(axis=0)
                return np.asarray(top + np.log(np.exp(score - top).sum(axis=0)) - chosen, np.float64)

    def largest_loss(self, span: Span) -> float:
        """Return a public bound of a row's loss."""
        largest = span.largest
        match self.objective:
            case "regression":
                return self.bounds(span)[0] ** 2 + 1.0
            case "quantile" | "regression_l1":
                return MARGIN * max(span.high[0] - self.low, self.high - span.low[0]) + 1.0
            case "poisson":
                return MARGIN * (math.exp(span.high[0]) + self.high * largest) + 1.0
            case "binary":
                return MARGIN * largest + 1.0
            case "multiclass":
                return MARGIN * 2.0 * largest + math.log(self.scores) + 1.0

    @property
    def metric(self) -> str:
        """LightGBM's name for the mean of the losses."""
        return {"regression": "l2", "poisson": "poisson", "binary": "binary_logloss", "multiclass": "multi_logloss",
                "quantile": "quantile", "regression_l1": "l1"}[self.objective]

    @property
    def line(self) -> str:
        """What a model file says of the objective."""
        return {"binary": "binary sigmoid:1", "quantile": f"quantile alpha:{self.alpha!r}",
                "multiclass": f"multiclass num_class:{self.scores}"}.get(self.objective, self.objective)


def _softmax(score: Array) -> Array:
    raised = np.exp(score - score.max(axis=0))
    return np.asarray(raised / raised.sum(axis=0), np.float64)
