"""The node's privacy ledger on disk: lines that are only ever added, each on disk before what it is about goes on.

It is a database of its own (``ledger.sqlite``): nothing else can hold its lock while a charge waits, it goes into
backups whole, and its chain can be read without the register. A line is checked against everything before it inside
the transaction that adds it, so two runs cannot pass a cap together, be they in one process or two.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sealane.core.clock import Clock, to_text
from sealane.errors import ProtocolError
from sealane.node.database import open_database, transaction
from sealane.privacy.accountant import compose
from sealane.privacy.acts import GENESIS, Act, Cap, Commit, Line, Request, Reserve, Void, chain, read_line
from sealane.privacy.amounts import text_of, up
from sealane.privacy.ledger import Ledger
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
SCHEMA = (
    """
    CREATE TABLE lines (
        number INTEGER PRIMARY KEY CHECK (number > 0),
        body BLOB NOT NULL,
        hash BLOB NOT NULL
    ) STRICT;
    CREATE TRIGGER lines_are_kept BEFORE DELETE ON lines BEGIN SELECT RAISE(ABORT, 'lines are kept'); END;
    CREATE TRIGGER lines_stay_as_they_are BEFORE UPDATE ON lines BEGIN SELECT RAISE(ABORT, 'lines stay'); END;
    """,
)


@dataclass(frozen=True, slots=True)
class Head:
    """How far the ledger goes: the number of its last line (0 for none) and the hash of the chain up to it, hex."""

    number: int
    hash: str


class NodeLedger:
    """One node's ledger. It may be used from several threads, and opens its file when it is first used.

    Args:
        path: of the database, or ``:memory:``.
        clock: tells the time that lines are marked with; nothing is decided by it.
    """

    def __init__(self, path: Path | str, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._ledger = Ledger()
        self._number, self._hash = 0, GENESIS
        self._lines: list[Line] = []

    def close(self) -> None:
        """Close the database, if it was opened."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
                self._ledger, self._number, self._hash, self._lines = Ledger(), 0, GENESIS, []

    def reserve(self, request: Request, guard: Callable[[Ledger], None] = lambda ledger: None) -> None:
        """Hold what a run asks for, before it computes; the same run again changes nothing.

        Args:
            request: what it asks for.
            guard: asked about a run that is new, before anything else can be added; it raises to refuse.

        Raises:
            RefusedError: a cap, the dataset's privacy unit or the guard forbids it.
            ProtocolError: the run is over, or asked for something else before.
        """
        self._add(Reserve(request), guard)

    def commit(self, run: str, exchange: int) -> None:
        """Charge a sum, before anything that helps to open it leaves; the same one again changes nothing.

        Raises:
            RefusedError: the run reserved fewer sums.
            ProtocolError: the run reserved nothing, or is over.
        """
        self._add(Commit(run, exchange))

    def void(self, run: str) -> None:
        """Give back what a run that is over did not come to use; of an unknown run, or twice, it changes nothing."""
        self._add(Void(run))

    def put_cap(self, cap: Cap) -> None:
        """Set a cap, in the place of the one of the same dataset, scope and target."""
        self._add(cap)

    def runs(self, study: str) -> frozenset[str]:
        """Return the runs of a study in which something was charged: what a lost journal no longer knows."""
        with self.reading() as book:
            return frozenset(run for run, entry in book.entries.items()
                             if entry.request.study == study and entry.committed)

    def charged(self, run: str, delta: str | None) -> str | None:
        """Return the epsilon that a run was charged at a delta, rounded up; None where nothing noised was opened."""
        with self.reading() as book:
            entry = book.entries.get(run)
            if entry is None or entry.request.price is None or not entry.committed or delta is None:
                return None
            return text_of(up(compose([(entry.request.price.mechanism, entry.charged)], Decimal(delta)).epsilon))

    def head(self) -> Head:
        """Return how far the ledger goes: what a witness can be told, and a restored copy falls short of."""
        with self.reading():
            return Head(self._number, self._hash.hex())

    def head_at(self, number: int) -> Head | None:
        """Return what the head was at a line; None if the ledger does not go so far."""
        with self.reading():
            if number == 0:
                return Head(0, GENESIS.hex())
            row = self._db().execute("SELECT hash FROM lines WHERE number = ?", (number,)).fetchone()
            return None if row is None else Head(number, row[0].hex())

    def lines(self) -> list[Line]:
        """Return every line, in order."""
        with self.reading():
            return list(self._lines)

    @contextmanager
    def reading(self) -> Iterator[Ledger]:
        """Give the ledger as it stands; it does not change inside the block, and is not to be changed there."""
        with self._lock:
            self._catch_up(self._db())
            yield self._ledger

    def _add(self, act: Act, guard: Callable[[Ledger], None] = lambda ledger: None) -> None:
        with self._lock, transaction(self._db()) as db:
            self._catch_up(db)
            if not self._ledger.check(act):
                return
            guard(self._ledger)
            line = Line(self._number + 1, to_text(self._clock()), act)
            body = line.canonical()
            db.execute("INSERT INTO lines (number, body, hash) VALUES (?, ?, ?)",
                       (line.number, body, chain(self._hash, body)))
            # Applied only once it is read back: should the disk refuse it, this instance is not ahead of the file.
        with self._lock:
            self._catch_up(self._db())
        log(_LOG, "ledger.line", act=type(act).__name__.lower(), number=line.number)

    def _catch_up(self, db: sqlite3.Connection) -> None:
        """Take in the lines that were added since, by whomever, and check that they continue the chain."""
        rows = db.execute("SELECT number, body, hash FROM lines WHERE number > ? ORDER BY number", (self._number,))
        for number, body, stored in rows.fetchall():
            if number != self._number + 1 or chain(self._hash, body) != stored:
                raise ProtocolError("ledger.chain-broken", "the ledger is not the one that was written",
                                    got=f"line {number}", expected=f"line {self._number + 1}, with its hash",
                                    hint="the file was changed: restore it, and tell the auditor")
            line = read_line(body, number)
            self._ledger.apply(line.act)
            self._number, self._hash = number, stored
            self._lines.append(line)

    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_database(self._path, SCHEMA)
        return self._connection
