"""What a study says when it asks for ``glm.fit``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.base import Parameters

Name = Annotated[str, Field(min_length=1, max_length=128)]


class GlmParameters(Parameters):
    """Parameters of ``glm.fit``.

    Attributes:
        outcome: the column to explain.
        features: the columns that explain it, in the order of the result.
        family: ``gaussian`` (identity link), ``binomial`` (logit) or ``poisson`` (log).
        maximum_iterations: most Newton steps.
        tolerance: largest relative change of the deviance that the next step may still promise.
        missing: ``drop`` uses rows where outcome and features are all known; ``mean`` puts the cohort's mean in
            place of a missing numeric feature and drops rows only for outcome and categories.
        confidence: level of the confidence intervals.
        categorical: numeric features to be read as categories; ``category`` fields always are.
        intercept: whether the model has one.
        reference: reference level by category; by default the first level in the contract that has rows. For a
            category as outcome, the level that is no event.
    """

    outcome: Name
    features: Annotated[tuple[Name, ...], Field(min_length=1, max_length=256)]
    family: Literal["gaussian", "binomial", "poisson"]
    maximum_iterations: Annotated[int, Field(ge=1, le=100)] = 25
    tolerance: Annotated[float, Field(gt=0, le=1e-4)] = 1e-10
    missing: Literal["drop", "mean"] = "drop"
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    categorical: Annotated[tuple[Name, ...], Field(max_length=256)] = ()
    intercept: bool = True
    reference: Annotated[dict[Name, str], Field(max_length=256, default_factory=dict)]

    @model_validator(mode="after")
    def _coherent(self) -> GlmParameters:
        if len(set(self.features)) != len(self.features):
            raise ValueError("features are distinct")
        if self.outcome in self.features:
            raise ValueError("the outcome is not one of the features")
        if not set(self.categorical) <= set(self.features):
            raise ValueError("categorical names features only")
        if not set(self.reference) <= {self.outcome, *self.features}:
            raise ValueError("reference names the outcome or features only")
        return self
