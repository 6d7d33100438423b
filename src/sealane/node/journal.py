"""The node's durable memory of its runs: what it sent, what it opened, and the keys that belong to a run only.

It lives in a database of its own (``runs.sqlite``) that backups leave out, so that a restored copy can neither send
a second contribution for a round nor release a second time. Every write is on disk before the message it is about
leaves the node. What nobody was told yet (a total just opened) is written with the next such write: until then the
round can be opened again from the same messages. Long contributions and totals lie in files beside it, in ``runs/``.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sealane.core.octets import Buffer, Octets, stretches, whole
from sealane.core.secret import Secret
from sealane.errors import ProtocolError, UnavailableError
from sealane.node.database import cut_log, open_database, transaction
from sealane.node.journal_rows import ExchangeRow, RunRow
from sealane.node.journal_schema import SCHEMA
from sealane.node.spool import LONG, Spool
from sealane.node.steps import Steps
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
IN_FILE = b""
"""Stands in a row for what its file holds."""
STEP_BYTES = 1 << 19
"""Contributions below this that open on arrival are appended to their attempt's steps, and stay there until its end."""
USED_S = 1.0
"""What a run used is written at least so often while it sums."""
_RUNS = "SELECT run_id, study_hash, agreement_seed, attempt, start, state, released FROM runs"
_FORGET = (
    "UPDATE exchanges SET seed = NULL, payload = NULL, share = NULL WHERE run_id = ?",
    "DELETE FROM introductions WHERE run_id = ?",
)


class Journal:
    """One run database. An instance belongs to one thread; several instances may share a file."""

    def __init__(self, path: Path | str) -> None:
        self._db: sqlite3.Connection = open_database(path, SCHEMA)
        self._deferred: list[tuple[str, tuple[object, ...]]] = []
        self._used: dict[str, Callable[[], bytes]] = {}
        self._used_at = time.monotonic()
        self._directory = None if path == ":memory:" else Path(path).parent / "runs"
        self._spool = None if self._directory is None else Spool(self._directory)
        self._steps: tuple[str, Steps] | None = None
        self._sent_before = True
        self._payloads: list[tuple[str, int, int]] = []
        self._removed: list[str] = []
        self._uncut = False

    def close(self) -> None:
        """Write what was deferred and close the connection, also where the disk takes nothing more."""
        try:
            self.settle()
        finally:
            self._leave_steps()
            if self._uncut:
                self._cut_log()
            self._db.close()

    def settle(self) -> None:
        """Write what was deferred: before anything is said that rests on it."""
        if self._deferred or self._used:
            with self._writing():
                pass
        if self._steps is not None:
            self._steps[1].settle()

    def sweep(self) -> None:
        """Remove what runs that ended left: a kill may have come between. Only while no other journal is written to."""
        if self._spool is not None:
            self._spool.sweep({row.run_id for row in self.active()})
        self._cut_log()

    def lose(self) -> None:
        """Forget what is not on disk yet, as a kill would: for simulation."""
        self._deferred.clear()
        self._used.clear()
        self._removed.clear()
        self._leave_steps()
        if self._spool is not None:
            self._spool.lose()

    def run(self, run_id: str) -> RunRow | None:
        """Return what is known of a run."""
        row = self._db.execute(f"{_RUNS} WHERE run_id = ?", (run_id,)).fetchone()
        return None if row is None else _run_row(row)

    def active(self) -> list[RunRow]:
        """Return the runs that have not ended."""
        rows = self._db.execute(f"{_RUNS} WHERE state = 'ACTIVE' ORDER BY rowid").fetchall()
        return [_run_row(row) for row in rows]

    def runs_released(self, study_hash: str) -> frozenset[str]:
        """Return the runs of a study in which this node has let go of what helps to open something."""
        rows = self._db.execute("SELECT run_id FROM runs WHERE study_hash = ? AND released = 1", (study_hash,))
        return frozenset(run_id for run_id, in rows.fetchall())

    def join(self, run_id: str, study_hash: str, agreement_seed: Secret) -> RunRow:
        """Remember a run and its agreement key; a run already known keeps the key it has."""
        with self._writing():
            self._db.execute("INSERT OR IGNORE INTO runs (run_id, study_hash, agreement_seed) VALUES (?, ?, ?)",
                             (run_id, study_hash, agreement_seed.reveal()))
        row = self.run(run_id)
        if row is None or row.study_hash != study_hash:
            raise ProtocolError("run.id-reused", "a run id came back for another study", got=run_id)
        return row

    def begin_attempt(self, run_id: str, attempt: int, start: bytes) -> None:
        """Open an attempt; every earlier one of the run is closed for ever.

        Raises:
            ProtocolError: the attempt is not newer than the last, or something of this run may have opened already.
        """
        row = self.run(run_id)
        if row is None or row.ended:
            raise ProtocolError("run.illegal-transition", "an attempt began in a run that is not active", got=run_id)
        if attempt <= row.attempt:
            raise ProtocolError("run.attempt-replayed", "an attempt began that is not newer than the last",
                                got=attempt, expected=f"more than {row.attempt}")
        if row.released:
            raise ProtocolError("run.cohort-fixed", "a new attempt began after something may have opened",
                                got=f"attempt {attempt}", expected=f"attempt {row.attempt} goes on",
                                hint="a node that is lost is waited for; its sums cannot be taken again without it")
        with self._writing():
            self._db.execute("UPDATE runs SET attempt = ?, start = ? WHERE run_id = ?", (attempt, start, run_id))
            self._forget(run_id)
            self._remove_files(run_id)

    def introduction(self, run_id: str, attempt: int) -> tuple[Secret, Secret | None] | None:
        """Return this node's introduction with its secrets, and what it took up of all; None before it made one."""
        row = self._db.execute("SELECT sent, acquainted FROM introductions WHERE run_id = ? AND attempt = ?",
                               (run_id, attempt)).fetchone()
        return None if row is None else (Secret(row[0]), None if row[1] is None else Secret(row[1]))

    def introduce(self, run_id: str, attempt: int, sent: Secret) -> None:
        """Keep this node's introduction, with its secrets, before it is sent."""
        with self._writing():
            self._db.execute("INSERT INTO introductions (run_id, attempt, sent) VALUES (?, ?, ?)",
                             (run_id, attempt, sent.reveal()))

    def acquainted(self, run_id: str, attempt: int, kept: Secret) -> None:
        """Keep what this node took up of all introductions, before anything rests on it."""
        with self._writing():
            self._db.execute("UPDATE introductions SET acquainted = ? WHERE run_id = ? AND attempt = ?",
                             (kept.reveal(), run_id, attempt))

    def use(self, run_id: str, used: Callable[[], bytes]) -> None:
        """Keep what a run has used so far, with the next write to the database."""
        self._used[run_id] = used

    def used(self, run_id: str) -> tuple[bytes | None, int]:
        """Return what a run has used, and how many exchanges of its last attempt are finished."""
        self.settle()
        row = self._db.execute(
            "SELECT used, (SELECT count(*) FROM exchanges WHERE exchanges.run_id = runs.run_id "
            "AND exchanges.attempt = runs.attempt AND total NOT NULL), attempt FROM runs WHERE run_id = ?",
            (run_id,)).fetchone()
        if row is None:
            return None, 0
        with suppress(UnavailableError):  # a run whose steps are lost must end all the same
            if (steps := self._steps_of(run_id, row[2])) is not None:
                return row[0], int(row[1]) + steps.opened_count()
        return row[0], int(row[1])

    def exchange(self, run_id: str, attempt: int, number: int) -> ExchangeRow | None:
        """Return what is known of an exchange."""
        steps = self._steps_of(run_id, attempt)
        step = None if steps is None else steps.get(number)
        if steps is not None and step is not None:
            steps.settle()  # an opened total may wait still, where a computation begins anew
            sent = number >= steps.newest  # that of an earlier one nobody can need
            return ExchangeRow(step.description_hash, step.seed if sent else None,
                               steps.held(step.payload) if sent else None, step.digest, None,
                               None if step.total is None else steps.held(step.total))
        row = self._db.execute(
            "SELECT description_hash, seed, payload, digest, share, total FROM exchanges "
            "WHERE run_id = ? AND attempt = ? AND number = ?",
            (run_id, attempt, number),
        ).fetchone()
        if row is None:
            return None
        seed, share = (None if secret is None else Secret(secret) for secret in (row[1], row[4]))
        payload, total = (self._whole(kept, f"{run_id}.{attempt}.{number}.{kind}")
                          for kept, kind in ((row[2], "payload"), (row[5], "total")))
        return ExchangeRow(row[0], seed, payload, row[3], share, total)

    def _whole(self, kept: bytes | None, name: str) -> Octets | None:
        return self._spool.read(name) if kept == IN_FILE and self._spool is not None else kept

    def _steps_of(self, run_id: str, attempt: int) -> Steps | None:
        """Return the steps of an attempt, where there is a place for them."""
        if self._directory is None:
            return None
        name = f"{run_id}.{attempt}.steps"
        if self._steps is None or self._steps[0] != name:
            self._leave_steps()
            stepped, newest = self._db.execute(
                "SELECT max(stepped), (SELECT max(number) FROM exchanges WHERE run_id = ?1 AND attempt = ?2 "
                "AND digest NOT NULL AND total NOT NULL) FROM runs WHERE run_id = ?1", (run_id, attempt)).fetchone()
            self._steps = name, Steps(self._directory / name, made=stepped == attempt)
            self._steps[1].newest = max(self._steps[1].newest, -1 if newest is None else newest)
        return self._steps[1]

    def _leave_steps(self) -> None:
        if self._steps is not None:
            self._steps[1].close()
            self._steps = None

    def contributed(
        self, run_id: str, attempt: int, number: int, description_hash: bytes, seed: Secret, payload: Octets, *,
        on_arrival: bool = False,
    ) -> Octets:
        """Keep a contribution before it is sent; those of finished exchanges further back are dropped.

        Of short ones that open on arrival there are many: they are kept among the attempt's steps.

        Returns:
            the payload as it is kept, which takes no memory where it lies in a file.
        """
        steps = self._steps_of(run_id, attempt) if on_arrival and len(payload) < STEP_BYTES else None
        if steps is not None:
            if not steps.made:
                steps.make()  # first: of a file that was promised and never made the node would say that it is lost
                self._deferred.append(("UPDATE runs SET stepped = ? WHERE run_id = ?", (attempt, run_id)))
            if self._deferred or time.monotonic() - self._used_at > USED_S:
                with self._writing():
                    pass
            steps.sent(number, description_hash, seed, payload)
            return payload
        spool = self._spool if len(payload) >= LONG else None
        self._sent_before = True
        with self._writing():
            row = whole(payload) if spool is None else IN_FILE
            self._db.execute(
                "INSERT INTO exchanges (run_id, attempt, number, description_hash, seed, payload) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (run_id, attempt, number, description_hash, seed.reveal(), row),
            )
            if spool is not None:  # after the row: where there is one already, its file stays as it is
                name = f"{run_id}.{attempt}.{number}.payload"
                spool.write(name, stretches(payload))
                spool.sync()
        if spool is None:
            return payload
        self._payloads.append((run_id, attempt, number))
        return spool.read(name)

    def fix_attempt(self, run_id: str) -> None:
        """Keep that something of this run may open, before it can: from then on no other attempt begins."""
        if (row := self.run(run_id)) is not None and not row.released:
            self._deferred.append(("UPDATE runs SET released = 1 WHERE run_id = ?", (run_id,)))
            self.settle()

    def released(
        self, run_id: str, attempt: int, number: int, digest: bytes, share: Secret, *, whole_cohort: bool
    ) -> Secret:
        """Keep which set of contributions this node agreed to open, and its share of the opening, before this leaves.

        The share returned is the first for them, whatever a peer that lies has sealed for the same ones since. Where
        sums open for the whole cohort only, no more than a run's first release waits for the disk: from then on no
        other attempt begins. Later ones are written with what follows. Should they be lost, the node answers the
        round's announcement again: for the same cohort, with the same seed, whatever it names (``docs/adr/0011``).

        Raises:
            ProtocolError: it agreed to open another set before, or the attempt is closed.
        """
        row = self._db.execute(
            "SELECT digest, share FROM runs JOIN exchanges USING (run_id, attempt) "
            "WHERE run_id = ? AND attempt = ? AND number = ?", (run_id, attempt, number),
        ).fetchone()
        if row is None or row[0] not in (None, digest):
            raise ProtocolError("run.second-release", "asked to open a round a second time for other contributions",
                                got=f"attempt {attempt}, exchange {number}")
        kept = share if row[1] is None else Secret(row[1])
        self._deferred.append((
            "UPDATE exchanges SET digest = ?, share = ? WHERE run_id = ? AND attempt = ? AND number = ?",
            (digest, kept.reveal(), run_id, attempt, number)))
        self.fix_attempt(run_id)
        if not whole_cohort:
            self.settle()
        return kept

    def opened(self, run_id: str, attempt: int, number: int, digest: bytes, *total: Buffer) -> None:
        """Keep an opened total, its parts in order, with the next write; the contribution before it nobody can need."""
        steps = self._steps_of(run_id, attempt)
        if steps is not None and steps.get(number) is not None:
            steps.opened(number, digest, b"".join(total))
            if self._sent_before:
                self._drop_before(run_id, attempt, number)
                self._sent_before = False
            return
        if steps is not None:
            steps.newest = max(steps.newest, number)
        if self._spool is None or sum(map(len, total)) < LONG:
            kept = b"".join(total)
        else:
            kept = IN_FILE
            self._spool.write(f"{run_id}.{attempt}.{number}.total", total)
        self._deferred.append((
            "UPDATE exchanges SET digest = ?, total = ? WHERE run_id = ? AND attempt = ? AND number = ?",
            (digest, kept, run_id, attempt, number)))
        self._drop_before(run_id, attempt, number)

    def _drop_before(self, run_id: str, attempt: int, number: int) -> None:
        """Let go of the contribution before an exchange that was opened, where it is not among the steps."""
        before = [one for one in self._payloads if one < (run_id, attempt, number)]
        self._removed += ["{}.{}.{}.payload".format(*one) for one in before]
        self._payloads = self._payloads[len(before):]
        self._deferred.append((
            "UPDATE exchanges SET seed = NULL, payload = NULL, share = NULL "
            "WHERE run_id = ? AND attempt = ? AND number = (SELECT max(number) FROM exchanges "
            "WHERE run_id = ? AND attempt = ? AND number < ? AND seed NOT NULL)",
            (run_id, attempt, run_id, attempt, number)))

    def proposed(self, run_id: str, attempt: int, number: int, value: bytes) -> None:
        """Keep a value before it is proposed to the others."""
        self.adopted(run_id, attempt, number, value)
        self.settle()

    def adopted(self, run_id: str, attempt: int, number: int, value: bytes) -> None:
        """Keep a value that another node proposed, with the next write."""
        self._deferred.append((
            "INSERT OR IGNORE INTO exchanges (run_id, attempt, number, description_hash, total) "
            "VALUES (?, ?, ?, x'', ?)",
            (run_id, attempt, number, value),
        ))

    def wrote(self, run_id: str, attempt: int, number: int, kind: bytes) -> None:
        """Keep that letters are about to be written; those of a run's first time wait for the disk.

        From then on no other attempt begins, and a node that is killed finds that it cannot go on with this one.
        """
        self._deferred.append((
            "INSERT OR IGNORE INTO exchanges (run_id, attempt, number, description_hash, total) "
            "VALUES (?, ?, ?, ?, x'01')", (run_id, attempt, number, kind)))
        self.fix_attempt(run_id)

    def end(self, run_id: str) -> None:
        """Close a run for ever, and forget the secrets that belonged to it.

        They leave the write-ahead log too: at once, or, where others hold it, when this journal is closed, another run
        ends or the node starts.
        """
        with self._writing():
            self._db.execute("UPDATE runs SET state = 'ENDED', agreement_seed = x'' WHERE run_id = ?", (run_id,))
            self._forget(run_id)
            self._remove_files(run_id)
        self._cut_log()

    def _cut_log(self) -> None:
        self._uncut = not cut_log(self._db)
        if self._uncut:
            log(_LOG, "journal.log-not-cut", level=logging.WARNING)

    def _remove_files(self, run_id: str) -> None:
        self._leave_steps()
        self._removed.append(f"{run_id}.*")

    def _forget(self, run_id: str) -> None:
        for statement in _FORGET:
            self._db.execute(statement, (run_id,))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._spool is not None:
            self._spool.sync()
        with transaction(self._db):
            for statement, values in self._deferred:
                self._db.execute(statement, values)
            for run_id, used in self._used.items():
                self._db.execute("UPDATE runs SET used = ? WHERE run_id = ?", (used(), run_id))
            yield
        self._deferred.clear()
        self._used.clear()
        self._used_at = time.monotonic()
        if self._spool is not None:
            for pattern in self._removed:
                self._spool.remove(pattern)
        self._removed.clear()


def _run_row(row: tuple[str, str, bytes, int, bytes | None, str, int]) -> RunRow:
    return RunRow(row[0], row[1], Secret(row[2]), row[3], row[4], row[5] == "ENDED", bool(row[6]))
