from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sealane.errors import InputError, RefusedError, UnavailableError
from sealane.node import database
from sealane.node.database import open_database, transaction

ONE = "CREATE TABLE acts (name TEXT PRIMARY KEY) STRICT; CREATE TABLE notes (name TEXT REFERENCES acts) STRICT;"
TWO = "ALTER TABLE acts ADD COLUMN at TEXT; INSERT INTO acts (name) VALUES ('a;b');"


def test_pragmas_and_modes(tmp_path: Path) -> None:
    path = tmp_path / "node.sqlite"
    connection = open_database(path, [ONE])
    with transaction(connection):
        connection.execute("INSERT INTO acts VALUES ('x')")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert "node.sqlite-wal" in files
    assert set(files.values()) == {0o600}
    connection.close()


def test_a_file_open_to_others_is_narrowed(tmp_path: Path) -> None:
    path = tmp_path / "node.sqlite"
    path.touch(mode=0o644)
    open_database(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_schema_grows_by_version_and_keeps_rows(tmp_path: Path) -> None:
    path = tmp_path / "node.sqlite"
    first = open_database(path, [ONE])
    first.execute("INSERT INTO acts VALUES ('kept')")
    first.close()
    second = open_database(path, [ONE, TWO])
    assert second.execute("SELECT name, at FROM acts ORDER BY name").fetchall() == [("a;b", None), ("kept", None)]
    assert second.execute("PRAGMA user_version").fetchone() == (2,)
    second.close()
    open_database(path, [ONE, TWO]).close()
    with pytest.raises(RefusedError) as caught:
        open_database(path, [ONE])
    assert caught.value.code == "database.too-new"


def test_a_failed_migration_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "node.sqlite"
    with pytest.raises(UnavailableError) as caught:
        open_database(path, [ONE + "CREATE TABLE acts (again TEXT);"])
    assert (caught.value.code, caught.value.got) == ("database.failed", "SQLITE_ERROR")
    connection = open_database(path)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()


def test_a_block_that_raises_leaves_nothing(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "node.sqlite", [ONE])
    def write_and_fail() -> None:
        with transaction(connection):
            connection.execute("INSERT INTO acts VALUES ('x')")
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        write_and_fail()
    assert connection.execute("SELECT count(*) FROM acts").fetchone() == (0,)
    with pytest.raises(sqlite3.IntegrityError), transaction(connection):
        connection.execute("INSERT INTO notes VALUES ('nobody')")
    assert not connection.in_transaction
    connection.close()


def test_committed_rows_survive_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "node.sqlite"
    script = (
        "import os, signal, sys\n"
        "from sealane.node.database import open_database, transaction\n"
        "c = open_database(sys.argv[1], [sys.argv[2]])\n"
        "with transaction(c): c.execute(\"INSERT INTO acts VALUES ('kept')\")\n"
        "c.execute('BEGIN IMMEDIATE'); c.execute(\"INSERT INTO acts VALUES ('lost')\")\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path), ONE], check=False)
    assert done.returncode == -9
    connection = open_database(path, [ONE])
    assert connection.execute("SELECT name FROM acts").fetchall() == [("kept",)]
    connection.close()


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "node.sqlite", [ONE])
    connection.execute("INSERT INTO acts VALUES ('kept')")
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    rows = [(f"{number:0100}",) for number in range(10_000)]
    with pytest.raises(UnavailableError) as caught, transaction(connection):
        connection.executemany("INSERT INTO acts VALUES (?)", rows)
    assert caught.value.code == "disk.full"
    assert connection.execute("SELECT name FROM acts").fetchall() == [("kept",)]
    connection.close()


def test_what_sqlite_says_where_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    assert database.translate(error, tmp_path).code == "database.failed"
    assert database.translate(error, tmp_path / "gone").code == "database.failed"
    monkeypatch.setattr(database, "is_full", lambda directory: directory == tmp_path)
    assert database.translate(error, tmp_path).code == "disk.full"


def test_a_second_writer_waits_then_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 50)
    one = open_database(tmp_path / "node.sqlite", [ONE])
    two = open_database(tmp_path / "node.sqlite", [ONE])
    with transaction(one), pytest.raises(UnavailableError) as caught, transaction(two):
        pass
    assert caught.value.code == "database.busy"
    one.close()
    two.close()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "node.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(InputError) as caught:
        open_database(path)
    assert caught.value.code == "database.unreadable"
    with pytest.raises(InputError) as caught:
        open_database(tmp_path / "missing" / "node.sqlite")
    assert caught.value.code == "database.not-writable"


def test_a_second_connection_keeps_the_locks_of_the_first(tmp_path: Path) -> None:
    """Another process that opens and closes the database may not think itself the last, and take the log away."""
    path = tmp_path / "two.sqlite"
    schema = ("CREATE TABLE t (x INTEGER) STRICT;",)
    first = open_database(path, schema)
    open_database(path, schema).close()
    code = f"import sqlite3; db = sqlite3.connect({str(path)!r}); db.execute('SELECT * FROM t'); db.close()"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "two.sqlite-wal").exists()
    with transaction(first) as db:
        db.execute("INSERT INTO t VALUES (1)")
    first.close()
