"""The node's own log: what it did, as a Merkle log of its own in ``node.sqlite``.

Its head (how many, and the root) goes into the coordinator's log before the node contributes to an attempt. A node that
finds more of its acts there than it remembers was put back from an old copy, and refuses to go on.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import RLock
from typing import Protocol

from sealane.audit import tree
from sealane.audit.entry import Entry, parse_acts, parse_entry
from sealane.audit.merkle import leaf_hash
from sealane.core.clock import Clock, to_text
from sealane.errors import ProtocolError, RefusedError
from sealane.node.database import open_database, transaction
from sealane.node.register_schema import SCHEMA
from sealane.rpc.notices import ActsHead


class Acts(Protocol):
    """What a node did. ``record`` is on disk when it returns."""

    def record(self, kind: str, subject: str, detail: str = "") -> None:
        """Remember an act; the same one again (kind, subject, detail) changes nothing."""

    def head(self) -> ActsHead:
        """Return how many acts there are, and the root over them."""

    def root(self, count: int) -> bytes:
        """Return the root over the first acts."""


class MemoryActs:
    """Acts in memory, for simulation."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._hashes = tree.MemoryHashes()
        self._known: set[tuple[str, str, str]] = set()

    def record(self, kind: str, subject: str, detail: str = "") -> None:
        """Remember an act."""
        if (kind, subject, detail) not in self._known:
            entry = Entry(to_text(self._clock()), kind, self._name, subject, detail)
            tree.append(self._hashes, len(self._known), entry.hash)
            self._known.add((kind, subject, detail))

    def head(self) -> ActsHead:
        """Return how many acts there are, and the root over them."""
        return ActsHead(len(self._known), self.root(len(self._known)))

    def root(self, count: int) -> bytes:
        """Return the root over the first acts."""
        return tree.root(self._hashes, count)


class ActsLog:
    """Acts in ``node.sqlite``. It may be used from several threads.

    Args:
        path: of the database.
        name: of this node.
        clock: tells the time.
    """

    def __init__(self, path: Path | str, name: str, clock: Clock) -> None:
        self._db = open_database(path, SCHEMA)
        self._name = name
        self._clock = clock
        self._lock = RLock()

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def record(self, kind: str, subject: str, detail: str = "") -> None:
        """Remember an act; the same one again changes nothing.

        Raises:
            InputError: the kind is unknown, or a field is too long.
            UnavailableError: the disk is full.
        """
        entry = Entry(to_text(self._clock()), kind, self._name, subject, detail).canonical()
        with self._lock, transaction(self._db) as db:
            known = db.execute("SELECT 1 FROM acts WHERE kind = ? AND subject = ? AND detail = ?",
                               (kind, subject, detail)).fetchone()
            if known is None:
                position = _count(db)
                db.execute("INSERT INTO acts (position, kind, subject, detail, entry) VALUES (?, ?, ?, ?, ?)",
                           (position, kind, subject, detail, entry))
                tree.append(_Hashes(db), position, leaf_hash(entry))

    def head(self) -> ActsHead:
        """Return how many acts there are, and the root over them."""
        with self._lock:
            count = _count(self._db)
            return ActsHead(count, tree.root(_Hashes(self._db), count))

    def root(self, count: int) -> bytes:
        """Return the root over the first acts."""
        with self._lock:
            return tree.root(_Hashes(self._db), count)

    def entries(self) -> list[Entry]:
        """Return every act, oldest first."""
        with self._lock:
            rows = self._db.execute("SELECT entry FROM acts ORDER BY position").fetchall()
        return [parse_entry(entry) for entry, in rows]


class _Hashes:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def read(self, level: int, index: int) -> bytes:
        row = self._db.execute("SELECT value FROM acts_hashes WHERE level = ? AND position = ?", (level, index))
        return bytes(row.fetchone()[0])

    def write(self, level: int, index: int, value: bytes) -> None:
        self._db.execute("INSERT INTO acts_hashes (level, position, value) VALUES (?, ?, ?)", (level, index, value))


def _count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT COUNT(*) FROM acts").fetchone()[0])


def check_remembered(acts: Acts, least: int, detail: str) -> None:
    """Hold what the log has of this node's acts against what the node remembers.

    Args:
        acts: what the node remembers.
        least: how many acts the log must have.
        detail: of the newest leaf of this node's acts.

    Raises:
        RefusedError: the log has acts that this node has forgotten: it was put back from an old copy.
        ProtocolError: the log has fewer than were reported, or others.
    """
    count, root = parse_acts(detail)
    own = acts.head()
    if count > own.count or root != acts.root(count):
        raise RefusedError("node.rolled-back", "the log holds acts of this node that it does not remember",
                           got=f"{own.count} acts here", expected=f"the {count} acts in the log",
                           hint="this home was restored from an old copy: what it spent and answered since is lost. "
                                "Restore the newest copy, or enrol the node anew")
    if count < least:
        raise ProtocolError("audit.acts-missing", "the log lacks acts that this node has reported", got=count,
                            expected=f"at least {least}")
