"""PostgreSQL through ADBC into Arrow, in one read-only transaction."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

import pandas as pd

from sealane.errors import InputError, UnavailableError
from sealane.node.sources import Source
from sealane.node.table import Choose, Table, check_names, hash_rows

T = TypeVar("T")


def read_postgresql(source: Source, choose: Choose) -> Table:
    """Read the chosen columns of one table or view.

    Raises:
        InputError: the ``postgres`` extra is missing, or the server refuses the query.
        UnavailableError: the server cannot be reached or refuses the connection.
    """
    table = ".".join(quoted(part) for part in (source.schema, source.table) if part)

    def read(cursor: Any) -> tuple[list[str], list[str], list[tuple[Any, ...]]]:
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608 - quoted
        names = [str(column[0]) for column in cursor.description]
        check_names(names, source.table)
        chosen = choose(names)
        wanted = ", ".join(map(quoted, chosen)) or "NULL"
        return names, chosen, fetch(cursor, f"SELECT {wanted} FROM {table}")  # noqa: S608 - quoted

    names, chosen, rows = in_transaction(source, read)
    frame = pd.DataFrame(rows, columns=pd.Index(chosen or ["NULL"]), dtype=object)[chosen]
    return Table(names, frame, hash_rows(rows))


def in_transaction(source: Source, work: Callable[[Any], T]) -> T:
    """Do some reading on a cursor, in one read-only transaction that sees one state of the database.

    Raises:
        InputError: the ``postgres`` extra is missing, or the server refuses the query.
        UnavailableError: the server cannot be reached or refuses the connection.
    """
    dbapi = driver()
    failure = ""
    try:
        connection = dbapi.connect(source.location)
    except dbapi.Error as error:
        failure = state_of(error)
    if failure:
        raise UnavailableError("dataset.unreachable", "the database server gives no connection", got=failure,
                               expected=str(source), hint="check host, user and password (PGPASSFILE), and the server")
    try:
        with closing(connection), closing(connection.cursor()) as cursor:
            # The driver has begun a transaction by then; this is its first statement.
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return work(cursor)
    except dbapi.Error as error:
        failure = state_of(error)
    # Raised out here so that the server's own message, which may quote a value, is no context of this one.
    raise InputError("dataset.unreadable", "the database server refuses to read the table", got=failure,
                     expected=str(source), hint="does the table exist, and may this user SELECT from it?")


def fetch(cursor: Any, statement: str) -> list[tuple[Any, ...]]:
    """Return all rows of a statement."""
    cursor.execute(statement)
    columns = [column.to_pylist() for column in cursor.fetch_arrow_table().columns]
    return list(zip(*columns, strict=True))


def driver() -> Any:
    """Return the driver.

    Raises:
        InputError: the ``postgres`` extra is missing.
    """
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError as error:
        raise InputError("extra.missing", "reading PostgreSQL needs an extra that is not installed", got=error.name,
                         expected="the extra `postgres`", hint="pip install 'sealane[postgres]'") from error
    return dbapi


def state_of(error: Any) -> str:
    """Say what failed by class and SQLSTATE: the server's own words may quote a value or the URL."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} {state}" if state else type(error).__name__


def quoted(name: str) -> str:
    """Return an identifier as SQL writes any."""
    return '"' + name.replace('"', '""') + '"'
