"""What a study says when it asks for ``trees.gbdt``; LightGBM's names where LightGBM has one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from sealane.computations.base import Parameters, misfit
from sealane.computations.trees.refused import check_names, check_objective

Name = Annotated[str, Field(min_length=1, max_length=128)]
Objective = Literal["binary", "regression", "poisson", "multiclass", "quantile", "regression_l1"]

class TreeParameters(Parameters):
    """Parameters of the trees, by LightGBM's names and with its defaults, ``max_bin`` and ``min_data_in_leaf`` apart.

    Attributes:
        objective: by default ``binary``, ``multiclass`` or ``regression``, whatever fits the outcome's type.
        alpha: the quantile that ``quantile`` explains.
        min_data_in_leaf: never under 20 times the minimum count, whatever is asked for.
        max_bin: most bins of a feature, the one of missing values included.
        monotone_constraints: 1, -1 or 0 by feature; features left out are free.
    """

    objective: Objective | None = None
    num_leaves: Annotated[int, Field(ge=2, le=1024)] = 31
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    max_depth: Annotated[int, Field(ge=-1, le=64)] = -1
    min_data_in_leaf: Annotated[int, Field(ge=1, le=1 << 30)] = 20
    min_sum_hessian_in_leaf: Annotated[float, Field(gt=0, le=1e9)] = 1e-3
    lambda_l1: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    lambda_l2: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    min_gain_to_split: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    max_delta_step: Annotated[float, Field(ge=0, le=1e3)] = 0.0
    path_smooth: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    max_bin: Annotated[int, Field(ge=2, le=255)] = 63
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    bagging_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    bagging_freq: Annotated[int, Field(ge=0, le=10_000)] = 0
    max_cat_to_onehot: Annotated[int, Field(ge=1, le=256)] = 4
    max_cat_threshold: Annotated[int, Field(ge=1, le=256)] = 32
    cat_l2: Annotated[float, Field(ge=0, le=1e9)] = 10.0
    cat_smooth: Annotated[float, Field(ge=0, le=1e9)] = 10.0
    min_data_per_group: Annotated[int, Field(ge=1, le=1 << 30)] = 100
    monotone_constraints: Annotated[dict[Name, Literal[-1, 0, 1]], Field(max_length=256, default_factory=dict)]
    monotone_penalty: Annotated[float, Field(ge=0, le=100)] = 0.0
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.9
    scale_pos_weight: Annotated[float, Field(gt=0, le=1e4)] = 1.0
    poisson_max_delta_step: Annotated[float, Field(gt=0, le=10)] = 0.7

    @model_validator(mode="before")
    @classmethod
    def _with_reason(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            check_names(values)
            check_objective(values.get("objective"), get_args(Objective))
        return values


class GbdtParameters(Parameters):
    """Parameters of ``trees.gbdt``.

    Attributes:
        outcome: the column to explain.
        features: the columns to explain it with.
        categorical: integer or boolean features to be read as categories; ``category`` fields always are.
        weight: a numeric column of the contract, 0 or more: how much a row counts.
        rounds: boosting rounds.
        params: of the trees.
        validation_fraction: part of each institution's rows, drawn by a seed private to it, on which the loss is
            measured and nothing is learned.
        early_stopping_rounds: end after so many rounds without a smaller validation loss, and keep the best.
        seed: public; chooses the features of each tree, and enters the private seeds.
    """

    outcome: Name
    features: Annotated[tuple[Name, ...], Field(min_length=1, max_length=256)]
    categorical: Annotated[tuple[Name, ...], Field(max_length=256)] = ()
    weight: Name | None = None
    rounds: Annotated[int, Field(ge=1, le=2000)] = 100
    params: Annotated[TreeParameters, Field(default_factory=TreeParameters)]
    validation_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    early_stopping_rounds: Annotated[int | None, Field(ge=1, le=1000)] = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0

    @model_validator(mode="after")
    def _coherent(self) -> GbdtParameters:
        if len(set(self.features)) != len(self.features):
            raise misfit("features are distinct", "name each once")
        if self.outcome in self.features or self.weight in (self.outcome, *self.features):
            raise misfit("outcome, weight and features are different columns",
                         "leave the outcome and the weight out of features")
        if not set(self.categorical) <= set(self.features):
            raise misfit("categorical names features only", "name them in features as well")
        if self.params.objective in ("quantile", "regression_l1") and any(self.params.monotone_constraints.values()):
            raise misfit("monotone_constraints do not hold for leaves that are quantiles",
                         "leave monotone_constraints out, or ask for regression")
        if not set(self.params.monotone_constraints) <= set(self.features):
            raise misfit("monotone_constraints names features only", "name them in features as well")
        if self.early_stopping_rounds is not None and not self.validation_fraction:
            raise misfit("early stopping needs a validation_fraction", "set validation_fraction to 0.2, say")
        return self
