"""The node's own log: what it did, as a Merkle log of its own in ``node.sqlite``.

Its head (how many, and the root) goes into the coordinator's log before the node contributes to an attempt. A node that
finds more of its acts there than it remembers was put back from an old copy, and refuses to go on.
"""

from __future__ import annotations

from pathlib import Path
from threading import RLock
from typing import Protocol

from sealane.audit import tree
from sealane.audit.entry import Entry, parse_acts, parse_entry
from sealane.core.clock import Clock, to_text
from sealane.errors import ProtocolError, RefusedError
from sealane.node import acts_table
from sealane.node.acts_table import Hashes
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

    def __init__(self, own: str, clock: Clock) -> None:
        self._own = own
        self._clock = clock
        self._hashes = tree.MemoryHashes()
        self._known: set[tuple[str, str, str]] = set()

    def record(self, kind: str, subject: str, detail: str = "") -> None:
        """Remember an act."""
        if (kind, subject, detail) not in self._known:
            entry = Entry(to_text(self._clock()), kind, self._own, subject, detail)
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
        own: fingerprint of this node.
        clock: tells the time.
    """

    def __init__(self, path: Path | str, own: str, clock: Clock) -> None:
        self._db = open_database(path, SCHEMA)
        self._own = own
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
        with self._lock, transaction(self._db) as db:
            acts_table.add(db, to_text(self._clock()), self._own, kind, subject, detail)

    def head(self) -> ActsHead:
        """Return how many acts there are, and the root over them."""
        with self._lock:
            size = acts_table.count(self._db)
            return ActsHead(size, tree.root(Hashes(self._db), size))

    def root(self, count: int) -> bytes:
        """Return the root over the first acts."""
        with self._lock:
            return tree.root(Hashes(self._db), count)

    def entries(self) -> list[Entry]:
        """Return every act, oldest first."""
        with self._lock:
            rows = self._db.execute("SELECT entry FROM acts ORDER BY position").fetchall()
        return [parse_entry(entry) for entry, in rows]


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
        raise rolled_back(own.count, count)
    if count < least:
        raise ProtocolError("audit.acts-missing", "the log lacks acts that this node has reported", got=count,
                            expected=f"at least {least}")


def rolled_back(here: int, elsewhere: int) -> RefusedError:
    """Return the refusal of a node that was put back from an old copy.

    Args:
        here: how many acts it remembers.
        elsewhere: how many others know of.
    """
    return RefusedError("node.rolled-back", "others hold acts of this node that it does not remember",
                        got=f"{here} acts here", expected=f"the {elsewhere} acts that it has reported",
                        hint="this home was restored from an old copy: what it spent and answered since is lost. "
                             "Restore the newest copy, or enrol the node anew")
