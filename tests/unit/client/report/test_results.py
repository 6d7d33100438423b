"""Sections find what they show in the results of real runs, and say what is hidden and why."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sealane
from sealane.client.report import render_report
from sealane.client.report.results import regression, suppressed
from sealane.client.report.results.harmonise import harmonise
from sealane.client.report.results.kaplan_meier import kaplan_meier
from sealane.client.report.results.meta import meta
from sealane.client.report.results.suppressed import hidden_cells
from sealane.client.report.results.times import unit_of, words
from sealane.errors import InputError
from sealane.governance.contract import load_contract

CONTRACT = load_contract(b"""
id = "tests.followed/v1"
title = "People followed for an event"

[[fields]]
name = "time"
type = "number"
unit = "d"
minimum = 0
maximum = 3660
description = "Days to the event or the end of observation"

[[fields]]
name = "event"
type = "boolean"
description = "Whether the event happened"

[[fields]]
name = "arm"
type = "category"
allowed = ["new", "old", "rare"]
description = "Treatment"

[[fields]]
name = "age"
type = "number"
unit = "a"
minimum = 0
maximum = 120
description = "Age"
""")


def rows(seed: int, number: int = 120) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    arm = generator.choice(["new", "old", "rare"], number, p=[0.49, 0.49, 0.02])
    age = generator.normal(60, 10, number).clip(20, 100).round()
    time = generator.exponential(1200, number).clip(1, 3650).round()
    return pd.DataFrame({"time": time, "event": (generator.random(number) < 0.6).astype(int), "arm": arm, "age": age})


@pytest.fixture(scope="module")
def federation() -> Any:
    return sealane.simulate({f"site-{seed}": rows(seed) for seed in range(3)}, contract=CONTRACT)


def page(result: Mapping[str, Any]) -> str:
    """Return the page of a run with this result, as ``sealane run report`` writes it."""
    return render_report({
        "sector": "healthcare", "cohort": ["a", "b", "c"], "rounds": 3, "result": result,
        "study": {"name": "n", "hash": "h", "purpose": "p", "computation": str(result["computation"]),
                  "scheme": "masking", "minimum_cohort": 3},
        "coefficients": [one.model_dump() for one in regression.coefficients(result)],
        "ratio": regression.ratio(result)})


def test_survival_curves(federation: Any) -> None:
    times = {"duration": "time", "event": "event", "resolution": 90}
    result = federation.run("survival.kaplan_meier", **times, by="age", bins=[60])
    shown = page(result.to_dict())
    assert {"Survival by age", "Number at risk", "Log-rank test", "grid of 90 days"} <= {
        words for words in ("Survival by age", "Number at risk", "Log-rank test", "grid of 90 days") if words in shown}
    everyone = pd.concat([rows(seed) for seed in range(3)])
    for under in (True, False):  # at the beginning everybody is at risk
        assert f">{int(((everyone['age'] < 60) == under).sum())}<" in shown


def test_hidden_curves(federation: Any) -> None:
    result = federation.run("survival.kaplan_meier", duration="time", event="event", by="arm", resolution=90)
    everyone = pd.concat([rows(seed) for seed in range(3)])
    assert 0 < (everyone["arm"] == "rare").sum() < 10
    shown = page(result.to_dict())
    hidden = {(one.place, one.rule) for one in hidden_cells(result.to_dict())}
    assert (("rare",), "minimum-count") in hidden
    assert "What was hidden, and why" in shown
    assert all(f">{place[-1]}<" in shown and f">{rule}<" in shown for place, rule in hidden)


def test_table_one(federation: Any) -> None:
    everyone = pd.concat([rows(seed) for seed in range(3)])
    shown = page(federation.run("statistics.describe", columns=["age", "arm", "time"], by="event").to_dict())
    assert "Table 1" in shown
    for event, own in everyone.groupby("event"):
        assert f"event = {event}" in shown
        assert f">{len(own)}<" in shown
        # pandas' mean and standard deviation, to the four figures of a report
        assert f">{own['age'].mean():.4g} ({own['age'].std():.4g})<" in shown
    assert ">hidden<" in shown  # the rare arm
    assert "arm · 1 · rare" in shown
    whole = page(federation.run("statistics.describe", columns=["age", "event"]).to_dict())
    events = int(everyone["event"].sum())
    assert f">{events} ({events / len(everyone):.0%})<" in whole


def test_table_of_counts(federation: Any) -> None:
    everyone = pd.concat([rows(seed) for seed in range(3)])
    result = federation.run("statistics.table", columns=["event", "age"], bins={"age": [60]}, missing="drop")
    shown = page(result.to_dict())
    for _, own in everyone.groupby(["event", everyone["age"] < 60]):
        assert f">{len(own)}<" in shown
    stats = pytest.importorskip("scipy.stats")
    test = stats.chi2_contingency(pd.crosstab(everyone["event"], everyone["age"] < 60))
    assert f"χ² = {test.statistic:.2f} on 1 degrees of freedom" in shown
    small = page(federation.run("statistics.table", columns=["arm"], missing="drop").to_dict())
    assert "arm = rare" in small
    assert ">hidden<" in small


def test_histogram(federation: Any) -> None:
    everyone = pd.concat([rows(seed) for seed in range(3)])
    shown = page(federation.run("statistics.histogram", column="age", edges=[20, 50, 60, 70, 100]).to_dict())
    for low, high in ((20, 50), (50, 60), (60, 70)):
        assert f">{low} to {high}<" in shown
        assert f">{int(((everyone['age'] >= low) & (everyone['age'] < high)).sum())}<" in shown


def test_quantiles(federation: Any) -> None:
    result = federation.run("statistics.quantiles", columns=["age"], by="event")
    shown = page(result.to_dict())
    median = result.to_dict()["columns"]["age"]["groups"]["1"]["values"][1]
    assert f">{median:.4g}<" in shown
    assert "age (a), event = 1" in shown


def test_correlation(federation: Any) -> None:
    everyone = pd.concat([rows(seed) for seed in range(3)])
    shown = page(federation.run("statistics.correlation", columns=["age", "time"]).to_dict())
    assert f">{everyone['age'].corr(everyone['time']):.3f}<".replace("-", "−") in shown
    assert ">age and time<" in shown


def test_a_correlation_that_there_is_not_is_not_called_hidden() -> None:
    payload = {"computation": "statistics.correlation", "columns": ["age", "dose"], "method": "pearson", "pairs": [
        {"pair": [0, 1], "rows": 90, "rows_rule": None, "rule": "nothing-varies", "r": None, "institutions": 3}]}
    shown = page(payload)
    assert ">nothing varies<" in shown
    assert ">hidden<" not in shown


def test_comparison_of_groups(federation: Any) -> None:
    stats = pytest.importorskip("scipy.stats")
    everyone = pd.concat([rows(seed) for seed in range(3)])
    first, second = (everyone["age"][everyone["event"] == event] for event in (0, 1))
    test = stats.ttest_ind(first, second, equal_var=False)
    shown = page(federation.run("statistics.test", outcome="age", by="event", method="t").to_dict())
    assert f"t test: statistic {test.statistic:.2f} on {test.df:.4g} degrees of freedom, p {test.pvalue:.3f}" in shown
    assert f">{first.mean():.4g}<" in shown
    ranks = page(federation.run("statistics.test", outcome="age", by="event", method="kruskal").to_dict())
    assert "Kruskal–Wallis test" in ranks
    shares = page(federation.run("statistics.test", outcome="event", by="arm", method="chi2",
                                 groups=["new", "old"]).to_dict())
    assert "χ² test: statistic" in shares


def test_one_survival_curve(federation: Any) -> None:
    shown = page(federation.run("survival.kaplan_meier", duration="time", event="event", resolution=90).to_dict())
    assert ">all<" in shown
    assert "KM_estimate" not in shown
    assert ">360<" in shown


def test_odds_ratios(federation: Any) -> None:
    everyone = pd.concat([rows(seed) for seed in range(3)])
    formula = pytest.importorskip("statsmodels.formula.api")
    from statsmodels.genmod.families import Binomial

    result = federation.run("glm.fit", outcome="event", features=["age"], family="binomial").to_dict()
    expected = np.exp(formula.glm("event ~ age", everyone, family=Binomial()).fit().params["age"])
    shown = page(result)
    assert "Odds ratios" in shown
    assert f">{expected:.2f} (" in shown


def test_path_of_penalties(federation: Any) -> None:
    result = federation.run("glm.fit", outcome="event", features=["age", "time"], family="binomial",
                            penalty={"kind": "lasso", "number": 6, "folds": 3})
    shown = page(result.to_dict())
    assert "A path of 6 penalties (lasso)" in shown
    assert f"λ = {result.to_dict()['lambda']:.3g}, by the rule min of 3-fold cross-validation" in shown
    assert "Path of penalties" not in page({"computation": "glm.fit", "penalty": None, "coefficients": {"a": 1.0}})


def test_what_a_model_rests_on() -> None:
    told = {"computation": "glm.fit", "basis": {"contributing": 3, "institutions": 4, "missing_everywhere": ["dose"]}}
    assert "Rows of 3 of 4 institutions are in it. Missing in all rows of some institution: dose." in page(told)
    assert "fitted by Firth's penalised likelihood" in html.unescape(page(told | {"method": "firth"}))
    everyone = {"contributing": 4, "institutions": 4, "missing_everywhere": []}
    whole = {"computation": "glm.fit", "method": "maximum-likelihood", "basis": everyone}
    assert "institutions are in it" not in page(whole)


def test_linear_models_have_no_ratio(federation: Any) -> None:
    result = federation.run("glm.fit", outcome="age", features=["time"], family="gaussian").to_dict()
    assert regression.ratio(result) is None
    assert "Odds ratio" not in page(result)


def test_units_and_codes(federation: Any) -> None:
    assert harmonise({"computation": "glm.fit", "institutions": ["a"], "columns": {"x": 1}}) == ""
    shown = page(federation.run("quality.harmonise", columns=["age", "time"]).to_dict())
    assert "Units and codes" in shown
    assert "Nobody stands apart" in shown


@pytest.fixture(scope="module")
def meta_result(federation: Any) -> Any:
    return federation.run("model.meta", outcome="event", features=["age"], family="binomial", by_institution=True,
                          waive_differencing=["site-0", "site-1", "site-2"])


def test_meta_analysis(federation: Any, meta_result: Any) -> None:
    shown = page(meta_result.to_dict())
    assert "Effects over all institutions" in shown
    ratio, low, high = (f"{np.exp(value):.2f}" for value in (
        meta_result.params["age"], *meta_result.conf_int().loc["age"]))
    assert f"{ratio} ({low}, {high})" in shown
    own = meta_result.institutions["coef"].xs("age", level="column")
    assert all(f">{name}<" in shown and f">{np.exp(value):.2f} (" in shown for name, value in own.items())
    asked = {"outcome": "event", "features": ["age"], "family": "binomial", "method": "fixed"}
    assert "site-0" not in meta(federation.run("model.meta", **asked).to_dict())


def test_mixed_model(federation: Any) -> None:
    result = federation.run("model.mixed", outcome="age", features=["time"],
                            waive_differencing=["site-0", "site-1", "site-2"])
    shown = page(result.to_dict())
    assert "How institutions differ" in shown
    assert f"within them {result.scale:.4g}" in shown
    assert ">site-1<" in shown
    assert [one.name for one in regression.coefficients(result.to_dict())] == ["Intercept", "time"]


def test_proportionality() -> None:
    # 3.8415 is the 95 % point of the chi-squared distribution of one degree of freedom.
    shown = page({"computation": "survival.cox", "columns": ["age", "arm[T.old]"],
                  "proportionality": {"rank": [3.8415, 0.0]},
                  "summary": {"age": {"coef": 0.5, "se(coef)": 0.1, "coef lower 95%": 0.3, "coef upper 95%": 0.7}}})
    assert ">0.050<" in shown
    assert ">1.000<" in shown
    assert "arm = old" in shown
    assert "Hazard ratios" in shown
    assert "1.65 (1.35, 2.01)" in shown  # exp(0.5), exp(0.3), exp(0.7)


MORE = load_contract(b"""
id = "tests.more/v1"
title = "People treated, and watched for events and weeks"

[[fields]]
name = "time"
type = "number"
unit = "d"
minimum = 0
maximum = 3660
description = "Days to the event or the end of observation"

[[fields]]
name = "kind"
type = "integer"
minimum = 0
maximum = 2
description = "0 none, 1 relapse, 2 death"

[[fields]]
name = "treated"
type = "boolean"
description = "Treatment"

[[fields]]
name = "good"
type = "boolean"
description = "Outcome"

[[fields]]
name = "age"
type = "number"
unit = "a"
minimum = 0
maximum = 120
description = "Age"

[[fields]]
name = "week"
type = "integer"
minimum = 0
maximum = 200
description = "Week of the visit"
""")
OUTBREAK_WEEK = 48


def more(seed: int, number: int = 500) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    age = generator.normal(60, 10, number).clip(20, 100).round()
    treated = (generator.random(number) < 1 / (1 + np.exp(-(age - 60) / 20))).astype(int)
    week = np.where(generator.random(number) < 0.1, OUTBREAK_WEEK, generator.integers(0, 52, number))
    return pd.DataFrame({
        "time": generator.exponential(1000, number).clip(1, 3650).round(), "treated": treated, "age": age,
        "kind": generator.choice([0, 1, 2], number, p=[0.4, 0.4, 0.2]), "week": week,
        "good": (generator.random(number) < 0.4 + 0.2 * treated).astype(int)})


@pytest.fixture(scope="module")
def watched() -> Any:
    return sealane.simulate({f"site-{seed}": more(seed) for seed in range(3)}, contract=MORE)


def test_competing_events(watched: Any) -> None:
    shown = page(watched.run("survival.cumulative_incidence", duration="time", event="kind", resolution=90,
                             by="treated").to_dict())
    assert "Cumulative incidence by treated" in shown
    assert {"Incidence of 1", "Incidence of 2"} <= {words for words in ("Incidence of 1", "Incidence of 2")
                                                    if words in shown}
    assert "treated = 1" in shown
    assert "Median time" not in shown


def test_effect_of_treatment(watched: Any) -> None:
    result = watched.run("causal.ipw", outcome="good", treatment="treated", features=["age"])
    shown = page(result.to_dict())
    assert "Effect of treatment" in shown
    assert f">{result.effects.loc['risk_ratio', 'estimate']:.4g}<" in shown
    assert "overlap · control" in shown  # tails of the propensity hold few people


def test_signals(watched: Any) -> None:
    everyone = pd.concat([more(seed) for seed in range(3)])
    a, b, c, d = (int(((everyone["treated"] == x) & (everyone["good"] == y)).sum())
                  for x, y in ((1, 1), (1, 0), (0, 1), (0, 0)))
    shown = page(watched.run("surveillance.disproportionality", drugs=["treated"], events=["good"]).to_dict())
    assert f">{a}<" in shown
    assert f">{a * d / (b * c):.4g}<" in shown
    assert ">signal<" in shown


def test_weeks(watched: Any) -> None:
    shown = page(watched.run("surveillance.outbreak", time="week", until=52, weeks=52, method="c2").to_dict())
    told = re.search(r"Weeks that stand out: ([^.]+)\.", shown)
    assert told
    assert str(OUTBREAK_WEEK) in re.split(r", | and ", told[1])
    assert "▼" in shown


def test_counts_with_noise(watched: Any) -> None:
    noised = {"epsilon": "5", "delta": "1e-6"}
    shown = page(watched.run("survival.kaplan_meier", duration="time", event="good", resolution=90, **noised).to_dict())
    assert "Number at risk" in shown
    shown = page(watched.run("surveillance.outbreak", time="week", until=52, weeks=52, **noised).to_dict())
    assert "Noise of standard deviation" in shown


@pytest.mark.parametrize("broken", [{"summary": {"age": 3}}, {"columns": "age"}, {"institutions": "two"}])
def test_a_malformed_result_is_refused(broken: dict[str, Any], meta_result: Any) -> None:
    with pytest.raises(InputError) as refused:
        meta(meta_result.to_dict() | broken)
    assert refused.value.code == "report.malformed"


def test_hidden_cells_are_found_wherever_a_result_names_them() -> None:
    result = {"hidden": {"rare": "minimum-count"}, "columns": {"sex": {"suppressed": ["other"]},
              "arm": {"hidden": {"new": {"old": "complementary"}}}}, "steps": [{"name": "one", "hidden": "dominance"}],
              "grid": {"merged": 2}, "rows": 7}
    assert {(one.place, one.rule) for one in hidden_cells(result)} == {
        (("rare",), "minimum-count"), (("columns", "sex", "other"), "minimum-count"),
        (("columns", "arm", "new", "old"), "complementary"), (("steps", "one"), "dominance")}


def test_numbers_that_are_left_out_are_named_too() -> None:
    result = {"dropped": None, "truncated": 0, "overlap": {"control": [0, None, 27], "treated": [0, 12]},
              "pairs": [{"drug": "a", "event": "b", "hidden_by": "minimum-count"},
                        {"drug": "c", "event": "b", "hidden_by": None}]}
    assert {(one.place, one.rule) for one in hidden_cells(result)} == {
        (("dropped",), "minimum-count"), (("overlap", "control"), "minimum-count"),
        (("pairs", "a, b"), "minimum-count")}
    assert {(one.place, one.rule) for one in hidden_cells({"rules": [None, "complementary"], "rule": "ror"})} == {
        (("cell 2",), "complementary")}
    assert {(one.place, one.rule) for one in hidden_cells({"pairs": [{"rule": "dominance"}]})} == {
        (("pairs", "0"), "dominance")}


def test_nothing_hidden_is_said_too() -> None:
    assert "Nothing had to be hidden. No cell stands for 1 to 9 rows." in suppressed.suppressed({"minimum_count": 10})
    assert suppressed.suppressed({"rows": 7}) == ""


def test_sections_leave_other_results_alone() -> None:
    for section in (kaplan_meier, harmonise, meta, suppressed.suppressed):
        assert section({}) == ""
        assert section({"computation": "someone.else", "columns": ["x"], "curves": {}}) == ""


@pytest.mark.parametrize(("number", "code", "text"), [
    (30.4375, "d", "1 month"), (7, "d", "1 week"), (14, "d", "2 weeks"), (90, "d", "90 days"), (365.25, "d", "1 year"),
    (1, "mo", "1 month"), (2, None, "2 units"), (3, "furlong", "3 furlong")])
def test_lengths_of_time_in_words(number: float, code: str | None, text: str) -> None:
    assert words(number, code) == text


def test_long_times_are_counted_in_years() -> None:
    assert unit_of("d", 3000).title == "Years"
    assert unit_of("d", 3000).size == 365.25
    assert unit_of("d", 300).title == "Days"
    assert unit_of("mo", 300) == unit_of("mo", 3)


@pytest.fixture(scope="module")
def banks() -> Any:
    def bank(seed: int) -> pd.DataFrame:
        generator = np.random.default_rng(seed)
        x = generator.normal(0, 1, 400)
        return pd.DataFrame({"x": x, "noise": generator.normal(0, 1, 400), "p": 1 / (1 + np.exp(1 - x)),
                             "sex": generator.choice(["f", "m", "x"], 400, p=[0.5, 0.49, 0.01]),
                             "wave": generator.integers(1, 4, 400),
                             "bad": generator.random(400) < 1 / (1 + np.exp(1 - x))})

    return sealane.simulate({name: bank(seed) for seed, name in enumerate(("north", "south", "west"))})


def test_a_scorecard(banks: Any) -> None:
    found = banks.run("glm.scorecard", outcome="bad", features=["x", "noise"])
    shown = page(found.to_dict())
    assert "600 points stand for odds of 50 to 1" in shown
    assert re.search(r"Not used: noise \((all rows in one bin|too little information)\)\.", shown)
    for points in found.points["points"]:
        assert f">{points}<" in shown


def test_how_a_score_ranks(banks: Any) -> None:
    found = banks.run("metrics.ranking", outcome="bad", score="p", thresholds=[0.3, 0.302], group="sex")
    shown = page(found.to_dict())
    assert f"AUC {found.auc:.3f}" in shown
    assert f"slope {found.calibration['slope']:.4f} (within {found.calibration['moved'][1]:.2g})" in shown
    assert f">{found.bands['rows'].iloc[0]}<" in shown
    assert f">{found.confusion.loc[0.3, 'tpr']:.3f}<" in shown
    assert ">0.302<" in shown
    assert ">hidden<" in shown


def test_a_score_that_is_not_ranked_says_why(banks: Any) -> None:
    found = banks.run("metrics.ranking", outcome="bad", score="p", low=0.8)
    assert f"No AUC and KS: {found.unranked}." in page(found.to_dict())


def test_drift(banks: Any) -> None:
    found = banks.run("monitor.drift", period="wave", score="p", outcome="bad", features=["x"], psi_limit=0.001)
    shown = page(found.to_dict())
    assert f">{found.psi.loc['2', 'x']:.3f} ▲<" in shown
    assert f">{found.auc['auc'][0]:.3f}<" in shown


@pytest.mark.parametrize(("family", "link", "name"), [
    ("binomial", "logit", "Odds ratio"), ("binomial", "log", "Risk ratio"), ("poisson", "log", "Rate ratio"),
    ("gamma", "log", "Ratio of means"), ("binomial", "probit", None)])
def test_an_exponential_is_called_what_it_is(family: str, link: str, name: str | None) -> None:
    assert regression.ratio({"computation": "glm.fit", "family": family, "link": link}) == name
