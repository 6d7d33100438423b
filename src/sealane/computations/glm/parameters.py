"""What a study says when it asks for ``glm.fit``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.design.parameters import FeatureParameters, Name
from sealane.computations.glm.families import ALLOWED
from sealane.computations.glm.intercepts import PROFILED
from sealane.computations.glm.penalty import PenaltyParameters, check_penalised
from sealane.computations.outcome import FamilyName

LinkName = Literal["identity", "log", "logit", "probit", "cloglog", "inverse"]


class GlmParameters(FeatureParameters):
    """Parameters of ``glm.fit``, beside those of every regression.

    Attributes:
        outcome: the column to explain; left out where a formula names it.
        family: distribution of the outcome.
        link: by default the family's first in :data:`.families.ALLOWED`.
        alpha: dispersion of a negative binomial; estimated where it is left out.
        weights: column of frequency weights: how many rows each row stands for.
        offset: column that is added to the linear predictor as it is.
        exposure: column whose logarithm is added to it; only with the log link.
        covariance: ``model``, ``robust`` (HC0), ``robust-hc1``, or ``institution`` (clustered by institution).
        institution_effects: ``fixed`` gives each institution an intercept of its own.
        on_separation: what to do where the outcome of a logistic model is separated.
        penalty: fits a path of penalised models instead; see :class:`.penalty.PenaltyParameters`.
        maximum_iterations: most Newton steps.
        tolerance: largest relative change of the deviance that the next step may still promise.
        confidence: level of the confidence intervals.
        intercept: whether the model has one; a formula says so itself.
        reference: also of a category as outcome: the level that is no event.
    """

    outcome: Name | None = None
    family: FamilyName
    link: LinkName | None = None
    alpha: Annotated[float | None, Field(ge=1e-6, le=1e6)] = None
    weights: Name | None = None
    offset: Name | None = None
    exposure: Name | None = None
    covariance: Literal["model", "robust", "robust-hc1", "institution"] = "model"
    institution_effects: Literal["none", "fixed"] = "none"
    on_separation: Literal["refuse", "firth", "ridge"] = "refuse"
    penalty: PenaltyParameters | None = None
    maximum_iterations: Annotated[int, Field(ge=1, le=100)] = 25
    tolerance: Annotated[float, Field(gt=0, le=1e-4)] = 1e-10
    confidence: Annotated[float, Field(gt=0.5, le=0.9999)] = 0.95
    intercept: bool = True

    @property
    def outcome_column(self) -> str:
        """The column to explain."""
        return self.outcome or self.model.outcome or ""

    @property
    def link_name(self) -> str:
        """The link, or the family's default."""
        return self.link or ALLOWED[self.family][0]

    @property
    def fixed_effects(self) -> bool:
        """Whether each institution has an intercept of its own."""
        return self.institution_effects == "fixed"

    @property
    def has_intercept(self) -> bool:
        """Whether the model has a common intercept."""
        return not self.fixed_effects and self.spans_constant

    @property
    def spans_constant(self) -> bool:
        """Whether a constant is among what the model's columns add up to."""
        return self.model.intercept if self.formula is not None else self.intercept

    @property
    def estimates_alpha(self) -> bool:
        """Whether the dispersion of a negative binomial is fitted too."""
        return self.family == "negative-binomial" and self.alpha is None

    @property
    def may_penalise(self) -> bool:
        """Whether ``on_separation`` may ask for something."""
        return ((self.family, self.link_name) == ("binomial", "logit") and not self.fixed_effects
                and self.covariance == "model")

    @property
    def referred(self) -> list[str]:
        """The outcome, whose reference level is no event."""
        return [self.outcome_column]

    @property
    def beside(self) -> list[str]:
        """Columns beside outcome and features."""
        return [name for name in (self.weights, self.offset, self.exposure) if name is not None]

    @model_validator(mode="after")
    def _coherent(self) -> GlmParameters:
        named = self.model.outcome
        if (self.outcome is None) == (named is None):
            raise ValueError("either outcome or the left side of the formula names the outcome")
        if self.outcome_column in self.model.variables:
            raise ValueError("the outcome is not one of the features")
        if self.outcome_column in self.beside or len(set(self.beside)) < len(self.beside):
            raise ValueError("outcome, weights, offset and exposure are different columns")
        if self.formula is not None and not self.intercept:
            raise ValueError("a formula says itself that there is no intercept: outcome ~ 0 + ...")
        return self

    @model_validator(mode="after")
    def _possible(self) -> GlmParameters:
        if self.link_name not in ALLOWED[self.family]:
            raise ValueError(f"a {self.family} model has one of the links {', '.join(ALLOWED[self.family])}")
        if self.exposure is not None and self.link_name != "log":
            raise ValueError("exposure goes with the log link; with another use offset")
        if self.alpha is not None and self.family != "negative-binomial":
            raise ValueError("alpha belongs to the negative-binomial family")
        unbounded = (self.family, self.link_name) in PROFILED
        if not self.spans_constant and not unbounded and (self.family, self.link_name) != ("gaussian", "log"):
            raise ValueError(f"a {self.family} model with link {self.link_name} needs an intercept to start from")
        if self.fixed_effects and not (unbounded and self.spans_constant):
            raise ValueError("institution_effects goes with an intercept, and with the links identity (gaussian), "
                             "logit, probit, cloglog (binomial) and log (poisson, gamma, negative-binomial)")
        if self.estimates_alpha and (self.link_name != "log" or self.covariance != "model"):
            raise ValueError("an estimated alpha goes with the log link and covariance = \"model\"; or fix alpha")
        if self.on_separation != "refuse" and not self.may_penalise:
            raise ValueError("on_separation is for logistic models without institution effects, covariance = \"model\"")
        if self.penalty is not None:
            check_penalised(self.family, self.link_name, plain=not (
                self.fixed_effects or self.covariance != "model" or self.on_separation != "refuse"))
        return self
