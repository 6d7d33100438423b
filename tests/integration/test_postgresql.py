"""A dataset in a real PostgreSQL server, started here on loopback from the distribution's binaries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import omop_cdm
import pandas as pd
import pytest
from postgresql_server import PASSWORD, Server, postgresql_server

from sealane.core.clock import ManualClock
from sealane.errors import InputError, RefusedError, SealaneError, UnavailableError
from sealane.governance.contract import Contract, load_contract
from sealane.node import datasets
from sealane.node.datasets import Report, add_dataset, open_dataset
from sealane.node.mapping import Mapped
from sealane.node.reading_omop import read_omop
from sealane.node.register import Register
from sealane.node.sources import parse_source, with_mapping
from sealane.sectors.registry import contract as find_contract

CANARY = "CANARY-8842"
CONTRACT = load_contract(b"""
id = "test.loans/v1"
[[fields]]
name = "bad"
type = "boolean"
[[fields]]
name = "income"
type = "number"
unit = "USD"
minimum = 0
maximum = 1e6
[[fields]]
name = "grade"
type = "category"
allowed = ["A", "B"]
[[fields]]
name = "opened"
type = "date"
nullable = true
""")
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgresql_server() as started:
        started.sql(
            "CREATE TABLE loans (bad boolean, income numeric(12, 2), grade text, opened date, other int)",
            "INSERT INTO loans VALUES (false, 50000.25, 'A', '2026-01-01', 1), (true, 7, 'B', NULL, 2)",
            "CREATE SCHEMA credit",
            'CREATE TABLE credit."od""d; --" (bad int, "in""c; DROP TABLE loans; --" float8, grade varchar)',
            "INSERT INTO credit.\"od\"\"d; --\" VALUES (1, 5, 'A')",
            "CREATE TABLE wrong (bad boolean, income float8, grade text)",
            f"INSERT INTO wrong VALUES (true, 2e6, '{CANARY}'), (true, NULL, 'A'), (false, 1, 'B')",
            f"CREATE VIEW failing AS SELECT true AS bad, '{CANARY}'::text::float8 AS income, grade FROM loans",
        )
        started.sql(
            "CREATE FUNCTION touch() RETURNS boolean LANGUAGE sql AS 'INSERT INTO loans DEFAULT VALUES RETURNING true'",
            "CREATE VIEW writing AS SELECT touch() AS bad, 1::float8 AS income, 'A'::text AS grade",
        )
        yield started


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    opened = Register(tmp_path / "node.sqlite", "a" * 52, ManualClock(NOW))
    yield opened
    opened.close()


@pytest.fixture
def add(register: Register, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Report]:
    def find(_: str) -> Contract:
        return CONTRACT

    def run(source: str, mapping: dict[str, Mapped] | None = None) -> Report:
        return add_dataset(register, "loans", source, CONTRACT.id, mapping or {}, now=NOW)

    monkeypatch.setattr(datasets, "find_contract", find)
    return run


def error_of(call: Callable[[], object], branch: type[SealaneError]) -> SealaneError:
    with pytest.raises(branch) as caught:
        call()
    told = f"{caught.value.to_dict()} {caught.value.__context__} {caught.value.__cause__}"
    assert CANARY not in told
    assert PASSWORD not in told
    return caught.value


def test_rows_are_read_and_typed(server: Server, register: Register, add: Callable[..., Report]) -> None:
    assert add(server.url("loans")).rows == 2
    frame = open_dataset(register, "loans").frame(["bad", "income", "grade", "opened"]).sort_values("bad")
    assert frame["bad"].tolist() == [0, 1]
    assert frame["income"].tolist() == [50000.25, 7.0]
    assert frame["grade"].tolist() == ["A", "B"]
    assert frame["opened"].isna().tolist() == [False, True]


def test_a_schema_and_hostile_names(server: Server, register: Register, add: Callable[..., Report]) -> None:
    url = server.url("od%22d%3B%20--") + "&schema=credit"
    add(url, {"income": Mapped('in"c; DROP TABLE loans; --')})
    assert open_dataset(register, "loans").frame(["income"])["income"].tolist() == [5.0]
    assert add(server.url("loans")).rows == 2


def test_the_version_is_of_the_rows_and_not_of_their_order(server: Server, register: Register,
                                                          add: Callable[..., Report]) -> None:
    server.sql("CREATE TABLE moved AS SELECT * FROM loans")
    first = add(server.url("moved")).version
    server.sql("UPDATE moved SET other = other + 1 WHERE grade = 'A'")  # moves the row to the end of the heap
    assert open_dataset(register, "loans").version == first
    server.sql("UPDATE moved SET income = 8 WHERE grade = 'B'")
    assert error_of(lambda: open_dataset(register, "loans"), RefusedError).code == "dataset.changed"
    assert add(server.url("moved")).version != first


def test_failures_are_counted_and_never_shown(server: Server, add: Callable[..., Report]) -> None:
    error = error_of(lambda: add(server.url("wrong")), RefusedError)
    assert error.got == "income: range (1 row); income: missing (1 row); grade: allowed (1 row)"


def test_what_the_server_says_of_a_row_is_not_passed_on(server: Server, add: Callable[..., Report]) -> None:
    assert error_of(lambda: add(server.url("failing")), InputError).code == "dataset.unreadable"


def test_missing_tables_and_refused_connections(server: Server, add: Callable[..., Report]) -> None:
    missing = error_of(lambda: add(server.url("nowhere")), InputError)
    assert missing.code == "dataset.unreadable"
    assert "42P01" in (missing.got or "")
    assert error_of(lambda: add(server.url("loans", password="wrong")), UnavailableError).code == "dataset.unreachable"
    assert error_of(lambda: add(server.url("loans", port=1)), UnavailableError).code == "dataset.unreachable"


def test_the_transaction_can_write_nothing(server: Server, add: Callable[..., Report]) -> None:
    error = error_of(lambda: add(server.url("writing")), InputError)
    assert "25006" in (error.got or "")  # read_only_sql_transaction
    assert add(server.url("loans")).rows == 2


@pytest.mark.skipif(not omop_cdm.FIELDS.is_file(), reason="../shared/conformance/omop-cdm-5.4 is absent")
def test_an_omop_cohort_is_what_it_is_person_by_person(server: Server, tmp_path: Path) -> None:
    tables, types = omop_cdm.made_up(150), omop_cdm.definitions()
    script = ["CREATE SCHEMA \"cdm 54\"", "SET search_path TO \"cdm 54\""]
    for table, frame in tables.items():
        columns = ", ".join(f'"{name}" {"text" if "max" in kind else "timestamp" if kind == "datetime" else kind}'
                            for name, kind in types[table].items())
        rows = ", ".join("(" + ", ".join("NULL" if pd.isna(one) else f"'{one}'" for one in row) + ")"
                         for row in frame.itertuples(index=False))
        script += [f"CREATE TABLE {table} ({columns})",
                   f"INSERT INTO {table} ({', '.join(frame.columns)}) VALUES {rows}"]
    server.sql(*script)
    (tmp_path / "cohort.toml").write_text(omop_cdm.DEFINITION)
    url = server.url("").replace("table=", "schema=cdm+54")
    source = parse_source(with_mapping(f"omop:{url}", tmp_path / "cohort.toml"))
    table = read_omop(source, lambda names: names, find_contract("healthcare.survival/v1"))
    expected, reasons = omop_cdm.reckoned(tables)
    assert len(table.frame) == len(expected) > 15
    for name, values in pd.DataFrame(sorted(expected, key=lambda row: int(row["person"]))).items():
        got = [None if pd.isna(one) else one for one in table.frame[str(name)]]
        assert got == [None if pd.isna(one) else one if isinstance(one, str) else pytest.approx(one)
                       for one in values], name
    assert {reason: table.counted[reason] for reason in reasons} == reasons
    server.sql('SET search_path TO "cdm 54"', "DROP TABLE death")
    with pytest.raises(InputError) as caught:
        read_omop(source, lambda names: names, find_contract("healthcare.survival/v1"))
    assert caught.value.code == "dataset.unreadable"
    assert PASSWORD not in str(caught.value.to_dict())
