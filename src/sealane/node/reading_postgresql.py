"""PostgreSQL through ADBC into Arrow, in one read-only transaction."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pandas as pd

from sealane.errors import InputError, UnavailableError
from sealane.node.sources import Source
from sealane.node.table import Choose, Table, check_names, hash_rows


def read_postgresql(source: Source, choose: Choose) -> Table:
    """Read the chosen columns of one table or view.

    Raises:
        InputError: the ``postgres`` extra is missing, or the server refuses the query.
        UnavailableError: the server cannot be reached or refuses the connection.
    """
    dbapi = _driver()
    table = ".".join(_quoted(part) for part in (source.schema, source.table) if part)
    failure = ""
    try:
        connection = dbapi.connect(source.location)
    except dbapi.Error as error:
        failure = _state(error)
    if failure:
        raise UnavailableError("dataset.unreachable", "the database server gives no connection", got=failure,
                               expected=str(source), hint="check host, user and password (PGPASSFILE), and the server")
    try:
        with closing(connection), closing(connection.cursor()) as cursor:
            # The driver has begun a transaction by then; this is its first statement.
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608 - quoted
            names = [str(column[0]) for column in cursor.description]
            check_names(names, source.table)
            chosen = choose(names)
            wanted = ", ".join(map(_quoted, chosen)) or "NULL"
            cursor.execute(f"SELECT {wanted} FROM {table}")  # noqa: S608 - quoted
            columns = [column.to_pylist() for column in cursor.fetch_arrow_table().columns]
    except dbapi.Error as error:
        failure = _state(error)
    if failure:
        raise InputError("dataset.unreadable", "the database server refuses to read the table", got=failure,
                         expected=str(source), hint="does the table exist, and may this user SELECT from it?")
    rows = list(zip(*columns, strict=True))
    frame = pd.DataFrame(rows, columns=pd.Index(chosen or ["NULL"]), dtype=object)[chosen]
    return Table(names, frame, hash_rows(rows))


def _driver() -> Any:
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError as error:
        raise InputError("extra.missing", "reading PostgreSQL needs an extra that is not installed", got=error.name,
                         expected="the extra `postgres`", hint="pip install 'sealane[postgres]'") from error
    return dbapi


def _state(error: Any) -> str:
    """Say what failed by class and SQLSTATE: the server's own words may quote a value or the URL."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} {state}" if state else type(error).__name__


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
