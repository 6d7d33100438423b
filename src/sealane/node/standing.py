"""How things stand at this node beside what was signed: quarantine, suspended agreements, and what the gate decided."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from sealane.errors import SealaneError, from_dict
from sealane.governance.policy import Standing
from sealane.node.decided import RefusedEntry

SCHEMA = """
    CREATE TABLE statements_signed (
        study TEXT NOT NULL REFERENCES studies,
        fingerprint TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('agreement', 'counter', 'refusal')),
        body BLOB NOT NULL,
        public_key BLOB NOT NULL,
        signature BLOB NOT NULL UNIQUE,
        sent INTEGER NOT NULL CHECK (sent IN (0, 1)),
        recorded_at TEXT NOT NULL
    ) STRICT;
    INSERT INTO statements_signed SELECT * FROM statements WHERE kind = 'refusal';
    DROP TABLE statements;
    ALTER TABLE statements_signed RENAME TO statements;
    CREATE INDEX statements_by_study ON statements (study, fingerprint);
    CREATE TABLE suspensions (
        study TEXT PRIMARY KEY REFERENCES studies,
        reason TEXT NOT NULL,
        suspended_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE quarantine (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        reason TEXT NOT NULL,
        since TEXT NOT NULL
    ) STRICT;
    CREATE TABLE refusals (
        at TEXT NOT NULL,
        run TEXT NOT NULL,
        study TEXT NOT NULL,
        moment TEXT NOT NULL,
        clause TEXT NOT NULL,
        error TEXT NOT NULL
    ) STRICT;
    CREATE INDEX refusals_by_run ON refusals (run);
    CREATE INDEX refusals_by_study ON refusals (study);
    CREATE TABLE permits (
        run TEXT NOT NULL,
        moment TEXT NOT NULL,
        times INTEGER NOT NULL,
        PRIMARY KEY (run, moment)
    ) STRICT;
"""
"""What it adds to the register; agreements take the place of approvals, and refusals stay."""
KEPT_REFUSALS = 10_000
"""Most refusals that are kept: a coordinator that offers for ever fills no disk."""
Read = Callable[..., list[tuple[Any, ...]]]
ACTS_AN_HOUR = 30
"""Most refusals of an hour that become acts: acts are kept for ever, so nobody may cause any number of them."""
Writing = Callable[[], AbstractContextManager[sqlite3.Connection]]
Act = Callable[[sqlite3.Connection, str, str, str], None]


class Standings:
    """A part of the node's register, over its database.

    Args:
        read: runs a query of the register.
        version: tells one state of the register from every other.
        writing: opens a write of the register, on disk when it ends.
        now: tells the time as text.
        act: puts an act (kind, subject, detail) into the node's own log, within a write.
    """

    def __init__(
        self, read: Read, version: Callable[[], object], writing: Writing, now: Callable[[], str], act: Act,
    ) -> None:
        self._read = read
        self._version = version
        self._found: dict[tuple[str, str, str], tuple[object, Standing]] = {}
        self._writing = writing
        self._now = now
        self._act = act

    def of(self, study_hash: str, dataset: str, own: str) -> Standing:
        """Return how things stand for a study; asked before every round, so read again only after a write."""
        version = self._version()  # before anything is read: what is written in between is found the next time
        asked = study_hash, dataset, own
        known = self._found.get(asked)
        if known is not None and known[0] == version:
            return known[1]
        refused = {one for one, in self._read(
            "SELECT fingerprint FROM statements WHERE study = ? AND kind = 'refusal'", study_hash)}
        versions = self._read("SELECT version FROM datasets WHERE name = ?", dataset)
        found = Standing(
            quarantined=self.quarantined(), suspended=self.suspended(study_hash), revoked=own in refused,
            withdrawn=frozenset(refused - {own}), dataset_version=versions[0][0] if versions else None)
        self._found = {asked: (version, found)}
        return found

    def quarantine(self, reason: str) -> bool:
        """Put the node into quarantine; False where it was there already, and then nothing changes."""
        with self._writing() as db:
            changed = db.execute("INSERT OR IGNORE INTO quarantine VALUES (1, ?, ?)",
                                 (reason, self._now())).rowcount > 0
            if changed:
                self._moved(db, "node.quarantined", "")
            return changed

    def lift(self) -> bool:
        """End the quarantine; return whether there was one."""
        with self._writing() as db:
            changed = db.execute("DELETE FROM quarantine").rowcount > 0
            if changed:
                self._moved(db, "node.reinstated", "")
            return changed

    def quarantined(self) -> str | None:
        """Return why the node is in quarantine, or None where it is not."""
        rows = self._read("SELECT reason FROM quarantine")
        return rows[0][0] if rows else None

    def suspend(self, study: str, reason: str) -> bool:
        """Put this institution's agreement to a study on hold; False where it was already."""
        with self._writing() as db:
            changed = db.execute("INSERT OR IGNORE INTO suspensions VALUES (?, ?, ?)",
                                 (study, reason, self._now())).rowcount > 0
            if changed:
                self._moved(db, "agreement.suspended", study)
            return changed

    def resume(self, study: str) -> bool:
        """End a suspension; return whether there was one."""
        with self._writing() as db:
            changed = db.execute("DELETE FROM suspensions WHERE study = ?", (study,)).rowcount > 0
            if changed:
                self._moved(db, "agreement.resumed", study)
            return changed

    def suspended(self, study: str) -> bool:
        """Return whether this institution's agreement to a study is on hold."""
        return bool(self._read("SELECT 1 FROM suspensions WHERE study = ?", study))

    def record_refusal(self, run: str, study: str, moment: str, clause: str, error: SealaneError) -> None:
        """Keep a refusal of the gate; also as an act, unless an hour has many."""
        with self._writing() as db:
            hour = f"{self._now()[:13]}:00:00Z"
            known, = db.execute("SELECT COUNT(*) FROM refusals WHERE at >= ?", (hour,)).fetchone()
            if known < ACTS_AN_HOUR:
                self._act(db, "run.refused", run or study[:64], f"{moment} {error.code} {clause}")
            db.execute("INSERT INTO refusals VALUES (?, ?, ?, ?, ?, ?)",
                       (self._now(), run, study, moment, clause, json.dumps(error.to_dict())))
            db.execute("DELETE FROM refusals WHERE rowid <= (SELECT MAX(rowid) FROM refusals) - ?", (KEPT_REFUSALS,))

    def refusals(self, wanted: str) -> list[RefusedEntry]:
        """Return the refusals about a run or a study, by the beginning of its id or hash, newest first."""
        rows = self._read(
            "SELECT at, run, study, moment, clause, error FROM refusals WHERE substr(run, 1, length(?)) = ? "
            "OR substr(study, 1, length(?)) = ? ORDER BY rowid DESC", wanted, wanted, wanted, wanted)
        return [RefusedEntry(at, run, study, moment, clause, from_dict(json.loads(error)))
                for at, run, study, moment, clause, error in rows]

    def record_permits(self, run: str, counts: dict[str, int]) -> None:
        """Add to how often a run was permitted something."""
        with self._writing() as db:
            for moment, times in counts.items():
                db.execute("INSERT INTO permits VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET times = times + "
                           "excluded.times", (run, moment, times))

    def permits(self, run: str) -> dict[str, int]:
        """Return how often a run was permitted something, by moment."""
        return dict(self._read("SELECT moment, times FROM permits WHERE run = ? ORDER BY moment", run))

    def _moved(self, db: sqlite3.Connection, kind: str, subject: str) -> None:
        """Put a change into the node's own log: its number tells it from the same change at another time."""
        number, = db.execute("SELECT COUNT(*) FROM acts WHERE kind = ? AND subject = ?", (kind, subject)).fetchone()
        self._act(db, kind, subject, f"number {number + 1}")
