"""LightGBM's parameters and objectives that are refused: why, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from sealane.computations.base import misfit
from sealane.computations.trees.other_names import ALIASES, ELSEWHERE, OTHER_OBJECTIVES

NOTHING = "leave it out: nothing takes its place"
LEAVE = "leave it out"
DRAW = "leave it out; bagging_fraction with bagging_freq draws rows"
REASONS = {
    "boost_from_average": ("the base score always comes from a secure mean", LEAVE),
    "tree_learner": ("histograms are summed by Sealane's collectives, whatever the learner", LEAVE),
    "num_machines": ("the cohort is the network", LEAVE),
    "machines": ("the cohort is the network; LightGBM opens no socket", LEAVE),
    "boosting": ("only gbdt: dart and rf weigh trees anew, goss chooses rows by gradients of all institutions", DRAW),
    "data_sample_strategy": ("goss chooses rows by gradients of all institutions", DRAW),
    "linear_tree": ("a linear leaf solves over a leaf's raw values, which are never summed",
                    "leave it out; more num_leaves follow a slope in steps"),
    "use_quantized_grad": ("histograms are summed as 64-bit integers already, exactly and without random rounding",
                           LEAVE),
    "forcedsplits_filename": ("a forced split chooses which rows are looked at", NOTHING),
    "forcedbins_filename": ("bins come from the secure quantile agreement", "leave it out; max_bin says how many"),
    "interaction_constraints": ("not supported yet: LightGBM numbers features otherwise here",
                                "leave it out; features of one model each keep columns apart"),
    "feature_fraction_bynode": ("not supported: LightGBM would draw among columns that are not features",
                                "write feature_fraction, which draws for each tree"),
    "extra_trees": ("a threshold drawn at random cannot be foreseen, and would cost a sum of its own each",
                    "leave it out; feature_fraction and bagging_fraction bring chance in"),
    "is_unbalance": ("set scale_pos_weight instead: weights must not depend on opened counts of a class",
                     "write scale_pos_weight"),
    "zero_as_missing": ("missing is what the data contract says is missing",
                        "leave it out; make zeros missing when the dataset is added"),
    "cegb_penalty_feature_lazy": ("it needs to know which rows have met a feature", NOTHING),
    "quant_train_renew_leaf": ("leaves are never renewed from single rows", LEAVE),
    "device_type": ("LightGBM sees no rows here, so no device would help it", LEAVE),
    "metric": ("the loss of the objective is what is measured, by a secure sum",
               "leave it out; metrics.ranking measures more, over the released model"),
    "seed": ("seed is a parameter of the computation; those that choose rows stay private to a node",
             "write seed beside params"),
    "bagging_seed": ("the seed that chooses rows is private to a node", "leave it out; seed, beside params, enters it"),
}
"""LightGBM's parameters that are refused: why, and what to do instead."""
OBJECTIVES = {
    "mape": ("its leaves are medians weighted by each row's outcome, whose inverse has no public bound",
             "write regression_l1, on the outcome or on a column that holds its logarithm"),
    "huber": ("not supported: use regression_l1, or regression", "write regression_l1, or regression"),
    "fair": ("not supported: use regression_l1, or regression", "write regression_l1, or regression"),
    "gamma": ("not supported: use poisson, or regression on a logarithm",
              "write poisson, or regression on a column that holds the logarithm"),
    "tweedie": ("not supported: use poisson", "write poisson"),
    "multiclassova": ("not supported: use multiclass", "write multiclass"),
    "cross_entropy": ("not supported: use binary", "write binary"),
    "cross_entropy_lambda": ("not supported: use binary", "write binary"),
    "lambdarank": ("the gradient of a row has no public bound that does not depend on its query",
                   "there is no ranking: write binary, for whether a row is relevant, or regression"),
    "rank_xendcg": ("the gradient of a row has no public bound that does not depend on its query",
                    "there is no ranking: write binary, for whether a row is relevant, or regression"),
}
"""LightGBM's objectives that are refused: why, and what to do instead."""


def check_names(names: Iterable[str]) -> None:
    """Refuse parameters of LightGBM that have no place in ``params``, or another name there."""
    for name in names:
        known = ALIASES.get(name, name)
        if known in REASONS:
            reason, instead = REASONS[known]
            raise misfit(f"{name} is refused: {reason}", instead)
        if known in ELSEWHERE:
            raise misfit(f"{name} is refused: {ELSEWHERE[known]}", f"take {name} out of params: {ELSEWHERE[known]}")
        if known != name:
            raise misfit(f"{name} is refused: it is called {known} here", f"write {known}")


def check_objective(objective: object, known: Sequence[str]) -> None:
    """Refuse objectives that are not known here, those of LightGBM with the reason."""
    if not isinstance(objective, str) or objective in known:
        return
    meant = OTHER_OBJECTIVES.get(objective, objective)
    if meant in OBJECTIVES:
        reason, instead = OBJECTIVES[meant]
        raise misfit(f"objective {objective} is refused: {reason}", instead)
    if meant in known:
        raise misfit(f"objective {objective} is refused: it is called {meant} here", f"write {meant}")
    near = get_close_matches(objective, known, n=1)
    raise misfit(f"an objective among {', '.join(known)}",
                 f"did you mean {near[0]}?" if near else "docs/trees.md says which outcome each explains")
