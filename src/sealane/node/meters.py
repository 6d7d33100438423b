"""The node's metered events: one per run, written once and on disk before the run counts as ended here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sealane.governance.metering import MeteredRun, read_metered
from sealane.node.database import open_database, transaction
from sealane.node.register_schema import SCHEMA


class Meters:
    """The events, in the register's database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def record(self, event: MeteredRun) -> bool:
        """Keep the event of a run; the first one counts, whatever comes after it. False where there was one."""
        with transaction(self._db) as db:
            return db.execute("INSERT OR IGNORE INTO metered_runs (run_id, study, ended_at, body) VALUES (?, ?, ?, ?)",
                              (event.run, event.study, event.ended_at, event.canonical())).rowcount > 0

    def events(self, *, study: str = "", run: str = "") -> list[MeteredRun]:
        """Return the events, oldest first: of all, of one study by its hash, or of runs that begin so."""
        rows = self._db.execute(
            "SELECT body FROM metered_runs WHERE (? = '' OR study = ?) AND substr(run_id, 1, length(?)) = ? "
            "ORDER BY ended_at, run_id", (study, study, run, run))
        return [read_metered(body) for body, in rows.fetchall()]


@contextmanager
def meters(path: Path) -> Iterator[Meters]:
    """Open the events in a node's ``node.sqlite`` for the length of the block."""
    with closing(open_database(path, SCHEMA)) as db:
        yield Meters(db)
