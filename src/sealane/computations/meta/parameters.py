"""What a study says when it asks for ``model.meta``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sealane.computations.outcome import FamilyName, OutcomeParameters

Method = Literal["fixed", "unweighted", "dl", "pm", "reml"]


class MetaParameters(OutcomeParameters):
    """Parameters of ``model.meta``, beside those of every regression.

    Attributes:
        family: of each institution's own model: ``gaussian`` (identity link), ``binomial`` (logit), ``poisson`` (log).
        method: how estimates are combined: ``fixed`` (inverse variance), ``unweighted`` (random effects, each
            institution counts alike), or random effects with inverse variance and a variance between institutions by
            ``dl`` (DerSimonian and Laird), ``pm`` (Paule and Mandel) or ``reml``.
        hartung_knapp: standard errors of random effects by Hartung and Knapp, with Student's t.
        by_institution: release each institution's own estimates; only where all have waived that.
        confidence: level of the intervals.
        maximum_iterations: most steps to the variance between institutions, for ``pm`` and ``reml``.
    """

    family: FamilyName
    method: Method = "dl"
    hartung_knapp: bool = False
    by_institution: bool = False
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    maximum_iterations: Annotated[int, Field(ge=1, le=200)] = 50
