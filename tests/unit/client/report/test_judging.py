"""What a bank asks of a model on held-out rows, and of trees and a judged score: from real runs, and what it says."""

from __future__ import annotations

import html
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sealane
from sealane.client.report import judging, render_chapters, shares
from sealane.client.report.calibration import Group, calibration_plot
from sealane.client.report.model import parse_report
from sealane.client.report.results.gbdt import gbdt
from sealane.client.report.results.ranking_charts import ranking_charts
from sealane.errors import InputError

RUN: dict[str, Any] = {
    "sector": "finance", "cohort": ["north", "south"], "rounds": 4,
    "study": {"name": "risk", "hash": "ab" * 32, "purpose": "p", "computation": "glm.fit", "scheme": "masking",
              "minimum_cohort": 2},
}
CURVE = {"fpr": [0.0, 0.1, 0.5, 1.0], "tpr": [0.0, 0.6, 0.8, 1.0]}
AUC = {"alone": {"north": 0.61, "south": 0.66}, "joint": 0.72, "pooled": 0.721}
TENTH = {"rows": 50, "events": 10, "lift": 2.0, "low": 1.1, "high": 3.2, "gain": 0.5}
JUDGED = RUN | {"roc": {"joint": CURVE}, "heldout": {"rows": 100, "bad": 20}, "lift": [TENTH, TENTH | {
    "lift": 0.5, "low": 0.2, "gain": 1.0}], "shap": {"income": 0.31, "age": 0.02}}


def text(markup: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup)))


def bank(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, 1500)
    chance = 1 / (1 + np.exp(1.5 - 1.2 * x))
    return pd.DataFrame({"x": x.round(3), "noise": rng.normal(0, 1, 1500).round(3), "p": chance,
                         "bad": (rng.random(1500) < chance).astype(int)})


@pytest.fixture(scope="module")
def banks() -> Any:
    return sealane.simulate({name: bank(seed) for seed, name in enumerate(("north", "south", "west"))})


def test_sections_on_held_out_rows() -> None:
    told = parse_report(JUDGED)
    assert "KS 0.500" in text(judging.ks(told))  # 0.6 of the bad ones found with 0.1 of the others
    assert "20% of the rows are selected" in text(judging.ks(told))  # (0.6 · 20 + 0.1 · 80) of 100
    lift = text(judging.lift(told))
    assert "tenth 1 50 10 2.00 0.500" in lift
    assert "tenth 2 50 10 0.50 1.000" in lift
    shap = text(judging.shap(told))
    assert shap.index("income") < shap.index("age")
    assert "0.31" in shap


def test_the_exact_distance_is_told_where_the_curve_was_thinned() -> None:
    ks = {"alone": {}, "joint": 0.512}
    assert "KS 0.512" in text(judging.ks(parse_report(JUDGED | {"metrics": {"auc": AUC, "ks": ks}})))


def test_nothing_is_said_of_what_is_not_known() -> None:
    told = parse_report(RUN)
    assert (judging.ks(told), judging.lift(told), judging.shap(told)) == ("", "", "")
    assert (gbdt(told), ranking_charts({"computation": "trees.gbdt"})) == ("", "")
    with pytest.raises(ValueError, match="two cuts"):
        shares.ks_curves([0.0], [0.0], [0.0])


@pytest.mark.parametrize("width", [680, 360])
def test_a_ks_curve_stays_inside(width: int) -> None:
    drawn = shares.ks_curves([0.0, 0.2, 1.0], [0.0, 0.6, 1.0], [0.0, 0.1, 1.0], "ks", width)
    points = re.findall(r'points="([^"]+)"', drawn)
    assert all(0 <= float(pair.split(",")[0]) <= width for one in points for pair in one.split())


def test_small_risks_fill_their_plot() -> None:
    drawn = text(calibration_plot([Group(0.02, 0.03, 0.01, 0.05, 90), Group(0.1, 0.12, 0.08, 0.2, 90)]))
    assert "0.25" in drawn
    assert "0.8" not in drawn
    assert "0.8" in text(calibration_plot([Group(0.2, 0.3, 0.1, 0.6, 90)]))


def test_trees(banks: Any) -> None:
    pytest.importorskip("lightgbm")
    found = banks.run("trees.gbdt", outcome="bad", features=["x", "noise"], rounds=3,
                      params={"num_leaves": 4, "max_bin": 15})
    run = RUN | {"result": found.to_dict()}
    told = text(gbdt(parse_report(run | {"bytes_sent": {"north": 9_000_000, "south": 3_000_000}})))
    assert "2 MB of each node" in told  # 6 MB each, over three trees
    assert "of each node" not in text(gbdt(parse_report(run)))
    gains = found.feature_importance["gain"]
    share = gains["x"] / gains.sum()  # LightGBM's own count
    assert f"{share:.3f}" in told
    assert f"{found.to_dict()['trees']} trees over" in told
    malformed = found.to_dict() | {"model": "split_feature=0 9\nsplit_gain=1 2"}
    with pytest.raises(InputError) as caught:
        gbdt(parse_report(RUN | {"result": malformed}))
    assert caught.value.code == "report.malformed"


def test_a_judged_score(banks: Any) -> None:
    found = banks.run("metrics.ranking", outcome="bad", score="p", bands=5, bins=200)
    told = text(ranking_charts(found.to_dict()))
    for lift in found.bands["lift"]:
        assert f"{lift:.2f}" in told
    assert f"KS {found.ks:.3f}" in told
    assert f"{len(found.bands)} bands of like probability" in told
    first = found.bands.iloc[0]
    assert f"{first['mean_score']:.2f} predicted, {first['event_rate']:.2f} observed" in told


def test_kinds_of_model_stand_side_by_side() -> None:
    beside = [{"name": "Scorecard", "auc": AUC, "ks": AUC | {"joint": 0.4}},
              {"name": "Trees", "auc": AUC | {"alone": {}}, "ks": AUC}]
    page = render_chapters({"title": "Two kinds", "lead": "Both.", "beside": beside,
                            "chapters": [{"title": "First", "text": "It.", "report": JUDGED}]})
    told = text(page)
    assert "Scorecard 0.610–0.660 0.720 0.721" in told
    assert "Trees – 0.720 0.721" in told
    assert "Scorecard 0.610–0.660 0.400 0.721" in told
