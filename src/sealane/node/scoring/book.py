"""What a node has on disk of private scoring: its models, grants of either side, and every row that it charged."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from sealane.errors import InputError, RefusedError
from sealane.governance.score_columns import fields_of
from sealane.governance.score_model import ScoreModel, parse_model
from sealane.governance.scoring_grant import Grant, Signed

SCHEMA = """
    CREATE TABLE score_models (
        name TEXT PRIMARY KEY,
        body BLOB NOT NULL,
        digest TEXT NOT NULL,
        salt BLOB NOT NULL,
        added_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE score_grants (
        hash TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        asker TEXT NOT NULL,
        model TEXT NOT NULL,
        digest TEXT NOT NULL,
        body BLOB NOT NULL,
        signature BLOB NOT NULL,
        acceptance BLOB,
        ended BLOB,
        recorded_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE score_charges (
        request TEXT PRIMARY KEY,
        granted TEXT NOT NULL REFERENCES score_grants,
        asker TEXT NOT NULL,
        digest TEXT NOT NULL,
        rows INTEGER NOT NULL CHECK (rows > 0),
        at TEXT NOT NULL,
        answer BLOB
    ) STRICT;
    CREATE INDEX score_charges_by_asker ON score_charges (asker, digest, at);
"""
"""What it adds to the register."""
KEPT_ANSWERS = 64
"""Newest answers that are kept to be sent again; the charge of an older one stays, and it is not answered anew."""
MAXIMUM_GRANTS = 1024
"""Grants of one owner that are kept, ended ones too: nobody's inventions fill the disk."""
Read = Callable[..., list[tuple[Any, ...]]]
Writing = Callable[[], AbstractContextManager[sqlite3.Connection]]
Act = Callable[[sqlite3.Connection, str, str, str], None]
_GRANT = "SELECT hash, digest, body, signature, acceptance, ended FROM score_grants"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that this node scores with."""

    name: str
    model: ScoreModel = field(repr=False)
    salt: bytes = field(repr=False)
    added_at: str


@dataclass(frozen=True, slots=True)
class GrantEntry:
    """A grant, given or received.

    Attributes:
        hash: what it is known by.
        grant: what it says.
        signed: as the owner signed it.
        digest: of the model, at its owner; empty at the asker.
        acceptance: the asker's yes, as it signed it.
        ended: either side's end.
    """

    hash: str
    grant: Grant
    signed: Signed
    digest: str
    acceptance: Signed | None
    ended: Signed | None

    @property
    def standing(self) -> str:
        """One word for where it stands."""
        if self.ended is not None:
            return "ended"
        return "offered" if self.acceptance is None else "accepted"


class ScoringBook:
    """A part of the node's register, over its database; everything is on disk before a call returns."""

    def __init__(self, read: Read, writing: Writing, now: Callable[[], str], act: Act) -> None:
        self._read = read
        self._writing = writing
        self._now = now
        self._act = act

    # Models

    def add_model(self, name: str, model: ScoreModel, salt: bytes) -> None:
        """Register a model.

        Raises:
            InputError: another one has that name: what grants speak of never changes under them.
        """
        with self._writing() as db:
            known = db.execute("SELECT digest FROM score_models WHERE name = ?", (name,)).fetchone()
            if known is not None and known[0] != model.digest:
                raise InputError("score.model-exists", "another model has this name", got=name,
                                 hint="give it a name of its own, or remove the other one first")
            db.execute("INSERT OR IGNORE INTO score_models VALUES (?, ?, ?, ?, ?)",
                       (name, model.canonical(), model.digest, salt, self._now()))

    def models(self) -> list[ModelEntry]:
        """Return the registered models, by name."""
        return [ModelEntry(name, parse_model(body), salt, at) for name, body, salt, at in
                self._read("SELECT name, body, salt, added_at FROM score_models ORDER BY name")]

    def model(self, name: str) -> ModelEntry:
        """Return a registered model.

        Raises:
            InputError: there is none of that name.
        """
        known = {entry.name: entry for entry in self.models()}
        if name not in known:
            raise InputError("score.unknown-model", "no such model is registered here", got=repr(name[:80]),
                             expected=", ".join(known) or "none is registered",
                             hint="`sealane score model add NAME --from FILE`")
        return known[name]

    def remove_model(self, name: str) -> None:
        """Forget a model; grants of it are answered no more."""
        with self._writing() as db:
            db.execute("DELETE FROM score_models WHERE name = ?", (name,))

    # Grants

    def put_grant(self, grant: Grant, signed: Signed, digest: str = "") -> GrantEntry:
        """Keep a grant, given (with the model's digest) or received; the same one again changes nothing.

        Raises:
            RefusedError: its owner has given more than are kept.
        """
        with self._writing() as db:
            count, = db.execute("SELECT COUNT(*) FROM score_grants WHERE owner = ? AND hash != ?",
                                (grant.owner, signed.hash)).fetchone()
            if count >= MAXIMUM_GRANTS:
                raise RefusedError("score.too-many-grants", "an owner gave more grants than are kept",
                                   got=grant.owner_name, expected=f"at most {MAXIMUM_GRANTS}")
            db.execute("INSERT OR IGNORE INTO score_grants VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?)",
                       (signed.hash, grant.owner, grant.asker, grant.model, digest, signed.body, signed.signature,
                        self._now()))
            self._act(db, "score.granted", signed.hash, "")
        return self.grant(signed.hash)

    def grants(self) -> list[GrantEntry]:
        """Return all grants, oldest first."""
        return [_grant(row) for row in self._read(f"{_GRANT} ORDER BY rowid")]

    def grant(self, found: str) -> GrantEntry:
        """Return the grant of a hash.

        Raises:
            RefusedError: there is none.
        """
        rows = self._read(f"{_GRANT} WHERE hash = ?", found)
        if not rows:
            raise RefusedError("score.unknown-grant", "no such grant is known here", got=found[:16],
                               hint="`sealane score list` shows the grants of this node")
        return _grant(rows[0])

    def accept(self, grant: str, acceptance: Signed) -> None:
        """Keep the asker's acceptance; a second one changes nothing."""
        with self._writing() as db:
            if db.execute("UPDATE score_grants SET acceptance = ? WHERE hash = ? AND acceptance IS NULL",
                          (acceptance.to_bytes(), grant)).rowcount:
                self._act(db, "score.accepted", grant, acceptance.hash)

    def end(self, grant: str, end: Signed) -> None:
        """Keep an end; a second one changes nothing."""
        with self._writing() as db:
            if db.execute("UPDATE score_grants SET ended = ? WHERE hash = ? AND ended IS NULL",
                          (end.to_bytes(), grant)).rowcount:
                self._act(db, "score.ended", grant, end.hash)

    # Rows

    def record_asked(self, request: str, rows: int) -> None:
        """Put into the node's own log that it asked."""
        with self._writing() as db:
            self._act(db, "score.asked", request, f"{rows} rows")

    def answered(self, request: str) -> tuple[bool, bytes | None]:
        """Return whether a request was charged, and its answer while that is kept."""
        rows = self._read("SELECT answer FROM score_charges WHERE request = ?", request)
        return bool(rows), rows[0][0] if rows else None

    def charged(self, grant: Grant, since: str) -> tuple[int, int]:
        """Return the rows that its asker was charged under all grants over the same fields: since a moment, and ever.

        A model that was fitted anew tells of the one before it, so rows count on from one to the next.
        """
        fields = set(fields_of(grant.columns))
        alike = [found for found, body in self._read(_GRANTED, grant.asker)
                 if set(fields_of(Grant.model_validate_json(body).columns)) == fields]
        lately, ever = self._read(_CHARGED, since, json.dumps(alike))[0]
        return lately, ever

    def charge(self, request: str, entry: GrantEntry, rows: int, since: str, answer: bytes) -> None:
        """Count rows and keep their answer, in one transaction; only then may the answer leave.

        Raises:
            RefusedError: they go past a cap of the grant; nothing is counted.
        """
        grant = entry.grant
        with self._writing() as db:
            check_caps(grant, rows, *self.charged(grant, since))
            db.execute("INSERT INTO score_charges VALUES (?, ?, ?, ?, ?, ?, ?)",
                       (request, entry.hash, grant.asker, entry.digest, rows, self._now(), answer))
            db.execute("UPDATE score_charges SET answer = NULL WHERE answer IS NOT NULL AND rowid <= "
                       "(SELECT MAX(rowid) FROM score_charges) - ?", (KEPT_ANSWERS,))
            self._act(db, "score.answered", request, f"{rows} rows under {entry.hash}")


_GRANTED = "SELECT hash, body FROM score_grants WHERE asker = ?"
_CHARGED = ("SELECT COALESCE(SUM(CASE WHEN at > ? THEN rows ELSE 0 END), 0), COALESCE(SUM(rows), 0) "
            "FROM score_charges WHERE granted IN (SELECT value FROM json_each(?))")


def check_caps(grant: Grant, rows: int, lately: int, ever: int) -> None:
    """Refuse rows past a cap.

    Raises:
        RefusedError: too many in the period, or in all.
    """
    if ever + rows > grant.total:
        raise RefusedError("score.total-reached", "the grant allows no so many rows in all",
                           got=f"{ever} rows scored before, {rows} asked", expected=f"at most {grant.total} ever",
                           hint="rows count on under every grant over the same fields, of a newer model too; the owner "
                                "may grant more: `sealane score grant`")
    if lately + rows > grant.rows:
        raise RefusedError("score.period-reached", "the grant allows no so many rows in this period",
                           got=f"{lately} rows scored lately, {rows} asked",
                           expected=f"at most {grant.rows} in {grant.days} days", hint="ask later, or for fewer rows")


def _grant(row: tuple[Any, ...]) -> GrantEntry:
    found, digest, body, signature, acceptance, ended = row
    # It was verified before it was kept.
    return GrantEntry(found, Grant.model_validate_json(body), Signed(body, signature), digest,
                      None if acceptance is None else Signed.from_bytes(acceptance),
                      None if ended is None else Signed.from_bytes(ended))
