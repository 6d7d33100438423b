"""The rounds of a training that keeps a promise: one noised sum each, and nothing else is opened.

Nodes follow the same model without a check: it is made of opened integers by the four operations, and where a
strategy takes powers their last bits are settled at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import numpy as np

from sealane.computations.base import Cohort, Term, count, update
from sealane.computations.neural.learning.rounds import Trained
from sealane.computations.neural.learning.row_gradients import RowGradients, drawn
from sealane.computations.neural.learning.training import Trainer
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.promise import bits_of, steps_of_norm
from sealane.computations.neural.sending import clip_to_norm
from sealane.computations.neural.server import Server
from sealane.computations.neural.vector import Vector
from sealane.errors import RefusedError

MOST_ROWS = 2.0**31
"""Of one node: the public bound of a sum's entry needs one."""


class Contributing(Protocol):
    """What a node adds to a round's sum, and what the sum is then."""

    def term(self, model: Vector) -> Term:
        """Return this node's contribution, its share of the noise asked for."""

    def mean(self, total: Vector, model: Vector) -> Vector:
        """Return the update of the model that an opened sum makes."""


@dataclass(slots=True)
class OfRecords:
    """One step over the rows that were drawn; ``batch`` is how many these are about, a noised number."""

    params: NeuralParameters
    gradients: RowGradients
    sigma: Decimal
    batch: float = 1.0

    @property
    def steps(self) -> int:
        """Steps of the grid in the norm of a row's gradient."""
        return steps_of_norm(self.gradients.shapes.length)

    def count(self) -> Term:
        """Return how many rows were drawn, each of the length of a whole gradient."""
        rows = len(drawn(len(self.gradients.rows), self.params.rate))
        return self._term(np.array([rows * self.steps]))

    def term(self, model: Vector) -> Term:
        """Return the sum of clipped gradients, rounded to the grid."""
        chosen = drawn(len(self.gradients.rows), self.params.rate)
        return self._term(np.rint(self.gradients.total(model, chosen) * (self.steps / self.params.clip_row)))

    def _term(self, values: Vector) -> Term:
        return count(values, MOST_ROWS * self.steps, noise=self.sigma, signed=True)

    def mean(self, total: Vector, model: Vector) -> Vector:
        """Return a step against the mean gradient, by the study's rate."""
        gradient = total * (self.params.clip_row / (self.steps * self.batch))
        return -self.params.learning_rate * (gradient + self.params.weight_decay * model)


@dataclass(slots=True)
class OfInstitutions:
    """As many local steps as the study asks for; the whole update is clipped."""

    params: NeuralParameters
    trainer: Trainer
    sigma: Decimal
    size: int

    def term(self, model: Vector) -> Term:
        """Return the clipped update; one that is no number counts as none."""
        assert self.params.clip_norm is not None
        found = self.trainer.train(model).update
        known = clip_to_norm(found, self.params.clip_norm) if bool(np.isfinite(found).all()) else np.zeros_like(found)
        return update(known, self.params.clip_norm, bits_of(self.params), norm=self.params.clip_norm, noise=self.sigma)

    def mean(self, total: Vector, model: Vector) -> Vector:
        """Return the mean update."""
        return total / self.size


@dataclass(slots=True)
class PrivateRounds:
    """One node's part of a training with a promise."""

    cohort: Cohort
    params: NeuralParameters
    contributing: Contributing
    server: Server

    async def run(self, first: Vector) -> Trained:
        """Train from the first weights on.

        Raises:
            RefusedError: the very first step is none.
        """
        made = Trained(first)
        for number in range(1, self.params.rounds + 1):
            opened = await self.cohort.sum({"update": self.contributing.term(made.weights)})
            mean = self.contributing.mean(opened["update"].astype(np.float64), made.weights)
            moved = self.server.step(made.weights, mean, 1.0)
            if not bool(np.isfinite(moved).all()):
                if number == 1:
                    raise RefusedError("neural.diverged", "training explodes in its first round",
                                       got="weights beyond bounds", expected="finite weights",
                                       hint="lower learning_rate")
                made.stopped = "exploded"
                break
            made.weights, made.kept = moved, number
            made.history.append({"round": number, "loss": None, "validation_loss": None, "bytes_per_parameter": None})
        return made
