"""Models that have no answer, and data that may not give one: each a typed error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import sealane
from sealane.computations.glm.fit import GlmFit
from sealane.computations.registry import read_parameters
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field, infer_contract

N = 240


@pytest.fixture
def table():
    random = np.random.default_rng(11)
    return pd.DataFrame({
        "x": random.normal(size=N), "w": random.normal(size=N), "y": (random.random(N) < 0.4).astype(int),
        "k": random.poisson(2.0, N), "g": np.array(["a", "b", "c"])[np.arange(N) % 3],
    })


@pytest.fixture
def refused(run_pooled):
    def attempt(frame, code, *, branch=RefusedError, contract=None, minimum_count=10, **params):
        frames = {f"n{i}": frame.iloc[i::3] for i in range(3)}
        asked = {"outcome": "y", "features": ["x"], "family": "binomial", **params}
        contract = contract or infer_contract({"all": frame})
        with pytest.raises(branch) as caught:
            run_pooled(frames, GlmFit(), asked, contract=contract, minimum_count=minimum_count)
        assert caught.value.code == code
        return caught.value

    return attempt


def test_complete_separation(refused, table):
    table["y"] = (table.x > 0.1).astype(int)
    assert "x" in refused(table, "model.separation").got


def test_quasi_separation_by_a_level_without_events(refused, table):
    table.loc[table.g == "b", "y"] = 0
    error = refused(table, "model.separation", features=["x", "w", "g"])
    assert error.got == "g[T.b]"


def test_poisson_level_without_counts(refused, table):
    table.loc[table.g == "c", "k"] = 0
    assert refused(table, "model.separation", outcome="k", family="poisson", features=["x", "g"]).got == "g[T.c]"


@pytest.mark.parametrize(("family", "features"), [("binomial", ["g"]), ("poisson", ["g", "x"])])
def test_few_events_at_a_level_would_follow_from_the_covariance(refused, table, family, features):
    smf, sm = pytest.importorskip("statsmodels.formula.api"), pytest.importorskip("statsmodels.api")
    table.loc[table.g == "b", "y"] = 0
    table.loc[table.index[table.g == "b"][:3], "y"] = 1
    known = {"binomial": sm.families.Binomial(), "poisson": sm.families.Poisson()}[family]
    fit = smf.glm(f"y ~ {' + '.join(features)}", table, family=known).fit(tol=1e-12)
    weight = np.linalg.inv(fit.cov_params().loc[list(fit.params.index), list(fit.params.index)])[1, 1]
    share = 1 / (1 + np.exp(-fit.params["Intercept"] - fit.params["g[T.b]"])) if family == "binomial" else 0.0
    assert weight / (1 - share) == pytest.approx(3.0, rel=1e-6)  # what a reader could work out
    assert "g" in refused(table, "model.rare-outcome", family=family, features=features).got


def test_few_rows_of_a_level_without_the_event(refused, table):
    table.loc[table.g == "b", "y"] = 1
    table.loc[table.index[table.g == "b"][:9], "y"] = 0
    assert refused(table, "model.rare-outcome", features=["x", "g"]).expected == "none or at least 10"


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_collinear_columns_are_named(refused, table, family):
    table["v"] = 2 * table.x - table.w + 1
    outcome = {"gaussian": "x2", "binomial": "y", "poisson": "k"}[family]
    table["x2"] = np.random.default_rng(1).normal(size=N)
    error = refused(table, "model.collinear", outcome=outcome, family=family, features=["x", "w", "v"])
    assert {"x", "w", "v"} == set(error.got.split(", "))


def test_a_feature_that_is_called_like_the_intercept(refused, table):
    table["Intercept"] = table.w
    assert "Intercept" in refused(table, "model.column-twice", branch=InputError, features=["x", "Intercept"]).got


def test_too_few_steps(refused, table):
    assert "1 iterations" in refused(table, "model.not-converged", maximum_iterations=1, features=["x", "g"]).got


def test_outcome_that_is_a_sum_of_features(refused, table):
    table["s"] = 3 * table.x - table.w
    refused(table, "glm.perfect-fit", outcome="s", family="gaussian", features=["x", "w"])


def test_rare_level_is_refused_and_an_empty_one_dropped(refused, run_pooled, table):
    table.loc[:3, "g"] = "rare"
    error = refused(table, "model.rare-level", features=["x", "g"])
    assert error.got == "rare"
    assert "merge" in error.hint

    table.loc[:3, "g"] = "a"
    fields = [field.model_copy(update={"allowed": (*field.allowed, "never")}) if field.name == "g" else field
              for field in infer_contract({"all": table}).fields]
    contract = Contract(id="test.glm/v1", fields=tuple(fields))
    fit = run_pooled({"a": table.iloc[::2], "b": table.iloc[1::2]}, GlmFit(),
                     {"outcome": "y", "features": ["g"], "family": "binomial"}, contract=contract)
    assert list(fit.params.index) == ["Intercept", "g[T.b]", "g[T.c]"]


def test_rare_value_of_a_boolean(refused, table):
    table["flag"] = (np.arange(N) < 4).astype(int)
    refused(table, "model.rare-level", features=["x", "flag"])


def test_counts_are_the_only_sum_before_a_refusal(new_meeting, run_pooled, table):
    frames = {"a": table.iloc[:4], "b": table.iloc[4:8]}
    meeting = new_meeting(list(frames))
    with pytest.raises(RefusedError) as caught:
        run_pooled(frames, GlmFit(), {"outcome": "k", "features": ["x"], "family": "gaussian"}, meeting=meeting)
    assert caught.value.code == "model.too-few-rows"
    assert meeting.sums == 1


def test_too_few_complete_rows_names_the_emptiest_column(refused, table):
    table.loc[5:, "w"] = np.nan
    assert "'w'" in refused(table, "model.too-few-rows", features=["x", "w"]).hint
    refused(table, "model.mostly-missing", features=["x", "w"], missing="mean")


def test_events(refused, table):
    assert refused(table.assign(y=(np.arange(N) < 4).astype(int)), "outcome.too-few-events")
    contract = infer_contract({"all": table})
    refused(table.assign(y=0), "outcome.constant", contract=contract)
    refused(table.assign(y=1), "outcome.constant", contract=contract)
    refused(table.assign(k=0), "outcome.constant", contract=contract, outcome="k", family="poisson")


@pytest.mark.parametrize(("family", "outcome"), [("binomial", "y"), ("poisson", "k")])
def test_few_events_for_many_coefficients(refused, run_pooled, table, family, outcome):
    """Three rows with the rarer outcome for each coefficient, as everywhere in models."""
    extra = [f"x{i}" for i in range(5)]
    table[extra] = np.random.default_rng(3).normal(size=(N, 5))
    rare = (np.arange(N) % 14 == 0).astype(int)  # 18 events, 6 coefficients
    fewer = np.where(np.arange(N) < 14, 0, rare)  # 17
    contract = infer_contract({"all": table})
    refused(table.assign(**{outcome: fewer}), "model.events-per-parameter", features=extra, family=family,
            outcome=outcome, contract=contract)
    if family == "binomial":
        refused(table.assign(y=1 - fewer), "model.events-per-parameter", features=extra, contract=contract)
    enough = table.assign(**{outcome: rare})
    run_pooled({f"n{i}": enough.iloc[i::3] for i in range(3)}, GlmFit(),
               {"outcome": outcome, "features": extra, "family": family})


def test_institutions_intercepts_count_as_coefficients(refused, run_pooled, table):
    fifteen = table.assign(y=(np.arange(N) % 16 == 0).astype(int))  # enough for 2 coefficients and 3 intercepts
    params = {"outcome": "y", "features": ["x", "w"], "family": "binomial", "institution_effects": "fixed"}
    run_pooled({f"n{i}": fifteen.iloc[i::3] for i in range(3)}, GlmFit(), params)
    fourteen = fifteen.assign(y=np.where(np.arange(N) == 0, 0, fifteen.y))
    refused(fourteen, "model.events-per-parameter", features=["x", "w"], institution_effects="fixed")
    run_pooled({f"n{i}": fourteen.iloc[i::3] for i in range(3)}, GlmFit(), {**params, "institution_effects": "none"})


def test_products_of_categories_with_too_many_cells(refused, table):
    for name in ("a", "b", "c"):
        table[name] = np.random.default_rng(len(name)).integers(0, 3, N)
    wide = [Field(name=name, type="integer", minimum=0, maximum=24) for name in ("a", "b", "c")]
    kept = [field for field in infer_contract({"all": table}).fields if field.name not in ("a", "b", "c")]
    refused(table, "model.too-many-cells", branch=InputError, outcome=None, features=[],
            formula="y ~ C(a) * C(b) * C(c)", contract=Contract(id="test.cells/v1", fields=(*kept, *wide)))


def test_an_institution_whose_rows_all_miss_a_column(table):
    """Refused by name of the column, not of the institution; never silently fitted over the others."""
    frames = {name: table.iloc[i::3].reset_index(drop=True) for i, name in enumerate(("north", "south", "west"))}
    for column in ("w", "offset"):
        holed = {name: frame.assign(offset=0.1 * frame.x) for name, frame in frames.items()}
        holed["south"][column] = np.nan
        with pytest.raises(RefusedError) as caught:
            sealane.simulate(holed).run("glm.fit", outcome="y", features=["x", "w"], family="binomial",
                                        **({"offset": "offset"} if column == "offset" else {}))
        assert caught.value.code == "model.institutions-without-rows"
        assert column in caught.value.hint
        assert "south" not in caught.value.hint + str(caught.value.got)  # which node speaks up first is another matter


def test_a_cohort_under_the_minimum(table):
    frames = {name: table.iloc[i::3] for i, name in enumerate(("north", "south", "west"))}
    with pytest.raises((RefusedError, InputError)) as caught:
        sealane.simulate(frames).run("glm.fit", minimum_cohort=4, outcome="y", features=["x"], family="binomial")
    assert caught.value.code == "study.too-few-participants"


def test_a_formula_that_names_an_unknown_column(refused, table):
    error = refused(table, "contract.unknown-field", branch=InputError, outcome=None, features=[],
                    formula="y ~ x + weight")
    assert "weight" in str(error)


def test_as_many_columns_as_rows(refused, table):
    frame = table.iloc[:30].copy()
    extra = [f"x{i}" for i in range(12)]
    frame[extra] = np.random.default_rng(2).normal(size=(30, 12))
    refused(frame, "model.saturated", outcome="x", family="gaussian", features=extra, minimum_count=3)


def test_constant_columns(refused, table):
    refused(table.assign(x=3.0), "model.constant-column")
    refused(table.assign(x=3.0), "model.constant-column", contract=infer_contract({"all": table.assign(x=table.x + 3)}))
    refused(table.assign(k=3), "model.constant-column", outcome="k", family="gaussian")
    contract = infer_contract({"all": table})
    refused(table.assign(g="a"), "model.constant-column", features=["g", "x"], contract=contract)


def test_reference_level_without_rows(refused, table):
    contract = infer_contract({"all": table})
    refused(table.assign(g=table.g.replace("c", "a")), "model.reference-empty", features=["g"], contract=contract,
            reference={"g": "c"})


def test_contract_too_wide_to_see_the_spread(refused, table):
    fields = (Field(name="x", type="number", minimum=-1e9, maximum=1e9), Field(name="y", type="boolean"))
    refused(table, "model.constant-column", contract=Contract(id="test.wide/v1", fields=fields))


@pytest.mark.parametrize(("params", "code"), [
    ({"features": ["d"]}, "model.feature-type"),
    ({"features": ["open"]}, "columns.unbounded"),
    ({"features": ["x"], "categorical": ["x"]}, "model.not-categorical"),
    ({"features": ["g"], "reference": {"g": "z"}}, "model.unknown-level"),
    ({"outcome": "g3"}, "outcome.type"),
    ({"outcome": "k"}, "outcome.type"),
    ({"outcome": "x", "family": "poisson", "features": ["k"]}, "outcome.type"),
    ({"features": ["nothing"]}, "contract.unknown-field"),
])
def test_columns_that_cannot_play_their_part(refused, table, params, code):
    contract = Contract(id="test.glm/v1", fields=(
        Field(name="x", type="number", minimum=-9, maximum=9), Field(name="k", type="integer", minimum=0, maximum=99),
        Field(name="y", type="boolean"), Field(name="d", type="date"), Field(name="open", type="number", minimum=0),
        Field(name="g", type="category", allowed=("a", "b", "c")),
        Field(name="g3", type="category", allowed=("a", "b", "c")),
    ))
    refused(table, code, branch=InputError, contract=contract, **params)


def test_rows_outside_the_contract_name_no_value(refused, table):
    contract = infer_contract({"all": table})
    stray = table.copy()
    stray.loc[0, "x"] = 123456.75
    assert "123456" not in str(refused(stray, "columns.outside-contract", branch=InputError, contract=contract))
    stray = table.copy()
    stray.loc[0, "g"] = "canary"
    error = refused(stray, "columns.outside-contract", branch=InputError, contract=contract, features=["g"])
    assert "canary" not in str(error)
    stray = table.assign(x=table.x.astype(object))
    stray.loc[0, "x"] = "canary"
    error = refused(stray, "columns.not-numeric", branch=InputError, contract=contract)
    assert "canary" not in str(error)
    assert error.__cause__ is None


def test_outcome_between_zero_and_one(refused, table):
    halves = table.assign(y=table.y.astype(float))
    halves.loc[0, "y"] = 0.5
    refused(halves, "outcome.values", branch=InputError)


@pytest.mark.parametrize("wrong", [
    {"feature": ["x"]}, {"features": []}, {"features": ["x", "x"]}, {"features": ["y"]}, {"family": "tweedie"},
    {"maximum_iterations": 0}, {"confidence": 1.0}, {"missing": "guess"}, {"categorical": ["z"]},
    {"reference": {"z": "a"}}, {"tolerance": 0.1},
])
def test_parameters_out_of_range(wrong):
    with pytest.raises(InputError) as caught:
        read_parameters("glm.fit", {"outcome": "y", "features": ["x"], "family": "binomial", **wrong})
    assert caught.value.code == "computation.bad-parameters"


def test_a_category_with_too_many_levels(refused, table):
    """A column of postcodes: the contract allows 257 of them, and the design would grow by as many columns."""
    codes = [f"p{k:03d}" for k in range(257)]
    fields = [*infer_contract({"all": table}).fields, Field(name="postcode", type="category", allowed=codes)]
    contract = Contract(id="test.rows/v1", title="t", fields=tuple(fields))
    table["postcode"] = np.array(codes)[np.arange(N) % 257]
    error = refused(table, "model.too-many-levels", branch=InputError, contract=contract, features=["x", "postcode"])
    assert (error.got, error.expected, error.hint) == ("257", "at most 256", "merge levels")
