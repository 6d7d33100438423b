"""What a study says when it asks for ``neural.train``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from sealane.computations.neural.model_parameters import Mlp, Model
from sealane.computations.neural.promise import PromisedTraining, check_coherent
from sealane.computations.neural.sum_parameters import Compression, Robust

Name = Annotated[str, Field(min_length=1, max_length=128)]
Strategy = Literal["FedAvg", "FedProx", "FedAvgM", "FedAdam", "FedYogi", "FedAdagrad"]
Task = Literal["binary", "multiclass", "regression"]

ARGUMENTS: dict[str, frozenset[str]] = {
    "FedAvg": frozenset(),
    "FedProx": frozenset({"proximal_mu"}),
    "FedAvgM": frozenset({"server_learning_rate", "server_momentum"}),
    "FedAdam": frozenset({"eta", "beta_1", "beta_2", "tau"}),
    "FedYogi": frozenset({"eta", "beta_1", "beta_2", "tau"}),
    "FedAdagrad": frozenset({"eta", "tau"}),
}
"""Arguments of Flower's strategies that make sense on an opened sum; those that choose nodes do not."""


class NeuralParameters(PromisedTraining):
    """Parameters of ``neural.train``; what makes it private is :class:`PromisedTraining`'s.

    Attributes:
        outcome: the column to explain.
        features: the columns to explain it with; in order of time or place for series and images.
        categorical: integer or boolean features to be read as categories; ``category`` fields always are.
        missing: ``drop`` uses rows in which every number is known; ``mean`` puts the cohort's mean in place of a
            missing one. A missing category is a level of its own, with the levels that too few rows have.
        task: by default ``binary``, ``multiclass`` or ``regression``, whatever fits the outcome's type.
        model: which module, and its sizes.
        strategy: Flower's strategy that turns the mean update into the next model.
        strategy_arguments: of the strategy, by Flower's names.
        correction: for institutions whose rows differ: ``fednova`` or ``scaffold``, both with plain ``sgd``.
        rounds: of federated training.
        local_epochs: passes over own rows in a round; 1 unless ``local_steps`` is given.
        local_steps: or optimiser steps in a round.
        local_seconds: or as many steps as an institution begins in so many seconds, at least one; with ``fednova``,
            so that who takes more steps does not weigh more.
        batch_size: rows of a step; None, or ``all``, takes all own rows.
        optimizer: of the steps at a node; it begins anew in each round.
        learning_rate: of the optimiser, and so are ``momentum`` (``sgd`` only) and ``weight_decay``.
        buffer: institutions whose updates make a step before all have come; always refused, with the reason.
        clip_gradient: largest Euclidean norm of a step's gradient.
        clip_norm: largest Euclidean norm of an institution's update of a round; longer ones are scaled down.
        weights: whether an institution counts by its rows, or as much as any other.
        bits: an update's entries are rounded at random to so many bits, and the sum is the coordinator's word;
            ``exact``: they are not, and every node checks the sum; None is exact for small models, 16 bits else.
        compression: makes updates smaller: bits, rotation, a share of the entries, error feedback.
        robust: joins groups of institutions so that some of them may be bad.
        validation_fraction: part of each institution's rows, drawn by a seed private to it, on which the loss is
            measured and nothing is learned.
        early_stopping_rounds: end after so many rounds without a smaller validation loss, and keep the best.
        personal: measures models of each institution's own beside the common one, which never leave it: ``finetune``
            takes further passes from the last model; ``ditto`` trains one all along, pulled towards the common one;
            ``head`` shares everything but the last layer.
        personal_epochs: passes of ``finetune``, or of each round of ``ditto``.
        personal_pull: how strongly ``ditto`` pulls.
        precision: of training at the nodes; ``mixed`` is half where a GPU can, and single elsewhere.
        seed: public; the first weights follow from it, and it enters the private seeds.
    """

    outcome: Name
    features: Annotated[tuple[Name, ...], Field(min_length=1, max_length=4096)]
    categorical: Annotated[tuple[Name, ...], Field(max_length=256)] = ()
    missing: Literal["drop", "mean"] = "drop"
    task: Task | None = None
    model: Model = Mlp()
    strategy: Strategy = "FedAvg"
    strategy_arguments: Annotated[dict[str, Annotated[float, Field(ge=0, le=1e6)]],
                                  Field(max_length=8, default_factory=dict)]
    correction: Literal["none", "fednova", "scaffold"] = "none"
    rounds: Annotated[int, Field(ge=1, le=2000)] = 20
    local_epochs: Annotated[int | None, Field(ge=1, le=1000)] = None
    local_steps: Annotated[int | None, Field(ge=1, le=100_000)] = None
    local_seconds: Annotated[float | None, Field(gt=0, le=86_400)] = None
    batch_size: Annotated[int | None, Field(ge=1, le=1 << 20)] = 32
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: Annotated[float, Field(gt=0, le=100)] = 0.05
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.0
    buffer: Annotated[int | None, Field(ge=1)] = None
    clip_gradient: Annotated[float | None, Field(gt=0, le=1e6)] = None
    clip_norm: Annotated[float | None, Field(gt=0, le=1e6)] = None
    weights: Literal["rows", "equal"] = "rows"
    bits: Annotated[int, Field(ge=4, le=24)] | Literal["exact"] | None = None
    compression: Compression | None = None
    robust: Robust | None = None
    validation_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    early_stopping_rounds: Annotated[int | None, Field(ge=1, le=1000)] = None
    personal: Literal["none", "finetune", "ditto", "head"] = "none"
    personal_epochs: Annotated[int, Field(ge=1, le=100)] = 1
    personal_pull: Annotated[float, Field(ge=0, le=1e4)] = 0.1
    precision: Literal["single", "double", "mixed"] = "single"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0

    @property
    def epochs(self) -> int | None:
        """Passes over own rows in a round, where neither steps nor seconds are counted."""
        counted = self.local_steps is not None or self.local_seconds is not None
        return None if counted else self.local_epochs or 1

    @field_validator("batch_size", mode="before")
    @classmethod
    def _all(cls, value: object) -> object:
        return None if value == "all" else value  # a study file has no word for nothing

    @model_validator(mode="after")
    def _coherent(self) -> NeuralParameters:
        if len(set(self.features)) != len(self.features):
            raise ValueError("features are distinct")
        if self.outcome in self.features:
            raise ValueError("outcome and features are different columns")
        if not set(self.categorical) <= set(self.features):
            raise ValueError("categorical names features only")
        if sum(one is not None for one in (self.local_epochs, self.local_steps, self.local_seconds)) > 1:
            raise ValueError("a round has local_epochs, local_steps or local_seconds")
        unknown = sorted(set(self.strategy_arguments) - ARGUMENTS[self.strategy])
        if unknown:
            takes = ", ".join(sorted(ARGUMENTS[self.strategy])) or "none"
            raise ValueError(f"{self.strategy} takes no {unknown[0]!r}; its arguments: {takes}")
        if self.momentum and self.optimizer != "sgd":
            raise ValueError("momentum is an argument of sgd")
        if self.correction != "none" and (self.optimizer != "sgd" or self.momentum or self.clip_norm is not None):
            raise ValueError(f"{self.correction} goes with sgd without momentum, and without clip_norm")
        if self.correction == "scaffold" and self.local_steps is None:
            raise ValueError("scaffold needs local_steps: the same number at every institution")
        if self.personal != "none" and not self.validation_fraction:
            raise ValueError("personal models are measured on rows that nothing was learned from: "
                             "set validation_fraction")
        if self.early_stopping_rounds is not None and not self.validation_fraction:
            raise ValueError("early stopping needs a validation_fraction")
        self._check_sums()
        self.model.check_features(len(self.features), len(self.categorical))
        check_coherent(self)
        return self

    def _check_sums(self) -> None:
        feedback = self.compression is not None and self.compression.error_feedback
        if self.compression is not None and self.bits is not None:
            raise ValueError("compression has bits of its own")
        if self.correction == "scaffold" and (self.compression is not None or self.robust is not None):
            raise ValueError("scaffold's controls go with neither compression nor robust")
        if feedback and self.clip_norm is not None:
            raise ValueError("error_feedback would send later what clip_norm takes off")
        if self.local_seconds is not None and self.correction != "fednova":
            raise ValueError("local_seconds needs correction = \"fednova\": who takes more steps would weigh more")
        if feedback and self.local_seconds is not None:
            raise ValueError("error_feedback follows from a node's steps, which local_seconds does not repeat after a "
                             "restart")
        if self.buffer is not None:
            raise ValueError("a buffer of whoever is ready is refused: a sum of one institution more would give that "
                             "institution's update away by subtraction; let slow ones take fewer steps by "
                             "local_seconds")
        if self.robust is not None and self.weights != "equal":
            raise ValueError("robust needs weights = \"equal\": a bad institution says how many rows it has")
