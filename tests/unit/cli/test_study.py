from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from command_line import refused, run, run_well

from sealane.cli.negotiating import read_changes
from sealane.errors import InputError

ROOT = Path(__file__).parents[3]


def test_a_new_study_file_is_in_order(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    run_well("study", "new", file)
    checked = run_well("study", "check", file)
    assert checked["ok"] is True
    assert checked["columns"] == ["bad", "annual_inc", "int_rate", "term"]
    refused("study.file-exists", 3, "study", "new", file)
    assert tomllib.loads(run("study", "new", "-").out)["computation"] == "glm.fit"


def test_each_sector_has_its_own_study_to_begin_from(tmp_path: Path) -> None:
    file, other = tmp_path / "heart.toml", tmp_path / "other.toml"
    run_well("study", "new", file, "--sector", "healthcare")
    checked = run_well("study", "check", file)
    assert (checked["data_contract"], checked["columns"][:2]) == ("healthcare.heart-disease/v1", ["disease", "age"])
    assert (checked["minimum_count"], checked["minimum_count_from"]) == (10, "sector")
    assert "10 rows or more, the healthcare pack's default" in run("study", "check", file).out
    file.write_text(file.read_text().replace("[parameters]", "minimum_count = 20\n[parameters]"))
    assert run_well("study", "check", file)["minimum_count_from"] == "file"
    run_well("study", "new", other, "--sector", "healthcare", "--contract", "healthcare.dialysis/v1")
    assert "# time: number, mo" in other.read_text()
    assert tomllib.loads(other.read_text())["data_contract"] == "healthcare.dialysis/v1"


def test_rounds_that_may_not_do_are_told_before_anybody_signs(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    text = run("study", "new", "-").out.replace('"glm.fit"', '"trees.gbdt"')
    file.write_text(text.partition("[parameters]")[0] + '[parameters]\noutcome = "bad"\nfeatures = ["annual_inc"]\n')
    checked = run_well("study", "check", file)
    assert checked["rounds"] == checked["rounds_that_may_be_taken"] == 6300
    assert "may not do" not in run("study", "check", file).out
    file.write_text(file.read_text().replace("[parameters]", "rounds = 200\n[parameters]"))
    assert run_well("study", "check", file)["rounds"] == 200
    assert "rounds = 200 may not do: a run may take up to 6300" in run("study", "check", file).out


def test_the_example_is_in_order() -> None:
    checked = run_well("study", "check", ROOT / "examples" / "finance" / "study.toml")
    assert len(checked["columns"]) == 17


def test_jurisdictions_of_parties_that_only_a_coordinator_knows(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    run_well("study", "new", file)
    placed = 'jurisdictions = { north = "DE", alice = "CN" }\n[parameters]'
    file.write_text(file.read_text().replace("[parameters]", placed))
    run_well("study", "check", file)


@pytest.mark.parametrize(("before", "after", "code", "exit_code", "hint"), [
    ("minimum_cohort =", "minimum_cohrt =", "study.unknown-field", 2, "did you mean minimum_cohort"),
    ('purpose = "credit-risk"', 'purpose = "curiosity"', "study.unknown-purpose", 2, "choose one"),
    ("application/v1", "aplication/v1", "contract.unknown", 2, "did you mean finance.credit-application/v1"),
    ('"glm.fit"', '"glm.fitt"', "computation.unknown", 2, "did you mean glm.fit"),
    ("outcome =", "outcom =", "computation.bad-parameters", 2, None),
    ('"annual_inc"', '"anual_inc"', "contract.unknown-field", 2, "did you mean annual_inc"),
    ('"masking"', '"trust"', "study.unknown-scheme", 2, None),
    ("colluding = 1", "colluding = 2", "study.cohort-too-small", 2, "a sum hides"),
    ("valid_days = 30", "expires = 2020-01-01", "study.already-over", 2, "set a later"),
    ("minimum_cohort = 3", 'participants = ["north", "south"]', "study.too-few-participants", 2, None),
    ('name = "joint', 'name = "Joint', "study.malformed", 2, None),
    ("[parameters]", "[parameters", "study.not-toml", 2, None),
])
def test_what_a_check_finds(tmp_path: Path, before: str, after: str, code: str, exit_code: int,
                            hint: str | None) -> None:
    file = tmp_path / "study.toml"
    run_well("study", "new", file)
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))
    done = run("study", "check", file, "--json")
    assert (done.code, done.error["code"]) == (exit_code, code)
    assert hint is None or hint in done.error["hint"]


def test_a_contract_of_another_sector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sealane.sectors import study_check

    monkeypatch.setattr(study_check, "check_purpose", lambda sector, purpose: None)
    file = tmp_path / "study.toml"
    run_well("study", "new", file)
    file.write_text(file.read_text().replace('sector = "finance"', 'sector = "health"'))
    refused_code = run("study", "check", file, "--json")
    assert (refused_code.code, refused_code.error["code"]) == (3, "study.other-sector")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    refused("study.unreadable", 2, "study", "check", tmp_path / "none.toml")


def test_changes_of_a_counter_offer_are_read_by_name() -> None:
    old = {"outcome": "bad", "confidence": 0.95}
    assert read_changes(("minimum_count=20", "parameters.confidence=0.9", "purpose=credit-risk"), old) == {
        "minimum_count": 20, "parameters": {"outcome": "bad", "confidence": 0.9}, "purpose": "credit-risk"}
    assert old == {"outcome": "bad", "confidence": 0.95}
    for bad in ("minimum_count", "=20", ""):
        with pytest.raises(InputError) as caught:
            read_changes((bad,), old)
        assert caught.value.code == "counter.no-name"
