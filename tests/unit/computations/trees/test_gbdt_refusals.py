"""What is refused, with its code, and what bad input does."""

from __future__ import annotations

import sys
from typing import get_args

import lightgbm
import numpy as np
import pandas as pd
import pytest
from expected_error import raises

import sealane
from sealane.computations.registry import read_parameters
from sealane.computations.trees import boosting
from sealane.computations.trees.fit import Gbdt
from sealane.computations.trees.other_names import OTHER_NAMES, OTHER_OBJECTIVES
from sealane.computations.trees.parameters import Objective, TreeParameters
from sealane.computations.trees.refused import OBJECTIVES, REASONS
from sealane.errors import InputError, SealaneError
from sealane.governance.contract import Contract, Field

ASKED = {"outcome": "event", "features": ["a", "b"], "rounds": 2, "params": {"num_leaves": 4}}


def refused(run_pooled, frames, *, minimum_count=5, contract=None, **changes):
    with pytest.raises(SealaneError) as caught:
        run_pooled(frames, Gbdt(), ASKED | changes, minimum_count=minimum_count, contract=contract)
    return caught.value


@pytest.mark.parametrize(("name", "value"), [
    ("boost_from_average", False), ("tree_learner", "data"), ("linear_tree", True), ("boosting", "dart"),
    ("machines", "10.0.0.1:1"), ("use_quantized_grad", True), ("forcedsplits_filename", "x"), ("extra_trees", True),
    ("data_sample_strategy", "goss"), ("interaction_constraints", [[0]]), ("is_unbalance", True),
])
def test_parameters_that_would_leak_or_mean_nothing_are_refused_with_the_reason(name, value):
    with pytest.raises(InputError) as caught:
        read_parameters("trees.gbdt", ASKED | {"params": {name: value}})
    assert caught.value.code == "computation.bad-parameters"
    reason, instead = REASONS[name]
    assert reason in caught.value.expected
    assert caught.value.hint == instead


@pytest.mark.parametrize(("name", "reason"), [
    ("boosting_type", "only gbdt"), ("tree", "histograms are summed"), ("linear_trees", "a linear leaf"),
    ("subsample", "called bagging_fraction"), ("reg_lambda", "called lambda_l2"), ("n_estimators", "rounds"),
    ("num_threads", "one thread"), ("top_rate", "goss"),
])
def test_other_names_of_lightgbm_s_are_refused_with_the_one_that_is_meant(name, reason):
    with pytest.raises(InputError) as caught:
        read_parameters("trees.gbdt", ASKED | {"params": {name: 1}})
    assert reason in caught.value.expected
    assert caught.value.hint


@pytest.mark.parametrize(("alias", "name"), [("num_leaf", "num_leaves"), ("eta", "learning_rate"),
                                             ("colsample_bytree", "feature_fraction"), ("reg_alpha", "lambda_l1")])
def test_an_alias_is_told_how_it_is_written_here(alias, name):
    with raises("computation.bad-parameters", InputError) as caught:
        read_parameters("trees.gbdt", ASKED | {"params": {alias: 1}})
    assert caught.value.hint == f"write {name}"


@pytest.mark.parametrize(("alias", "hint"), [
    ("mse", "write regression"), ("l2", "write regression"), ("rmse", "write regression"),
    ("mae", "write regression_l1"), ("l1", "write regression_l1"), ("softmax", "write multiclass"),
    ("xentropy", "write binary"), ("ova", "write multiclass"), ("binry", "did you mean binary?"),
    ("mean_absolute_percentage_error", OBJECTIVES["mape"][1]), ("xendcg", OBJECTIVES["rank_xendcg"][1]),
    ("?", "docs/trees.md says which outcome each explains"),
])
def test_an_objective_by_another_name_is_told_how_it_is_written_here(alias, hint):
    with raises("computation.bad-parameters", InputError) as caught:
        read_parameters("trees.gbdt", ASKED | {"params": {"objective": alias}})
    assert caught.value.hint == hint


def test_other_names_of_objectives_are_lightgbm_s():
    data = lightgbm.Dataset(np.arange(40.0)[:, None], label=np.tile([0, 1], 20), group=[20, 20])
    for alias, name in OTHER_OBJECTIVES.items():
        params = {"verbosity": -1, "num_class": 2 if "class" in name else 1, "objective": alias}
        booster = lightgbm.Booster(params, data)
        line = booster.model_to_string().partition("objective=")[2].split()[0]
        assert line == name, alias
    assert set(OTHER_OBJECTIVES.values()) <= set(OBJECTIVES) | set(get_args(Objective))


def test_aliases_are_lightgbm_s():
    from lightgbm.basic import _ConfigAliases

    for name, aliases in OTHER_NAMES.items():
        assert set(aliases.split()) <= set(_ConfigAliases.get(name)), name
    assert set(OTHER_NAMES) <= set(TreeParameters.model_fields) | set(REASONS)


def test_an_unknown_parameter_of_trees_is_told_those_that_there_are():
    with pytest.raises(InputError) as caught:
        read_parameters("trees.gbdt", ASKED | {"params": {"num_leavs": 1}})
    assert "num_leaves" in caught.value.expected
    assert "validation_fraction" not in caught.value.expected
    assert caught.value.hint == "did you mean num_leaves?"


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_objectives_that_cannot_be_secured_are_refused_with_the_reason(objective):
    with pytest.raises(InputError) as caught:
        read_parameters("trees.gbdt", ASKED | {"params": {"objective": objective}})
    reason, instead = OBJECTIVES[objective]
    assert reason in caught.value.expected
    assert caught.value.hint == instead


@pytest.mark.parametrize(("changes", "message"), [
    ({"params": {"num_leves": 3}}, "parameters among"), ({"features": ["a", "a"]}, "distinct"),
    ({"features": ["event"]}, "different columns"), ({"weight": "a"}, "different columns"),
    ({"categorical": ["c"]}, "features only"), ({"params": {"monotone_constraints": {"c": 1}}}, "features only"),
    ({"params": {"objective": "quantile", "monotone_constraints": {"a": 1}}}, "quantiles"),
    ({"early_stopping_rounds": 3}, "validation_fraction"), ({"params": {"max_bin": 256}}, "255"),
])
def test_parameters_that_do_not_fit_together(changes, message):
    with pytest.raises(InputError) as caught:
        read_parameters("trees.gbdt", ASKED | changes)
    assert caught.value.code == "computation.bad-parameters"
    assert message in caught.value.expected
    assert caught.value.hint or "255" in message


@pytest.mark.parametrize(("changes", "code"), [
    ({"outcome": "amount", "params": {"objective": "binary"}}, "trees.outcome-type"),
    ({"outcome": "amount", "params": {"objective": "poisson"}}, "trees.outcome-type"),
    ({"outcome": "amount", "params": {"objective": "multiclass"}}, "trees.outcome-type"),
    ({"outcome": "kind", "params": {"objective": "binary"}}, "trees.outcome-type"),
    ({"outcome": "kind", "params": {"objective": "regression"}}, "trees.outcome-type"),
    ({"features": ["day"]}, "trees.feature-type"), ({"weight": "grade"}, "trees.weight-type"),
    ({"weight": "m"}, "trees.weight-type"),
    ({"features": ["grade"], "params": {"monotone_constraints": {"grade": 1}}}, "trees.monotone-category"),
    ({"features": ["below"], "categorical": ["below"]}, "trees.negative-category"),
    ({"features": ["still"]}, "trees.constant-features"),
    ({"rounds": 2000, "params": {"num_leaves": 51}}, "trees.too-large"),
    ({"outcome": "kind", "rounds": 2000, "params": {"num_leaves": 17}}, "trees.too-large"),
])
def test_columns_that_cannot_play_their_part(changes, code, run_pooled, parts):
    frames = {name: part.assign(day=pd.Timestamp("2024-01-01"), still=1.5, below=part["whole"] - 3)
              for name, part in parts.items()}
    assert refused(run_pooled, frames, **changes).code == code


def test_values_that_are_no_events(run_pooled, parts):
    frames = {name: part.assign(event=part["event"].astype(float).mask(part.index == 3, 0.5))
              for name, part in parts.items()}
    assert refused(run_pooled, frames, params={"objective": "binary"}).code == "trees.outcome-values"


def test_too_few_rows(run_pooled, parts):
    few = {name: part.iloc[:60] for name, part in parts.items()}
    assert refused(run_pooled, few).code == "trees.too-few-rows"
    assert refused(run_pooled, {name: part.iloc[:1] for name, part in parts.items()}).code == "model.too-few-rows"


def test_too_few_events_in_the_cohort_but_a_bank_without_any_is_welcome(run_pooled, parts):
    rare = {name: part.assign(event=(part.index < 1).astype(int)) for name, part in parts.items()}
    assert refused(run_pooled, rare).code == "trees.too-few-events"
    none = parts | {"west": parts["west"].assign(event=0)}
    assert run_pooled(none, Gbdt(), ASKED, minimum_count=5).rounds == 2
    counts = {name: part.assign(number=(part.index < 1).astype(float) * 3) for name, part in parts.items()}
    assert refused(run_pooled, counts, outcome="number", params={"objective": "poisson"}).code == "trees.too-few-events"


def test_a_feature_that_is_missing_at_one_institution_is_used_and_told(run_pooled, parts):
    frames = parts | {"west": parts["west"].assign(b=np.nan)}
    result = run_pooled(frames, Gbdt(), ASKED, minimum_count=5)
    assert result.to_dict()["basis"]["missing_everywhere"] == ["b"]
    assert result.predict(frames["west"]).notna().all()


def test_a_feature_that_hardly_anybody_knows(run_pooled, parts):
    frames = {name: part.assign(b=part["b"].where(part.index < 1)) for name, part in parts.items()}
    assert refused(run_pooled, frames).code == "trees.mostly-missing"


def test_rows_that_miss_what_is_rarely_missing_are_left_out(run_pooled, parts):
    frames = parts | {"west": parts["west"].assign(b=parts["west"]["b"].mask(parts["west"].index < 3))}
    result = run_pooled(frames, Gbdt(), ASKED, minimum_count=5)
    assert result.nobs == 4000 - 3
    assert result.to_dict()["dropped"] is None  # three are fewer than may be told
    without = run_pooled(parts | {"west": parts["west"].iloc[3:]}, Gbdt(), ASKED, minimum_count=5)
    rows = parts["north"]
    assert result.predict(rows).to_numpy() == pytest.approx(without.predict(rows).to_numpy(), abs=1e-9)


def test_missing_that_is_scattered_without_end_is_refused(run_pooled):
    rng = np.random.default_rng(4)
    names = [f"x{k}" for k in range(12)]
    frame = pd.DataFrame(rng.normal(size=(900, 12)), columns=names)
    frame["event"] = (rng.random(900) < 0.5).astype(int)
    for k, name in enumerate(names):  # leaving out the four rows that miss one feature leaves four that miss the next
        frame.loc[max(4 * k - 1, 0) : 4 * k + 3, name] = np.nan
    frames = {name: frame.iloc[k::3].reset_index(drop=True) for k, name in enumerate(("u", "v", "w"))}
    error = refused(run_pooled, frames, features=names)
    assert error.code == "trees.missing-scattered"


def test_nothing_that_may_be_split(parts):
    frames = {}
    for place, (name, part) in enumerate(parts.items()):
        rows = len(part)
        frames[name] = pd.DataFrame({"where": place + np.linspace(0, 0.5, rows), "amount": 5.0 * place})
    with pytest.raises(SealaneError) as caught:
        sealane.simulate(frames).run("trees.gbdt", outcome="amount", features=["where"], rounds=2, minimum_count=5,
                                     params={"num_leaves": 3})
    assert caught.value.code == "trees.no-split"


def test_no_row_to_learn_from(run_pooled, parts, monkeypatch):
    monkeypatch.setattr(boosting, "drawn", lambda seed, label, rows, fraction: np.ones(rows, np.bool_))
    assert refused(run_pooled, parts, validation_fraction=0.5).code == "trees.sample-too-small"


def test_no_event_to_learn_from(run_pooled, parts, monkeypatch):
    init = boosting.Boosting.__init__

    def hold_events_back(self, *args):
        init(self, *args)
        self._held = self._outcome > 0

    monkeypatch.setattr(boosting.Boosting, "__init__", hold_events_back)
    assert refused(run_pooled, parts, validation_fraction=0.5).code == "trees.constant-outcome"


def test_a_bag_with_too_few_rows_is_not_summed(run_pooled, parts):
    error = refused(run_pooled, parts, params={"num_leaves": 4, "bagging_fraction": 0.04, "bagging_freq": 2})
    assert (error.code, error.got) == ("trees.sample-too-small", "rows of bag 0")


def test_an_outcome_that_is_explained_by_nothing(run_pooled, parts):
    frames = {name: part.assign(event=1.0, weight=1.0) for name, part in parts.items()}
    contract = Contract(id="test.rows/v1", fields=(
        Field(name="a", type="number", minimum=-9.0, maximum=9.0),
        Field(name="b", type="number", minimum=-9.0, maximum=9.0),
        Field(name="event", type="number", minimum=0.0, maximum=1.0)))
    assert refused(run_pooled, frames, contract=contract, params={"objective": "poisson"}).code == "trees.no-split"


def test_institutions_without_rows(parts):
    frames = parts | {"west": parts["west"].assign(event=np.nan)}
    with pytest.raises(SealaneError) as caught:
        sealane.simulate(frames).run("trees.gbdt", **ASKED)
    assert caught.value.code == "model.institutions-without-rows"


def test_a_library_that_fails(run_pooled, parts, monkeypatch):
    monkeypatch.setattr("lightgbm.Booster.update", lambda *args, **named: 1 / 0)
    error = refused(run_pooled, parts)
    assert error.code == "trees.library-failed"
    assert error.got == "ZeroDivisionError"


def test_without_lightgbm_the_extra_is_named(run_pooled, parts, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    error = refused(run_pooled, parts)
    assert error.code == "trees.no-lightgbm"
    assert "sealane[trees]" in error.hint
