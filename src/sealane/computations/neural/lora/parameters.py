"""What a study says when it asks for ``neural.lora``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from sealane.computations.base import Parameters
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.promise import PromisedTraining
from sealane.computations.neural.round_parameters import RoundParameters
from sealane.computations.promise import Name

Target = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]{1,128}$")]


class Base(Parameters):
    """The frozen model: files of a package that is installed at every node.

    Attributes:
        package: its name in the package registry.
        folder: where the files lie in it; needed only where a package holds several models.
        content: SHA-256 over all files of that folder, hex, which each institution signs with the study.
    """

    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
    folder: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,255}$")] | None = None
    content: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    @field_validator("folder")
    @classmethod
    def _inside(cls, value: str | None) -> str | None:
        if value is not None and ".." in value.split("/"):
            raise ValueError("the folder lies in the package")
        return value


class LoraParameters(PromisedTraining, RoundParameters):
    """Parameters of ``neural.lora``; its rounds are those of :class:`RoundParameters`, with other defaults.

    Attributes:
        outcome: the column to tell from the text: a category, or a boolean.
        text: the column of texts.
        base: the frozen model.
        task: by default ``binary`` or ``multiclass``, whatever fits the outcome's type.
        rank: of an adapter: it adds (alpha / rank) B A to a layer, with A of so many rows and B of so many columns.
        alpha: see ``rank``.
        dropout: of what enters an adapter, in training; the frozen model has none.
        targets: last parts of the names of the layers that get an adapter.
        length: tokens of a text that are read; the rest is cut off.
        rows_at_once: texts that go through the model at once; more need more memory and give the same gradient.
    """

    outcome: Name
    text: Name
    base: Base
    task: Literal["binary", "multiclass"] | None = None
    rank: Annotated[int, Field(ge=1, le=256)] = 8
    alpha: Annotated[float, Field(gt=0, le=4096)] = 16.0
    dropout: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    targets: Annotated[tuple[Target, ...], Field(min_length=1, max_length=32)] = ("query", "value")
    length: Annotated[int, Field(ge=4, le=4096)] = 128
    rows_at_once: Annotated[int, Field(ge=1, le=4096)] = 16
    rounds: Annotated[int, Field(ge=1, le=2000)] = 10
    batch_size: Annotated[int | None, Field(ge=1, le=1 << 20)] = 16
    optimizer: Literal["sgd", "adam", "adamw"] = "adam"
    learning_rate: Annotated[float, Field(gt=0, le=100)] = 1e-3

    @property
    def training(self) -> NeuralParameters:
        """What the rounds read, as a study of ``neural.train`` would say it."""
        same = set(type(self).model_fields) & set(NeuralParameters.model_fields)
        if self.promised and self.protects == "record":
            # A step is of rows drawn, and the server's; what nobody asked for else is no question of a promise.
            same -= {name for name in ("batch_size", "optimizer")
                     if getattr(self, name) == type(self).model_fields[name].default}
        return NeuralParameters.model_validate(
            {name: getattr(self, name) for name in same} | {"features": (self.text,)})

    @model_validator(mode="after")
    def _coherent(self) -> LoraParameters:
        if len(set(self.targets)) != len(self.targets):
            raise ValueError("targets are distinct")
        try:
            self.training  # noqa: B018  # it holds the parameters of training against each other
        except ValidationError as error:  # what a promise does not go with is raised as it is
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return self
