"""How the node opens its SQLite databases: durable before anything is answered, readable by nobody else."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sealane.core.handles import is_full
from sealane.errors import InputError, RefusedError, SealaneError, UnavailableError

BUSY_TIMEOUT_MS = 10_000
CUT_TIMEOUT_MS = 500
DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT")
"""How the names of SQLite's errors begin that tell of damage."""
_MAKING = threading.Lock()


def open_database(path: Path | str, schema: Sequence[str] = ()) -> sqlite3.Connection:
    """Open a database, making it and bringing its schema up to date where needed.

    The connection is in autocommit mode: writes of more than one statement go through :func:`transaction`. It may be
    handed between threads, but two threads may not use it at the same time.

    Args:
        path: the file, made with mode 0600 in a directory that exists; or ``:memory:``.
        schema: the scripts that lead from one version to the next; ``user_version`` counts those applied. An older
            script is never changed, a newer one is added at the end.

    Raises:
        InputError: the file is no SQLite database, or its directory is missing.
        RefusedError: a newer Sealane wrote it.
        UnavailableError: locked for long, or the disk is full.
    """
    if str(path) != ":memory:":
        _make_private(Path(path))
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None,
                                     check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA secure_delete = ON")
        _migrate(connection, schema)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise translate(error, Path(path).parent) from error
    except SealaneError:
        if connection is not None:
            connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Run the block as one write: on disk when it ends, without a trace when it raises.

    Raises:
        UnavailableError: locked for long, or the disk is full.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except sqlite3.IntegrityError:
        raise
    except sqlite3.Error as error:
        raise translate(error, _directory(connection)) from error


def cut_log(connection: sqlite3.Connection) -> bool:
    """Write all that the write-ahead log holds into the database, and cut the log to nothing.

    Until then the log has earlier states of pages, with all that was deleted from them since.

    Returns:
        False where it could not be done now: others read or write for longer than half a second, or the disk fails.
    """
    try:
        connection.execute(f"PRAGMA busy_timeout = {CUT_TIMEOUT_MS}")
        try:
            (busy, _, _), = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    except sqlite3.Error:
        return False
    return not busy


def snapshot(path: Path) -> bytes:
    """Return a consistent copy of a database that may be in use.

    Raises:
        InputError: the file is no SQLite database.
        UnavailableError: locked for long.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as source, \
                closing(sqlite3.connect(":memory:")) as copy:
            source.backup(copy)
            return copy.serialize()
    except sqlite3.Error as error:
        raise translate(error, path.parent) from error


def translate(error: sqlite3.Error, directory: Path) -> SealaneError:
    """Return the typed error for what SQLite says of a database in a directory; its own words carry no row."""
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    # Where there is no room for the files beside the database, SQLite speaks of input and output, or cannot open it.
    if name.startswith("SQLITE_FULL") or (name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")) and is_full(directory)):
        return _full(name)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return UnavailableError("database.busy", "another process holds the database", got=name,
                                hint="is a second process running in this home?")
    if name.startswith(DAMAGED):
        return InputError("database.unreadable", "the file is not a sound SQLite database", got=name,
                          hint="restore it from a backup")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return InputError("database.not-writable", "the database cannot be opened for writing", got=name,
                          hint="check the owner and mode of the home directory, and that its disk is not mounted "
                               "read-only")
    return UnavailableError("database.failed", "the database refused an operation", got=name,
                            hint="look at the disk, and at what the system's log says of it")


def _full(said: str) -> UnavailableError:
    return UnavailableError("disk.full", "the disk is full: nothing was written", got=said,
                            hint="free some space; the work goes on from where it stopped")


def _directory(connection: sqlite3.Connection) -> Path:
    return Path(connection.execute("PRAGMA database_list").fetchone()[2]).parent


def _make_private(path: Path) -> None:
    # SQLite gives -wal and -shm the mode of the main file, so the file is made first, and narrowed if it was not ours.
    # One that exists is not opened: closing any descriptor of a file drops all of a process's POSIX locks on it, those
    # of its other connections too, and the next foreign process to close the database would take its log away.
    with _MAKING:
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise _full("no space for the file") from error
            raise InputError("database.not-writable", "the database file cannot be opened", got=error.strerror,
                             hint="check the home directory: it must exist and be yours") from error


def _migrate(connection: sqlite3.Connection, schema: Sequence[str]) -> None:
    if _version(connection) == len(schema):
        return
    # The version is read again inside: another process may have migrated while this one waited for the lock.
    with transaction(connection):
        version = _version(connection)
        if version > len(schema):
            raise RefusedError("database.too-new", "a newer version of Sealane wrote this database",
                               got=f"schema {version}", expected=f"at most {len(schema)}",
                               hint="upgrade Sealane; going back would lose what the newer one relies on")
        for script in schema[version:]:
            # Not executescript: it would commit the transaction first.
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(schema)}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip() != ";":
                yield statement
            statement = ""
