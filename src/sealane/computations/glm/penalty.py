"""What a study says of a penalised path."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.base import Parameters

Lambda = Annotated[float, Field(gt=0, le=1e9)]


class PenaltyParameters(Parameters):
    """Which penalties are tried, and how one is chosen.

    Minimised is, as in glmnet and scikit-learn, the mean loss plus ``lambda (l1_ratio |b|_1 + (1 - l1_ratio) |b|²/2)``
    over coefficients b of standardised columns, the intercept left out.

    Attributes:
        kind: ``ridge`` (l1_ratio 0), ``lasso`` (1) or ``elastic-net``.
        l1_ratio: only for elastic-net.
        lambdas: the penalties to try; or none, and ``number`` of them are spaced evenly on a log scale below the least
            one for which all coefficients are zero (for ridge: a thousand times that of the lasso).
        number: how many.
        folds: of cross-validation; 0 for none, and the path alone is released.
        rule: ``min`` takes the penalty of the least error, ``1se`` the largest within one standard error of it.
    """

    kind: Literal["ridge", "lasso", "elastic-net"]
    l1_ratio: Annotated[float | None, Field(gt=0, lt=1)] = None
    lambdas: Annotated[tuple[Lambda, ...], Field(max_length=200)] = ()
    number: Annotated[int, Field(ge=2, le=200)] = 30
    folds: Annotated[int, Field(ge=0, le=20)] = 5
    rule: Literal["min", "1se"] = "min"

    @property
    def share(self) -> float:
        """Share of the absolute value in the penalty."""
        return {"ridge": 0.0, "lasso": 1.0}.get(self.kind, self.l1_ratio or 0.0)

    @model_validator(mode="after")
    def _coherent(self) -> PenaltyParameters:
        if (self.kind == "elastic-net") != (self.l1_ratio is not None):
            raise ValueError("l1_ratio goes with elastic-net, and elastic-net needs it")
        if self.folds == 1:
            raise ValueError("folds is 0 or at least 2")
        if len(set(self.lambdas)) != len(self.lambdas):
            raise ValueError("lambdas are distinct")
        return self


def check_penalised(family: str, link: str, *, plain: bool) -> None:
    """Hold a penalised model against what there is.

    Raises:
        ValueError: another family or link, or something that goes with unpenalised models only.
    """
    if (family, link) not in (("gaussian", "identity"), ("binomial", "logit"), ("poisson", "log")):
        raise ValueError("penalty goes with gaussian, binomial and poisson models and their default links")
    if not plain:
        raise ValueError("penalty goes without covariance, institution_effects and on_separation")
