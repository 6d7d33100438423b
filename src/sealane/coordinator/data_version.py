"""Whether a database is as it was: asked of SQLite without a transaction, by a connection that never writes."""

from __future__ import annotations

import sqlite3
from threading import Lock

from sqlalchemy import Engine, PoolProxiedConnection, event
from sqlalchemy.exc import DBAPIError


class DataVersion:
    """What is another one after every commit to a database, by whatever process.

    Args:
        engine: of the database; the connection that asks ends with it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: PoolProxiedConnection | None = None
        self._opened = 0
        self._lock = Lock()
        event.listen(engine, "engine_disposed", self._close)

    def read(self) -> tuple[int, int] | None:
        """Return the version, or None where the database has none or does not answer: then nothing is known.

        Source: "PRAGMA data_version" in SQLite's documentation.
        """
        if self._engine.dialect.name != "sqlite":
            return None
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._engine.raw_connection()
                    self._connection.detach()  # it is none of those that the pool counts
                    self._opened += 1  # each connection counts for itself
                cursor = self._connection.cursor()
                cursor.execute("PRAGMA data_version")
                (number,), = cursor.fetchall()  # to the end, or it would go on reading the state it found
                return self._opened, int(number)
            except (sqlite3.Error, DBAPIError):
                return None

    def _close(self, engine: Engine) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
