"""A model as plain parameters of a study: bounded, validated, the same for all, and nothing to unpickle.

A regression is its columns with their coefficients; a card its bins with what each adds to the log odds; boosted trees
their splits and leaves (:mod:`.trees_model`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sealane.computations.base import Parameters
from sealane.computations.design.rebuild import rebuild
from sealane.computations.glm.links import LINKS
from sealane.computations.metrics.trees_model import Trees, trees_of
from sealane.computations.scorecard.places import places
from sealane.errors import InputError

Name = Annotated[str, Field(min_length=1, max_length=128)]
Number = Annotated[float, Field(ge=-1e9, le=1e9)]
Level = Annotated[str, Field(max_length=256)]
Levels = Annotated[tuple[Level, ...], Field(max_length=256)]
_LINKS = ("identity", "logit", "log", "probit", "cloglog")
Transform = Literal["", "log", "log1p", "sqrt", "square", "cube"]


class Part(Parameters):
    """A factor of a column: a number, transformed or not, or the indicator of a level."""

    variable: Name
    transform: Transform = ""
    level: Level | None = None


class Column(Parameters):
    """A column of a regression; one without parts is the intercept. ``fill`` stands for a missing number."""

    coefficient: Number
    parts: Annotated[tuple[Part, ...], Field(max_length=8)] = ()
    fill: Number | None = None


class Regression(Parameters):
    """A generalised linear model.

    Attributes:
        kind: ``regression``.
        link: between mean and linear predictor.
        columns: of the model.
        levels: of each category, so that an unknown one is an error and not a reference.
    """

    kind: Literal["regression"] = "regression"
    link: Literal["identity", "logit", "log", "probit", "cloglog"]
    columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=512)]
    levels: Annotated[dict[Name, Levels], Field(max_length=256, default_factory=dict)]

    @property
    def variables(self) -> list[str]:
        """Columns of the contract that it reads."""
        return list(dict.fromkeys(part.variable for column in self.columns for part in column.parts))

    @property
    def probability(self) -> bool:
        """Whether it gives probabilities."""
        return self.link in ("logit", "probit", "cloglog")

    @property
    def reach(self) -> tuple[float, float]:
        """The least and the largest score that there can be."""
        return (0.0, 1.0) if self.probability else (0.0 if self.link == "log" else -math.inf, math.inf)

    def score(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Return the expected outcome of rows, NaN where one is missing or outside of a domain."""
        described = {"levels": {name: list(levels) for name, levels in self.levels.items()}, "columns": [
            {"name": str(k), "fill": column.fill,
             "parts": [(part.variable, part.transform, part.level) for part in column.parts]}
            for k, column in enumerate(self.columns)]}
        predictor = np.zeros(len(rows))
        # Outside of a transform's domain there is no score.
        with np.errstate(divide="ignore", invalid="ignore"):
            columns = rebuild(described, rows)
            for k, column in enumerate(self.columns):
                predictor += column.coefficient * columns[str(k)].to_numpy()
        predictor[~np.isfinite(predictor)] = np.nan
        return np.asarray(LINKS[self.link].mean(predictor), dtype=np.float64)

    @model_validator(mode="after")
    def _known_levels(self) -> Regression:
        for part in (part for column in self.columns for part in column.parts):
            if (part.level is None) == (part.variable in self.levels):
                raise ValueError("a part of a category, and no other, has a level, and levels lists them")
            if part.level is not None and part.level not in self.levels[part.variable]:
                raise ValueError("a part's level is one of its category")
        return self


class CardFeature(Parameters):
    """A binned feature: what each bin adds to the log odds, and the bin of missing values."""

    name: Name
    edges: Annotated[tuple[Number, ...], Field(max_length=1000)] | None = None
    levels: Annotated[tuple[Levels, ...], Field(max_length=256)] | None = None
    values: Annotated[tuple[Number, ...], Field(min_length=1, max_length=1001)]
    missing: Annotated[int, Field(ge=0, le=1000)]

    @model_validator(mode="after")
    def _coherent(self) -> CardFeature:
        if (self.edges is None) == (self.levels is None):
            raise ValueError("a feature has edges or levels")
        if self.edges is not None and any(a >= b for a, b in pairwise(self.edges)):
            raise ValueError("edges ascend")
        bins = len(self.levels) if self.levels is not None else len(self.edges or ()) + 1
        # Missing values may have a bin of their own, the last; of levels it is an empty one.
        if self.missing >= len(self.values) or len(self.values) - bins not in (0, self.missing == len(self.values) - 1):
            raise ValueError("a feature has a value for every bin, and one bin for missing values")
        return self


class Card(Parameters):
    """A scorecard as the log odds it stands for."""

    kind: Literal["scorecard"] = "scorecard"
    intercept: Number
    features: Annotated[tuple[CardFeature, ...], Field(min_length=1, max_length=256)]

    @property
    def variables(self) -> list[str]:
        """Columns of the contract that it reads."""
        return [feature.name for feature in self.features]

    @property
    def probability(self) -> bool:
        """Whether it gives probabilities."""
        return True

    @property
    def reach(self) -> tuple[float, float]:
        """The least and the largest score that there can be."""
        return 0.0, 1.0

    def score(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of the event of rows."""
        predictor = np.full(len(rows), self.intercept)
        for feature in self.features:
            described = {key: value for key, value in feature.model_dump().items() if value is not None}
            predictor += np.array(feature.values)[places(described, rows)]
        return np.asarray(LINKS["logit"].mean(predictor), dtype=np.float64)


ScoringModel = Annotated[Regression | Card | Trees, Field(discriminator="kind")]


class Released(Protocol):
    """A result of a computation."""

    def to_dict(self) -> Mapping[str, Any]:
        """Return the payload."""


def model_of(result: Released) -> dict[str, Any]:
    """Return a fitted model as the parameter ``model`` of ``metrics.ranking`` and ``monitor.drift``.

    Args:
        result: of ``glm.fit``, ``glm.scorecard`` or ``trees.gbdt``.

    Raises:
        InputError: it is of another computation, gives no single score a row, or is too large for a study.
    """
    payload = result.to_dict()
    computation = payload.get("computation")
    if computation == "glm.scorecard":
        return _card(payload)
    if computation == "trees.gbdt":
        return trees_of(payload)
    if computation != "glm.fit":
        raise InputError("scoring.not-a-model", "this result is no model that scores rows", got=repr(computation)[:80],
                         expected="a result of glm.fit, glm.scorecard or trees.gbdt")
    beside = [name for name in ("offset", "exposure", "institution_effects") if payload.get(name) not in (None, "none")]
    if payload.get("kind", "fit") != "fit" or payload["link"] not in _LINKS or beside:
        raise InputError("scoring.not-a-model", "this model scores no rows by their features alone",
                         got=", ".join(beside) or f"link {payload['link']}",
                         expected=f"one fit with a link among {', '.join(_LINKS)}")
    design = payload["design"]
    columns = []
    # A dispersion may stand behind the coefficients of the columns.
    for column, coefficient in zip(design["columns"], payload["params"], strict=False):
        parts = [{"variable": variable} | ({"transform": transform} if transform else {})
                 | ({} if level is None else {"level": level}) for variable, transform, level in column["parts"]]
        fill = {} if column["fill"] is None else {"fill": column["fill"]}
        columns.append({"coefficient": coefficient, "parts": parts} | fill)
    return {"kind": "regression", "link": payload["link"], "columns": columns,
            "levels": {name: list(levels) for name, levels in design["levels"].items()}}


def _card(payload: Mapping[str, Any]) -> dict[str, Any]:
    beta = dict(zip(payload["columns"], payload["params"], strict=True))
    features = []
    for one in payload["features"]:
        if one["used"]:
            shape = {"levels": one["levels"]} if "levels" in one else {"edges": one["edges"]}
            values = [beta[one["name"]] * part["woe"] for part in one["bins"]]
            features.append({"name": one["name"], "values": values, "missing": one["missing"]} | shape)
    assert all(math.isfinite(value) for value in beta.values())
    return {"kind": "scorecard", "intercept": beta["Intercept"], "features": features}
