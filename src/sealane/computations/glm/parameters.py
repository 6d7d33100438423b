"""What a study says when it asks for ``glm.fit``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.design.parameters import FeatureParameters, Name


class GlmParameters(FeatureParameters):
    """Parameters of ``glm.fit``, beside those of every regression.

    Attributes:
        outcome: the column to explain; left out where a formula names it.
        family: ``gaussian`` (identity link), ``binomial`` (logit) or ``poisson`` (log).
        maximum_iterations: most Newton steps.
        tolerance: largest relative change of the deviance that the next step may still promise.
        confidence: level of the confidence intervals.
        intercept: whether the model has one; a formula says so itself.
        reference: also of a category as outcome: the level that is no event.
    """

    outcome: Name | None = None
    family: Literal["gaussian", "binomial", "poisson"]
    maximum_iterations: Annotated[int, Field(ge=1, le=100)] = 25
    tolerance: Annotated[float, Field(gt=0, le=1e-4)] = 1e-10
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    intercept: bool = True

    @property
    def outcome_column(self) -> str:
        """The column to explain."""
        return self.outcome or self.model.outcome or ""

    @property
    def has_intercept(self) -> bool:
        """Whether the model has an intercept."""
        return self.model.intercept if self.formula is not None else self.intercept

    @model_validator(mode="after")
    def _coherent(self) -> GlmParameters:
        named = self.model.outcome
        if (self.outcome is None) == (named is None):
            raise ValueError("either outcome or the left side of the formula names the outcome")
        if self.outcome_column in self.model.variables:
            raise ValueError("the outcome is not one of the features")
        if self.formula is not None and not self.intercept:
            raise ValueError("a formula says itself that there is no intercept: outcome ~ 0 + ...")
        if not set(self.reference) <= {self.outcome_column, *self.features}:
            raise ValueError("reference names the outcome or features only")
        return self
