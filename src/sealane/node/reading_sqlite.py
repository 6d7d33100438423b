"""SQLite through the standard library, opened read-only. See docs/adr/0002-reading-sqlite.md."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pandas as pd

from sealane.errors import InputError
from sealane.node.sources import Source
from sealane.node.table import Choose, Table, check_names, hash_rows


def read_sqlite(source: Source, choose: Choose) -> Table:
    """Read the chosen columns of one table or view within one read transaction.

    Raises:
        InputError: no database, no such table, or not readable.
    """
    failure = ""
    try:
        with closing(_connect(source)) as connection:
            connection.execute("BEGIN")
            found = connection.execute(
                "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?", (source.table,)
            ).fetchone()
            if found is None:
                raise InputError("dataset.no-such-table", "the database has no such table", got=repr(source.table[:80]),
                                 expected=f"a table or view of {source.path.name}")
            names = [str(row[1]) for row in connection.execute("SELECT * FROM pragma_table_info(?)", (source.table,))]
            check_names(names, source.location)
            chosen = choose(names)
            wanted = ", ".join(map(_quoted, chosen)) or "NULL"
            rows = connection.execute(f"SELECT {wanted} FROM {_quoted(source.table)}").fetchall()  # noqa: S608 - quoted
    except sqlite3.Error as error:
        failure = getattr(error, "sqlite_errorname", "") or type(error).__name__
    if failure:
        raise InputError("dataset.unreadable", f"{source.path.name} cannot be read", got=failure,
                         expected="a sound SQLite database")
    frame = pd.DataFrame(rows, columns=pd.Index(chosen or ["NULL"]), dtype=object)[chosen]
    return Table(names, frame, hash_rows(rows))


def _connect(source: Source) -> sqlite3.Connection:
    # as_uri() escapes what a path may hold, so that no path can add a parameter.
    connection = sqlite3.connect(f"{source.path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
