"""The modules that a study can name, and their sizes."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.base import Parameters

Width = Annotated[int, Field(ge=1, le=4096)]
Side = Annotated[int, Field(ge=1, le=256)]
Depth = Annotated[int, Field(ge=1, le=16)]
Dropout = Annotated[float, Field(ge=0, le=0.9)]
Option = bool | int | float | Annotated[str, Field(max_length=256)]


class ModelParameters(Parameters):
    """Base of what is said of a module."""

    @property
    def tabular(self) -> bool:
        """Whether features may be categories."""
        return False

    @property
    def shared(self) -> int:
        """Columns so many places apart share a centre and a scale, those of a channel; 0 where each has its own."""
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


class Series(ModelParameters):
    """Base of modules over series: features in order of time, the channels of a moment beside each other.

    Attributes:
        channels: numbers of each moment.
    """

    channels: Annotated[int, Field(ge=1, le=256)] = 1

    @property
    def shared(self) -> int:
        """Moments of a channel share centre and scale."""
        return self.channels

    def check_features(self, features: int, categorical: int) -> None:
        """Raise ValueError unless features are whole moments."""
        super().check_features(features, categorical)
        if features % self.channels:
            raise ValueError(f"{features} features are no series of {self.channels} channels")


class Cnn1d(Series):
    """Convolutions along time, then the mean over time.

    Attributes:
        filters: of each layer.
        kernel: moments that a filter sees; odd.
    """

    name: Literal["cnn1d"] = "cnn1d"
    filters: Annotated[tuple[Width, ...], Field(min_length=1, max_length=8)] = (32, 32)
    kernel: Annotated[int, Field(ge=1, le=63)] = 5

    @model_validator(mode="after")
    def _odd(self) -> Cnn1d:
        if self.kernel % 2 == 0:
            raise ValueError("a kernel has an odd width")
        return self


class Gru(Series):
    """A gated recurrent unit; its last state says the outcome.

    Attributes:
        hidden: width of the state.
        layers: one above the other.
    """

    name: Literal["gru"] = "gru"
    hidden: Annotated[int, Field(ge=1, le=1024)] = 32
    layers: Annotated[int, Field(ge=1, le=4)] = 1


class Image(ModelParameters):
    """Base of modules over images: features row by row, the channels of a pixel beside each other.

    Attributes:
        height: pixels, and so is ``width``.
        channels: numbers of each pixel.
    """

    height: Side
    width: Side
    channels: Annotated[int, Field(ge=1, le=16)] = 1

    @property
    def shared(self) -> int:
        """Pixels of a channel share centre and scale."""
        return self.channels

    def check_features(self, features: int, categorical: int) -> None:
        """Raise ValueError unless there is a feature for each number of an image."""
        super().check_features(features, categorical)
        expected = self.height * self.width * self.channels
        if features != expected:
            raise ValueError(f"an image of {self.height} x {self.width} x {self.channels} has {expected} features, "
                             f"not {features}")


class Cnn(Image):
    """Convolutions, each followed by halving the image, then the mean over it.

    Attributes:
        filters: of each layer.
    """

    name: Literal["cnn"] = "cnn"
    filters: Annotated[tuple[Width, ...], Field(min_length=1, max_length=6)] = (16, 32)

    @model_validator(mode="after")
    def _pixels_left(self) -> Cnn:
        if min(self.height, self.width) >> (len(self.filters) - 1) < 1:
            raise ValueError("each layer halves the image, and no pixel is left for the last")
        return self


class Vit(Image):
    """A transformer over the patches of an image.

    Attributes:
        patch: side of a patch; divides height and width.
        width_of_token: numbers that stand for a patch; a multiple of ``heads``.
        depth: layers.
        heads: of attention.
    """

    name: Literal["vit"] = "vit"
    patch: Side = 4
    width_of_token: Annotated[int, Field(ge=4, le=768)] = 64
    depth: Depth = 4
    heads: Annotated[int, Field(ge=1, le=16)] = 4

    @model_validator(mode="after")
    def _divides(self) -> Vit:
        if self.height % self.patch or self.width % self.patch:
            raise ValueError("a patch divides the image's height and width")
        if self.width_of_token % self.heads:
            raise ValueError("width_of_token is a multiple of heads")
        return self


class Installed(ModelParameters):
    """A module of a package that is installed at every node.

    Attributes:
        entry_point: its name in the group ``sealane.modules``.
        code: SHA-256 of the package's source, hex, which each institution signs with the study.
        options: handed to it by name.
    """

    name: Literal["installed"]
    entry_point: Annotated[str, Field(min_length=1, max_length=128)]
    code: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    options: Annotated[dict[Annotated[str, Field(max_length=64)], Option], Field(max_length=64, default_factory=dict)]

    @property
    def tabular(self) -> bool:
        """Yes: what it does with categories is the module's own business."""
        return True

    @model_validator(mode="after")
    def _finite(self) -> Installed:
        if any(isinstance(value, float) and not math.isfinite(value) for value in self.options.values()):
            raise ValueError("options are finite")
        return self


Model = Annotated[Mlp | Cnn1d | Gru | Cnn | Vit | Installed, Field(discriminator="name")]
