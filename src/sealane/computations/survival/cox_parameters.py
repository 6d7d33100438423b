"""Parameters of ``survival.cox``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from sealane.computations.design.parameters import FeatureParameters
from sealane.computations.survival.rows import Name, TimeParameters
from sealane.computations.survival.ties import Ties


class CoxParameters(FeatureParameters, TimeParameters):
    """Parameters of ``survival.cox``; features as in every regression, times and grid as in :class:`TimeParameters`.

    Attributes:
        ties: how events of one time are treated.
        strata: categories or booleans; each combination of their levels has a baseline of its own.
        stratify_by_institution: whether each institution has a baseline of its own.
        penalizer: ridge penalty as in lifelines: n · penalizer / 2 · Σ β² over coefficients per standard deviation.
        confidence: level of the intervals.
        maximum_iterations: Newton steps.
        tolerance: largest relative gain in the log-likelihood still promised at the end.
    """

    ties: Ties = "efron"
    strata: Annotated[tuple[Name, ...], Field(max_length=8)] = ()
    stratify_by_institution: bool = False
    penalizer: Annotated[float, Field(ge=0.0, le=1e6, allow_inf_nan=False)] = 0.0
    confidence: Annotated[float, Field(gt=0.0, le=0.9999)] = 0.95
    maximum_iterations: Annotated[int, Field(ge=1, le=100)] = 25
    tolerance: Annotated[float, Field(gt=0.0, le=1e-4)] = 1e-10

    @model_validator(mode="after")
    def _columns_apart(self) -> CoxParameters:
        if self.model.outcome is not None:
            raise ValueError("a formula for times has no left side: name duration and event")
        named = [*self.time_columns, *self.strata]
        if len(set(named)) != len(named) or set(named) & set(self.model.variables):
            raise ValueError("times, event, strata and features are columns of their own")
        return self
