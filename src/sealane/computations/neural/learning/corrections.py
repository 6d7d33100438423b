"""For institutions whose rows differ: how a step is sent, and what the sum is read as.

*FedNova* divides each update by its number of steps, so that who takes more steps does not pull the model its way.
*SCAFFOLD* keeps at each institution how its gradients differ from everybody's, and takes that off at each step; the
vector that is summed holds the update and the change of that control, in units of an update.

Source: Wang et al., "Tackling the Objective Inconsistency Problem in Heterogeneous Federated Optimization" (NeurIPS
2020), section 4, for steps of plain SGD; Karimireddy et al., "SCAFFOLD" (ICML 2020), algorithm 1 with option II, with
institutions weighted as their updates are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sealane.computations.base import Term, real
from sealane.computations.neural.learning.training import Step, Trainer
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.vector import Shapes, Vector

MOST_STEPS = 2.0**40


class Correction(Protocol):
    """What is sent of a step, and how the mean update is read from the sum. One for each node and training."""

    def vector(self, step: Step) -> Vector:
        """Return what this node's part of the sum is made of, before it is weighted."""

    def terms(self, step: Step, share: float) -> dict[str, Term]:
        """Return what else is summed in a round."""

    def mean(self, total: Vector, opened: Mapping[str, NDArray[Any]]) -> Vector:
        """Return the mean update that the server's step takes."""


class Plain:
    """Updates as they are."""

    def vector(self, step: Step) -> Vector:
        """Return the update."""
        return step.update

    def terms(self, step: Step, share: float) -> dict[str, Term]:
        """Return nothing."""
        return {}

    def mean(self, total: Vector, opened: Mapping[str, NDArray[Any]]) -> Vector:
        """Return the sum: parts were weighted."""
        return total


class FedNova:
    """Updates for each step, times the mean number of steps."""

    def vector(self, step: Step) -> Vector:
        """Return the update of a step, on average."""
        return step.update / step.update.dtype.type(max(step.steps, 1))

    def terms(self, step: Step, share: float) -> dict[str, Term]:
        """Return this node's part of the mean number of steps."""
        return {"steps": real([step.steps * share], MOST_STEPS)}

    def mean(self, total: Vector, opened: Mapping[str, NDArray[Any]]) -> Vector:
        """Return the mean step times the mean number of steps."""
        return total * total.dtype.type(opened["steps"][0])


class Scaffold:
    """Control variates; it bends the trainer's gradients.

    Args:
        params: of the study; steps of a round and their rate are public.
        shapes: of the weights.
        trainer: of this node.
    """

    def __init__(self, params: NeuralParameters, shapes: Shapes, trainer: Trainer) -> None:
        self._length = shapes.length
        self._unit = float(params.local_steps or 1) * params.learning_rate
        self._shapes = shapes
        self._common = np.zeros(shapes.length)
        self._own = np.zeros(shapes.length)
        trainer.bends.append(self)

    def __call__(self, module: nn.Module) -> None:
        """Add to each gradient what the cohort's control is beyond this node's."""
        named = dict(module.named_parameters())
        for name, values in self._shapes.split(self._common - self._own).items():
            gradient = named[name].grad
            if gradient is not None:
                gradient.add_(torch.from_numpy(values).to(gradient))

    def vector(self, step: Step) -> Vector:
        """Return the update, and behind it the change of this node's control in units of an update."""
        change = np.zeros(self._length)
        if step.steps:
            change = -self._common - step.update / self._unit
            self._own = self._own + change
        return np.concatenate([step.update, (change * self._unit).astype(step.update.dtype)])

    def terms(self, step: Step, share: float) -> dict[str, Term]:
        """Return nothing."""
        return {}

    def mean(self, total: Vector, opened: Mapping[str, NDArray[Any]]) -> Vector:
        """Take in the change of the cohort's control, and return the mean update."""
        self._common = self._common + total[self._length :].astype(np.float64) / self._unit
        return total[: self._length]


def correction_for(params: NeuralParameters, shapes: Shapes, trainer: Trainer) -> Correction:
    """Return what the study asks for."""
    match params.correction:
        case "fednova":
            return FedNova()
        case "scaffold":
            return Scaffold(params, shapes, trainer)
        case _:
            return Plain()
