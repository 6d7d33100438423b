"""The modules that a study can name, and their sizes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sealane.computations.base import Parameters

Width = Annotated[int, Field(ge=1, le=4096)]
Side = Annotated[int, Field(ge=1, le=256)]
Dropout = Annotated[float, Field(ge=0, le=0.9)]


class ModelParameters(Parameters):
    """Base of what is said of a module."""

    @property
    def tabular(self) -> bool:
        """Whether features may be categories."""
        return False

    @property
    def channels_of(self) -> int:
        """Columns that share a centre and a scale lie so many places apart; 0 where each has its own."""
        return 0

    def check_features(self, features: int, categorical: int) -> None:
        """Raise ValueError unless the module takes so many features."""
        if categorical and not self.tabular:
            raise ValueError("series and images are made of numbers, not of categories")


class Mlp(ModelParameters):
    """Layers one behind the other, with an embedding for each category.

    Attributes:
        hidden: width of each hidden layer; none is a linear model.
        activation: between layers.
        dropout: behind each hidden layer.
        embedding: numbers that stand for a level; by default half of the levels, 50 at most.
    """

    name: Literal["mlp"] = "mlp"
    hidden: Annotated[tuple[Width, ...], Field(max_length=16)] = (64, 32)
    activation: Literal["relu", "gelu", "tanh"] = "relu"
    dropout: Dropout = 0.0
    embedding: Annotated[int | None, Field(ge=1, le=512)] = None

    @property
    def tabular(self) -> bool:
        """Yes."""
        return True


Model = Annotated[Mlp, Field()]
