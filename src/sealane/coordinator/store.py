"""What the coordinator keeps of studies and runs: each call is on disk when it returns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    or_,
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
from sealane.errors import InputError, UnavailableError, from_dict
from sealane.governance.signed_statement import ACTS, KINDS
from sealane.governance.study import OPEN_PER_PROPOSER, Study, parse_study
from sealane.governance.study_state import LISTED, ambiguous
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

Index("studies_newest_first", studies.c.proposed_at.desc(), studies.c.hash)

# Who asks whom to take part in a study, and until when: found without reading bodies, which are large.
participations = Table(
    "participations", metadata,
    Column("study", String(64), ForeignKey("studies.hash"), primary_key=True),
    Column("participant", String(52), primary_key=True, index=True),
    Column("proposer", String(63), nullable=False, index=True),
    Column("expires", String(20), nullable=False, index=True),
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
        self._index_older()

    def add_study(self, study: Study, proposer: str, most_open: int = OPEN_PER_PROPOSER) -> bool:
        """Keep a proposed study; False where it was there already.

        Those that expired without anything signed or run are dropped, of every proposer.

        Args:
            study: what is proposed.
            proposer: name of the party that proposes it.
            most_open: of its studies that may be kept at once without having expired or been run.

        Raises:
            InputError: it has expired.
            UnavailableError: as many of this proposer's are open already.
        """
        with writing(self._engine) as db:
            if db.execute(select(studies.c.hash).where(studies.c.hash == study.hash)).first() is not None:
                return False
            if study.expires <= self._now():
                raise InputError("study.already-over", "the study has expired already", got=study.expires,
                                 hint="set a later `expires` or `valid_days`")
            self._drop_expired(db)
            if self._count_open(db, proposer) >= most_open:
                raise UnavailableError("study.too-many-open", "too many studies of this proposer are open",
                                       got=proposer, expected=f"at most {most_open} that were not run",
                                       hint="run some, wait until some expire, or ask the coordinator's operator for a "
                                            "larger studies.open_per_proposer")
            db.execute(insert(studies).values(hash=study.hash, name=study.name, body=study.canonical(),
                                              proposer=proposer, proposed_at=self._now()))
            _index(db, study, proposer)
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
        """Return a study by hash, by the beginning of its hash, or by name.

        Raises:
            InputError: there is none, or what is given fits several.
        """
        begins = studies.c.hash.startswith(wanted, autoescape=True)
        query = (select(studies).where(or_(studies.c.name == wanted, begins))
                 .order_by(studies.c.proposed_at.desc(), studies.c.hash))
        with reading(self._engine) as db:
            rows = [r for r in db.execute(query).mappings() if r["hash"].startswith(wanted) or r["name"] == wanted]
            if not rows or not wanted:
                raise InputError("study.unknown", "no such study", got=repr(wanted[:64]),
                                 hint="list them with `sealane study list`")
            if len(rows) > 1:
                records = [self._record(db, row) for row in rows[:LISTED]]
                raise ambiguous(wanted, [(parse_study(r.study), r.statements) for r in records], len(rows))
            return self._record(db, rows[0])

    def all_studies(self) -> list[StudyRecord]:
        """Return every study, newest first."""
        return [record for _, record in self.list_studies()]

    def list_studies(self, behind: tuple[str, str] | None = None) -> Iterator[tuple[str, StudyRecord]]:
        """Give every study with its hash, newest first, or those behind one of a moment of proposal and a hash."""
        query = select(studies.c.hash).order_by(studies.c.proposed_at.desc(), studies.c.hash)
        if behind is not None:
            at, study_hash = behind
            query = query.where(or_(studies.c.proposed_at < at,
                                    (studies.c.proposed_at == at) & (studies.c.hash > study_hash)))
        with reading(self._engine) as db:
            hashes = db.execute(query).scalars().all()
        return self._each(hashes)

    def studies_for(self, participant: Fingerprint) -> Iterator[StudyRecord]:
        """Give the studies that name a participant and have not expired, newest first."""
        query = (select(studies.c.hash).join(participations)
                 .where(participations.c.participant == participant, participations.c.expires > self._now())
                 .order_by(studies.c.proposed_at.desc(), studies.c.hash))
        with reading(self._engine) as db:
            hashes = db.execute(query).scalars().all()
        return (record for _, record in self._each(hashes))

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

    def _each(self, hashes: Iterable[str]) -> Iterator[tuple[str, StudyRecord]]:
        """Read one study at a time: bodies are large, and not all may be asked for."""
        for study_hash in hashes:
            with reading(self._engine) as db:
                row = db.execute(select(studies).where(studies.c.hash == study_hash)).mappings().one_or_none()
                record = None if row is None else self._record(db, row)
            if record is not None:
                yield study_hash, record

    def _count_open(self, db: Connection, proposer: str) -> int:
        return db.execute(select(func.count(participations.c.study.distinct())).where(
            participations.c.proposer == proposer, participations.c.expires > self._now(),
            participations.c.study.not_in(select(runs.c.study)))).scalar_one()

    def _drop_expired(self, db: Connection) -> None:
        """Forget studies that expired before anybody signed or ran them; that they were proposed stays in the log."""
        overdue = db.execute(select(participations.c.study).distinct().where(
            participations.c.expires <= self._now(), participations.c.study.not_in(select(statements.c.study)),
            participations.c.study.not_in(select(runs.c.study)))).scalars().all()
        for study_hash in overdue:
            db.execute(delete(participations).where(participations.c.study == study_hash))
            db.execute(delete(studies).where(studies.c.hash == study_hash))

    def _index_older(self) -> None:
        """Note who takes part in studies that an earlier version kept."""
        query = select(studies.c.body, studies.c.proposer).where(
            studies.c.hash.not_in(select(participations.c.study)))
        with reading(self._engine) as db:
            older = db.execute(query).all()
        if older:
            with writing(self._engine) as db:
                for body, proposer in older:
                    _index(db, parse_study(bytes(body)), proposer)

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


def _index(db: Connection, study: Study, proposer: str) -> None:
    db.execute(insert(participations), [
        {"study": study.hash, "participant": p.fingerprint, "proposer": proposer, "expires": study.expires}
        for p in study.participants])


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
