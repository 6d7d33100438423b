from __future__ import annotations

import hashlib
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import signed

from sealane.core.clock import ManualClock
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError, SealaneError, UnavailableError
from sealane.governance.contract import Contract
from sealane.governance.study import Study
from sealane.node import reading
from sealane.node.datasets import Report, add_dataset, check_dataset, open_approved, open_dataset
from sealane.node.mapping import Mapped
from sealane.node.register import Register

Add = Callable[..., Report]
CANARY = "CANARY-8842"
GOOD = """bad,income,loans,grade,opened,note
0,50000,3,A,2026-01-01,one
1,12000.5,,NA,,"a, ""b"" c"
0,0,1,B,2025-12-31,
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def write_parquet(path: Path, frame: pd.DataFrame) -> Path:
    with duckdb.connect() as connection:
        connection.register("given", frame)
        connection.execute(f"COPY given TO '{path}' (FORMAT parquet)")
    return path


def write_sqlite(path: Path, statement: str, rows: list[tuple[object, ...]]) -> Path:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        table = statement.split("(", 1)[0].removeprefix("CREATE TABLE ")
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    connection.commit()
    connection.close()
    return path


def refused(call: Callable[[], object], branch: type[SealaneError] = RefusedError) -> SealaneError:
    with pytest.raises(branch) as caught:
        call()
    return caught.value


def test_csv_is_typed_by_the_contract(tmp_path: Path, register: Register, add: Add) -> None:
    report = add(write(tmp_path / "loans.csv", GOOD))
    assert (report.rows, report.invalid, report.failures, report.absent) == (3, 0, (), ())
    data = open_dataset(register, "loans")
    frame = data.frame(["bad", "income", "loans", "grade", "opened", "note"])
    assert frame["bad"].tolist() == [0, 1, 0]
    assert frame["bad"].dtype == np.int64
    assert frame["income"].tolist() == [50000.0, 12000.5, 0.0]
    assert frame["loans"].isna().tolist() == [False, True, False]
    assert frame["grade"].tolist() == ["A", "NA", "B"]
    assert frame["opened"][0] == pd.Timestamp("2026-01-01")
    assert frame["note"].tolist() == ["one", 'a, "b" c', None]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_and_a_byte_order_mark(tmp_path: Path, add: Add, delimiter: str) -> None:
    text = "\ufeff" + delimiter.join(["bad", "income", "grade"]) + "\n" + delimiter.join(["1", "5", "A"]) + "\n"
    assert add(write(tmp_path / "loans.csv", text)).rows == 1


def test_parquet_and_sqlite_give_what_csv_gives(tmp_path: Path, register: Register, add: Add) -> None:
    frame = pd.DataFrame({"bad": [False, True], "income": [50000, 7], "loans": [3.0, np.nan], "grade": ["A", "B"]})
    add(write_parquet(tmp_path / "loans.parquet", frame))
    from_parquet = open_dataset(register, "loans").frame(["bad", "income", "loans", "grade"])
    rows: list[tuple[object, ...]] = [(0, 50000, 3, "A"), (1, 7, None, "B")]
    path = write_sqlite(tmp_path / "l.db", "CREATE TABLE loans (bad INT, income INT, loans INT, grade TEXT)", rows)
    add(f"sqlite:{path}?table=loans")
    from_sqlite = open_dataset(register, "loans").frame(["bad", "income", "loans", "grade"])
    pd.testing.assert_frame_equal(from_parquet, from_sqlite)


def test_every_rule_is_counted_and_no_value_shown(tmp_path: Path, contract: Contract) -> None:
    text = f"bad,income,loans,grade\n{CANARY},{CANARY},{CANARY},{CANARY}\n2,2000001,1.5,C\n,,999,\n0,1,1,A\n"
    report = check_dataset("loans", str(write(tmp_path / "loans.csv", text)), contract, {})
    assert [str(one) for one in report.failures] == [
        "bad: type (2 rows)", "bad: missing (1 row)", "income: type (1 row)", "income: range (1 row)",
        "income: missing (1 row)", "loans: type (2 rows)", "loans: range (1 row)", "grade: allowed (2 rows)",
        "grade: missing (1 row)",
    ]
    assert (report.rows, report.invalid, report.accepted) == (4, 3, False)
    assert CANARY not in str(report.to_dict()) + repr(report)
    assert "2000001" not in str(report.to_dict())


def test_rows_that_break_rules_refuse_the_dataset_unless_left_out(tmp_path: Path, register: Register, add: Add) -> None:
    path = write(tmp_path / "loans.csv", f"bad,income,grade\n0,1,A\n1,{CANARY},B\n1,3,B\n")
    error = refused(lambda: add(path))
    assert error.code == "dataset.violates-contract"
    assert error.got == "income: type (1 row)"
    assert CANARY not in str(error.to_dict())
    assert register.datasets() == []
    report = add(path, drop_invalid=True)
    assert report.accepted
    assert open_dataset(register, "loans").frame(["income"])["income"].tolist() == [1.0, 3.0]
    entry = register.dataset("loans")
    assert (entry.rows, entry.excluded, entry.drop_invalid) == (2, 1, True)


def test_leaving_rows_out_mends_no_column(tmp_path: Path, add: Add) -> None:
    no_grade = write(tmp_path / "a.csv", "bad,income\n0,1\n")
    assert refused(lambda: add(no_grade, drop_invalid=True)).got == "grade: missing-column (1 row)"
    twice = write(tmp_path / "b.csv", "bad,income,grade,grade\n0,1,A,B\n")
    assert refused(lambda: add(twice, drop_invalid=True)).got == "grade: duplicate-column (1 row)"
    none_left = write(tmp_path / "c.csv", "bad,income,grade\n0,1,Z\n")
    assert refused(lambda: add(none_left, drop_invalid=True)).code == "dataset.violates-contract"
    empty = write(tmp_path / "d.csv", "bad,income,grade\n")
    assert refused(lambda: add(empty)).code == "dataset.empty"


def test_mapping_and_fields_without_a_column(tmp_path: Path, register: Register, add: Add) -> None:
    path = write(tmp_path / "loans.csv", "default,inc,grade,secret\n1,5,A,x\n")
    report = add(path, {"bad": Mapped("default"), "income": Mapped("inc", "USD")})
    assert report.absent == ("loans", "opened", "note")
    data = open_dataset(register, "loans")
    assert data.frame(["bad"])["bad"].tolist() == [1]
    assert refused(lambda: data.frame(["loans"])).code == "dataset.column-absent"
    for outside in ("secret", "inc", "default"):
        assert refused(lambda name=outside: data.frame([name]), InputError).code == "contract.unknown-field"


def test_a_frame_is_a_copy(tmp_path: Path, register: Register, add: Add) -> None:
    add(write(tmp_path / "loans.csv", GOOD))
    data = open_dataset(register, "loans")
    data.frame(["income"])["income"] = 0.0
    assert data.frame(["income"])["income"].tolist() == [50000.0, 12000.5, 0.0]


HOSTILE = ['x"; DROP TABLE loans; --', "c0", "Income", "a'b", "select", "naïve ☃", "[0]", "%s", "?", "$1", "a\\b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_column_names(tmp_path: Path, register: Register, add: Add, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    csv = write(tmp_path / "loans.csv", f"bad,grade,income2,{quoted}\n1,A,9,5\n")
    frame = pd.DataFrame({"bad": [1], "grade": ["A"], "income2": [9], name: [5]})
    parquet = write_parquet(tmp_path / "l.parquet", frame)
    table = 'od"d; --'
    path = write_sqlite(tmp_path / "l.db", f'CREATE TABLE "od""d; --" (bad INT, grade TEXT, income2 INT, {quoted} INT)',
                        [(1, "A", 9, 5)])
    for source in (str(csv), str(parquet), f"sqlite:{path}?table={table}"):
        add(source, {"income": Mapped(name)})
        assert open_dataset(register, "loans").frame(["income"])["income"].tolist() == [5.0]


def test_names_that_differ_by_case_only_are_two_columns(tmp_path: Path, register: Register, add: Add) -> None:
    add(write(tmp_path / "loans.csv", "bad,grade,Income,income\n1,A,1,2\n"))
    assert open_dataset(register, "loans").frame(["income"])["income"].tolist() == [2.0]


def test_hostile_paths_read_one_file_only(tmp_path: Path, register: Register, add: Add) -> None:
    write(tmp_path / "ab.csv", f"bad,income,grade\n1,{CANARY},A\n")
    for name in ("it's.csv", "a;b.csv", "$1.csv", "{a,b}.csv", "-a.csv", "a b.csv"):
        add(write(tmp_path / name, "bad,income,grade\n1,5,A\n"))
        assert open_dataset(register, "loans").frame(["income"])["income"].tolist() == [5.0]
    for name in ("a*.csv", "a?.csv", "a[b].csv"):
        path = write(tmp_path / name, "bad,income,grade\n1,5,A\n")
        assert refused(lambda path=path: add(path), InputError).code == "dataset.wildcard"
    assert refused(lambda: add(tmp_path / "*.csv"), InputError).code == "dataset.not-found"
    assert refused(lambda: add(f"sqlite:{tmp_path}/l.db?mode=rwc?table=t"), InputError).code == "dataset.not-found"


def test_the_version_follows_everything_that_decides_the_rows(tmp_path: Path, contract: Contract) -> None:
    def version(path: Path, mapping: dict[str, Mapped] | None = None, **options: bool) -> str:
        return check_dataset("loans", str(path), contract, mapping or {}, **options).version

    path = write(tmp_path / "loans.csv", "bad,income,inc2,grade\n0,1,2,A\n")
    base = version(path)
    assert base == version(path)
    assert base == version(write(tmp_path / "copy.csv", path.read_text()))
    others = {version(path, {"income": Mapped("inc2")}), version(path, drop_invalid=True),
              version(write(tmp_path / "other.csv", path.read_text() + "0,1,2,B\n")),
              check_dataset("loans", str(path), contract.model_copy(update={"title": "x"}), {}).version}
    assert len(others | {base}) == 5


def test_sqlite_version_is_of_the_rows_in_any_order(tmp_path: Path, contract: Contract) -> None:
    rows: list[tuple[object, ...]] = [(0, 1, "A", 7), (1, 2, "B", 8), (0, 3, "A", None)]
    table = "CREATE TABLE loans (bad INT, income REAL, grade TEXT, other INT)"

    def version(name: str, given: list[tuple[object, ...]]) -> str:
        path = write_sqlite(tmp_path / name, table, given)
        return check_dataset("loans", f"sqlite:{path}?table=loans", contract, {}).version

    base = version("a.db", rows)
    assert base == version("b.db", rows[::-1])
    assert base == version("c.db", [(*row[:3], 99) for row in rows])
    assert base != version("d.db", [*rows[:2], (0, 4, "A", None)])
    assert base != version("e.db", [*rows, rows[0]])


def test_a_changed_file_is_refused_until_added_again(tmp_path: Path, register: Register, add: Add) -> None:
    path = write(tmp_path / "loans.csv", GOOD)
    add(path)
    before = open_dataset(register, "loans").version
    write(path, GOOD + "1,1,1,A,,\n")
    error = refused(lambda: open_dataset(register, "loans"))
    assert error.code == "dataset.changed"
    assert "add" in (error.hint or "")
    add(path)
    assert open_dataset(register, "loans").rows == 4
    assert refused(lambda: open_dataset(register, "loans", before)).code == "dataset.changed"


def test_a_changed_contract_is_refused(tmp_path: Path, register: Register, add: Add, contract: Contract,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    add(write(tmp_path / "loans.csv", GOOD))
    wider = contract.model_copy(update={"title": "Wider"})
    monkeypatch.setattr("sealane.node.datasets.find_contract", lambda _: wider)
    assert refused(lambda: open_dataset(register, "loans")).code == "dataset.changed"


def test_only_what_was_approved_is_opened(tmp_path: Path, register: Register, add: Add, contract: Contract,
                                          make: Callable[..., Study], keys: dict[str, SigningKey]) -> None:
    report = add(write(tmp_path / "loans.csv", GOOD))
    study = make()
    approval = signed.agreed(study, keys["north"], "north", version=report.version)
    assert open_approved(register, approval, study).rows == 3
    path = (tmp_path / "loans.csv").rename(tmp_path / "elsewhere.csv")
    missing = refused(lambda: open_approved(register, approval, study, streamed=True), UnavailableError)
    assert (missing.code, "loans.csv" in str(missing)) == ("dataset.source-missing", False)  # a run waits for it
    assert refused(lambda: open_approved(register, approval, study), UnavailableError).code == missing.code
    path.rename(tmp_path / "loans.csv")
    other = make(data_contract="test.others/v1")
    assert refused(lambda: open_approved(register, approval, other)).code == "dataset.other-contract"


@pytest.mark.parametrize(("name", "content", "code"), [
    ("a.csv", b"bad,income,grade\n0,1,A\n0,1,A," + CANARY.encode() + b"\n", "dataset.unreadable"),
    ("a.csv", b'bad,income,grade\n0,1,"A ' + CANARY.encode() + b"\n", "dataset.unreadable"),
    ("a.csv", b"bad,income,grade\n0,1,\xff\xfe" + CANARY.encode() + b"\n", "dataset.unreadable"),
    ("a.csv", b"\xff\xfe" + CANARY.encode(), "dataset.unreadable"),
    ("a.csv", b"", "dataset.unreadable"),
    ("a.parquet", CANARY.encode() * 50, "dataset.unreadable"),
    ("a.parquet", b"PAR1" + CANARY.encode() * 50 + b"PAR1", "dataset.unreadable"),
    ("a.parquet", b"", "dataset.unreadable"),
    ("sqlite:a.db?table=loans", CANARY.encode() * 50, "dataset.unreadable"),
    ("sqlite:a.db?table=loans", b"", "dataset.no-such-table"),
    ("missing.csv", None, "dataset.not-found"),
])
def test_files_that_are_not_sound(tmp_path: Path, add: Add, monkeypatch: pytest.MonkeyPatch, name: str,
                                  content: bytes | None, code: str) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / name.removeprefix("sqlite:").partition("?")[0]).write_bytes(content)
    error = refused(lambda: add(name), InputError)
    assert error.code == code
    assert error.__context__ is None or CANARY not in str(error.__context__)
    assert CANARY not in str(error.to_dict())


def test_a_broken_line_is_named_by_number(tmp_path: Path, add: Add) -> None:
    path = write(tmp_path / "loans.csv", "bad,income,grade\n0,1,A\n0,1,A,9\n")
    assert "line 3" in refused(lambda: add(path), InputError).message


def test_a_directory_is_no_file(tmp_path: Path, add: Add) -> None:
    (tmp_path / "d.csv").mkdir()
    assert refused(lambda: add(tmp_path / "d.csv"), InputError).code == "dataset.not-found"


def test_postgresql_without_its_extra_names_it(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    error = refused(lambda: add("postgresql://ann:CANARY@localhost/risk?table=loans"), InputError)
    assert error.code == "extra.missing"
    assert "sealane[postgres]" in (error.hint or "")
    assert "CANARY" not in str(error.to_dict())


def test_reading_leaves_the_source_as_it_was(tmp_path: Path, add: Add) -> None:
    path = write_sqlite(tmp_path / "l.db", "CREATE TABLE loans (bad INT, income INT, grade TEXT)", [(0, 1, "A")])
    before = hashlib.sha256(path.read_bytes()).digest()
    add(f"sqlite:{path}?table=loans")
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert not (tmp_path / ".tmp").exists()


def test_nested_parquet_columns_are_counted_as_one(tmp_path: Path, register: Register, add: Add) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {{'bad': 7, 'x': [1]}} AS nest, 1 AS bad, 2 AS income, 'A' AS grade) "
                           f"TO '{tmp_path / 'n.parquet'}' (FORMAT parquet)")
    add(tmp_path / "n.parquet")
    assert open_dataset(register, "loans").frame(["bad", "income"]).to_numpy().tolist() == [[1.0, 2.0]]


def test_a_file_that_is_written_while_it_is_read(add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "loans.csv", GOOD)
    real = reading.read_csv

    def slow(source: Path, choose: object, numeric: object) -> object:
        table = real(source, choose, numeric)  # type: ignore[arg-type]
        with source.open("a") as file:  # someone else's export goes on
            file.write("1,777,1,A,,\n")
        return table

    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_csv", slow)
        with pytest.raises(RefusedError) as caught:
            add(path)
    assert (caught.value.code, caught.value.got) == ("dataset.changing", "loans.csv")
    assert "777" not in str(caught.value.to_dict())
    assert add(path).rows == 4


def test_rows_in_the_future_are_refused_or_left_out_as_of_the_day_of_adding(register: Register, clock: ManualClock,
                                                                            tmp_path: Path) -> None:
    source = write(tmp_path / "visits.csv", "class,start\nIMP,2020-01-01\nAMB,2026-06-20\nAMB,2031-01-01\n")

    def add(*, drop_invalid: bool) -> Report:
        return add_dataset(register, "visits", str(source), "healthcare.encounter/v1", {}, now=clock(),
                           drop_invalid=drop_invalid)

    assert clock() < datetime(2026, 6, 10, tzinfo=UTC)
    with pytest.raises(RefusedError) as caught:
        add(drop_invalid=False)
    assert caught.value.got == "start: future (2 rows)"
    first = add(drop_invalid=True)
    assert open_dataset(register, "visits", first.version).rows == 1
    clock.advance(timedelta(days=30))
    assert open_dataset(register, "visits", first.version).rows == 1  # what was agreed on stays what it was
    second = add(drop_invalid=True)
    assert open_dataset(register, "visits").rows == 2
    assert second.version != first.version
