"""What curves over time refuse or hide, and by which rule."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from survival_tables import patients, spread

from sealane import simulate
from sealane.computations.registry import read_parameters
from sealane.computations.survival.kaplan_meier import KaplanMeier
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field, infer_contract

ASKED = {"duration": "days", "event": "dead", "resolution": 7.0}


@pytest.fixture
def table():
    return patients(400, 3)


@pytest.fixture
def refused(run_pooled):
    def attempt(frame, code, *, branch=RefusedError, contract=None, **params):
        with pytest.raises(branch) as caught:
            run_pooled(spread(frame), KaplanMeier(), {**ASKED, **params},
                       contract=contract or infer_contract({"all": frame}))
        assert caught.value.code == code
        return caught.value

    return attempt


def test_no_events(refused, table):
    contract = infer_contract({"all": table})
    table["dead"] = 0
    refused(table, "survival.no-events", contract=contract)


def test_few_events(refused, table):
    table["dead"] = (np.arange(400) < 9).astype(int)
    refused(table, "survival.too-few-events")


def test_few_leavings_leave_no_grid(refused, table):
    table["dead"] = (np.arange(400) >= 9).astype(int)
    refused(table, "survival.all-hidden")


def test_a_horizon_lets_few_leavings_be_told(run_pooled, table):
    table["dead"] = (np.arange(400) >= 9).astype(int)
    result = run_pooled(spread(table), KaplanMeier(), {**ASKED, "horizon": 140.0})
    assert sum(result.to_dict()["groups"]["all"]["leavings"]["numbers"]) > 50


def test_few_rows(refused, table):
    refused(table.head(9), "model.too-few-rows")


def test_an_institution_all_of_whose_rows_miss_a_column(table):
    table.loc[table.index[1::3], "days"] = np.nan
    with pytest.raises(RefusedError) as caught:
        simulate(spread(table)).run("survival.kaplan_meier", **ASKED)
    assert caught.value.code == "model.institutions-without-rows"
    assert "days" in caught.value.hint


def test_an_institution_without_events_takes_part(run_pooled, table):
    table.loc[table.index[1::3], "dead"] = 0
    result = run_pooled(spread(table), KaplanMeier(), ASKED).to_dict()
    assert result["groups"]["all"]["rows"] == 400
    assert result["basis"]["without_events"] == 1


def test_single_institutions(refused, table):
    assert "waive" in refused(table, "survival.institutions-not-waived", by="institution").hint


def test_small_groups_are_hidden_with_a_cover(run_pooled, table):
    table["ward"] = np.where(np.arange(400) < 8, "tiny", np.where(np.arange(400) % 3 == 0, "a",
                                                                np.where(np.arange(400) % 3 == 1, "b", "c")))
    result = run_pooled(spread(table), KaplanMeier(), {**ASKED, "by": "ward"})
    assert result.hidden == {"a": "complementary", "tiny": "minimum-count"}
    assert sorted(result.to_dict()["groups"]) == ["b", "c"]
    assert result.to_dict()["dropped"] is None
    assert "hidden: tiny (minimum-count)" in result.summary()


def test_a_group_with_few_events_is_hidden(run_pooled, table):
    places = np.arange(400)
    table["ward"] = np.array(["a", "b", "c"])[places % 3]
    table.loc[(table.ward == "c") & (places > 20), "dead"] = 0
    result = run_pooled(spread(table), KaplanMeier(), {**ASKED, "by": "ward"})
    assert result.hidden == {"a": "complementary", "c": "minimum-count"}


def test_a_group_without_events_is_flat(run_pooled, table):
    table["ward"] = np.array(["a", "b", "c"])[np.arange(400) % 3]
    table.loc[table.ward == "c", "dead"] = 0
    result = run_pooled(spread(table), KaplanMeier(), {**ASKED, "by": "ward"})
    assert (result.survival_function_["c"] == 1.0).all()
    assert (result.confidence_interval_[["c_lower_0.95", "c_upper_0.95"]] == 1.0).all(axis=None)
    assert np.isinf(result.median_survival_time_["c"])


def test_rows_with_missing_times_are_dropped_and_told_from_the_minimum_on(run_pooled, table):
    for number, told in ((5, None), (30, 30), (0, 0)):
        frame = table.copy()
        frame.loc[frame.index[:number], "days"] = np.nan
        result = run_pooled(spread(frame), KaplanMeier(), ASKED, contract=infer_contract({"all": table}))
        assert result.to_dict()["dropped"] == told


@pytest.mark.parametrize(("column", "value", "code"), [
    ("days", -1.0, "survival.negative-time"), ("dead", 0.5, "survival.event-values"),
    ("days", 1e6, "columns.outside-contract")])
def test_rows_that_cannot_be(refused, table, column, value, code):
    contract = Contract(id="a.b/v1", fields=(Field(name="days", type="number", minimum=-5.0, maximum=800.0),
                                             Field(name="dead", type="number", minimum=0.0, maximum=1.0)))
    table = table.astype({"dead": float})
    table.loc[table.index[4], column] = value
    refused(table[["days", "dead"]], code, branch=InputError, contract=contract)


def test_a_row_that_ends_before_it_begins(refused, table):
    table.loc[3, "entered"] = table.days[3]
    refused(table, "survival.empty-interval", branch=InputError, entry="entered")


@pytest.mark.parametrize(("params", "code"), [
    ({"duration": "arm"}, "survival.time-type"), ({"event": "age"}, "survival.event-type"),
    ({"event": "arm"}, "survival.event-type"), ({"by": "age"}, "survival.group-type"),
    ({"by": "arm", "bins": [1.0]}, "survival.group-type"), ({"resolution": 1e-3}, "survival.grid-too-fine"),
    ({"resolution": 0.045, "by": "note"}, "survival.too-many-counts")])
def test_columns_that_cannot_play_their_part(refused, table, params, code):
    table["note"] = [f"level {i % 5}" for i in range(400)]
    refused(table, code, branch=InputError, **params)


def test_too_many_groups(refused, table):
    table["note"] = [f"level {i % 80:02}" for i in range(400)]
    refused(table, "survival.too-many-groups", branch=InputError, by="note")


@pytest.mark.parametrize("params", [
    {}, {"duration": "days", "stop": "days", "start": "a"}, {"stop": "days"}, {"start": "a", "stop": "b", "entry": "c"},
    {"duration": "days", "entry": "days"}, {"duration": "days", "bins": [1.0]}, {"duration": "days", "by": "days"},
    {"duration": "days", "by": "a", "bins": [2.0, 1.0]}, {"duration": "days", "resolution": 0.0},
    {"duration": "days", "confidence": 1.0}, {"duration": "days", "by": "institution", "bins": [1.0]}])
def test_parameters_that_contradict_each_other(params):
    with pytest.raises(InputError) as caught:
        read_parameters("survival.kaplan_meier", {"event": "dead", **params})
    assert caught.value.code == "computation.bad-parameters"


@pytest.mark.parametrize("censored", ["alive", "with disease"])  # the first and the second level
def test_an_event_may_be_either_of_two_levels(run_pooled, table, censored):
    plain = run_pooled(spread(table), KaplanMeier(), ASKED)
    named = table.assign(dead=pd.Categorical(np.where(table.dead == 1, "dead", censored)))
    contract = infer_contract({"all": named})
    assert contract.field("dead").allowed == tuple(sorted(["dead", censored]))
    found = run_pooled(spread(named), KaplanMeier(), {**ASKED, "censored": censored}, contract=contract)
    assert found.to_dict() == plain.to_dict() | {"event_level": "dead"}
    assert "event dead = dead;" in found.summary()
    assert "event dead;" in plain.summary()


def test_the_level_that_is_no_event_is_named(refused, table):
    named = table.assign(dead=np.where(table.dead == 1, "dead", "alive"))
    assert "censored" in refused(named, "survival.censored-not-named", branch=InputError).hint
    refused(named, "survival.unknown-level", branch=InputError, censored="gone")
    refused(table, "survival.censored-named", branch=InputError, censored="0")
