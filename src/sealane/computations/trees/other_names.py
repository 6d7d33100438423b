"""What LightGBM's users also call its parameters, and where those are that are none of a tree here."""

from __future__ import annotations

OTHER_NAMES = {
    "num_leaves": "max_leaf num_leaf max_leaves max_leaf_nodes",
    "learning_rate": "eta shrinkage_rate",
    "min_data_in_leaf": "min_data min_samples_leaf min_child_samples min_data_per_leaf",
    "min_sum_hessian_in_leaf": "min_hessian min_sum_hessian min_child_weight min_sum_hessian_per_leaf",
    "lambda_l1": "reg_alpha l1_regularization",
    "lambda_l2": "lambda reg_lambda l2_regularization",
    "min_gain_to_split": "min_split_gain",
    "max_delta_step": "max_leaf_output max_tree_output",
    "max_bin": "max_bins",
    "feature_fraction": "sub_feature colsample_bytree",
    "bagging_fraction": "bagging sub_row subsample",
    "bagging_freq": "subsample_freq",
    "monotone_constraints": "mc monotonic_cst monotone_constraint",
    "monotone_penalty": "mc_penalty ms_penalty monotone_splits_penalty",
    "objective": "app loss application objective_type",
    # These are refused, by whatever name.
    "boosting": "boost boosting_type",
    "tree_learner": "tree tree_type tree_learner_type",
    "linear_tree": "linear_trees",
    "num_machines": "num_machine",
    "machines": "nodes workers",
    "device_type": "device",
    "metric": "metrics metric_types",
    "seed": "random_seed random_state",
    "bagging_seed": "bagging_fraction_seed",
    "is_unbalance": "unbalance unbalanced_sets",
    "forcedsplits_filename": "fs forced_splits forced_splits_file forced_splits_filename",
    "feature_fraction_bynode": "colsample_bynode sub_feature_bynode",
    "extra_trees": "extra_tree",
}
"""Aliases by name. Source: LightGBM 4, Parameters, the aliases of each."""
ELSEWHERE = {
    **dict.fromkeys(("num_iterations", "num_boost_round", "n_estimators", "nrounds", "num_round", "num_rounds",
                     "num_trees", "num_tree", "num_iteration", "n_iter", "max_iter"),
                    "rounds, beside params, says how many"),
    **dict.fromkeys(("early_stopping_round", "early_stopping_rounds", "early_stopping", "n_iter_no_change"),
                    "early_stopping_rounds stands beside params"),
    **dict.fromkeys(("categorical_feature", "cat_feature", "categorical_features", "cat_column", "categorical_column"),
                    "categorical, beside params, names them"),
    **dict.fromkeys(("weight_column", "weight"), "weight, beside params, names the column"),
    **dict.fromkeys(("num_class", "num_classes"), "classes are the levels of the outcome"),
    **dict.fromkeys(("num_threads", "num_thread", "nthread", "nthreads", "n_jobs"),
                    "LightGBM has one thread here, for it sees no rows"),
    **dict.fromkeys(("verbosity", "verbose"), "nothing is printed at a node"),
    **dict.fromkeys(("top_rate", "other_rate"), "goss chooses rows by gradients of all institutions"),
    **dict.fromkeys(("drop_rate", "max_drop", "skip_drop", "xgboost_dart_mode", "uniform_drop"),
                    "dart weighs trees anew"),
}
"""Parameters of LightGBM that ``params`` has no place for, and what to do instead."""
ALIASES = {alias: name for name, aliases in OTHER_NAMES.items() for alias in aliases.split()}
OTHER_OBJECTIVES = {alias: name for name, aliases in {
    "regression": "regression_l2 l2 mean_squared_error mse l2_root root_mean_squared_error rmse",
    "regression_l1": "l1 mean_absolute_error mae",
    "mape": "mean_absolute_percentage_error",
    "multiclass": "softmax",
    "multiclassova": "multiclass_ova ova ovr",
    "cross_entropy": "xentropy",
    "cross_entropy_lambda": "xentlambda",
    "rank_xendcg": "xendcg xe_ndcg xe_ndcg_mart xendcg_mart",
}.items() for alias in aliases.split()}
"""What an objective is also called. Source: LightGBM 4, Parameters, objective."""
