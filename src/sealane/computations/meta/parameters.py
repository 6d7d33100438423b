"""What a study says when it asks for ``model.meta``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.design.parameters import Name
from sealane.computations.meta.local import OwnFamily
from sealane.computations.outcome import OutcomeParameters, check_outcome
from sealane.computations.survival.rows import TimeParameters

Method = Literal["fixed", "unweighted", "dl", "pm", "reml"]


class MetaParameters(OutcomeParameters):
    """Parameters of ``model.meta``, beside those of every regression.

    Attributes:
        family: of each institution's own model: ``gaussian`` (identity link), ``binomial`` (logit), ``poisson`` (log),
            or ``cox`` (proportional hazards).
        duration: column of the time to the event or to the last time seen, for ``cox``; then there is no ``outcome``.
        event: column that says whether it ended in the event, for ``cox``.
        censored: level of ``event`` that is no event; to be named where that is a category.
        method: how estimates are combined: ``fixed`` (inverse variance), ``unweighted`` (random effects, each
            institution counts alike), or random effects with inverse variance and a variance between institutions by
            ``dl`` (DerSimonian and Laird), ``pm`` (Paule and Mandel) or ``reml``.
        hartung_knapp: standard errors of random effects by Hartung and Knapp, with Student's t.
        by_institution: release each institution's own estimates; only where all have waived that.
        confidence: level of the intervals.
        maximum_iterations: most steps to the variance between institutions, for ``pm`` and ``reml``.
    """

    family: OwnFamily | Literal["cox"]
    duration: Name | None = None
    event: Name | None = None
    censored: Annotated[str | None, Field(max_length=128)] = None
    method: Method = "dl"
    hartung_knapp: bool = False
    by_institution: bool = False
    confidence: Annotated[float, Field(gt=0.5, le=0.9999)] = 0.95
    maximum_iterations: Annotated[int, Field(ge=1, le=200)] = 50

    @property
    def times(self) -> TimeParameters:
        """Duration and event as all survival computations read them."""
        return TimeParameters(duration=self.duration, event=self.event or "", censored=self.censored)

    @property
    def outcome_columns(self) -> list[str]:
        """The columns that the model explains."""
        return [self.outcome_column] if self.family != "cox" else [str(self.duration), str(self.event)]

    @model_validator(mode="after")
    def _one_outcome(self) -> MetaParameters:
        timed = self.duration is not None and self.event is not None
        if self.family != "cox":
            if self.duration is not None or self.event is not None or self.censored is not None:
                raise ValueError("duration, event and censored are those of family = \"cox\"")
            check_outcome(self)
            return self
        if not timed or self.outcome is not None or self.model.outcome is not None:
            raise ValueError("a Cox model has duration and event, and no outcome")
        if len({self.duration, self.event, *self.model.variables}) != 2 + len(self.model.variables):
            raise ValueError("duration, event and features are columns of their own")
        return self
