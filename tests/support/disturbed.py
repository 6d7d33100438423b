"""A federation of real processes behind a relay, with what it takes to kill, stop, cut off and restart its parts."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import recording_coordinator
from loans import CONTRACT, FEATURES, write_loans
from proxy import Proxy
from small_disk import SmallDisk, small_disk

from sealane.audit.entry import parse_entry
from sealane.cli.local_federation import (
    ANALYST,
    COORDINATOR,
    LocalFederation,
    _await_ready,
    free_ports,
    local_federation,
)
from sealane.client.connection import Connection, Finished
from sealane.client.status import RunStatus
from sealane.coordinator.settings import Advertise, Deadlines, Listen, Settings
from sealane.core.canonical import canonical_bytes
from sealane.governance.study import parse_study
from sealane.governance.study_file import StudyFile

T = TypeVar("T")
END_SECONDS = 60.0
NODES = ["north", "south", "west"]
SPARE = "east"
DATABASE = "coordinator.sqlite"


class Underway:
    """A run that is followed to its end in a thread of its own, by a connection of its own."""

    def __init__(self, home: Path, run_id: str, at_each: Callable[[RunStatus], None] = lambda status: None) -> None:
        self.run_id = run_id
        self._at_each = at_each
        self.statuses: list[RunStatus] = []
        self.moments: list[float] = []
        self._seen = threading.Condition()
        self._pool = ThreadPoolExecutor(1)
        self._end = self._pool.submit(self._follow, home)

    def await_status(self, wanted: Callable[[RunStatus], bool], wait_s: float = END_SECONDS) -> RunStatus:
        """Wait for a status; the newest one counts."""
        with self._seen:
            def there() -> bool:
                return bool(self.statuses) and wanted(self.statuses[-1])

            assert self._seen.wait_for(lambda: there() or self._end.done(), wait_s), "the status never came"
            if not there():
                self.end()
                raise AssertionError(f"the run ended without it: {self.statuses[-1:]}")
            return self.statuses[-1]

    def await_exchange(self, number: int) -> RunStatus:
        """Wait until so many exchanges are over, and make sure that the run is not."""
        status = self.await_status(lambda s: s.exchanges >= number)
        assert status.state == "RUNNING", "the run was too quick to be disturbed: use more latency"
        return status

    def end(self) -> Finished:
        """Wait for the end and return it, or raise what it ended with."""
        try:
            return self._end.result(END_SECONDS)
        finally:
            self._pool.shutdown(wait=False)

    def _follow(self, home: Path) -> Finished:
        try:
            with Connection(home) as connection:
                return connection.finish(self.run_id, self._watch)
        finally:
            with self._seen:
                self._seen.notify_all()

    def _watch(self, status: RunStatus) -> None:
        with self._seen:
            self.statuses.append(status)
            self.moments.append(time.monotonic())
            self._seen.notify_all()
        self._at_each(status)


@dataclass
class Disturbed:
    """A federation to disturb.

    Attributes:
        local: its processes.
        proxy: what every connection to the coordinator's main port passes through.
        record: file of what nodes sent; see ``recording_coordinator``.
        disks: of the coordinator's database and of the first node's home, by name; both can be filled.
        restarts: processes started again so far.
    """

    local: LocalFederation
    proxy: Proxy
    record: Path
    disks: Mapping[str, SmallDisk]
    restarts: int = 0

    def approved(self, name: str, participants: Sequence[str], **fields: Any) -> str:
        """Propose a study, let its participants approve it, and return its hash."""
        from sealane.node.control import call

        asked = {"computation": "glm.fit",
                 "parameters": {"outcome": "bad", "features": list(FEATURES), "family": "binomial"}, **fields}
        record = self.local.analyst.propose(StudyFile(
            name=name, sector="finance", purpose="credit-risk", data_contract=CONTRACT,
            participants=list(participants), valid_days=1, runs=200, **asked))
        study = parse_study(record.study)
        for participant in participants:
            self.eventually(lambda one=participant: call(self.local.homes[one], "study.approve", {"study": study.hash}))
        self.local.analyst.await_approvals(record, 10.0, lambda line: None)
        return study.hash

    def start_run(self, study: str, at_each: Callable[[RunStatus], None] = lambda status: None) -> Underway:
        """Start a run and follow it; ``at_each`` is called in the thread that follows."""
        return Underway(self.local.root / ANALYST, self.local.analyst.session.start(study), at_each)

    def follow(self, run_id: str) -> Underway:
        """Follow a run that was started before."""
        return Underway(self.local.root / ANALYST, run_id)

    def kill(self, *names: str) -> None:
        """End processes with SIGKILL, all at once."""
        for name in names:
            self.local.processes[name].kill()
        for name in names:
            process = self.local.processes[name]
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def start(self, *names: str) -> None:
        """Start processes again and wait until they serve."""
        self.restarts += len(names)
        nodes = [name for name in names if name != COORDINATOR]
        if COORDINATOR in names:
            self._start_coordinator()
        if nodes:
            self.local.start(*nodes)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one process."""
        self.local.processes[name].send_signal(number)

    def pid(self, name: str) -> int:
        """Return a process's id."""
        return self.local.processes[name].pid

    def events(self, run_id: str) -> list[tuple[str, str]]:
        """Return kind and detail of what the coordinator recorded of a run."""
        path = self.disks[COORDINATOR].path / DATABASE
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            rows = db.execute("SELECT entry FROM log_leaves WHERE subject = ? ORDER BY position", (run_id,)).fetchall()
        return [(entry.kind, entry.detail) for entry in (parse_entry(row) for row, in rows)]

    def eventually(self, ask: Callable[[], T], wait_s: float = 15.0) -> T:
        """Return what a call answers once it does so without an error."""
        deadline = time.monotonic() + wait_s
        while True:
            try:
                return ask()
            except Exception:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    def await_connected(self, *names: str, wait_s: float = 45.0) -> None:
        """Wait until the coordinator holds a stream of each of these nodes."""
        deadline = time.monotonic() + wait_s
        while True:
            parties = self.eventually(self.local.analyst.session.parties)
            if set(names) <= {p.name for p in parties if p.connected}:
                return
            assert time.monotonic() < deadline, f"not all of {names} came back"
            time.sleep(0.1)

    def _start_coordinator(self) -> None:
        root = self.local.root
        with (root / f"{COORDINATOR}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, recording_coordinator.__file__, str(self.record), str(root / COORDINATOR)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        self.local.processes[COORDINATOR] = process
        _await_ready({COORDINATOR: process}, root)


@contextmanager
def disturbed_federation(root: Path, names: list[str], **deadlines: float) -> Iterator[Disturbed]:
    """Start a coordinator, nodes and an analyst, with a relay in between."""
    real, reached, enrolment = free_ports(3)
    tables = root / "tables"
    tables.mkdir()
    with ExitStack() as stack:
        proxy = Proxy(real, reached)
        stack.callback(proxy.close)
        disks = {COORDINATOR: stack.enter_context(small_disk(root / "disk")),
                 names[0]: stack.enter_context(small_disk(root / names[0]))}
        settings = Settings(
            listen=Listen(main=real, enrolment=enrolment), advertise=Advertise(main=reached, enrolment=enrolment),
            deadlines=Deadlines(**deadlines), database=str(disks[COORDINATOR].path / DATABASE))
        local = stack.enter_context(local_federation(root, write_loans(tables, names), CONTRACT, settings=settings))
        record = root / "record"
        record.touch()
        federation = Disturbed(local, proxy, record, disks)
        federation.kill(COORDINATOR)
        federation.start(COORDINATOR)
        federation.restarts = 0
        federation.await_connected(*names)
        yield federation


@dataclass
class Scene:
    """A federation, an approved study over three of its nodes, and the bytes that its result must have."""

    federation: Disturbed
    study: str
    result: bytes
    seconds: float

    def start_run(self) -> Underway:
        """Start a run of the study."""
        return self.federation.start_run(self.study)

    def check(self, run: Underway) -> Finished:
        """Wait for a run's end, hold it against the undisturbed one, and return it."""
        finished = run.end()
        assert payload_bytes(finished) == self.result
        assert set(finished.opened.endorsed_by) == set(NODES)
        kinds = [kind for kind, _ in self.federation.events(run.run_id)]
        assert kinds[-1] == "run.completed"
        assert "run.aborted" not in kinds
        return finished


def payload_bytes(finished: Finished) -> bytes:
    """Return a result as the bytes that every node signed the hash of."""
    return canonical_bytes(finished.opened.payload)


def children_left(marker: str) -> list[str]:
    """Return the command lines of processes that mention a path."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if marker in line:
                found.append(line)
    return found


def descendants(pid: int) -> list[int]:
    """Return the ids of all processes below one, each before those below it."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir()
                for child in (task / "children").read_text().split()]
    return [each for child in children for each in (child, *descendants(child))]


def log_lines(path: Path) -> list[dict[str, Any]]:
    """Return a process's log, line by line."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]
