"""Where the coordinator keeps what must survive: one SQL database, SQLite unless a URL names another.

SQLite runs in WAL with full fsync, so that a reply is never ahead of the disk. A writing transaction takes the write
lock when it begins: what it read stays true until it commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from sealane.core.handles import is_full
from sealane.errors import InputError, RefusedError, SealaneError, UnavailableError

SCHEMA_VERSION = 1
BUSY_MILLISECONDS = 5000
POSTGRESQL = "postgresql+psycopg://"

metadata = MetaData()
"""Every table of the coordinator; modules that add tables import this."""

invitations = Table(
    "invitations", metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("name", String(63), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", String(20), nullable=False),
    Column("expires_at", String(20), nullable=False),
    # Set together when the token is spent: what it was spent on, and the answer a repetition gets.
    Column("request_hash", String(64)),
    Column("certificate", LargeBinary),
)

parties = Table(
    "parties", metadata,
    Column("fingerprint", String(52), primary_key=True),
    Column("name", String(63), nullable=False),
    Column("role", String(16), nullable=False),
    Column("signing_key", LargeBinary, nullable=False),
    Column("sealing_key", LargeBinary, nullable=False),
    Column("certificate_serial", String(40), nullable=False),
    Column("status", String(16), nullable=False),
    Column("enrolled_at", String(20), nullable=False),
)
# A name may be given again once its party was removed; the removed party's row stays.
_PRESENT = text("status <> 'removed'")
Index("one_present_party_per_name", parties.c.name, unique=True, sqlite_where=_PRESENT, postgresql_where=_PRESENT)

certificates = Table(
    "certificates", metadata,
    Column("serial", String(40), primary_key=True),
    Column("party", String(52), ForeignKey("parties.fingerprint"), nullable=False, index=True),
    Column("certificate_hash", String(64), nullable=False),
    Column("not_after", String(20), nullable=False),
)


def open_database(where: str | Path) -> Engine:
    """Open (or make) a database, given as a file or as the URL of a PostgreSQL database, with all of ``metadata``.

    Raises:
        InputError: the URL cannot be used.
        RefusedError: it was made by another version.
        UnavailableError: it cannot be opened.
    """
    if isinstance(where, Path) or "://" not in where:
        path = Path(where)
        _make_private(path)
        url = f"sqlite:///{path}"
    elif where.startswith(POSTGRESQL):
        url = where
    else:
        raise InputError("storage.url", "a coordinator keeps its state in a file of its home, or in PostgreSQL",
                         got=f"{where.partition('://')[0]}://…", expected=f"a file, or {POSTGRESQL}…")
    try:
        engine = create_engine(make_url(url), hide_parameters=True)
    except ImportError as error:
        raise InputError("storage.url", "the driver of PostgreSQL is missing", got=type(error).__name__,
                         hint="install sealane[postgres]") from None
    except (ArgumentError, ValueError) as error:
        raise InputError("storage.url", "database URL cannot be read", got=type(error).__name__,
                         expected=f"{POSTGRESQL}USER:PASSWORD@HOST:PORT/DATABASE",
                         hint="each part is percent-encoded") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    with writing(engine) as connection:
        _check_version(connection)
        metadata.create_all(connection)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection whose reads see one state.

    Raises:
        UnavailableError: the database does not answer.
    """
    with mapped(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a transaction that commits at the end, and rolls back on any exception.

    Raises:
        UnavailableError: the database is locked, full or broken; nothing was written.
    """
    with mapped(engine), engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def mapped(engine: Engine) -> Iterator[None]:
    """Turn what the driver raises within the block into an error of ours, but for a broken rule of the schema.

    Raises:
        UnavailableError: the database is locked, full or broken.
    """
    try:
        yield
    except IntegrityError:
        raise  # a rule of the schema: the caller knows which, and what it means
    except DBAPIError as error:
        raise _unavailable(error, engine) from None  # a driver's text may quote values


def _unavailable(error: DBAPIError, engine: Engine) -> SealaneError:
    said = str(error.orig).lower()
    # Where there is no room for the files beside the database, SQLite speaks of input and output, or cannot open it.
    sqlite_said = getattr(error.orig, "sqlite_errorname", "").startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN"))
    if "full" in said or "no space" in said or (sqlite_said and is_full(Path(str(engine.url.database)).parent)):
        return UnavailableError("storage.full", "the coordinator's database cannot grow", got="disk full",
                                hint="free space on the coordinator's disk; what was answered before is safe")
    if "locked" in said or "busy" in said:
        return UnavailableError("storage.locked", "the coordinator's database is held by someone else",
                                hint="look for a second coordinator on the same home")
    return UnavailableError("storage.failed", "the coordinator's database does not answer",
                            got=type(error.orig).__name__,
                            hint="check its file or server, and restore a backup if it is damaged")


def _make_private(path: Path) -> None:
    try:
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise UnavailableError("storage.failed", f"{path} cannot be opened", got=error.strerror,
                               hint="check that the directory exists and belongs to this user") from error


def _prepare_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    for pragma in (f"busy_timeout={BUSY_MILLISECONDS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _check_version(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if found == 0:
        connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")
    elif found != SCHEMA_VERSION:
        raise RefusedError("storage.version", "the database was made by another version of Sealane", got=found,
                           expected=SCHEMA_VERSION,
                           hint="upgrade Sealane" if found > SCHEMA_VERSION else "run the version that made it")
