"""What a study says when it asks for ``monitor.drift``."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.base import Parameters, misfit
from sealane.computations.design.parameters import Name
from sealane.computations.metrics.scores import ScoreParameters
from sealane.computations.statistics.axes import Edges, check_edges

SCORE = "score"
"""Name of the score among what is watched."""
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Reference(Parameters):
    """A distribution that is known from elsewhere.

    Attributes:
        edges: between the bins of a number; a value at an edge belongs to the bin under it; none for levels.
        shares: of each bin, or of each level in the contract's order.
        missing: share of missing values; with the others it makes 1.
    """

    edges: Edges | None = None
    shares: Annotated[tuple[Share, ...], Field(min_length=1, max_length=1001)]
    missing: Share = 0.0

    @model_validator(mode="after")
    def _whole(self) -> Reference:
        if self.edges is not None:
            check_edges(self.edges)
            if len(self.shares) != len(self.edges) + 1:
                raise ValueError("a reference has a share for every bin")
        if abs(math.fsum((*self.shares, self.missing)) - 1.0) > 1e-6:
            raise ValueError("shares of a reference make 1")
        return self


class DriftParameters(ScoreParameters):
    """Parameters of ``monitor.drift``, beside those of the score.

    Attributes:
        period: a date, by whose months rows are compared; or an integer or category that names periods in order.
        since: first month, as 2025-01 (YYYY-MM); only for dates.
        months: how many; only for dates.
        features: columns that are watched beside the score.
        reference: by name (the score's is ``score``) what distributions are held against; else the first period's.
        bins: quantiles of the first period by which a number is cut.
        resolution: width at which the search for a quantile ends, as a part of the range; without one it follows the
            values.
        adjustment: rows added to every cell before its share is taken, so that an empty one has a logarithm.
        psi_limit: index over which there is an alarm.
        outcome: a column of two values, where it is known already.
        higher: what a higher score means: the event, or none.
        auc_bins: of equal width, for the area under the curve.
        auc_band: area outside of which there is an alarm.
        by_institution: also show each institution by itself; all of them must have waived.
    """

    period: Name
    since: str | None = None
    months: Annotated[int, Field(ge=2, le=120)] | None = None
    features: Annotated[tuple[Name, ...], Field(max_length=256)] = ()
    reference: Annotated[dict[Name, Reference], Field(max_length=257, default_factory=dict)]
    bins: Annotated[int, Field(ge=2, le=50)] = 10
    resolution: Annotated[float, Field(ge=1e-12, le=0.01)] | None = None
    adjustment: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    psi_limit: Annotated[float, Field(gt=0.0, le=100.0)] = 0.25
    outcome: Name | None = None
    higher: Literal["event", "no-event"] = "event"
    auc_bins: Annotated[int, Field(ge=2, le=10_000)] = 500
    auc_band: tuple[Share, Share] | None = None
    by_institution: bool = False

    @model_validator(mode="after")
    def _coherent(self) -> DriftParameters:
        watched = [*self.features, *([SCORE] if self.score_columns else [])]
        if not watched or len(set(watched)) != len(watched):
            raise ValueError("a score or features are watched, each once, and no feature is called score beside one")
        if self.period in (*self.features, *self.score_columns, self.outcome):
            raise ValueError("the period's column is not watched itself")
        if self.outcome is not None and (not self.score_columns or self.outcome in self.score_columns):
            raise ValueError("an outcome goes with a score, and is none of its columns")
        if not set(self.reference) <= set(watched):
            raise ValueError("references are those of what is watched")
        if self.since is not None and not _MONTH.fullmatch(self.since):
            raise misfit("since is a month, as YYYY-MM", f"write {self.since[:7]}" if _MONTH.match(self.since) else
                         "write year and month, such as 2025-01")
        if (self.since is None) != (self.months is None):
            raise misfit("since, a month such as 2025-01, goes with months", "give both, or neither")
        if self.auc_band is not None and (self.outcome is None or self.auc_band[0] >= self.auc_band[1]):
            raise ValueError("a band of the area under the curve goes with an outcome, low under high")
        return self
