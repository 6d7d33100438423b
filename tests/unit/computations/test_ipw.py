"""The effect against statsmodels on pooled rows, and its errors against a sandwich made by complex steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from expected_error import raises
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import DescrStatsW
from statsmodels.tools.numdiff import approx_fprime_cs
from statsmodels.treatment.treatment_effects import TreatmentEffect

import sealane
from sealane.computations.causal.ipw import Ipw
from sealane.computations.causal.parameters import IpwParameters
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field, infer_contract

mpl.use("Agg")
ASKED = {"treatment": "statin", "outcome": "ldl", "features": ["age", "stage", "smokes"]}
STAGES = ("I", "II", "III")


def patients(rows: int = 300, institutions: int = 3, strength: float = 1.0) -> dict[str, pd.DataFrame]:
    out = {}
    for k in range(institutions):
        rng = np.random.default_rng(100 + k)
        age, stage = rng.normal(60 + 2 * k, 10, rows).clip(20, 99), rng.choice(STAGES, rows, p=[0.5, 0.3, 0.2])
        smokes = rng.random(rows) < 0.3
        need = strength * (0.05 * (age - 60) + 0.6 * (stage == "III") - 0.5 * smokes)
        statin = rng.random(rows) < 1 / (1 + np.exp(np.clip(-need, -50, 50)))
        ldl = 130 - 25 * statin + 1.2 * (age - 60) + 10 * smokes + rng.normal(0, 20, rows)
        death = rng.random(rows) < 1 / (1 + np.exp(1.5 - 0.03 * (age - 60) + 0.7 * statin))
        out[f"h{k}"] = pd.DataFrame({"age": age, "stage": stage, "smokes": smokes, "statin": statin, "ldl": ldl,
                                     "death": death})
    return out


def ask(run_pooled: Callable[..., Any], frames: dict[str, pd.DataFrame], **change: Any) -> Any:
    options = {key: change.pop(key) for key in ("minimum_count", "contract") if key in change}
    return run_pooled(frames, Ipw(), ASKED | change, **options)


def features(frames: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, np.ndarray, Any]:
    pooled = pd.concat(frames.values(), ignore_index=True)
    x = np.column_stack([np.ones(len(pooled)), pooled["age"], pooled["stage"] == "II", pooled["stage"] == "III",
                         pooled["smokes"]]).astype(float)
    return pooled, x, sm.Logit(pooled["statin"].astype(float), x).fit(disp=False, tol=1e-14)


def weights(e: Any, t: Any, estimand: str) -> Any:
    return {"ate": t / e + (1 - t) / (1 - e), "att": t + (1 - t) * e / (1 - e),
            "overlap": t * (1 - e) + (1 - t) * e}[estimand]


def sandwich(x: Any, t: Any, y: Any, beta: Any, estimand: str, limits: tuple[float, float]) -> tuple[Any, Any]:
    """M-estimation of (μ1, μ0, β): means, and the covariance of the first two; derivatives by complex steps."""
    def score(b: Any) -> Any:
        return 1 / (1 + np.exp(-(x @ b)))

    held = np.clip(score(beta), *limits)  # np.clip knows no complex numbers

    def moments(theta: Any) -> Any:
        raw = score(theta[2:])
        w = weights(np.where(held == score(beta), raw, held), t, estimand)
        return np.column_stack([w * t * (y - theta[0]), w * (1 - t) * (y - theta[1]), (t - raw)[:, None] * x])

    w = weights(held, t, estimand)
    means = [np.average(y[t == arm], weights=w[t == arm]) for arm in (1, 0)]
    theta = np.array([*means, *beta])
    bread = np.linalg.inv(approx_fprime_cs(theta, lambda at: moments(at).sum(axis=0)))
    meat = moments(theta).T @ moments(theta)
    return means, (bread @ meat @ bread.T)[:2, :2]


@pytest.mark.parametrize("outcome", ["ldl", "death"])
@pytest.mark.parametrize("estimand", ["ate", "att"])
def test_the_effect_is_that_of_statsmodels(run_pooled: Callable[..., Any], outcome: str, estimand: str) -> None:
    frames = patients()
    pooled, x, logit = features(frames)
    found = ask(run_pooled, frames, outcome=outcome, estimand=estimand)
    effect = TreatmentEffect(sm.OLS(pooled[outcome].astype(float), x), pooled["statin"].astype(float),
                             results_select=logit)
    expected: Any = effect.ipw(effect_group="all" if estimand == "ate" else 1)
    difference, control, treated = effect.ipw(return_results=False, effect_group="all" if estimand == "ate" else 1)
    np.testing.assert_allclose([found.effects.loc["difference", "estimate"], *found.means[["control", "treated"]]],
                               [difference, control, treated], rtol=1e-6)
    # statsmodels' errors come from derivatives by finite differences.
    np.testing.assert_allclose([found.effects.loc["difference", "std err"], found.bse["control"]],
                               expected.results_gmm.bse[:2], rtol=1e-4)
    np.testing.assert_allclose(found.params, logit.params, rtol=1e-6)


@pytest.mark.parametrize("outcome", ["ldl", "death"])
@pytest.mark.parametrize(("estimand", "truncate"), [
    ("ate", (0.01, 0.99)), ("ate", (0.3, 0.7)), ("att", (0.2, 0.75)), ("overlap", (0.01, 0.99))])
def test_errors_take_the_estimated_score_into_account(
    run_pooled: Callable[..., Any], outcome: str, estimand: str, truncate: tuple[float, float]
) -> None:
    frames = patients()
    pooled, x, logit = features(frames)
    found = ask(run_pooled, frames, outcome=outcome, estimand=estimand, truncate=truncate, most_truncated=0.5)
    t, y = pooled["statin"].to_numpy(float), pooled[outcome].to_numpy(float)
    means, covariance = sandwich(x, t, y, logit.params.to_numpy(), estimand, truncate)
    np.testing.assert_allclose(found.means, means, rtol=1e-6)
    np.testing.assert_allclose(found.cov_params(), covariance, rtol=1e-6, atol=1e-7 * np.abs(covariance).max())
    if outcome == "death":
        one, none = means
        slopes = {"risk_ratio": (1 / one, -1 / none), "odds_ratio": (1 / one / (1 - one), -1 / none / (1 - none))}
        logs = {"risk_ratio": np.log(one / none), "odds_ratio": np.log(one / (1 - one) * (1 - none) / none)}
        for name, slope in slopes.items():
            error = np.sqrt(np.array(slope) @ covariance @ np.array(slope))
            row = found.effects.loc[name]
            np.testing.assert_allclose([row["estimate"], row["std err"], row["low"], row["high"]], [
                np.exp(logs[name]), error, *np.exp(logs[name] + np.array([-1, 1]) * 1.959963984540054 * error)],
                rtol=1e-6)
    else:
        assert found.effects.index.tolist() == ["difference"]


@pytest.mark.parametrize("estimand", ["ate", "att", "overlap"])
def test_balance_and_effective_rows_are_those_of_the_weights(run_pooled: Callable[..., Any], estimand: str) -> None:
    frames = patients()
    pooled, x, logit = features(frames)
    found = ask(run_pooled, frames, estimand=estimand)
    t = pooled["statin"].to_numpy(bool)
    w = weights(logit.predict(x), t.astype(float), estimand)
    assert found.balance.index.tolist() == ["age", "stage[T.II]", "stage[T.III]", "smokes"]
    for j, name in enumerate(found.balance.index, start=1):
        plain = [DescrStatsW(x[arm, j], ddof=1 if name == "age" else 0) for arm in (t, ~t)]
        weighed = [DescrStatsW(x[arm, j], weights=w[arm]) for arm in (t, ~t)]
        unit = np.sqrt((plain[0].var + plain[1].var) / 2)
        np.testing.assert_allclose(found.balance.loc[name, ["before", "after"]].astype(float), [
            (plain[0].mean - plain[1].mean) / unit, (weighed[0].mean - weighed[1].mean) / unit], rtol=1e-6, atol=1e-9)
    assert found.balance["before"].abs().max() > 0.3
    assert found.balance["after"].abs().max() < 0.1
    if estimand == "overlap":  # it balances exactly: Li, Morgan and Zaslavsky (2018), theorem 3
        assert found.balance["after"].abs().max() < 1e-8
    effective = [w[arm].sum() ** 2 / (w[arm] ** 2).sum() for arm in (t, ~t)]
    np.testing.assert_allclose(found.effective_rows, effective, rtol=1e-6)


def test_stabilised_weights_average_one_and_change_no_effect(run_pooled: Callable[..., Any]) -> None:
    frames = patients()
    steady, plain = ask(run_pooled, frames), ask(run_pooled, frames, stabilised=False)
    pd.testing.assert_frame_equal(steady.effects, plain.effects)
    np.testing.assert_allclose(steady.to_dict()["mean_weights"], 1.0, atol=0.05)
    share = np.array(steady.to_dict()["arms"]) / steady.nobs
    np.testing.assert_allclose(np.array(plain.to_dict()["mean_weights"]) * share, steady.to_dict()["mean_weights"])


def test_the_crude_difference_is_confounded_and_the_weighted_one_is_not(run_pooled: Callable[..., Any]) -> None:
    frames = patients(2000)
    pooled = pd.concat(frames.values())
    crude = pooled.loc[pooled["statin"], "ldl"].mean() - pooled.loc[~pooled["statin"], "ldl"].mean()
    row = ask(run_pooled, frames).effects.loc["difference"]
    assert abs(crude + 25) > 3  # what was planted is -25
    assert row["low"] < -25 < row["high"]
    assert row["high"] - row["low"] < 3


def test_a_formula_and_categories_as_treatment_and_outcome(run_pooled: Callable[..., Any]) -> None:
    frames = patients()
    plain = ask(run_pooled, frames, outcome="death")
    named = {name: frame.assign(statin=np.where(frame["statin"], "given", "not"),
                                death=np.where(frame["death"], "dead", "alive")) for name, frame in frames.items()}
    found = ask(run_pooled, named, outcome="death", reference={"statin": "not", "death": "alive"})
    np.testing.assert_allclose(found.means, plain.means, rtol=1e-12)
    turned = ask(run_pooled, named, outcome="death", reference={"statin": "given", "death": "alive"})
    np.testing.assert_allclose(turned.means, plain.means[::-1], rtol=1e-7)
    formula = run_pooled(frames, Ipw(), {"formula": "statin ~ age + stage + smokes", "outcome": "death"})
    np.testing.assert_allclose(formula.means, plain.means, rtol=1e-9)
    curved = run_pooled(frames, Ipw(), {"formula": "statin ~ I(age**2) + stage * smokes", "outcome": "death"})
    assert len(curved.params) == 1 + 1 + 2 + 1 + 2
    assert len(curved.balance) == 4  # products have no line


def test_scores_of_new_rows_are_those_of_the_logistic_model(run_pooled: Callable[..., Any]) -> None:
    frames = patients()
    pooled, x, logit = features(frames)
    np.testing.assert_allclose(ask(run_pooled, frames).predict(pooled), logit.predict(x), rtol=1e-6)


def test_small_cells_of_the_diagnostics_are_hidden(run_pooled: Callable[..., Any]) -> None:
    frames = patients()
    for frame in frames.values():  # four of the treated, and twelve of the others, smoke
        frame["smokes"] = False
        frame.loc[frame.index[frame["statin"]][:1], "smokes"] = True
        frame.loc[frame.index[~frame["statin"]][:4], "smokes"] = True
    found = ask(run_pooled, frames)
    assert found.balance.loc["smokes", "hidden_by"] == "minimum-count"
    assert found.balance.loc["smokes", ["before", "after"]].isna().all()
    assert found.balance.drop("smokes")["hidden_by"].isna().all()
    pooled, x, logit = features(frames)
    bins = np.minimum((logit.predict(x) * 20).astype(int), 19)
    for name, arm in (("treated", pooled["statin"]), ("control", ~pooled["statin"])):
        exact = np.bincount(bins[arm], minlength=20)
        shown = found.overlap[name].to_numpy()
        assert np.isnan(shown[(exact > 0) & (exact < 10)]).all()
        assert np.abs(exact - shown)[~np.isnan(shown)].max() <= 5  # rounded to tens
        assert (shown[~np.isnan(shown)] % 10 == 0).all()
        assert np.isnan(shown).sum() > ((exact > 0) & (exact < 10)).sum()
    score = found.to_dict()["propensity"]
    assert (score["params"], score["covariance"], score["hidden_by"]) == (None, None, "minimum-count")
    with pytest.raises(RefusedError) as caught:
        found.predict(pooled)
    assert caught.value.code == "ipw.hidden-score"
    assert "smokes" in found.summary()
    frames["h0"].loc[:3, "age"] = np.nan
    assert ask(run_pooled, frames).to_dict()["dropped"] is None


def test_the_level_without_a_line_does_not_follow_from_the_others(run_pooled: Callable[..., Any]) -> None:
    frames = patients()
    for frame in frames.values():  # stage I, the reference, is left with three of the treated
        first = frame.index[frame["statin"] & (frame["stage"] == "I")]
        frame.loc[first[1:], "stage"] = "II"
    found = ask(run_pooled, frames)
    assert found.balance["hidden_by"].to_dict() == {
        "age": None, "stage[T.II]": "complementary", "stage[T.III]": None, "smokes": None}
    assert found.params.isna().all()


def test_a_propensity_score_would_tell_of_few_treated_at_a_level(run_pooled: Callable[..., Any]) -> None:
    frames = patients()
    for frame in frames.values():
        frame.loc[frame.index[frame["statin"] & (frame["stage"] == "III")][1:], "stage"] = "II"
    pooled = pd.concat(frames.values())
    rare = pooled["stage"] == "III"
    fit = sm.Logit(pooled["statin"].astype(float), pd.DataFrame({"one": 1.0, "rare": rare.astype(float)})).fit(disp=0)
    variance = fit.cov_params().loc["rare", "rare"] - fit.cov_params().loc["one", "one"]
    share = 1 / (1 + np.exp(-fit.params.sum()))
    assert 1 / (variance * (1 - share)) == pytest.approx(len(frames), rel=1e-5)  # what a reader could work out
    assert ask(run_pooled, frames, features=["stage"]).params.isna().all()


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 4), min_size=300, max_size=300), institutions=st.integers(2, 5))
def test_how_rows_are_spread_changes_nothing(
    run_pooled: Callable[..., Any], places: list[int], institutions: int
) -> None:
    (table,) = patients(300, 1).values()
    contract = infer_contract({"all": table})
    whole = ask(run_pooled, {"all": table}, contract=contract)
    where = np.array(places) % institutions
    parts = ask(run_pooled, {f"n{k}": table[where == k] for k in range(institutions)}, contract=contract)
    np.testing.assert_allclose(parts.effects, whole.effects, rtol=1e-8)
    np.testing.assert_allclose(parts.balance[["before", "after"]], whole.balance[["before", "after"]], atol=1e-9)


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_through_real_sums(scheme: str) -> None:
    frames = patients(80)
    pooled, x, logit = features(frames)
    found = sealane.simulate(frames).run("causal.ipw", scheme=scheme, minimum_count=5, **ASKED)
    t, y = pooled["statin"].to_numpy(float), pooled["ldl"].to_numpy(float)
    means, covariance = sandwich(x, t, y, logit.params.to_numpy(), "ate", (0.01, 0.99))
    np.testing.assert_allclose(found.means, means, rtol=1e-6)
    np.testing.assert_allclose(found.bse, np.sqrt(np.diag(covariance)), rtol=1e-6)
    assert found.to_dict()["basis"]["contributing"] == 3


def test_pictures_and_text(run_pooled: Callable[..., Any]) -> None:
    found = ask(run_pooled, patients())
    love = found.plot()
    assert [text.get_text() for text in love.get_yticklabels()] == found.balance.index[::-1].tolist()
    before, after = (points.get_offsets()[:, 0] for points in love.collections)
    np.testing.assert_allclose(before, found.balance["before"].abs()[::-1])
    assert after.max() < before.max()
    bars = [bar.get_height() for bar in found.plot(kind="overlap").patches]
    assert np.nansum(bars[:20]) == found.overlap["treated"].sum()
    assert "average effect over everybody (ATE) of statin on ldl, 900 rows" in found.summary()
    assert found.to_dict()["effects"]["difference"]["estimate"] == found.effects.loc["difference", "estimate"]
    assert "<pre>" in found._repr_html_()
    with raises("ipw.unknown-picture", InputError):
        found.plot(kind="luck")


def test_arms_that_are_not_comparable_are_refused_by_their_rule(run_pooled: Callable[..., Any]) -> None:
    with raises("ipw.truncated", RefusedError):
        ask(run_pooled, patients(strength=6.0))
    with raises("model.separation", RefusedError):
        ask(run_pooled, patients(strength=500.0))
    # Treated at both ends and nobody in between, which a score that only rises cannot see.
    ends = {name: frame.assign(age=np.repeat([30.0, 50.0, 70.0], [60, 100, 140])) for name, frame in patients().items()}
    ends = {name: frame.assign(statin=frame["age"] != 50.0) for name, frame in ends.items()}
    with raises("ipw.no-common-support", RefusedError):
        ask(run_pooled, ends, features=["age"])
    # A dozen of the treated look like the others and carry half the weight.
    frames = patients(400)
    for frame in frames.values():
        place = np.arange(len(frame))
        frame["smokes"] = place < 200
        frame["statin"] = ((place < 200) & (place % 4 > 0)) | (place > 395)
    with raises("ipw.effective-rows", RefusedError):
        ask(run_pooled, frames, minimum_count=250, truncate=(1e-3, 0.999), features=["smokes"])


def test_refusals(run_pooled: Callable[..., Any]) -> None:
    frames = patients()
    for change, code in [({"treatment": "age", "features": ["stage"]}, "ipw.treatment-type"),
                         ({"treatment": "stage", "features": ["age"]}, "ipw.treatment-type"),
                         ({"outcome": "stage", "features": ["age"]}, "ipw.outcome-type")]:
        with raises(code, InputError):
            ask(run_pooled, frames, **change)
    named = {name: frame.assign(statin=np.where(frame["statin"], "given", "not")) for name, frame in frames.items()}
    with raises("ipw.unknown-level", InputError):
        ask(run_pooled, named, reference={"statin": "perhaps"})
    few = {name: frame.assign(statin=np.arange(len(frame)) < 3) for name, frame in frames.items()}
    with raises("ipw.small-arm", RefusedError):
        ask(run_pooled, few)
    rare = {name: frame.assign(death=frame["death"] & (~frame["statin"] | (frame.index < 8)))
            for name, frame in frames.items()}
    with raises("ipw.too-few-events", RefusedError):
        ask(run_pooled, rare, outcome="death")
    with raises("model.events-per-parameter", RefusedError):
        ask(run_pooled, {name: frame.assign(statin=np.arange(len(frame)) < 4) for name, frame in frames.items()})
    steady = {name: frame.assign(ldl=np.where(frame["statin"], 100.0, frame["ldl"])) for name, frame in frames.items()}
    with raises("ipw.constant-outcome", RefusedError):
        ask(run_pooled, steady)
    # Three patients cost a thousand times what the others do.
    place = np.arange(300)
    dear = {name: frame.assign(ldl=np.where(place == frame.index[frame["statin"]][0], 1e5, 50.0 + place % 7))
            for name, frame in frames.items()}
    with raises("ipw.dominated", RefusedError):
        ask(run_pooled, dear)
    contract = infer_contract(frames)
    with raises("ipw.two-values", InputError):
        ask(run_pooled, frames | {"h1": frames["h1"].assign(statin=0.5)}, contract=contract)
    missing = frames | {"h1": frames["h1"].assign(stage=None)}
    with raises("model.institutions-without-rows", RefusedError) as caught:
        sealane.simulate(missing, contract=contract).run("causal.ipw", **ASKED)
    assert "stage" in str(caught.value.hint)
    wide = tuple(field if field.name != "ldl" else Field(name="ldl", type="number", minimum=-1e8, maximum=1e8)
                 for field in contract.fields)
    with raises("ipw.range-too-wide", RefusedError):
        ask(run_pooled, frames, contract=Contract(id="test.wide/v1", fields=wide))


@pytest.mark.parametrize("change", [
    {"treatment": None}, {"outcome": "statin"}, {"outcome": "age"}, {"missing": "mean"}, {"truncate": (0.5, 0.9)},
    {"truncate": (0.01, 1.0)}, {"estimand": "luck"}, {"most_truncated": 0.9}, {"features": []},
    {"features": [], "formula": "statin ~ age"}, {"features": [], "treatment": None, "formula": "statin ~ 0 + age"},
])
def test_other_parameters_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        IpwParameters(**(ASKED | change))
