"""What a study says when it asks for ``model.mixed``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sealane.computations.outcome import OutcomeParameters


class MixedParameters(OutcomeParameters):
    """Parameters of ``model.mixed``, beside those of every regression.

    Attributes:
        family: ``gaussian`` or ``binomial`` (logit link).
        reml: restricted maximum likelihood; plain maximum likelihood if not, as for comparing fixed effects. Not for
            ``binomial``, which is always by maximum likelihood.
        confidence: level of the confidence intervals.
        quadrature: points of each institution's integral, for ``binomial``.
        maximum_iterations: most Newton steps, for ``binomial``.
        tolerance: largest relative change of the deviance that the next step may still promise, for ``binomial``.
    """

    family: Literal["gaussian", "binomial"] = "gaussian"
    reml: bool = True
    confidence: Annotated[float, Field(gt=0.5, le=0.9999)] = 0.95
    quadrature: Annotated[int, Field(ge=5, le=99)] = 25
    maximum_iterations: Annotated[int, Field(ge=1, le=100)] = 40
    tolerance: Annotated[float, Field(gt=0, le=1e-4)] = 1e-10
