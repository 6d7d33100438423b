"""What a study says of an isolation forest."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator

from sealane.computations.base import Parameters
from sealane.computations.promise import Name

MAXIMUM_SIZE = 102_400
Share = Annotated[float, Field(gt=0, lt=0.5)]


class IsolationParameters(Parameters):
    """Parameters of ``anomaly.isolation``.

    Attributes:
        features: numbers, integers and booleans; rows that miss one are left out.
        trees: how many.
        sample: rows of the isolation trees that are meant; more see finer structure, and need more rows.
        levels: of cuts in a tree, at most: as many rounds.
        seed: of the cuts, beside what the nodes open.
        alarms: shares of all rows, for each of which the score above which they lie is searched.
    """

    features: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]
    trees: Annotated[int, Field(ge=10, le=500)] = 100
    sample: Annotated[int, Field(ge=16, le=4096)] = 256
    levels: Annotated[int, Field(ge=2, le=24)] = 12
    seed: Annotated[int, Field(ge=0, le=2**53)] = 0
    alarms: Annotated[tuple[Share, ...], Field(min_length=1, max_length=50)] = (0.001, 0.005, 0.01, 0.05)

    @model_validator(mode="after")
    def _coherent(self) -> IsolationParameters:
        if self.trees * self.sample > MAXIMUM_SIZE:
            raise ValueError(f"trees times sample are at most {MAXIMUM_SIZE}: a sum counts so many sides of cuts")
        if len(set(self.features)) != len(self.features):
            raise ValueError("features are distinct")
        if any(a >= b for a, b in pairwise(self.alarms)):
            raise ValueError("shares ascend")
        return self
