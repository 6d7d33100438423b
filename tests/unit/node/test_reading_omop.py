"""OMOP cohorts from folders and DuckDB files, against the same cohort reckoned person by person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import omop_cdm
import pandas as pd
import pytest
from omop_cdm import DEFINITION, FIELDS, made_up, reckoned, whole

from sealane.core.clock import ManualClock
from sealane.errors import InputError, RefusedError
from sealane.node.datasets import Report, add_dataset, open_dataset
from sealane.node.reading_omop import read_omop
from sealane.node.register import Register
from sealane.node.sources import parse_source, with_mapping
from sealane.sectors.healthcare.omop.definition import load_definition
from sealane.sectors.healthcare.omop.sql import COLUMNS, statements
from sealane.sectors.registry import contract

CANARY = "CANARY-8842"
pytestmark = pytest.mark.skipif(not FIELDS.is_file(), reason="../shared/conformance/omop-cdm-5.4 is absent")
SURVIVAL, COHORT = contract("healthcare.survival/v1"), contract("healthcare.cohort/v1")
TABLES = made_up() if FIELDS.is_file() else {}


def write_csv(folder: Path) -> Path:
    folder.mkdir()
    for table, frame in TABLES.items():
        whole(table, frame).to_csv(folder / f"{table.upper()}.csv", index=False)
    return folder


def write_parquet(folder: Path) -> Path:
    folder.mkdir()
    with duckdb.connect() as connection:
        for table, frame in TABLES.items():
            connection.register("given", whole(table, frame))
            connection.execute(f"COPY given TO '{folder / table}.parquet' (FORMAT parquet)")
            connection.unregister("given")
    return folder


def write_duckdb(path: Path) -> Path:
    path = path.with_suffix(".duckdb")
    types = omop_cdm.definitions()
    with duckdb.connect(str(path)) as connection:
        for table, frame in TABLES.items():
            columns = ", ".join(f'"{name}" {"TEXT" if "max" in kind else kind}' for name, kind in types[table].items())
            connection.execute(f"CREATE TABLE {table} ({columns})")
            connection.register("given", whole(table, frame).astype(object))
            connection.execute(f"INSERT INTO {table} SELECT * FROM given")
            connection.unregister("given")
    return path


@pytest.fixture
def definition(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (tmp_path / "cohort.toml").write_text(text)
        return tmp_path / "cohort.toml"
    return write


def assert_same(frame: pd.DataFrame, expected: list[dict[str, Any]]) -> None:
    assert len(frame) == len(expected) > 50
    for name in expected[0]:
        got, want = frame[name].tolist(), [row[name] for row in expected]
        assert [None if pd.isna(one) else one for one in got] == [
            one if one is None or isinstance(one, str) else pytest.approx(one) for one in want], name


@pytest.mark.parametrize("write", [write_csv, write_parquet, write_duckdb])
def test_a_cohort_is_what_it_is_person_by_person(write: Callable[[Path], Path], tmp_path: Path,
                                                 definition: Callable[[str], Path]) -> None:
    where = write(tmp_path / "cdm")
    source = parse_source(with_mapping(f"omop:{where}", definition(DEFINITION)))
    table = read_omop(source, lambda names: names, SURVIVAL)
    expected, reasons = reckoned(TABLES)
    assert_same(table.frame, sorted(expected, key=lambda row: int(row["person"])))
    assert {reason: table.counted[reason] for reason in reasons} == reasons
    assert table.counted["other-unit"] > 0
    assert table.counted["not-exact"] > 0
    assert table.counted["future-date"] > 0
    assert 0 < sum(table.frame["event"].astype(int)) < len(table.frame)
    assert table.unfilled == ()
    source = parse_source(with_mapping(f"omop:{where}", definition(DEFINITION.replace("[3004501]", "[3004502]"))))
    assert read_omop(source, lambda names: names, SURVIVAL).unfilled == ("creatinine",)
    assert set(table.frame["event_kind"]) == {0, 1, 2}


def test_it_is_a_dataset_like_any_other(register: Register, clock: ManualClock, tmp_path: Path,
                                        definition: Callable[[str], Path]) -> None:
    where = write_csv(tmp_path / "cdm")
    source = with_mapping(f"omop:{where}", definition(DEFINITION.replace('"creatinine"', '"body_mass_index"')))

    def add() -> Report:
        return add_dataset(register, "cohort", source, SURVIVAL.id, {}, now=clock(), drop_invalid=True)

    report = add()
    assert report.counted["used"] == report.rows
    assert len(open_dataset(register, "cohort").frame(["time", "event"])) == report.usable
    with (where / "CONDITION_OCCURRENCE.csv").open("a") as file:
        file.write(f"9999,{CANARY},1,not-a-date{',' * (len(omop_cdm.definitions()['condition_occurrence']) - 4)}\n")
    # A record that cannot be read is counted, and changes no row.
    assert add().counted["malformed-record"] == 1
    assert open_dataset(register, "cohort").rows == report.usable
    with (where / "DEATH.csv").open("a") as file:
        file.write(f"{open_dataset(register, 'cohort').frame(['person'])['person'][0]},2018-01-02" + "," * 5 + "\n")
    with pytest.raises(RefusedError) as caught:
        open_dataset(register, "cohort")
    assert caught.value.code == "dataset.changed"


def test_a_binary_outcome_asks_for_the_whole_follow_up(tmp_path: Path, definition: Callable[[str], Path]) -> None:
    text = DEFINITION.split("[[columns]]")[0] + "".join(
        f'[[columns]]\nfield = "{field}"\nas = "{what}"\n'
        for field, what in [("outcome", "outcome"), ("age", "age"), ("sex", "sex")])
    source = parse_source(with_mapping(f"omop:{write_csv(tmp_path / 'cdm')}", definition(text)))
    table = read_omop(source, lambda names: names, COHORT)
    expected = [row for row in reckoned(TABLES)[0] if row["event"] or row["time"] == 1000]
    assert table.counted["used"] == len(table.frame) == len(expected) > 10
    assert table.counted["short-follow-up"] > 0
    assert sum(table.frame["outcome"].astype(int)) == sum(row["event"] for row in expected) > 0


@pytest.mark.parametrize(("spoil", "code"), [
    (lambda folder: (folder / "DEATH.csv").unlink(), "omop.no-such-table"),
    (lambda folder: (folder / "death.csv").write_text("person_id,death_date\n"), "omop.no-such-table"),
    (lambda folder: (folder / "DEATH.csv").write_text("person_id\n1\n"), "omop.no-such-column"),
    (lambda folder: (folder / "PERSON.csv").write_text(f"person_id,x\n1,2\n{CANARY},2,3,4\n"), "omop.no-such-column"),
    (lambda folder: (folder / "DEATH.csv").write_bytes(b"person_id,cause_concept_id,death_date\n1,2,\xff\xfe\n"),
     "dataset.unreadable"),
    (lambda folder: (folder / "DEATH.csv").write_text(
        f"person_id,cause_concept_id,death_date\n{CANARY},1,2,3,4\n"), "dataset.unreadable"),
])
def test_tables_that_are_missing_or_broken(spoil: Callable[[Path], Any], code: str, tmp_path: Path,
                                           definition: Callable[[str], Path]) -> None:
    folder = write_csv(tmp_path / "cdm")
    spoil(folder)
    source = parse_source(with_mapping(f"omop:{folder}", definition(DEFINITION)))
    with pytest.raises(InputError) as caught:
        read_omop(source, lambda names: names, SURVIVAL)
    assert caught.value.code == code
    assert CANARY not in str(caught.value.to_dict())
    assert caught.value.__context__ is None


def test_what_is_no_database(tmp_path: Path, definition: Callable[[str], Path]) -> None:
    for name, content, code in [("x.duckdb", b"no database", "dataset.unreadable"),
                                ("none", None, "dataset.not-found")]:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        source = parse_source(with_mapping(f"omop:{tmp_path / name}", definition(DEFINITION)))
        with pytest.raises(InputError) as caught:
            read_omop(source, lambda names: names, SURVIVAL)
        assert caught.value.code == code
    (tmp_path / "a[b]").mkdir()
    for table in load_definition(DEFINITION.encode(), SURVIVAL).tables:
        (tmp_path / "a[b]" / f"{table}.csv").write_text("x\n")
    source = parse_source(with_mapping(f"omop:{tmp_path / 'a[b]'}", definition(DEFINITION)))
    with pytest.raises(InputError) as caught:
        read_omop(source, lambda names: names, SURVIVAL)
    assert caught.value.code == "dataset.wildcard"
    future = parse_source(with_mapping(f"omop:{tmp_path}", definition(DEFINITION.replace("2024-12-31", "2124-12-31"))))
    with pytest.raises(InputError) as caught:
        read_omop(future, lambda names: names, SURVIVAL)
    assert caught.value.code == "omop.definition-malformed"


def test_every_name_in_the_statements_is_the_model_s() -> None:
    known = omop_cdm.definitions()
    for table, columns in COLUMNS.items():
        assert set(columns) <= set(known[table]), table
        for name, kind in columns.items():
            assert known[table][name] == {"BIGINT": "integer", "DATE": "date", "DOUBLE": "float"}[kind], name


def test_statements_only_read() -> None:
    asked = statements(load_definition(DEFINITION.encode(), SURVIVAL), {table: table for table in COLUMNS})
    for text in (asked.table, asked.reasons, *asked.left_out.values()):
        assert text.lstrip().startswith("WITH")
        assert not {"INSERT", "UPDATE", "DELETE", "CREATE", "DROP", ";"} & set(text.upper().replace(";", " ; ").split())


@pytest.mark.parametrize(("old", "new", "code"), [
    ("as_of = 2024-12-31", "as_of =", "omop.definition-malformed"),
    ("as_of = 2024-12-31", "", "omop.definition-malformed"),
    ("as_of = 2024-12-31", "#" * (1 << 20), "omop.definition-malformed"),
    ("[201820]", "['1) OR TRUE --']", "omop.definition-malformed"),
    ("[201820]", "[-1]", "omop.definition-malformed"),
    ("[201820]", "[]", "omop.definition-malformed"),
    ('"measurement"', '"drug_exposure"', "omop.definition-malformed"),
    ('"measurement"', '"note"', "omop.definition-malformed"),
    ('as = "sex"', 'as = "sex"\nfrom = "death"', "omop.definition-malformed"),
    ('field = "sex"', 'field = "age"', "omop.definition-malformed"),
    ('field = "sex"', 'field = "gender"', "contract.unknown-field"),
    ('field = "sex"', 'field = "haemoglobin"', "omop.definition-unfit"),
    ("unit_concepts = [8840]", "", "omop.definition-unfit"),
    ('field = "time"', 'field = "start"', "fits"),
    ('field = "comorbidities"', 'field = "diagnosis"', "omop.definition-unfit"),
    ('[outcome]\nfrom = "condition_occurrence"\nconcepts = [381316]\ndescendants = false', "",
     "omop.definition-malformed"),
])
def test_definitions_that_do_not_fit_are_refused(old: str, new: str, code: str) -> None:
    assert old in DEFINITION
    text = DEFINITION.replace(old, new, 1).encode()
    if code == "fits":
        assert load_definition(text, SURVIVAL)
        return
    with pytest.raises(InputError) as caught:
        load_definition(text, SURVIVAL)
    assert caught.value.code == code


def test_months_are_not_days() -> None:
    text = DEFINITION.split("[[columns]]")[0] + '[[columns]]\nfield = "time"\nas = "time"\n'
    with pytest.raises(InputError) as caught:
        load_definition(text.encode(), contract("healthcare.dialysis/v1"))
    assert caught.value.code == "omop.definition-unfit"
