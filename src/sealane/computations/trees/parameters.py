"""What a study says when it asks for ``trees.gbdt``; LightGBM's names where LightGBM has one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sealane.computations.base import Parameters
from sealane.computations.trees.other_names import ALIASES, ELSEWHERE

Name = Annotated[str, Field(min_length=1, max_length=128)]
Objective = Literal["binary", "regression", "poisson", "multiclass", "quantile", "regression_l1"]

REASONS = {
    "boost_from_average": "the base score always comes from a secure mean",
    "tree_learner": "histograms are summed by Sealane's collectives, whatever the learner",
    "num_machines": "the cohort is the network",
    "machines": "the cohort is the network; LightGBM opens no socket",
    "boosting": "only gbdt: dart and rf weigh trees anew, goss chooses rows by gradients of all institutions",
    "data_sample_strategy": "goss chooses rows by gradients of all institutions",
    "linear_tree": "a linear leaf solves over a leaf's raw values, which are never summed",
    "use_quantized_grad": "histograms are summed as 64-bit integers already, exactly and without random rounding",
    "forcedsplits_filename": "a forced split chooses which rows are looked at",
    "forcedbins_filename": "bins come from the secure quantile agreement",
    "interaction_constraints": "not supported yet: LightGBM numbers features otherwise here",
    "feature_fraction_bynode": "not supported: LightGBM would draw among columns that are not features",
    "extra_trees": "a threshold drawn at random cannot be foreseen, and would cost a sum of its own each",
    "is_unbalance": "set scale_pos_weight instead: weights must not depend on opened counts of a class",
    "zero_as_missing": "missing is what the data contract says is missing",
    "cegb_penalty_feature_lazy": "it needs to know which rows have met a feature",
    "quant_train_renew_leaf": "leaves are never renewed from single rows",
    "device_type": "LightGBM sees no rows here, so no device would help it",
    "metric": "the loss of the objective is what is measured, by a secure sum",
    "seed": "seed is a parameter of the computation; those that choose rows stay private to a node",
    "bagging_seed": "the seed that chooses rows is private to a node",
}
"""LightGBM's parameters that are refused, and why."""
OBJECTIVES = {
    "mape": "its leaves are medians weighted by each row's outcome, whose inverse has no public bound",
    "huber": "not supported: use regression_l1, or regression",
    "gamma": "not supported: use poisson, or regression on a logarithm",
    "tweedie": "not supported: use poisson",
    "cross_entropy": "not supported: use binary",
    "lambdarank": "the gradient of a row has no public bound that does not depend on its query",
    "rank_xendcg": "the gradient of a row has no public bound that does not depend on its query",
}
"""LightGBM's objectives that cannot be secured here, and why."""


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
            for name in values:
                known = ALIASES.get(name, name)
                if known in REASONS or known in ELSEWHERE:
                    raise ValueError(f"{name} is refused: {REASONS.get(known) or ELSEWHERE[known]}")
                if known != name:
                    raise ValueError(f"{name} is refused: it is called {known} here")
            objective = values.get("objective")
            if isinstance(objective, str) and objective in OBJECTIVES:
                raise ValueError(f"objective {objective} is refused: {OBJECTIVES[objective]}")
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
            raise ValueError("features are distinct")
        if self.outcome in self.features or self.weight in (self.outcome, *self.features):
            raise ValueError("outcome, weight and features are different columns")
        if not set(self.categorical) <= set(self.features):
            raise ValueError("categorical names features only")
        if self.params.objective in ("quantile", "regression_l1") and any(self.params.monotone_constraints.values()):
            raise ValueError("monotone_constraints do not hold for leaves that are quantiles")
        if not set(self.params.monotone_constraints) <= set(self.features):
            raise ValueError("monotone_constraints names features only")
        if self.early_stopping_rounds is not None and not self.validation_fraction:
            raise ValueError("early stopping needs a validation_fraction")
        return self
