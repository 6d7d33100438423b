from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from command_line import refused, run, run_well
from loans import CONTRACT, loans
from made_identity import make_identity

REPAIR = '[[steps]]\ndo = "impute"\nfield = "annual_inc"\nby = "median"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_identity(tmp_path / "north")
    return tmp_path / "north"


@pytest.fixture
def added(home: Path, tmp_path: Path) -> Path:
    frame = loans(1, 200)
    frame.loc[:39, "annual_inc"] = None
    frame.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "repair.toml").write_text(REPAIR)
    found = run_well("dataset", "add", "loans", "--from", tmp_path / "rows.csv", "--contract", CONTRACT, "--repair",
                     tmp_path / "repair.toml", "--home", home)
    assert found["repaired"] == [{"do": "impute", "field": "annual_inc", "rows": 40}]
    return home


def test_profile_grade_publish(added: Path, tmp_path: Path) -> None:
    assert run_well("dataset", "list", "--home", added)[0]["phase"] == "profiled"
    found = run_well("dataset", "profile", "loans", "--home", added)
    assert (found["profile"]["rows"], found["before"], found["quality"]["completeness"]) == (200, None, 1.0)
    shown = run("dataset", "grade", "loans", "--home", added)
    assert "personal:3" in shown.out
    assert run_well("dataset", "grade", "loans", "--home", added)["phase"] == "profiled"  # looking decides nothing
    refused("dataset.illegal-move", 3, "dataset", "publish", "loans", "--home", added)
    change = ("dataset", "grade", "loans", "--set", "term=public:1", "--home", added)
    refused("grade.incomplete", 3, *change, "--reason", "x")
    refused("grade.reason-missing", 3, *change, "--accept")
    graded = run_well("dataset", "grade", "loans", "--accept", "--set", "term=public:1", "--reason", "on our site",
                      "--home", added)
    term = next(one for one in graded["fields"] if one["field"] == "term")
    assert (graded["phase"], term["label"], term["reason"]) == ("graded", "public:1", "on our site")
    assert run_well("dataset", "publish", "loans", "--home", added)["grade"] == 3
    assert "published" in run("dataset", "list", "--home", added).out


def test_drift_is_shown_from_the_version_before(added: Path, tmp_path: Path) -> None:
    frame = loans(1, 200)
    frame["term"] = "term_60"
    frame.to_csv(tmp_path / "rows.csv", index=False)
    run_well("dataset", "add", "loans", "--from", tmp_path / "rows.csv", "--contract", CONTRACT, "--home", added)
    found = run_well("dataset", "profile", "loans", "--home", added)
    term = next(one for one in found["drift"] if one["field"] == "term")
    assert term["word"] == "large"
    assert abs(term["shift"]) > 0.3
    text = run("dataset", "profile", "loans", "--home", added).out
    assert "drift since version" in text
    assert "large" in text


def test_filings_and_jurisdiction(added: Path) -> None:
    assert run_well("node", "jurisdiction", "--home", added) == {"jurisdiction": None}
    refused("jurisdiction.malformed", 2, "node", "jurisdiction", "china", "--home", added)
    assert run_well("node", "jurisdiction", "CN", "--home", added) == {"jurisdiction": "CN"}
    filing = ("dataset", "filing", "loans", "--home", added)
    filed = run_well(*filing, "--recipient-jurisdiction", "SG", "--reference", "3/26")
    assert [(one["for"], one["reference"]) for one in filed["filings"]] == [("SG", "3/26")]
    refused("filing.kind-open", 2, *filing, "--reference", "3/26")
    assert len(run_well(*filing, "--important", "--reference", "b")["filings"]) == 2


def test_mock_and_desensitise_write_tables(added: Path, tmp_path: Path) -> None:
    refused("dataset.not-graded", 3, "dataset", "mock", "loans", "--output", tmp_path / "m.csv", "--home", added)
    run_well("dataset", "grade", "loans", "--accept", "--home", added)
    made = run_well("dataset", "mock", "loans", "--rows", "30", "--output", tmp_path / "m.csv", "--home", added)
    assert (made["rows"], made["synthetic"]) == (30, True)
    assert len(pd.read_csv(tmp_path / "m.csv")) == 30
    rules = tmp_path / "rules.toml"
    rules.write_text('quasi_identifiers = ["term"]\n[[rules]]\nfield = "term"\ndo = "keep"\n')
    shown = run_well("dataset", "desensitise", "loans", "--rules", rules, "--output", tmp_path / "d.csv", "--home",
                     added)
    assert (shown["rows"], shown["synthetic"]) == (200, False)
    assert (added / "identity" / "desensitise.key").exists()
    refused("rules.unreadable", 2, "dataset", "desensitise", "loans", "--rules", tmp_path / "none", "--output",
            tmp_path / "e.csv", "--home", added)


def test_options_that_say_nothing(added: Path) -> None:
    for wrong in ("term", "=public:1", "term="):
        refused("grade.option-malformed", 2, "dataset", "grade", "loans", "--set", wrong, "--home", added)
    refused("grade.malformed", 2, "dataset", "grade", "loans", "--set", "term=secret:9", "--home", added)
    refused("grade.unknown-field", 2, "dataset", "grade", "loans", "--accept", "--set", "trem=public:1", "--home",
            added)


def test_the_doctor_says_what_is_not_graded(added: Path) -> None:
    done = run("doctor", "--home", added, "--json")
    lines = [check for check in done.document["checks"] if check["name"] == "dataset"]
    assert [line["status"] for line in lines] == ["ok", "warn"]
    run_well("dataset", "grade", "loans", "--accept", "--home", added)
    done = run("doctor", "--home", added, "--json")
    assert [c["status"] for c in done.document["checks"] if c["name"] == "dataset"] == ["ok"]


def test_fhir_from_the_command_line_shows_what_was_left_out(home: Path, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("export").mkdir()
    Path("export/Patient.ndjson").write_text("".join(
        f'{{"resourceType":"Patient","id":"p{n}","gender":"female","birthDate":"19{50 + n}-05-05"}}\n'
        for n in range(40)) + '{"resourceType":"CANARY')
    Path("m.toml").write_text('rows = "patient"\nas_of = 2026-01-01\ncolumns = [{ field = "age", from = "Patient", '
                              'as = "age" }, { field = "sex", from = "Patient", path = "gender" }, '
                              '{ field = "outcome", from = "Condition", take = "any" }]')
    called = ("dataset", "add", "patients", "--from", "fhir:export", "--mapping", "m.toml", "--contract",
              "healthcare.cohort/v1", "--home", home)
    found = run_well(*called)
    assert (found["rows"], found["counted"]) == (40, {"cut-off": 1, "used": 40})
    assert found["unfilled"] == ["outcome"]
    shown = run(*called)
    assert "nothing found for" in shown.out
    assert "cut-off" in shown.out
    assert "ends in the middle" in shown.err
    assert "CANARY" not in shown.out
    monkeypatch.chdir("/")
    assert run_well("dataset", "profile", "patients", "--home", home)["profile"]["rows"] == 40
    assert "m.toml" in run("dataset", "list", "--home", home).out
    refused("dataset.mapping-unused", 2, "dataset", "add", "x", "--from", "x.csv", "--mapping", tmp_path / "m.toml",
            "--contract", CONTRACT, "--home", home)
    # A patient who is of no known sex breaks the contract: the counts are shown beside what fails.
    with (tmp_path / "export" / "Patient.ndjson").open("w") as file:
        file.write('{"resourceType":"Patient","id":"x","gender":"CANARY","birthDate":"1950"}\nbroken\n')
    failed = run("dataset", "add", "patients", "--from", f"fhir:{tmp_path}/export", "--mapping", tmp_path / "m.toml",
                 "--contract", "healthcare.cohort/v1", "--home", home)
    assert failed.code == 3
    assert "not-json" in failed.err
    assert "CANARY" not in failed.err
