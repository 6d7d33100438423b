"""The rounds of a training: local steps, a sum of what was seen of them, a sum of updates, the server's step.

Two sums make a round. The first holds losses, the check that all nodes began with the same model, and how many updates
lie above each power of two; it decides whether and how the second, that of the updates, is made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, Term, count, real
from sealane.computations.neural.ceilings import above, ceiling, exploded
from sealane.computations.neural.groups import Joining, Together
from sealane.computations.neural.learning.corrections import Correction
from sealane.computations.neural.learning.measuring import WORST, loss_of, mean_of, outputs_of
from sealane.computations.neural.learning.personal import Personal
from sealane.computations.neural.learning.training import Step, Trainer
from sealane.computations.neural.learning.weights import put
from sealane.computations.neural.packing import Packing, Whole
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.rows import Rows
from sealane.computations.neural.sending import Sending, bits_sent, clip_to_norm
from sealane.computations.neural.server import Server
from sealane.computations.neural.settled import fingerprint, settle
from sealane.computations.neural.vector import Vector
from sealane.errors import RefusedError

SLACK = 1.0 + 2.0**-20
"""Room for the rounding of an update that was scaled down to a norm."""


@dataclass(frozen=True, slots=True)
class Shares:
    """This node's part of the cohort, from 0 to 1. Private.

    Attributes:
        update: of the mean update.
        training: of the rows that are learned from.
        validation: of the rows that the loss is measured on.
    """

    update: float
    training: float
    validation: float


@dataclass(slots=True)
class Trained:
    """What a training made; the same at every node.

    Attributes:
        weights: of the model that is kept.
        kept: after how many rounds it was the model.
        history: one entry for each round that was summed.
        stopped: why it ended.
        accumulated: institutions whose device was too small for a batch at once.
    """

    weights: Vector
    kept: int = 0
    history: list[dict[str, float | int | None]] = field(default_factory=list)
    stopped: str = "rounds"
    accumulated: int = 0


@dataclass(slots=True)
class Rounds:
    """One node's part of a training.

    Attributes:
        cohort: of the run.
        params: of the study.
        trainer: of own rows.
        validation: own rows that nothing is learned from.
        shares: this node's.
        correction: what is sent of a step, and how the sum is read.
        sending: how it is summed.
        server: turns a mean update into the next model.
        weight: sum of the cohort's weights.
        personal: this node's own model, where the study asks for one.
        packing: how this node's part is made small.
        joining: how the mean update comes of what is summed.
    """

    cohort: Cohort
    params: NeuralParameters
    trainer: Trainer
    validation: Rows
    shares: Shares
    correction: Correction
    sending: Sending
    server: Server
    weight: float
    personal: Personal | None = None
    packing: Packing = field(default_factory=Whole)
    joining: Joining = field(default_factory=Together)

    async def run(self, first: Vector) -> Trained:
        """Train from the first weights on.

        Raises:
            RefusedError: the very first round explodes somewhere.
        """
        model, made = first, Trained(first)
        best, since = math.inf, 0
        for number in range(1, self.params.rounds + 1):
            step = self.trainer.train(model)
            vector = self.packing.pack(self._weighted(step))
            terms = self._seen(model, vector, step.loss) | self.correction.terms(step, self.shares.update)
            opened = await self.cohort.sum(terms)
            model = await settle(self.cohort, model, opened)
            loss = self._take_note(made, opened)
            if loss is not None:
                since += 1
                if loss < best:
                    best, since, made.weights, made.kept = loss, 0, model, number - 1
            if int(opened["flags"][0]):
                return self._exploded(made, model, number)
            if self.params.early_stopping_rounds is not None and since >= self.params.early_stopping_rounds:
                made.stopped = "early"
                return made
            mean, sent = await self._mean(vector, opened)
            moved = self.server.step(model, mean, self.weight)
            if not bool(np.isfinite(moved).all()):
                return self._exploded(made, model, number)
            model = moved
            if self.personal is not None:
                self.personal.follow(model)
            made.history.append({"round": number, "loss": float(opened["losses"][0]), "validation_loss": None,
                                 "bytes_per_parameter": sent / 8 / model.size})
        return await self._last(made, model, best)

    def describe(self) -> dict[str, Any]:
        """Return JSON-ready values that a result says of how updates were summed."""
        return self.sending.describe() | self.packing.describe() | self.joining.describe()

    async def _mean(self, vector: Vector, opened: Mapping[str, NDArray[Any]]) -> tuple[Vector, int]:
        """Return the mean of the cohort's updates, and the bits that a node's part of its sum took."""
        norm = self.params.clip_norm
        bound = ceiling(opened["above"]) if norm is None else self.packing.bound(norm * SLACK)
        own = self.joining.spread(self.packing.sent(bound))
        terms = self.joining.terms(self.sending.terms(own, bound))
        total = self.sending.read(await self.cohort.sum(terms), own.size).astype(vector.dtype)
        mean = await self.joining.join(self.cohort, [self.packing.unpack(one) for one in self.joining.parts(total)])
        self.packing.note(mean)
        return self.correction.mean(mean, opened), bits_sent(terms, self.cohort)

    def _weighted(self, step: Step) -> Vector:
        """Return this node's part of what is summed, as it is."""
        update = self.correction.vector(step)
        if self.params.clip_norm is not None:
            update = clip_to_norm(update, self.params.clip_norm)
        return update * update.dtype.type(self.shares.update)

    def _seen(self, model: Vector, vector: Vector, loss: float) -> dict[str, Term]:
        """Return what is summed of a round before its updates are."""
        own = min(loss, WORST) if math.isfinite(loss) else WORST
        terms = {
            "losses": real([own * self.shares.training, self._validation_loss(model)], WORST),
            "flags": count([int(exploded(vector)), int(self.trainer.device.accumulated)], 1),
            "fingerprint": fingerprint(model),
        }
        return terms if self.params.clip_norm is not None else terms | {"above": above(vector)}

    def _validation_loss(self, model: Vector) -> float:
        if not len(self.validation):
            return 0.0
        trainer = self.trainer
        put(trainer.module, trainer.shapes, model)
        total = math.fsum(loss_of(trainer.task, given, rows)
                          for rows, given in outputs_of(trainer.module, self.validation, trainer.device))
        return mean_of(total, len(self.validation)) * self.shares.validation

    def _take_note(self, made: Trained, opened: Mapping[str, NDArray[Any]]) -> float | None:
        """Write down how the model does that the last round made; return its validation loss, where there is one."""
        made.accumulated = max(made.accumulated, int(opened["flags"][1]))
        if not self.params.validation_fraction:
            return None
        loss = float(opened["losses"][1])
        if made.history:
            made.history[-1]["validation_loss"] = loss
        return loss

    def _exploded(self, made: Trained, model: Vector, number: int) -> Trained:
        if number == 1:
            raise RefusedError("neural.diverged", "training explodes in its first round", got="weights beyond bounds",
                               expected="finite weights", hint="lower learning_rate, or set clip_gradient")
        made.stopped = "exploded"
        if not self.params.validation_fraction:
            made.weights, made.kept = model, number - 1
        return made

    async def _last(self, made: Trained, model: Vector, best: float) -> Trained:
        """Measure the last model, which no round follows, and choose."""
        opened = await self.cohort.sum(self._seen(model, np.zeros_like(model), 0.0))
        model = await settle(self.cohort, model, opened)
        loss = self._take_note(made, opened)
        if loss is None or loss < best or self.params.early_stopping_rounds is None:
            made.weights, made.kept = model, self.params.rounds
        return made
