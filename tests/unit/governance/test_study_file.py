from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError
from sealane.governance.recipient import recipient_of
from sealane.governance.study_file import parse_study_file, read_study_file, study_template

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DIRECTORY = {"north": "a" * 52, "south": "b" * 51 + "a", "west": "c" * 51 + "q"}
ANALYST = recipient_of("analyst", SigningKey(Secret(b"s" * 32)), bytes(32))
BASE = """
name = "s"
sector = "finance"
purpose = "credit-risk"
data_contract = "finance.credit-application/v1"
computation = "glm.fit"
"""


def test_template_is_a_legal_study(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(study_template(
        name="s", sector="finance", purpose="credit-risk", data_contract="finance.credit-application/v1",
        computation="glm.fit", parameters='family = "binomial"\n'))
    study = read_study_file(path).resolve(DIRECTORY, [ANALYST], NOW)
    assert [p.name for p in study.participants] == ["north", "south", "west"]
    assert study.recipients == (ANALYST,)
    assert study.expires == "2026-07-01T12:00:00Z"
    assert study.parameters["family"] == "binomial"


def test_the_minimum_count_is_the_file_s_or_the_sector_s() -> None:
    silent, own = parse_study_file(BASE.encode()), parse_study_file((BASE + "minimum_count = 7\n").encode())
    assert silent.resolve(DIRECTORY, [], NOW).minimum_count == 10
    assert silent.resolve(DIRECTORY, [], NOW, minimum_count=25).minimum_count == 25
    assert own.resolve(DIRECTORY, [], NOW, minimum_count=25).minimum_count == 7
    assert silent.resolve(DIRECTORY, [], NOW).rounds == 200
    assert silent.resolve(DIRECTORY, [], NOW, rounds=6300).rounds == 6300
    bounded = parse_study_file((BASE + "rounds = 40\n").encode())
    assert bounded.resolve(DIRECTORY, [], NOW, rounds=6300).rounds == 40


def test_unknown_field_names_the_near_one() -> None:
    with pytest.raises(InputError) as caught:
        parse_study_file((BASE + 'minimum_cohorts = 3\n').encode())
    error = caught.value
    assert error.code == "study.unknown-field"
    assert error.got == "'minimum_cohorts'"
    assert "minimum_cohort" in (error.hint or "")
    assert "data_contract" in (error.expected or "")


def test_participants_by_list_and_by_table() -> None:
    chosen = parse_study_file((BASE + 'participants = ["west", "north"]\nminimum_cohort = 2\ncolluding = 0\n').encode())
    assert {p.name for p in chosen.resolve(DIRECTORY, [], NOW).participants} == {"north", "west"}
    table = "".join(f'{name} = "{fingerprint}"\n' for name, fingerprint in DIRECTORY.items())
    study = parse_study_file((BASE + "[participants]\n" + table).encode()).resolve({}, [], NOW)
    assert {p.name: p.fingerprint for p in study.participants} == DIRECTORY


def test_a_table_contradicting_the_directory_is_refused() -> None:
    table = "".join(f'{name} = "{fingerprint}"\n' for name, fingerprint in DIRECTORY.items())
    with pytest.raises(RefusedError) as caught:
        parse_study_file((BASE + "[participants]\n" + table).encode()).resolve({"north": "e" * 51 + "a"}, [], NOW)
    assert caught.value.code == "study.fingerprint-differs"


@pytest.mark.parametrize(("line", "code"), [
    ('participants = ["nort", "south", "west"]', "study.unknown-institution"),
    ('recipients = ["analist"]', "study.unknown-recipient"),
    ("expires = 2026-01-01", "study.already-over"),
    ('expires = "2027-01-01"', "study.malformed"),
    ("expires = 2027-01-01T00:00:00", "study.malformed"),
    ("expires = 2027-01-01\nvalid_days = 3", "study.malformed"),
    ("valid_days = 0", "study.malformed"),
    ("minimum_cohort = 3.0", "study.malformed"),
    ("minimum_cohort = 9", "study.too-few-participants"),
    ('participants = {one = "x", two = "y", three = "z"}', "study.malformed"),
])
def test_what_a_file_gets_wrong(line: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_study_file((BASE + line).encode()).resolve(DIRECTORY, [ANALYST], NOW)
    assert caught.value.code == code


@pytest.mark.parametrize(("written", "meant"), [("1", "1"), ("0.1", "0.1"), ("2.5", "2.5"), ('"0.30"', "0.30")])
def test_an_amount_needs_no_quotes(written: str, meant: str) -> None:
    study = parse_study_file(f'{BASE}epsilon = {written}\ndelta = "1e-6"'.encode()).resolve(DIRECTORY, [], NOW)
    assert study.epsilon == meant


def test_an_editor_s_mark_of_utf_8_is_no_part_of_the_file() -> None:
    assert parse_study_file(b"\xef\xbb\xbf" + BASE.encode()) == parse_study_file(BASE.encode())


@pytest.mark.parametrize(("line", "end"), [
    ("expires = 2026-12-31", "2026-12-31T23:59:59Z"),
    ("expires = 2026-12-31T12:00:00+02:00", "2026-12-31T10:00:00Z"),
    ("valid_days = 2", "2026-06-03T12:00:00Z"),
])
def test_ends(line: str, end: str) -> None:
    assert parse_study_file((BASE + line).encode()).resolve(DIRECTORY, [], NOW).expires == end


@pytest.mark.parametrize(("data", "code"), [
    (b"name = ", "study.not-toml"), (b"\xff", "study.not-toml"), (b"#" * (1 << 19), "study.too-large"),
    (b"name = 's'", "study.malformed"), (b"a = " + b"[" * 5000, "study.not-toml"),
])
def test_files_that_are_none(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_study_file(data)
    assert caught.value.code == code


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_study_file(tmp_path / "none.toml")
    assert caught.value.code == "study.unreadable"


def test_jurisdictions_are_by_name_and_signed() -> None:
    text = BASE + 'quality_floor = 0.9\njurisdictions = { north = "CN", analyst = "SG" }\n'
    study = parse_study_file(text.encode()).resolve(DIRECTORY, [ANALYST], NOW)
    assert {p.name: p.jurisdiction for p in study.participants} == {"north": "CN", "south": None, "west": None}
    assert [r.jurisdiction for r in study.recipients] == ["SG"]
    assert study.quality_floor == 0.9
    assert '"jurisdiction":"SG"' in study.canonical().decode()


@pytest.mark.parametrize(("line", "code"), [
    ('jurisdictions = { east = "CN" }', "study.unknown-party"), ('jurisdictions = { north = "cn" }', "study.malformed"),
    ('jurisdictions = { north = "CHN" }', "study.malformed"), ("quality_floor = 1.5", "study.malformed"),
    ('quality_floor = "high"', "study.malformed"),
])
def test_jurisdictions_and_floors_that_are_none(line: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_study_file((BASE + line + "\n").encode()).resolve(DIRECTORY, [ANALYST], NOW)
    assert caught.value.code == code
