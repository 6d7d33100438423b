"""What studies of networks say of their rounds, whatever is trained in them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from sealane.computations.base import Parameters

Strategy = Literal["FedAvg", "FedProx", "FedAvgM", "FedAdam", "FedYogi", "FedAdagrad"]


class RoundParameters(Parameters):
    """How a network is trained in rounds.

    Attributes:
        strategy: Flower's strategy that turns the mean update into the next model.
        strategy_arguments: of the strategy, by Flower's names.
        correction: for institutions whose rows differ: ``fednova`` or ``scaffold``, both with plain ``sgd``.
        rounds: of federated training.
        local_epochs: passes over own rows in a round; 1 unless ``local_steps`` is given.
        local_steps: or optimiser steps in a round.
        batch_size: rows of a step; None, or ``all``, takes all own rows.
        optimizer: of the steps at a node; it begins anew in each round.
        learning_rate: of the optimiser, and so are ``momentum`` (``sgd`` only) and ``weight_decay``.
        clip_gradient: largest Euclidean norm of a step's gradient.
        clip_norm: largest Euclidean norm of an institution's update of a round; longer ones are scaled down.
        weights: whether an institution counts by its rows, or as much as any other.
        bits: an update's entries are rounded at random to so many bits, and the sum is the coordinator's word;
            ``exact``: they are not, and every node checks the sum; None is exact for small models, 16 bits else.
        validation_fraction: part of each institution's rows, drawn by a seed private to it, on which the loss is
            measured and nothing is learned.
        early_stopping_rounds: end after so many rounds without a smaller validation loss, and keep the best.
        precision: of training at the nodes; ``mixed`` is half where a GPU can, and single elsewhere.
        seed: public; the first weights follow from it, and it enters the private seeds.
    """

    strategy: Strategy = "FedAvg"
    strategy_arguments: Annotated[dict[str, Annotated[float, Field(ge=0, le=1e6)]],
                                  Field(max_length=8, default_factory=dict)]
    correction: Literal["none", "fednova", "scaffold"] = "none"
    rounds: Annotated[int, Field(ge=1, le=2000)] = 20
    local_epochs: Annotated[int | None, Field(ge=1, le=1000)] = None
    local_steps: Annotated[int | None, Field(ge=1, le=100_000)] = None
    batch_size: Annotated[int | None, Field(ge=1, le=1 << 20)] = 32
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: Annotated[float, Field(gt=0, le=100)] = 0.05
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.0
    clip_gradient: Annotated[float | None, Field(gt=0, le=1e6)] = None
    clip_norm: Annotated[float | None, Field(gt=0, le=1e6)] = None
    weights: Literal["rows", "equal"] = "rows"
    bits: Annotated[int, Field(ge=4, le=24)] | Literal["exact"] | None = None
    validation_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    early_stopping_rounds: Annotated[int | None, Field(ge=1, le=1000)] = None
    precision: Literal["single", "double", "mixed"] = "single"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0

    @field_validator("batch_size", mode="before")
    @classmethod
    def _all(cls, value: object) -> object:
        return None if value == "all" else value  # a study file has no word for nothing
