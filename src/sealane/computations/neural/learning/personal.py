"""A model of a node's own beside the common one. It never leaves the node: only measures summed over all do.

Source: Li et al., "Ditto" (ICML 2021), algorithm 1, for a model that is pulled towards the common one; Arivazhagan et
al., "Federated Learning with Personalization Layers" (2019), for heads that are not shared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from sealane.computations.neural.learning.training import Trainer
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.vector import Vector

HEAD = "head"
"""The part of a module that a personal head is."""


class Personal(Protocol):
    """One node's own model."""

    def follow(self, model: Vector) -> None:
        """Take note of the common model that a round made."""

    def weights(self, model: Vector) -> Vector:
        """Return the personal weights, once training is over, in place of those of the released model."""


class FineTuned:
    """Further passes from the released model."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def follow(self, model: Vector) -> None:
        """Do nothing."""

    def weights(self, model: Vector) -> Vector:
        """Train on own rows alone."""
        return model + self._trainer.train(model).update


class Ditto:
    """A model trained all along, pulled towards the common one."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._own: Vector | None = None

    def follow(self, model: Vector) -> None:
        """Train a round of the own model."""
        own = model if self._own is None else self._own
        self._own = own + self._trainer.train(own, towards=model).update

    def weights(self, model: Vector) -> Vector:
        """Return the own model."""
        return model if self._own is None else self._own


class OwnHead:
    """A last layer that was trained in each round and lies in the module, unshared."""

    def follow(self, model: Vector) -> None:
        """Do nothing."""

    def weights(self, model: Vector) -> Vector:
        """Return the shared weights: the head is the module's."""
        return model


def personal_for(params: NeuralParameters, trainer: Trainer) -> Personal | None:
    """Return what the study asks for; its trainer shares the module, not what bends the common one's gradients."""
    own = params.model_copy(update={"local_epochs": params.personal_epochs, "local_steps": None,
                                        "local_seconds": None})
    match params.personal:
        case "finetune":
            return FineTuned(replace(trainer, params=own, proximal=0.0, bends=[], seconds=None))
        case "ditto":
            return Ditto(replace(trainer, params=own, proximal=params.personal_pull, bends=[], seconds=None))
        case "head":
            return OwnHead()
        case _:
            return None
