"""What a study says when it asks for ``causal.ipw``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.design.parameters import FeatureParameters, Name

Estimand = Literal["ate", "att", "overlap"]


class IpwParameters(FeatureParameters):
    """Parameters of ``causal.ipw``, beside those of every regression: ``features`` are those of the propensity score.

    Attributes:
        treatment: a column of two values; left out where a formula names it: ``treated ~ age + C(stage)``.
        outcome: the column on which the treatment is to have an effect: a number, or one of two values.
        estimand: over whom the effect is averaged: ``ate`` everybody, ``att`` the treated, ``overlap`` those who could
            have been in either arm.
        truncate: propensity scores under the first or over the second count as these: the public bounds of all weights.
        most_truncated: largest share of rows that this may concern.
        stabilised: whether weights for everybody are multiplied by the share of their arm, so that they average 1;
            effects are the same.
        confidence: level of the confidence intervals.
        maximum_iterations: most Newton steps of the propensity score.
        tolerance: largest relative change of its deviance that the next step may still promise.
        reference: also, of a category as treatment or outcome, the level that is none.
    """

    treatment: Name | None = None
    outcome: Name
    estimand: Estimand = "ate"
    truncate: tuple[Annotated[float, Field(ge=1e-4, le=0.4)], Annotated[float, Field(ge=0.6, le=0.9999)]] = (0.01, 0.99)
    most_truncated: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1
    stabilised: bool = True
    confidence: Annotated[float, Field(gt=0.5, le=0.9999)] = 0.95
    maximum_iterations: Annotated[int, Field(ge=1, le=100)] = 25
    tolerance: Annotated[float, Field(gt=0, le=1e-4)] = 1e-10

    @property
    def referred(self) -> list[str]:
        """Treatment and outcome, whose reference level is none."""
        return [self.treatment_column, self.outcome]

    @property
    def treatment_column(self) -> str:
        """The column that says who was treated."""
        return self.treatment or self.model.outcome or ""

    @model_validator(mode="after")
    def _roles(self) -> IpwParameters:
        if (self.treatment is None) == (self.model.outcome is None):
            raise ValueError("either treatment or the left side of the formula names the treatment")
        if len({self.treatment_column, self.outcome, *self.model.variables}) != 2 + len(self.model.variables):
            raise ValueError("treatment and outcome are two columns, and neither is a feature")
        if not self.model.intercept:
            raise ValueError("a propensity score has an intercept")
        if self.missing != "drop":
            raise ValueError("rows in which a feature is missing are left out: fill them when the dataset is added")
        return self
