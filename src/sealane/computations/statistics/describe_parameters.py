"""What a study may ask of ``statistics.describe``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from sealane.computations.promise import Name, PromisedParameters
from sealane.computations.statistics.rounding import Base, Digits

PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)
QUANTILES = ("5%", "25%", "50%", "75%", "95%")
Resolution = Annotated[float, Field(ge=1e-9, le=0.1)]


class DescribeParameters(PromisedParameters):
    """Parameters of ``statistics.describe``.

    Attributes:
        columns: what to describe: numbers, integers, booleans and categories.
        by: a category or boolean; each of its levels is described by itself.
        quantiles: search quantiles too; with a promise there are none.
        resolution: how finely they are searched, as a part of the contract's range; without one as the values are
            spread. Integers are found exactly.
        round_to: base to whose multiples shown counts are rounded.
        digits: significant digits to which shown statistics are rounded.
    """

    columns: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)]
    by: Name | None = None
    quantiles: bool = True
    resolution: Resolution | None = None
    round_to: Base = None
    digits: Digits = None

    @model_validator(mode="after")
    def _distinct(self) -> DescribeParameters:
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("columns are distinct")
        if self.by in self.columns:
            raise ValueError("the column to group by is none of those described")
        return self

    @property
    def read(self) -> list[str]:
        """The columns, and the one to group by."""
        return [*self.columns, *([] if self.by is None else [self.by])]
