"""The audit log in the coordinator's database: a leaf goes in within the transaction of the act that it tells of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    bindparam,
    func,
    insert,
    select,
)

from sealane.audit import tree
from sealane.audit.entry import MAXIMUM_DETAIL, Entry, parse_entry
from sealane.audit.merkle import EMPTY_ROOT, leaf_hash
from sealane.coordinator.database import metadata, reading, writing
from sealane.core.clock import Clock, to_text

leaves = Table(
    "log_leaves", metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(64), nullable=False),
    Column("subject", String(64), nullable=False, index=True),
    Column("entry", LargeBinary, nullable=False),
    # What an act that may be told again is known by; a second telling makes no second leaf.
    Column("once", String(200), unique=True),
)

hashes = Table(
    "log_hashes", metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("value", LargeBinary, nullable=False),
)

cosignatures = Table(
    "log_cosignatures", metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("witness", String(52), primary_key=True),
    Column("checkpoint", Text, nullable=False),
    Column("line", Text, nullable=False),
)

_APPENDING = 0x5EA1A9E
"""PostgreSQL's lock under which leaves are numbered; SQLite has one writer anyway."""
MOST_REMEMBERED = 1 << 14
"""Hashes of complete subtrees that a log keeps in memory: those over its newest leaves are asked for all the time."""

# Written once: to put a statement together takes longer than to ask a database.
_NEWEST = select(func.max(leaves.c.position))
_HASH = select(hashes.c.value).where(hashes.c.level == bindparam("level"), hashes.c.position == bindparam("position"))
_NEW_HASH = insert(hashes)
_NEW_LEAF = insert(leaves)
_ONCE = select(leaves.c.position).where(leaves.c.once == bindparam("once"))
_OF_A_KIND = (
    select(leaves.c.position, leaves.c.entry)
    .where(leaves.c.kind == bindparam("kind"), leaves.c.subject == bindparam("subject"))
    .order_by(leaves.c.position.desc()))
_NEWEST_OF_A_KIND = _OF_A_KIND.limit(1)
_COSIGNED = select(cosignatures.c.witness, cosignatures.c.line).where(cosignatures.c.size == bindparam("size"))


@dataclass(frozen=True, slots=True)
class Event:
    """One act that the coordinator saw."""

    sequence: int
    at: str
    kind: str
    party: str
    subject: str
    detail: str


class _Hashes:
    """The tree's hashes, within a transaction; what was read is remembered, for it never changes."""

    def __init__(self, db: Connection, remembered: dict[tuple[int, int], bytes]) -> None:
        self._db = db
        self._remembered = remembered

    def read(self, level: int, index: int) -> bytes:
        found = self._remembered.get((level, index))
        if found is None:
            found = bytes(self._db.execute(_HASH, {"level": level, "position": index}).scalar_one())
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[level, index] = found
        return found

    def write(self, level: int, index: int, value: bytes) -> None:
        self._db.execute(_NEW_HASH, {"level": level, "position": index, "value": value})


def append(db: Connection, clock: Clock, kind: str, party: str, subject: str, detail: str = "", *,
           once: str | None = None) -> None:
    """Add a leaf within the caller's transaction, unless the act ``once`` names is in the log already.

    Raises:
        InputError: the kind is unknown, or a field is malformed.
    """
    if db.dialect.name == "postgresql":
        db.execute(select(func.pg_advisory_xact_lock(_APPENDING)))
    if once is not None and db.execute(_ONCE, {"once": once}).first() is not None:
        return
    entry = Entry(to_text(clock()), kind, party, subject, detail[:MAXIMUM_DETAIL]).canonical()
    position = _size(db)
    db.execute(_NEW_LEAF, {"position": position, "kind": kind, "subject": subject, "entry": entry, "once": once})
    tree.append(_Hashes(db, {}), position, leaf_hash(entry))  # remembers nothing: the transaction may fail


def newest_detail(db: Connection, kind: str, subject: str) -> str | None:
    """Return what the newest leaf of a kind about a subject says, or None; within the caller's transaction."""
    found = db.execute(_NEWEST_OF_A_KIND, {"kind": kind, "subject": subject}).one_or_none()
    return None if found is None else parse_entry(bytes(found.entry)).detail


def _size(db: Connection) -> int:
    newest = db.execute(_NEWEST).scalar_one()
    return 0 if newest is None else int(newest) + 1


class Log:
    """The log, read and proved. Each call sees one state of the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._head = 0, EMPTY_ROOT
        self._remembered: dict[tuple[int, int], bytes] = {}

    def head(self) -> tuple[int, bytes]:
        """Return the newest size and its root."""
        with reading(self._engine) as db:
            size = _size(db)  # another process may have appended
            if size != self._head[0]:
                self._head = size, tree.root(self._hashes(db), size)
            return self._head

    def root(self, size: int) -> bytes:
        """Return the root over the first leaves."""
        with reading(self._engine) as db:
            return tree.root(self._hashes(db), size)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Return the proof that the log of ``new`` leaves continues that of ``old``."""
        with reading(self._engine) as db:
            return tree.consistency(self._hashes(db), old, new)

    def inclusion(self, position: int, size: int) -> tuple[bytes, ...]:
        """Return the proof that a leaf is in the log of ``size`` leaves."""
        with reading(self._engine) as db:
            return tree.inclusion(self._hashes(db), position, size)

    def newest(self, kind: str, subject: str, detail: str | None = None) -> tuple[int, bytes] | None:
        """Return position and bytes of the newest leaf of a kind about a subject, or None."""
        query = _NEWEST_OF_A_KIND if detail is None else _OF_A_KIND
        with reading(self._engine) as db:
            for position, entry in db.execute(query, {"kind": kind, "subject": subject}):
                if detail in (None, parse_entry(bytes(entry)).detail):
                    return position, bytes(entry)
        return None

    def about(self, *subjects: str) -> list[tuple[int, bytes]]:
        """Return position and bytes of every leaf about any of some subjects, oldest first."""
        query = (select(leaves.c.position, leaves.c.entry).where(leaves.c.subject.in_(subjects))
                 .order_by(leaves.c.position))
        with reading(self._engine) as db:
            return [(row["position"], bytes(row["entry"])) for row in db.execute(query).mappings()]

    def entry(self, position: int) -> bytes | None:
        """Return a leaf's bytes, or None where the log has none there."""
        with reading(self._engine) as db:
            found = db.execute(select(leaves.c.entry).where(leaves.c.position == position)).scalar_one_or_none()
        return None if found is None else bytes(found)

    def events(self, after: int, limit: int) -> list[Event]:
        """Return leaves after a sequence number (the first leaf's is 1), oldest first."""
        query = select(leaves).where(leaves.c.position >= after).order_by(leaves.c.position).limit(limit)
        with reading(self._engine) as db:
            return [_event(row) for row in db.execute(query).mappings()]

    def keep_cosignature(self, size: int, witness: str, checkpoint: str, line: str) -> None:
        """Keep a witness's signature line over a checkpoint; another one over the same changes nothing."""
        same = select(cosignatures.c.size).where(cosignatures.c.size == size, cosignatures.c.witness == witness)
        with writing(self._engine) as db:
            if db.execute(same).first() is None:
                db.execute(insert(cosignatures).values(size=size, witness=witness, checkpoint=checkpoint, line=line))

    def cosigned(self, size: int) -> dict[str, str]:
        """Return the signature lines over the checkpoint of a size, by witness."""
        with reading(self._engine) as db:
            return {row.witness: row.line for row in db.execute(_COSIGNED, {"size": size})}

    def cosigned_sizes(self, least: int, by: Collection[str] | None = None, quorum: int = 1) -> list[int]:
        """Return the sizes, from ``least`` on, of checkpoints that so many witnesses cosigned, newest first.

        Args:
            least: smallest size.
            by: the witnesses that count; None for all.
            quorum: how many of them. Counted here, since there are as many sizes as there were acts.
        """
        query = select(cosignatures.c.size).where(cosignatures.c.size >= least)
        if by is not None:
            query = query.where(cosignatures.c.witness.in_(sorted(by)))
        query = query.group_by(cosignatures.c.size).having(func.count() >= quorum).order_by(cosignatures.c.size.desc())
        with reading(self._engine) as db:
            return [int(size) for size in db.execute(query).scalars()]

    def _hashes(self, db: Connection) -> _Hashes:
        return _Hashes(db, self._remembered)


def _event(row: Mapping[Any, Any]) -> Event:
    entry = parse_entry(bytes(row["entry"]))
    return Event(row["position"] + 1, entry.at, entry.kind, entry.party, entry.subject, entry.detail)
