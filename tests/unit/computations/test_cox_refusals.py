"""Cox models that have no answer, or may not give one: each a typed error that names what is wrong."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from survival_tables import patients, spread

from sealane import simulate
from sealane.computations.design.layout import Column, Design, Placement
from sealane.computations.registry import read_parameters
from sealane.computations.survival.bounds import reach_of
from sealane.computations.survival.cox import Cox
from sealane.computations.survival.likelihood import PartialLikelihood
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract

ASKED = {"duration": "days", "event": "dead", "features": ["age", "dose"], "resolution": 7.0}


@pytest.fixture
def table():
    return patients(400, 3)


@pytest.fixture
def refused(run_pooled):
    def attempt(frame, code, *, branch=RefusedError, contract=None, minimum_count=10, **params):
        with pytest.raises(branch) as caught:
            run_pooled(spread(frame), Cox(), {**ASKED, **params}, minimum_count=minimum_count,
                       contract=contract or infer_contract({"all": frame}))
        assert caught.value.code == code
        return caught.value

    return attempt


@pytest.fixture
def fit(run_pooled, table):
    return lambda frame=None, **params: run_pooled(spread(table if frame is None else frame), Cox(),
                                                   {**ASKED, **params}, contract=infer_contract({"all": table}))


def test_no_events(refused, table):
    contract = infer_contract({"all": table})
    table["dead"] = 0
    refused(table, "survival.no-events", contract=contract)


def test_few_events(refused, table):
    table["dead"] = (np.arange(400) < 9).astype(int)
    refused(table, "survival.too-few-events")


def test_few_events_for_many_parameters(refused, table):
    table["dead"] = (np.arange(400) < 11).astype(int)
    table["x"], table["w"] = np.random.default_rng(1).normal(size=(2, 400))
    refused(table, "model.events-per-parameter", features=["age", "dose", "x", "w"])


def test_events_per_parameter_are_told(fit, table):
    assert fit().to_dict()["events_per_parameter"] == table.dead.sum() / 2


def test_an_institution_without_events_takes_part_and_is_counted(fit, table):
    table.loc[table.index[1::3], "dead"] = 0
    for own in (False, True):
        result = fit(table, stratify_by_institution=own).to_dict()
        assert result["rows"] == 400
        assert result["basis"]["without_events"] == 1


def test_an_institution_all_of_whose_rows_miss_a_column(table):
    table.loc[table.index[1::3], "dose"] = np.nan
    with pytest.raises(RefusedError) as caught:
        simulate(spread(table)).run("survival.cox", **ASKED)
    assert caught.value.code == "model.institutions-without-rows"
    assert "dose" in caught.value.hint


def test_an_institution_all_of_whose_rows_miss_the_time(table):
    table.loc[table.index[1::3], "days"] = np.nan
    with pytest.raises(RefusedError) as caught:
        simulate(spread(table)).run("survival.cox", **ASKED)
    assert caught.value.code == "model.institutions-without-rows"
    assert "days" in caught.value.hint


@pytest.mark.parametrize("own", [False, True])
def test_a_level_without_events_has_no_finite_ratio(refused, table, own):
    table.loc[table.arm == "old", "dead"] = 0
    assert refused(table, "model.separation", features=["age", "arm"], stratify_by_institution=own).got == "arm[T.old]"


def test_a_covariate_that_orders_all_events(refused, table):
    table["x"] = table.days.rank()
    assert refused(table, "survival.monotone", features=["x", "age"]).got == "x"


def test_ridge_gives_a_level_without_events_a_ratio(fit, table):
    table.loc[table.arm == "old", "dead"] = 0
    result = fit(table, features=["age", "arm"], penalizer=0.01)
    assert result.params_["arm[T.old]"] < -1.0
    assert "ridge 0.01" in result.text()


@pytest.mark.parametrize("own", [False, True])
def test_collinear_covariates(refused, table, own):
    table["v"] = 2 * table.age - 10 * table.dose
    error = refused(table, "model.collinear", features=["age", "dose", "v"], stratify_by_institution=own)
    assert error.got == "age, dose, v"


def test_a_rare_level(refused, table):
    table["arm"] = np.where(np.arange(400) < 5, "rare", table.arm)
    assert refused(table, "model.rare-level", features=["age", "arm"]).got == "rare"


def test_a_stratum_with_few_events(refused, table):
    table.loc[(table.arm == "old") & (np.arange(400) > 60), "dead"] = 0
    assert refused(table, "survival.rare-stratum", strata=["arm"]).got == "old"


def test_a_stratum_without_events_adds_nothing(fit, table):
    table.loc[table.arm == "old", "dead"] = 0
    result = fit(table, strata=["arm"])
    assert list(result.baseline_hazard_) == ["control", "new"]
    with pytest.raises(InputError) as caught:
        result.predict_survival_function(table[table.arm == "old"])
    assert caught.value.code == "survival.unknown-stratum"


def test_too_few_steps(refused, table):
    refused(table, "model.not-converged", maximum_iterations=1)


def test_a_range_too_wide():
    column = Column("x", (), Placement(0.0, 0.0, 1.0), -1e9, 1e9)
    cohort = SimpleNamespace(size=5)
    assert reach_of(cohort, Design((column,), {}, {}, False, (), {}), 1000, 10).moment == 2.0**65
    with pytest.raises(RefusedError) as caught:
        reach_of(cohort, Design((column,), {}, {}, False, (), {}), 1000, 1000)
    assert caught.value.code == "survival.range-too-wide"
    assert "'x'" in caught.value.got


def test_a_step_too_far_shows_nobody_s_sums(run_pooled, table, monkeypatch):
    """Where e^η exceeds its public total every node learns that, and zeros."""
    opened = []
    total = PartialLikelihood._open_sums

    async def watched(self, weight, *, fits):
        sums, runaway = await total(self, weight, fits=fits)
        opened.append((fits, runaway, float(weight.max())))
        return sums, runaway

    monkeypatch.setattr(PartialLikelihood, "_open_sums", watched)
    table["x"] = table.days.rank()
    with pytest.raises(RefusedError):
        run_pooled(spread(table), Cox(), {**ASKED, "features": ["x"]})
    assert {(fits, runaway) for fits, runaway, _ in opened} >= {(True, False), (False, True)}
    assert all(weight == 0.0 for fits, _, weight in opened if not fits)


@pytest.mark.parametrize(("params", "code"), [
    ({"strata": ["age"], "features": ["dose"]}, "survival.stratum-type"),
    ({"strata": ["note"]}, "survival.too-many-strata"), ({"features": ["nothing"]}, "contract.unknown-field")])
def test_columns_that_cannot_play_their_part(refused, table, params, code):
    table["note"] = [f"level {i:03}" for i in np.arange(400) % 201]
    refused(table, code, branch=InputError, **params)


@pytest.mark.parametrize("params", [
    {"features": ["age", "days"]}, {"features": ["age"], "strata": ["age"]}, {"features": ["age"], "formula": "age"},
    {"formula": "days ~ age"}, {"features": ["age"], "ties": "exact"}, {"features": ["age"], "penalizer": -1.0},
    {"features": ["age"], "strata": ["dead"]}, {"features": ["age"], "tolerance": 0.1}, {}])
def test_parameters_that_contradict_each_other(params):
    with pytest.raises(InputError) as caught:
        read_parameters("survival.cox", {"duration": "days", "event": "dead", **params})
    assert caught.value.code == "computation.bad-parameters"


def test_new_rows(fit, table):
    result = fit(features=["age", "arm"])
    with pytest.raises(InputError) as caught:
        result.predict_partial_hazard(table[["age"]])
    assert caught.value.code == "model.missing-column"
    with pytest.raises(InputError) as caught:
        result.predict_percentile(table, 1.0)
    assert caught.value.code == "survival.percentile"
    with pytest.raises(InputError) as caught:
        result.proportional_hazard_test("square")
    assert caught.value.code == "survival.time-transform"
    stratified = fit(strata=["arm"])
    with pytest.raises(InputError) as caught:
        stratified.predict_median(table[["age", "dose"]])
    assert caught.value.code == "model.missing-column"
    table.loc[0, "age"] = np.nan
    assert np.isnan(result.predict_median(table.head(2))[0])
    assert np.isfinite(result.predict_partial_hazard(table.head(2))[1])


def test_few_rows_have_no_concordance(fit, table):
    result = fit(table.head(39), features=["age"])
    assert result.concordance_index_ is None
    assert "concordance" not in result.text()
