"""What a study says when it asks for ``quality.harmonise``. There is deliberately nothing to turn in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.base import Parameters
from sealane.computations.harmonise.factors import QUANTITIES

Name = Annotated[str, Field(min_length=1, max_length=128)]
Quantity = Literal["glucose", "cholesterol", "triglycerides", "creatinine", "haemoglobin", "HbA1c", "temperature",
                   "mass", "length", "mass fraction", "duration"]


class HarmoniseParameters(Parameters):
    """Parameters of ``quality.harmonise``.

    Attributes:
        columns: to be checked; numbers, integers, booleans and categories.
        quantities: what numeric columns measure, where their code in the contract does not say so; it chooses among
            the known factors.
    """

    columns: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]
    quantities: Annotated[dict[Name, Quantity], Field(max_length=100, default_factory=dict)]

    @model_validator(mode="after")
    def _coherent(self) -> HarmoniseParameters:
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("columns are distinct")
        if not set(self.quantities) <= set(self.columns):
            raise ValueError("quantities names columns that are checked")
        if not set(self.quantities.values()) <= set(QUANTITIES):
            raise ValueError("a quantity is one of the table's")
        return self
