"""The node's register: peers it verified, its datasets, the studies it saw, what was signed, and whom it answered.

It lives in ``node.sqlite``. Everything is on disk before a call returns.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealane.audit.entry import statement_digest
from sealane.core.canonical import canonical_bytes
from sealane.core.clock import Clock, to_text
from sealane.core.ids import check_fingerprint, check_name
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError
from sealane.governance.agreement import verify_agreement
from sealane.governance.counter import MAXIMUM_COUNTERS, verify_counter
from sealane.governance.policy import Standing
from sealane.governance.signed_statement import SignedAgreement, SignedCounter, SignedRefusal, Statement, verify_refusal
from sealane.governance.study import Study, parse_study
from sealane.node import acts_table, study_table
from sealane.node.database import open_database, transaction
from sealane.node.lives import Lives
from sealane.node.register_schema import SCHEMA
from sealane.node.scoring.book import ScoringBook
from sealane.node.standing import Standings

_ACTS = {"agreement": "agreement.signed", "refusal": "study.refused", "counter": "study.countered"}
_COLUMNS = ("name, source, mapping, contract_id, contract_hash, version, rows, excluded, drop_invalid, added_at, "
            "repair")


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """A dataset as it was registered.

    Attributes:
        name: of the dataset at this node.
        source: where its rows lie, as given; it may hold a password, so it is never shown (see ``Source``).
        mapping: source column by contract field.
        contract_id: of its data contract.
        contract_hash: of that contract's text at the time, hex.
        version: SHA-256, hex, over content, mapping, repair, contract and whether invalid rows are excluded.
        rows: rows that computations read.
        excluded: invalid rows left out.
        drop_invalid: whether rows that break the contract are left out.
        added_at: RFC 3339, UTC.
        repair: canonical text of the declared repair; empty where there is none.
    """

    name: str
    source: str
    mapping: Mapping[str, str]
    contract_id: str
    contract_hash: str
    version: str
    rows: int
    excluded: int
    drop_invalid: bool
    added_at: str
    repair: str = ""

    def __repr__(self) -> str:
        return f"DatasetEntry({self.name}, {self.contract_id}, version {self.version[:12]})"


@dataclass(frozen=True, slots=True)
class StudyEntry:
    """A study that reached this node.

    Attributes:
        study: what it says.
        proposer: who proposed it, by the coordinator's word.
        received_at: RFC 3339, UTC.
    """

    study: Study
    proposer: str
    received_at: str


class Register:
    """One node's register. It may be used from several threads.

    Args:
        path: of the database.
        own: fingerprint of this node's signing key: statements it signed are its own, whoever brings them.
        clock: tells the time.
        room: how many studies are kept that this institution has not decided on.
    """

    def __init__(self, path: Path | str, own: str, clock: Clock, room: study_table.Room = study_table.ROOM) -> None:
        self._own, self._room = own, room
        self._db = open_database(path, SCHEMA)
        self._lock = threading.RLock()
        self._clock = clock
        self.lives = Lives(self._read, self._writing, self._now)
        self.standings = Standings(self._read, self._version, self._writing, self._now, self._act)
        self.scoring = ScoringBook(self._read, self._writing, self._now, self._act)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    # Peers

    def trust(self, name: str, fingerprint: str) -> None:
        """Remember a peer's fingerprint as verified out of band; an earlier one of that name is replaced.

        Raises:
            InputError: the name or the fingerprint is malformed.
        """
        values = (check_name(name), check_fingerprint(fingerprint), self._now())
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO peers (name, fingerprint, verified_at) VALUES (?, ?, ?)", values)

    def distrust(self, name: str) -> bool:
        """Forget a peer; return whether it was known."""
        with self._writing() as db:
            return db.execute("DELETE FROM peers WHERE name = ?", (name,)).rowcount > 0

    def verified(self) -> dict[str, str]:
        """Return fingerprint by name of every verified peer."""
        return dict(self._read("SELECT name, fingerprint FROM peers ORDER BY name"))

    # Stewards

    def appoint(self, name: str, fingerprint: str) -> None:
        """Remember a data steward; an earlier key of that name is replaced.

        Raises:
            InputError: the name or the fingerprint is malformed.
        """
        values = (check_name(name, "steward's name"), check_fingerprint(fingerprint), self._now())
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO stewards (name, fingerprint, appointed_at) VALUES (?, ?, ?)", values)

    def dismiss(self, name: str) -> bool:
        """Forget a steward; return whether it was known."""
        with self._writing() as db:
            return db.execute("DELETE FROM stewards WHERE name = ?", (name,)).rowcount > 0

    def stewards(self) -> dict[str, tuple[str, str]]:
        """Return fingerprint and moment of appointment of every steward, by name."""
        return {name: (key, at) for name, key, at in self._read(
            "SELECT name, fingerprint, appointed_at FROM stewards ORDER BY name")}

    def spend_nonce(self, nonce: str, at: str, *, forget_before: str) -> bool:
        """Remember a signed request; False where it came before. Those older than a moment, stale, are forgotten."""
        with self._writing() as db:
            db.execute("DELETE FROM steward_requests WHERE at < ?", (forget_before,))
            return db.execute("INSERT OR IGNORE INTO steward_requests VALUES (?, ?)", (nonce, at)).rowcount > 0

    # Datasets

    def put_dataset(self, entry: DatasetEntry) -> None:
        """Register a dataset, or its new version under the same name."""
        values = (check_name(entry.name, "dataset name"), entry.source, json.dumps(dict(entry.mapping)),
                  entry.contract_id, entry.contract_hash, entry.version, entry.rows, entry.excluded,
                  entry.drop_invalid, entry.added_at, entry.repair)
        marks = ", ".join("?" * len(values))
        with self._writing() as db:
            db.execute(f"INSERT OR REPLACE INTO datasets ({_COLUMNS}) VALUES ({marks})", values)  # noqa: S608 - ours
            self.lives.register(db, entry.name, entry.version)

    def dataset(self, name: str) -> DatasetEntry:
        """Return a registered dataset.

        Raises:
            InputError: there is none of that name.
        """
        rows = self._read(f"SELECT {_COLUMNS} FROM datasets WHERE name = ?", name)  # noqa: S608 - ours
        if not rows:
            known = ", ".join(entry.name for entry in self.datasets())
            raise InputError("dataset.unknown", "no such dataset is registered here", got=repr(name[:80]),
                             expected=known or "none is registered", hint="`sealane dataset add NAME --from SOURCE`")
        return _dataset(rows[0])

    def datasets(self, contract_id: str | None = None) -> list[DatasetEntry]:
        """Return the registered datasets, or those under one contract, by name."""
        entries = map(_dataset, self._read(f"SELECT {_COLUMNS} FROM datasets ORDER BY name"))  # noqa: S608 - ours
        return [entry for entry in entries if contract_id in (None, entry.contract_id)]

    def remove_dataset(self, name: str) -> bool:
        """Forget a dataset; return whether it was known. Whom it answered is remembered all the same."""
        with self._writing() as db:
            known = db.execute("DELETE FROM datasets WHERE name = ?", (name,)).rowcount > 0
            if known:
                self.lives.withdraw(db, name)
            return known

    # Studies

    def record_study(self, data: bytes, proposer: str = "") -> Study:
        """Remember a study that was proposed; the same one again changes nothing.

        Raises:
            InputError: the bytes are no study.
            RefusedError: it has expired.
            UnavailableError: too many wait for a decision.
        """
        study = parse_study(data)
        with self._writing() as db:
            study_table.add(db, study, proposer[:63], own=self._own, now=self._now(), room=self._room)
        return study

    def study(self, study_hash: str) -> Study:
        """Return the study of that hash, or of the only hash that begins so (8 digits or more).

        Raises:
            InputError: there is none, or more than one.
        """
        found = []
        if len(study_hash) >= 8 and set(study_hash) <= set("0123456789abcdef"):
            found = self._read("SELECT body FROM studies WHERE hash LIKE ? || '%' LIMIT 2", study_hash)
        if len(found) != 1:
            raise InputError("study.unknown", "no study of that name or hash is known here, or more than one",
                             got=repr(study_hash[:64]), expected="a name, or 8 to 64 hex digits",
                             hint="`sealane study list`")
        return parse_study(found[0][0])

    def studies(self) -> list[StudyEntry]:
        """Return every study that reached this node, oldest first."""
        return [StudyEntry(parse_study(body), proposer, received) for body, proposer, received in
                self._read("SELECT body, proposer, received_at FROM studies ORDER BY received_at, hash")]

    # What this node did

    def record_act(self, kind: str, subject: str, detail: str) -> None:
        """Put an act into the node's own log; the same one again changes nothing."""
        with self._writing() as db:
            self._act(db, kind, subject, detail)

    def _act(self, db: sqlite3.Connection, kind: str, subject: str, detail: str) -> None:
        acts_table.add(db, self._now(), self._own, kind, subject, detail)

    # What was signed

    def record_statement(self, study_hash: str, statement: Statement) -> None:
        """Remember a signed statement, verified here; the same one again changes nothing.

        Raises:
            InputError: the study is unknown.
            ProtocolError: it does not verify, or its signer signed a different one of the same kind.
            RefusedError: this institution refused the study before, or an agreement allows what it may not.
        """
        study = self.study(study_hash)
        kind, signer = _verified(statement, study)
        with self._writing() as db:
            rows = db.execute("SELECT kind, body FROM statements WHERE study = ? AND fingerprint = ?",
                              (study.hash, signer)).fetchall()
            same = [body for known, body in rows if known == kind]
            if statement.body in same:
                return
            if kind == "counter" and len(same) >= MAXIMUM_COUNTERS:
                raise _too_many(signer)
            if kind != "counter" and same:
                raise _conflicting(kind, signer)
            if signer == self._own and kind != "refusal" and any(known == "refusal" for known, _ in rows):
                raise _after_refusal(study)
            db.execute(
                "INSERT INTO statements (study, fingerprint, kind, body, public_key, signature, sent, recorded_at) "
                "VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
                (study.hash, signer, kind, statement.body, statement.public_key, statement.signature, self._now()),
            )
            if signer == self._own:
                revokes = kind == "refusal" and any(known == "agreement" for known, _ in rows)
                self._act(db, "agreement.revoked" if revokes else _ACTS[kind], study.hash, statement_digest(
                    statement.body, statement.public_key, statement.signature))

    def statements(self, study_hash: str) -> list[Statement]:
        """Return everything signed about a study, this institution's own included, in the order of recording."""
        return [_statement(row) for row in self._read(
            "SELECT kind, body, public_key, signature FROM statements WHERE study = ? ORDER BY rowid", study_hash)]

    def agreements(self, study_hash: str) -> list[SignedAgreement]:
        """Return the agreements to a study, those of institutions that refused it since left out."""
        said = self.statements(study_hash)
        refused = {s.public_key for s in said if isinstance(s, SignedRefusal)}
        return [s for s in said if isinstance(s, SignedAgreement) and s.public_key not in refused]

    def own_statement(self, study_hash: str) -> SignedAgreement | SignedRefusal | None:
        """Return what this institution last signed about a study: a refusal outweighs an agreement for ever."""
        rows = self._read("SELECT kind, body, public_key, signature FROM statements "
                          "WHERE study = ? AND fingerprint = ? AND kind != 'counter' ORDER BY kind DESC", study_hash,
                          self._own)
        found = _statement(rows[0]) if rows else None
        assert not isinstance(found, SignedCounter)
        return found

    def revoked(self, study_hash: str) -> bool:
        """Return whether this institution has refused the study, before or after agreeing to it."""
        return isinstance(self.own_statement(study_hash), SignedRefusal)

    def standing(self, study_hash: str, dataset: str) -> Standing:
        """See :class:`sealane.node.gate.Records`."""
        return self.standings.of(study_hash, dataset, self._own)

    def record_refusal(self, run: str, study: str, moment: str, clause: str, error: SealaneError) -> None:
        """See :class:`sealane.node.decided.Deciding`."""
        self.standings.record_refusal(run, study, moment, clause, error)

    def record_permits(self, run: str, counts: dict[str, int]) -> None:
        """See :class:`sealane.node.decided.Deciding`."""
        self.standings.record_permits(run, counts)

    def unsent(self) -> list[tuple[str, Statement]]:
        """Return this institution's statements that the coordinator has not confirmed, with their study's hash."""
        return [(row[4], _statement(row)) for row in self._read(
            "SELECT kind, body, public_key, signature, study FROM statements WHERE fingerprint = ? AND sent = 0 "
            "ORDER BY rowid", self._own)]

    def mark_sent(self, statement: Statement) -> None:
        """Note that the coordinator has this institution's statement."""
        with self._writing() as db:
            db.execute("UPDATE statements SET sent = 1 WHERE signature = ?", (statement.signature,))

    # Whom a dataset answered

    def record_cohort(self, dataset_version: str, computation: str, cohort: frozenset[str]) -> None:
        """Remember, before anything is released, that a computation over a dataset version answers a cohort."""
        members = canonical_bytes(sorted(cohort)).decode("ascii")
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO cohorts (dataset_version, computation, cohort, recorded_at) "
                       "VALUES (?, ?, ?, ?)", (dataset_version, computation, members, self._now()))

    def cohorts(self, dataset_version: str) -> list[frozenset[str]]:
        """Return the cohorts, by fingerprints, that a dataset version was answered for, oldest first.

        Whatever was computed counts: a summary over four and a regression over three both sum their rows.
        """
        rows = self._read("SELECT cohort FROM cohorts WHERE dataset_version = ? ORDER BY rowid", dataset_version)
        return list(dict.fromkeys(frozenset(json.loads(cohort)) for cohort, in rows))

    def _now(self) -> str:
        return to_text(self._clock())

    def _read(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    def _version(self) -> tuple[int, int]:
        """Return what differs after every write, by others ("PRAGMA data_version" of SQLite) or by this connection."""
        with self._lock:
            (others,), = self._db.execute("PRAGMA data_version").fetchall()
            return int(others), self._db.total_changes

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, transaction(self._db) as db:
            yield db


def _dataset(row: Iterable[Any]) -> DatasetEntry:
    name, source, mapping, contract_id, contract_hash, version, rows, excluded, drop_invalid, added_at, repair = row
    return DatasetEntry(name, source, json.loads(mapping), contract_id, contract_hash, version, rows, excluded,
                        bool(drop_invalid), added_at, repair)


_SHAPES: dict[str, type[Statement]] = {"agreement": SignedAgreement, "counter": SignedCounter, "refusal": SignedRefusal}


def _statement(row: tuple[Any, ...]) -> Statement:
    return _SHAPES[row[0]](row[1], row[2], row[3])


def _verified(statement: Statement, study: Study) -> tuple[str, str]:
    """Return a statement's kind and the fingerprint of its signer, once it is verified."""
    match statement:
        case SignedAgreement():
            return "agreement", verify_agreement(statement, study).fingerprint
        case SignedCounter():
            return "counter", verify_counter(statement, study).fingerprint
        case SignedRefusal():
            return "refusal", verify_refusal(statement, study).fingerprint


def _conflicting(kind: str, signer: str) -> ProtocolError:
    if kind == "agreement":
        return ProtocolError("agreement.conflicting", "an institution signed two different agreements to one study",
                             got=signer)
    return ProtocolError("refusal.conflicting", "an institution signed two different refusals of one study", got=signer)


def _too_many(signer: str) -> ProtocolError:
    return ProtocolError("counter.too-many", "an institution made too many counter-offers to one study", got=signer,
                         expected=f"at most {MAXIMUM_COUNTERS}", hint="settle it, and have another study proposed")


def _after_refusal(study: Study) -> RefusedError:
    return RefusedError("study.refused-before", "this institution has refused the study, which is final",
                        got=study.hash[:16], hint="have it proposed again: a new proposal has a new hash")
