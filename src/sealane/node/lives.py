"""What the register keeps of its datasets' lives: phase, suppressed profiles, decided labels, filings, derived data."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sealane.errors import InputError, RefusedError
from sealane.governance import dataset_state
from sealane.governance.classification import Label, read_label
from sealane.governance.dataset_state import Life, Phase
from sealane.governance.grade import Decided, read_decided
from sealane.governance.quality import Profile, read_profile

SCHEMA = """
    ALTER TABLE datasets ADD COLUMN repair TEXT NOT NULL DEFAULT '';
    CREATE TABLE dataset_lives (
        name TEXT PRIMARY KEY,
        phase TEXT NOT NULL,
        version TEXT NOT NULL,
        profiled INTEGER NOT NULL CHECK (profiled IN (0, 1))
    ) STRICT;
    INSERT INTO dataset_lives SELECT name, 'registered', version, 0 FROM datasets;
    CREATE TABLE dataset_profiles (
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        content TEXT NOT NULL,
        body BLOB NOT NULL,
        profiled_at TEXT NOT NULL,
        PRIMARY KEY (name, version)
    ) STRICT;
    CREATE TABLE dataset_labels (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        labels TEXT NOT NULL,
        decided_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE dataset_filings (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        jurisdiction TEXT NOT NULL,
        reference TEXT NOT NULL,
        filed_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE derived_data (
        content TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        labels TEXT NOT NULL,
        made_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE node_settings (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT;
    """
IMPORTANT = "important"
"""Stands in a filing's jurisdiction for an approval of the use of important data."""


@dataclass(frozen=True, slots=True)
class Filing:
    """An approval or a filing that a steward recorded.

    Attributes:
        dataset: that it is for.
        jurisdiction: of the recipients it covers; ``important`` for an approval of the use of important data.
        reference: under which the authority keeps it.
        filed_at: RFC 3339, UTC.
    """

    dataset: str
    jurisdiction: str
    reference: str
    filed_at: str


class Lives:
    """The part of a register that knows how far each dataset is. Made by :class:`sealane.node.register.Register`.

    Args:
        read: runs a query.
        writing: begins a transaction that is on disk when it ends.
        now: tells the time as RFC 3339.
    """

    def __init__(self, read: Callable[..., list[tuple[Any, ...]]],
                 writing: Callable[[], AbstractContextManager[sqlite3.Connection]], now: Callable[[], str]) -> None:
        self._read = read
        self._writing = writing
        self._now = now

    # Phases

    def life(self, name: str) -> Life | None:
        """Return how far a dataset is; None if it was never registered."""
        rows = self._read("SELECT phase, version, profiled FROM dataset_lives WHERE name = ?", name)
        return Life(Phase(rows[0][0]), rows[0][1], bool(rows[0][2])) if rows else None

    def register(self, db: sqlite3.Connection, name: str, version: str) -> None:
        """Note, in a transaction under way, that a dataset was registered in a version."""
        _write(db, name, dataset_state.registered(_life(db, name), version))

    def withdraw(self, db: sqlite3.Connection, name: str) -> None:
        """Note, in a transaction under way, that a dataset was withdrawn."""
        _write(db, name, dataset_state.withdrawn(_known(db, name)))

    def profile(self, name: str, version: str, content: str, profile: Profile) -> None:
        """Keep the profile of the registered version, and note that it was made.

        Raises:
            RefusedError: withdrawn, or registered in another version meanwhile.
        """
        with self._writing() as db:
            life = dataset_state.profiled(_in_version(db, name, version))
            db.execute("INSERT OR REPLACE INTO dataset_profiles VALUES (?, ?, ?, ?, ?)",
                       (name, life.version, content, profile.to_bytes(), self._now()))
            _write(db, name, life)

    def grade(self, name: str, version: str, labels: Mapping[str, Decided]) -> None:
        """Keep the steward's decision beside all earlier ones.

        Raises:
            RefusedError: not profiled, withdrawn, or registered in another version meanwhile.
        """
        text = json.dumps({field: decided.to_dict() for field, decided in labels.items()})
        with self._writing() as db:
            life = dataset_state.graded(_in_version(db, name, version))
            db.execute("INSERT INTO dataset_labels (name, version, labels, decided_at) VALUES (?, ?, ?, ?)",
                       (name, version, text, self._now()))
            _write(db, name, life)

    def publish(self, name: str) -> None:
        """Note that a dataset's metadata are offered to others.

        Raises:
            RefusedError: it is not graded.
        """
        with self._writing() as db:
            _write(db, name, dataset_state.published(_known(db, name)))

    def unpublish(self, name: str) -> None:
        """Note that a dataset's metadata are offered no more, where they were."""
        life = self.life(name)
        if life is not None and life.phase is Phase.PUBLISHED:
            with self._writing() as db:
                _write(db, name, dataset_state.unpublished(_known(db, name)))

    # What is known of a version

    def profile_of(self, name: str, version: str) -> Profile | None:
        """Return the profile of a version."""
        rows = self._read("SELECT body FROM dataset_profiles WHERE name = ? AND version = ?", name, version)
        return read_profile(rows[0][0]) if rows else None

    def profile_before(self, name: str, version: str) -> tuple[str, Profile] | None:
        """Return the last profiled version other than this one, and its profile."""
        rows = self._read("SELECT version, body FROM dataset_profiles WHERE name = ? AND version != ? "
                          "ORDER BY rowid DESC LIMIT 1", name, version)
        return (rows[0][0], read_profile(rows[0][1])) if rows else None

    def labels(self, name: str, version: str) -> dict[str, Decided]:
        """Return the labels in force for a version; none before a steward decided."""
        return _decided(self._read("SELECT labels FROM dataset_labels WHERE name = ? AND version = ? "
                                   "ORDER BY number DESC LIMIT 1", name, version))

    def labels_before(self, name: str, version: str) -> dict[str, Decided]:
        """Return the labels last decided for another version."""
        return _decided(self._read("SELECT labels FROM dataset_labels WHERE name = ? AND version != ? "
                                   "ORDER BY number DESC LIMIT 1", name, version))

    def decisions(self, name: str) -> list[tuple[str, str, dict[str, Decided]]]:
        """Return every decision over a dataset's labels, oldest first: version, moment, labels."""
        rows = self._read("SELECT version, decided_at, labels FROM dataset_labels WHERE name = ? ORDER BY number", name)
        return [(version, moment, _decided([(labels,)])) for version, moment, labels in rows]

    # Derived data

    def derive(self, content: str, name: str, version: str, labels: Mapping[str, Label]) -> None:
        """Remember, by the SHA-256 of its bytes, what a file was derived from and how that was labelled."""
        text = json.dumps({field: str(label) for field, label in labels.items()})
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO derived_data VALUES (?, ?, ?, ?, ?)",
                       (content, name, version, text, self._now()))

    def inputs(self, name: str, version: str) -> dict[str, Label]:
        """Return the labels of what a version was derived from here, by field; none if it was not."""
        rows = self._read("SELECT d.labels FROM dataset_profiles p JOIN derived_data d ON d.content = p.content "
                          "WHERE p.name = ? AND p.version = ?", name, version)
        return {field: read_label(text) for field, text in json.loads(rows[0][0]).items()} if rows else {}

    # Filings and settings

    def file(self, name: str, jurisdiction: str, reference: str) -> Filing:
        """Record a filing, or an approval of the use of important data."""
        filing = Filing(name, jurisdiction, reference, self._now())
        with self._writing() as db:
            db.execute("INSERT INTO dataset_filings (name, jurisdiction, reference, filed_at) VALUES (?, ?, ?, ?)",
                       (name, jurisdiction, reference, filing.filed_at))
        return filing

    def filings(self, name: str) -> list[Filing]:
        """Return what was recorded for a dataset, oldest first."""
        return [Filing(*row) for row in self._read(
            "SELECT name, jurisdiction, reference, filed_at FROM dataset_filings WHERE name = ? ORDER BY number", name)]

    def jurisdiction(self) -> str | None:
        """Return the jurisdiction that this institution's steward set."""
        rows = self._read("SELECT value FROM node_settings WHERE name = 'jurisdiction'")
        return str(rows[0][0]) if rows else None

    def set_jurisdiction(self, code: str) -> None:
        """Set this institution's jurisdiction."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO node_settings VALUES ('jurisdiction', ?)", (code,))


def _life(db: sqlite3.Connection, name: str) -> Life | None:
    row = db.execute("SELECT phase, version, profiled FROM dataset_lives WHERE name = ?", (name,)).fetchone()
    return Life(Phase(row[0]), row[1], bool(row[2])) if row else None


def _known(db: sqlite3.Connection, name: str) -> Life:
    life = _life(db, name)
    if life is None:
        raise InputError("dataset.unknown", "no such dataset is registered here", got=repr(name[:80]),
                         hint="`sealane dataset add NAME --from SOURCE`")
    return life


def _in_version(db: sqlite3.Connection, name: str, version: str) -> Life:
    life = _known(db, name)
    if life.version != version:
        raise RefusedError("dataset.version-differs", "the dataset was registered in another version meanwhile",
                           got=life.version[:16], expected=version[:16], hint="look at it again")
    return life


def _write(db: sqlite3.Connection, name: str, life: Life) -> None:
    db.execute("INSERT OR REPLACE INTO dataset_lives VALUES (?, ?, ?, ?)",
               (name, life.phase.value, life.version, life.profiled))


def _decided(rows: list[tuple[Any, ...]]) -> dict[str, Decided]:
    return {field: read_decided(values) for field, values in json.loads(rows[0][0]).items()} if rows else {}
