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
    func,
    insert,
    select,
)

from sealane.audit import tree
from sealane.audit.entry import MAXIMUM_DETAIL, Entry, parse_entry
from sealane.audit.merkle import leaf_hash
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
    """The tree's hashes, within a transaction."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def read(self, level: int, index: int) -> bytes:
        query = select(hashes.c.value).where(hashes.c.level == level, hashes.c.position == index)
        return bytes(self._db.execute(query).scalar_one())

    def write(self, level: int, index: int, value: bytes) -> None:
        self._db.execute(insert(hashes).values(level=level, position=index, value=value))


def append(db: Connection, clock: Clock, kind: str, party: str, subject: str, detail: str = "", *,
           once: str | None = None) -> None:
    """Add a leaf within the caller's transaction, unless the act ``once`` names is in the log already.

    Raises:
        InputError: the kind is unknown, or a field is malformed.
    """
    if db.dialect.name == "postgresql":
        db.execute(select(func.pg_advisory_xact_lock(_APPENDING)))
    if once is not None and db.execute(select(leaves.c.position).where(leaves.c.once == once)).first() is not None:
        return
    entry = Entry(to_text(clock()), kind, party, subject, detail[:MAXIMUM_DETAIL]).canonical()
    position = _size(db)
    db.execute(insert(leaves).values(position=position, kind=kind, subject=subject, entry=entry, once=once))
    tree.append(_Hashes(db), position, leaf_hash(entry))


def newest_detail(db: Connection, kind: str, subject: str) -> str | None:
    """Return what the newest leaf of a kind about a subject says, or None; within the caller's transaction."""
    query = (select(leaves.c.entry).where(leaves.c.kind == kind, leaves.c.subject == subject)
             .order_by(leaves.c.position.desc()).limit(1))
    found = db.execute(query).scalar_one_or_none()
    return None if found is None else parse_entry(bytes(found)).detail


def _size(db: Connection) -> int:
    newest = db.execute(select(func.max(leaves.c.position))).scalar_one()
    return 0 if newest is None else int(newest) + 1


class Log:
    """The log, read and proved. Each call sees one state of the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def head(self) -> tuple[int, bytes]:
        """Return the newest size and its root."""
        with reading(self._engine) as db:
            size = _size(db)
            return size, tree.root(_Hashes(db), size)

    def root(self, size: int) -> bytes:
        """Return the root over the first leaves."""
        with reading(self._engine) as db:
            return tree.root(_Hashes(db), size)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Return the proof that the log of ``new`` leaves continues that of ``old``."""
        with reading(self._engine) as db:
            return tree.consistency(_Hashes(db), old, new)

    def inclusion(self, position: int, size: int) -> tuple[bytes, ...]:
        """Return the proof that a leaf is in the log of ``size`` leaves."""
        with reading(self._engine) as db:
            return tree.inclusion(_Hashes(db), position, size)

    def newest(self, kind: str, subject: str, detail: str | None = None) -> tuple[int, bytes] | None:
        """Return position and bytes of the newest leaf of a kind about a subject, or None."""
        query = (select(leaves.c.position, leaves.c.entry).where(leaves.c.kind == kind, leaves.c.subject == subject)
                 .order_by(leaves.c.position.desc()))
        with reading(self._engine) as db:
            for row in db.execute(query).mappings():
                if detail in (None, parse_entry(bytes(row["entry"])).detail):
                    return row["position"], bytes(row["entry"])
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
        query = select(cosignatures.c.witness, cosignatures.c.line).where(cosignatures.c.size == size)
        with reading(self._engine) as db:
            return {row["witness"]: row["line"] for row in db.execute(query).mappings()}

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


def _event(row: Mapping[Any, Any]) -> Event:
    entry = parse_entry(bytes(row["entry"]))
    return Event(row["position"] + 1, entry.at, entry.kind, entry.party, entry.subject, entry.detail)
