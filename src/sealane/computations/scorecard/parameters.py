"""What a study says when it asks for ``glm.scorecard``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.base import Parameters
from sealane.computations.design.parameters import Name
from sealane.computations.statistics.axes import Edges, check_edges

Binning = Literal["monotone", "quantile", "chi-merge"]
Stepwise = Literal["forward", "backward", "both", "none"]


class ScorecardParameters(Parameters):
    """Parameters of ``glm.scorecard``.

    Attributes:
        outcome: a column of two values; 1, or the second level, is the event that is to be avoided.
        features: the columns that may come into the card.
        categorical: numeric features to be read as categories.
        binning: how fine bins become coarse ones.
        fine_bins: by how many quantiles a number is first cut.
        edges: for a number the fine cuts themselves instead; a value at an edge belongs to the bin under it.
        bins: most bins of a feature.
        minimum_share: least share of the rows in a bin.
        chi_square: neighbours that differ by less are one bin under ``chi-merge``.
        resolution: width at which the search for a quantile ends, as a part of the contract's range; without one it
            follows the values.
        adjustment: added to both numbers of every bin before its weight of evidence is taken.
        minimum_iv: least information value of a feature that is used.
        maximum_vif: largest variance inflation among the features that are used.
        stepwise: which way features come and go by Akaike's criterion.
        base_score: points at the base odds.
        base_odds: odds of no event at which a card gives them.
        pdo: points that double the odds.
        round_points: whether points are whole numbers.
        confidence: level of the confidence intervals.
        maximum_iterations: most Newton steps of a fit.
        tolerance: largest relative change of the deviance that the next step may still promise.
    """

    outcome: Name
    features: Annotated[tuple[Name, ...], Field(min_length=1, max_length=256)]
    categorical: Annotated[tuple[Name, ...], Field(max_length=256)] = ()
    binning: Binning = "monotone"
    fine_bins: Annotated[int, Field(ge=2, le=100)] = 20
    edges: Annotated[dict[Name, Edges], Field(max_length=256, default_factory=dict)]
    bins: Annotated[int, Field(ge=2, le=20)] = 6
    minimum_share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.05
    chi_square: Annotated[float, Field(gt=0.0, le=1000.0)] = 3.841458820694124
    resolution: Annotated[float, Field(ge=1e-12, le=0.01)] | None = None
    adjustment: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    minimum_iv: Annotated[float, Field(ge=0.0, le=1.0)] = 0.02
    maximum_vif: Annotated[float, Field(gt=1.0, le=1000.0)] = 5.0
    stepwise: Stepwise = "backward"
    base_score: Annotated[float, Field(ge=-1e6, le=1e6)] = 600.0
    base_odds: Annotated[float, Field(gt=0.0, le=1e6)] = 50.0
    pdo: Annotated[float, Field(gt=0.0, le=1e4)] = 20.0
    round_points: bool = True
    confidence: Annotated[float, Field(gt=0.5, le=0.9999)] = 0.95
    maximum_iterations: Annotated[int, Field(ge=1, le=100)] = 25
    tolerance: Annotated[float, Field(gt=0.0, le=1e-4)] = 1e-10

    @model_validator(mode="after")
    def _coherent(self) -> ScorecardParameters:
        if len(set(self.features)) != len(self.features) or self.outcome in self.features:
            raise ValueError("features are distinct, and the outcome is none of them")
        if not set(self.categorical) <= set(self.features):
            raise ValueError("categorical names features only")
        for name, edges in self.edges.items():
            if name not in self.features or name in self.categorical:
                raise ValueError("edges are those of a numeric feature")
            check_edges(edges)
        return self
