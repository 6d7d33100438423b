"""The tables of the node's own log: an act goes in within the transaction of what it tells of."""

from __future__ import annotations

import sqlite3

from sealane.audit import tree
from sealane.audit.entry import MAXIMUM_DETAIL, Entry
from sealane.audit.merkle import leaf_hash


def add(db: sqlite3.Connection, at: str, party: str, kind: str, subject: str, detail: str = "") -> None:
    """Remember an act within the caller's transaction; the same one again (kind, subject, detail) changes nothing.

    Args:
        db: a transaction on ``node.sqlite`` is open on it.
        at: RFC 3339, UTC.
        party: fingerprint of this node.
        kind: one of :data:`sealane.audit.entry.KINDS`.
        subject: hash or id of what it is about.
        detail: a hash, a code or a few words; what is longer than a leaf may hold is cut.

    Raises:
        InputError: the kind is unknown, or a field is malformed.
    """
    entry = Entry(at, kind, party, subject, detail[:MAXIMUM_DETAIL]).canonical()
    known = db.execute("SELECT 1 FROM acts WHERE kind = ? AND subject = ? AND detail = ?", (kind, subject, detail))
    if known.fetchone() is None:
        position = count(db)
        db.execute("INSERT INTO acts (position, kind, subject, detail, entry) VALUES (?, ?, ?, ?, ?)",
                   (position, kind, subject, detail, entry))
        tree.append(Hashes(db), position, leaf_hash(entry))


def count(db: sqlite3.Connection) -> int:
    """Return how many acts there are."""
    return int(db.execute("SELECT COALESCE(MAX(position) + 1, 0) FROM acts").fetchone()[0])


class Hashes:
    """The tree's hashes, on a connection to ``node.sqlite``."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def read(self, level: int, index: int) -> bytes:
        """Return a hash."""
        row = self._db.execute("SELECT value FROM acts_hashes WHERE level = ? AND position = ?", (level, index))
        return bytes(row.fetchone()[0])

    def write(self, level: int, index: int, value: bytes) -> None:
        """Keep a hash."""
        self._db.execute("INSERT INTO acts_hashes (level, position, value) VALUES (?, ?, ?)", (level, index, value))
