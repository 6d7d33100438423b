"""What a study says of the features of a model: names, or a formula."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.base import Parameters
from sealane.computations.design.formula import LONGEST, read_formula
from sealane.computations.design.terms import Factor, Model, Term
from sealane.errors import InputError

Name = Annotated[str, Field(min_length=1, max_length=128)]


class FeatureParameters(Parameters):
    """Parameters of every regression.

    Attributes:
        features: the columns that explain the outcome, in the order of the result; or none, and a formula.
        formula: the same and more in R's notation: ``outcome ~ age + C(stage) + age:sex``; see :mod:`.formula`.
        missing: ``drop`` uses rows in which all is known; ``mean`` puts the cohort's mean in place of a missing
            numeric feature and drops rows only for the outcome and categories; not with products or transforms.
        categorical: numeric features to be read as categories; ``category`` fields always are.
        reference: reference level by category; by default the first level in the contract that has rows.
    """

    features: Annotated[tuple[Name, ...], Field(max_length=256)] = ()
    formula: Annotated[str | None, Field(max_length=LONGEST)] = None
    missing: Literal["drop", "mean"] = "drop"
    categorical: Annotated[tuple[Name, ...], Field(max_length=256)] = ()
    reference: Annotated[dict[Name, str], Field(max_length=256, default_factory=dict)]

    @property
    def referred(self) -> list[str]:
        """Columns beside the features that may have a reference level."""
        return []

    @property
    def model(self) -> Model:
        """The right side as terms; of a formula also its outcome and whether it has an intercept."""
        if self.formula is not None:
            return read_formula(self.formula)
        factors = (Factor(name, name, categorical=name in self.categorical, reference=self.reference.get(name))
                   for name in self.features)
        return Model(None, tuple(Term((factor,)) for factor in factors), intercept=True, grouped=False)

    @model_validator(mode="after")
    def _features_or_formula(self) -> FeatureParameters:
        if bool(self.features) == (self.formula is not None):
            raise ValueError("a model has features or a formula")
        if self.formula is not None and (self.categorical or self.reference):
            raise ValueError("a formula says itself what is a category: C(column, Treatment('level'))")
        if len(set(self.features)) != len(self.features):
            raise ValueError("features are distinct")
        if not set(self.categorical) <= set(self.features):
            raise ValueError("categorical names features only")
        unknown = set(self.reference) - {*self.features, *self.referred}
        if unknown:
            raise ValueError(f"reference names {', '.join(['features', *self.referred])} only: "
                             f"not {', '.join(sorted(unknown))[:80]}")
        try:
            model = self.model
        except InputError as error:
            raise ValueError(f"{error.message}: got {error.got}, expected {error.expected}") from None
        plain = all(len(t.factors) == 1 and not t.factors[0].transform for t in model.terms)
        if self.missing == "mean" and not plain:
            raise ValueError("missing = \"mean\" goes with plain features, not with products or transforms")
        return self
