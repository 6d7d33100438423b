"""What a study says when it asks for ``model.mixed``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sealane.computations.outcome import OutcomeParameters


class MixedParameters(OutcomeParameters):
    """Parameters of ``model.mixed``, beside those of every regression.

    Attributes:
        reml: restricted maximum likelihood; plain maximum likelihood if not, as for comparing fixed effects.
        confidence: level of the confidence intervals.
    """

    reml: bool = True
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
