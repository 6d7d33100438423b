"""What the coordinator keeps of studies and runs: each call is on disk when it returns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

from sealane.audit.entry import parse_acts, statement_digest
from sealane.coordinator.catalog_store import CatalogStore
from sealane.coordinator.database import metadata, reading, writing
from sealane.coordinator.log import Event, Log, append, newest_detail
from sealane.coordinator.run_facts import RunFacts, Tally
from sealane.coordinator.run_state import RunState
from sealane.core.clock import Clock, to_text
from sealane.core.ids import Fingerprint
from sealane.errors import InputError, from_dict
from sealane.governance.signed_statement import ACTS, KINDS
from sealane.governance.study import Study
from sealane.rpc.known_codes import known
from sealane.rpc.notices import Statement, StudyRecord
from sealane.secagg.messages import Endorsement, Member

studies = Table(
    "studies", metadata,
    Column("hash", String(64), primary_key=True),
    Column("name", String(63), nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
    Column("proposer", String(63), nullable=False),
    Column("proposed_at", String(20), nullable=False),
)

statements = Table(
    "statements", metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("study", String(64), ForeignKey("studies.hash"), nullable=False, index=True),
    Column("kind", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False, unique=True),
)

runs = Table(
    "runs", metadata,
    Column("run_id", String(32), primary_key=True),
    Column("study", String(64), ForeignKey("studies.hash"), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("members", Text, nullable=False),
    Column("announced", Boolean, nullable=False),
    Column("error", Text),
    Column("tally", Text, nullable=False),
    Column("started_by", String(63), nullable=False),
    Column("started_at", String(20), nullable=False),
)

results = Table(
    "results", metadata,
    Column("run_id", String(32), ForeignKey("runs.run_id"), primary_key=True),
    Column("recipient", String(52), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

endorsements = Table(
    "endorsements", metadata,
    Column("run_id", String(32), ForeignKey("runs.run_id"), primary_key=True),
    Column("fingerprint", String(52), primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("result_hash", LargeBinary, nullable=False),
    Column("transcript", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

class Store:
    """Studies, statements, runs and results; every act is a leaf of the audit log in the same transaction."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        metadata.create_all(engine)
        self._engine = engine
        self._clock = clock
        self.catalog = CatalogStore(engine)
        self.log = Log(engine)

    def add_study(self, study: Study, proposer: str) -> bool:
        """Keep a proposed study; False where it was there already."""
        with writing(self._engine) as db:
            if db.execute(select(studies.c.hash).where(studies.c.hash == study.hash)).first() is not None:
                return False
            db.execute(insert(studies).values(hash=study.hash, name=study.name, body=study.canonical(),
                                              proposer=proposer, proposed_at=self._now()))
            self._event(db, "study.proposed", proposer, study.hash, study.name)
            return True

    def add_statement(self, study_hash: str, node: str, statement: Statement) -> bool:
        """Keep a signed statement; False where it was there already."""
        with writing(self._engine) as db:
            known = select(statements.c.sequence).where(statements.c.signature == statement.signature)
            if db.execute(known).first() is not None:
                return False
            db.execute(insert(statements).values(
                study=study_hash, kind=statement.kind, body=statement.body, public_key=statement.public_key,
                signature=statement.signature))
            digest = statement_digest(statement.body, statement.public_key, statement.signature)
            self._event(db, ACTS[statement.kind], node, study_hash, digest)
            return True

    def study(self, wanted: str) -> StudyRecord:
        """Return a study by hash, by the beginning of its hash, or by name (the newest of that name).

        Raises:
            InputError: there is none, or the beginning fits another one's hash or name too.
        """
        query = select(studies).order_by(studies.c.proposed_at.desc(), studies.c.hash)
        with reading(self._engine) as db:
            rows = [r for r in db.execute(query).mappings() if r["hash"].startswith(wanted) or r["name"] == wanted]
            if not rows or not wanted:
                raise InputError("study.unknown", "no such study", got=repr(wanted[:64]),
                                 hint="list them with `sealane study list`")
            named = [r["hash"] for r in rows if r["name"] == wanted][:1]
            hashes = {*named, *(r["hash"] for r in rows if r["hash"].startswith(wanted))}
            if len(hashes) > 1:
                raise InputError("study.ambiguous", "several studies begin like this", got=wanted,
                                 expected=", ".join(h[:16] for h in sorted(hashes)))
            return self._record(db, rows[0])

    def all_studies(self) -> list[StudyRecord]:
        """Return every study, newest first."""
        query = select(studies).order_by(studies.c.proposed_at.desc(), studies.c.hash)
        with reading(self._engine) as db:
            return [self._record(db, row) for row in db.execute(query).mappings().all()]

    def add_run(self, facts: RunFacts, started_by: str) -> None:
        """Keep a new run."""
        with writing(self._engine) as db:
            db.execute(insert(runs).values(run_id=facts.run_id, started_by=started_by, started_at=self._now(),
                                           **_columns(facts)))
            self._event(db, "run.proposed", started_by, facts.run_id, facts.study_hash)

    def save(self, facts: RunFacts) -> None:
        """Keep a run as it now stands."""
        with writing(self._engine) as db:
            old, attempt = db.execute(select(runs.c.state, runs.c.attempt).where(runs.c.run_id == facts.run_id)).one()
            db.execute(update(runs).where(runs.c.run_id == facts.run_id).values(**_columns(facts)))
            if old != facts.state:
                detail = known(facts.error.code) if facts.error is not None else f"attempt {facts.attempt}"
                self._event(db, f"run.{facts.state.lower()}", "coordinator", facts.run_id, detail)
            if attempt != facts.attempt:
                self._event(db, "run.cohort", "coordinator", facts.run_id, facts.cohort_detail)

    def save_endorsed(self, run_id: str, detail: str) -> None:
        """Keep, in the log, what every member endorsed; a repetition changes nothing."""
        with writing(self._engine) as db:
            append(db, self._clock, "run.endorsed", "coordinator", run_id, detail, once=f"endorsed {run_id} {detail}")

    def save_acts(self, node: str, fingerprint: Fingerprint, detail: str) -> None:
        """Keep, in the log, the head of a node's own acts, unless it has one of as many acts or more.

        So the newest is always the furthest: a node that was put back from an old copy is shown what it forgot.
        """
        with writing(self._engine) as db:
            newest = newest_detail(db, "node.acts", fingerprint)
            if newest is not None and parse_acts(newest)[0] >= parse_acts(detail)[0]:
                return
            append(db, self._clock, "node.acts", node, fingerprint, detail, once=f"acts {fingerprint} {detail}")

    def save_result(
        self, run_id: str, sealed: Mapping[Fingerprint, bytes], endorsed: Mapping[Fingerprint, Endorsement]
    ) -> None:
        """Keep sealed results and endorsements; a repetition changes nothing."""
        with writing(self._engine) as db:
            if db.execute(select(results.c.run_id).where(results.c.run_id == run_id)).first() is not None:
                return
            for recipient, data in sealed.items():
                db.execute(insert(results).values(run_id=run_id, recipient=recipient, sealed=data))
            for fingerprint, e in endorsed.items():
                db.execute(insert(endorsements).values(
                    run_id=run_id, fingerprint=fingerprint, attempt=e.attempt, result_hash=e.result_hash,
                    transcript=e.transcript, signature=e.signature))

    def result(self, run_id: str, recipient: str) -> tuple[bytes, dict[Fingerprint, Endorsement]] | None:
        """Return the result sealed to a recipient, with all endorsements, or None where there is none."""
        with reading(self._engine) as db:
            sealed = db.execute(select(results.c.sealed).where(
                results.c.run_id == run_id, results.c.recipient == recipient)).scalar_one_or_none()
            if sealed is None:
                return None
        return bytes(sealed), self.endorsed(run_id)

    def endorsed(self, run_id: str) -> dict[Fingerprint, Endorsement]:
        """Return who endorsed a run's result; nobody where it has none."""
        with reading(self._engine) as db:
            rows = db.execute(select(endorsements).where(endorsements.c.run_id == run_id)).mappings().all()
        return {Fingerprint(r["fingerprint"]): Endorsement(run_id, r["attempt"], bytes(r["result_hash"]),
                                                           bytes(r["transcript"]), bytes(r["signature"])) for r in rows}

    def run(self, run_id: str) -> tuple[RunFacts, str]:
        """Return a run and when it started; an unambiguous beginning of its id will do.

        Raises:
            InputError: there is none.
        """
        found = [pair for pair in self.all_runs() if pair[0].run_id.startswith(run_id)]
        exact = [pair for pair in found if pair[0].run_id == run_id]
        if len(exact or found) != 1 or not run_id:
            raise InputError("run.unknown", "no such run" if not found else "several runs begin like this",
                             got=repr(run_id[:40]), hint="list them with `sealane run list`")
        return (exact or found)[0]

    def all_runs(self) -> list[tuple[RunFacts, str]]:
        """Return every run with the moment it started, newest first."""
        with reading(self._engine) as db:
            rows = db.execute(select(runs).order_by(runs.c.started_at.desc(), runs.c.run_id)).mappings().all()
        return [(_facts(row), row["started_at"]) for row in rows]

    def count_runs(self, study_hash: str) -> int:
        """Return how many runs of a study were not aborted."""
        return sum(f.study_hash == study_hash and f.state is not RunState.ABORTED for f, _ in self.all_runs())

    def add_event(self, kind: str, party: str, subject: str, detail: str = "") -> None:
        """Keep an event."""
        with writing(self._engine) as db:
            self._event(db, kind, party, subject, detail)

    def list_events(self, after: int, limit: int) -> list[Event]:
        """Return events after a sequence number, oldest first."""
        return self.log.events(after, limit)

    def _record(self, db: Connection, row: Mapping[Any, Any]) -> StudyRecord:
        query = select(statements).where(statements.c.study == row["hash"]).order_by(statements.c.sequence)
        signed: list[Statement] = [
            KINDS[s["kind"]](bytes(s["body"]), bytes(s["public_key"]), bytes(s["signature"]))
            for s in db.execute(query).mappings()
        ]
        return StudyRecord(bytes(row["body"]), row["proposer"], row["proposed_at"], tuple(signed))

    def _event(self, db: Connection, kind: str, party: str, subject: str, detail: str) -> None:
        append(db, self._clock, kind, party, subject, detail)

    def _now(self) -> str:
        moment: datetime = self._clock()
        return to_text(moment)


def _columns(facts: RunFacts) -> dict[str, Any]:
    members = [[m.fingerprint, m.signing_key.hex(), m.agreement_key.hex(), m.signature.hex()] for m in facts.members]
    return {
        "study": facts.study_hash, "state": str(facts.state), "attempt": facts.attempt,
        "members": json.dumps(members), "announced": facts.announced,
        "error": None if facts.error is None else json.dumps(facts.error.to_dict()),
        "tally": json.dumps([facts.tally.exchanges, dict(facts.tally.bytes_sent), facts.tally.elapsed_s]),
    }


def _facts(row: Mapping[Any, Any]) -> RunFacts:
    members = tuple(Member(Fingerprint(f), bytes.fromhex(s), bytes.fromhex(a), bytes.fromhex(g))
                    for f, s, a, g in json.loads(row["members"]))
    error = None if row["error"] is None else from_dict(json.loads(row["error"]))
    return RunFacts(row["run_id"], row["study"], RunState(row["state"]), row["attempt"], members, row["announced"],
                    error, Tally(*json.loads(row["tally"])))
