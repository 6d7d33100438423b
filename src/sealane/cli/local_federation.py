"""A federation of real processes on this machine, with fresh keys: for demos and benchmarks.

Fingerprints are verified locally here, which real institutions do out of band.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sealane.client.connection import Connection
from sealane.coordinator.initialise import initialise
from sealane.coordinator.settings import Advertise, Listen, Settings
from sealane.core.clock import system_clock
from sealane.errors import UnavailableError, from_dict
from sealane.node.control import call
from sealane.node.datasets import add_dataset
from sealane.node.grading import grade
from sealane.node.home import open_home
from sealane.rpc.enrolment import enrol

READY_SECONDS = 60.0
STOP_SECONDS = 5.0
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""All nodes share this machine: threads of their linear algebra would wait for each other at every product."""
ARRIVAL_SECONDS = 15.0
COORDINATOR = "coordinator"
ANALYST = "analyst"
AUDITOR = "auditor"
DATASET = "rows"


@dataclass(frozen=True, slots=True)
class LocalFederation:
    """A coordinator and nodes that serve, and an analyst connected to them.

    Attributes:
        root: directory of all homes and logs.
        homes: of the nodes, by name.
        processes: of the coordinator and the nodes, by name.
        analyst: connected to the coordinator.
    """

    root: Path
    homes: Mapping[str, Path]
    processes: dict[str, subprocess.Popen[bytes]]
    analyst: Connection

    def approve(self, study_hash: str, *, waive_differencing: bool = False, dataset: str = DATASET) -> None:
        """Let every node's steward sign a study, through the node's own control socket.

        Args:
            study_hash: of a study that was proposed.
            waive_differencing: each lets its own contribution become computable.
            dataset: each signs for its own of this name.
        """
        for name, home in self.homes.items():
            self.await_study(name, study_hash)
            call(home, "study.approve", {"study": study_hash, "dataset": dataset,
                                         "waive_differencing": waive_differencing})

    def register(
        self, dataset: str, data: Mapping[str, Path], contract: str, repairs: Mapping[str, str] | None = None
    ) -> None:
        """Let every node's steward register a further table, and accept its grades.

        Args:
            dataset: name at every node.
            data: path of each institution's table, by name.
            contract: data contract of the tables.
            repairs: of some institutions, in TOML: what is done to the columns as they are read.
        """
        for name, home in self.homes.items():
            found = call(home, "dataset.add", {"name": dataset, "source": str(data[name]), "contract": contract,
                                               "repair": (repairs or {}).get(name)})
            if found["error"] is not None:
                raise from_dict(found["error"])
            call(home, "dataset.grade", {"name": dataset, "accept": True})

    def cap(self, epsilon: str, delta: str, dataset: str = DATASET) -> None:
        """Let every node's operator set the most privacy that may ever be spent on a table."""
        for home in self.homes.values():
            call(home, "ledger.cap", {"dataset": dataset, "epsilon": epsilon, "delta": delta})

    def await_study(self, name: str, study_hash: str) -> None:
        """Wait for a study that was proposed a moment ago: it travels to each node on a stream of the node's own."""
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while study_hash not in {one["hash"] for one in call(self.homes[name], "study.list")}:
            if time.monotonic() > deadline:
                return  # what is asked of the node next says that it has none
            time.sleep(0.05)

    def start(self, *names: str) -> None:
        """Start processes (again) and wait until they serve."""
        _start(self.processes, names, self.root)


@contextmanager
def local_federation(
    root: Path, data: Mapping[str, Path | str], contract: str, *, settings: Settings | None = None,
    auditor: bool = False, say: Callable[[str], None] = lambda step: None,
) -> Iterator[LocalFederation]:
    """Start a coordinator and one node per table, and stop them all at the end of the block, however it ends.

    Args:
        root: directory for all homes and logs.
        data: path of each institution's table, or another source, by name.
        contract: data contract of the tables.
        settings: of the coordinator; by default it listens on free ports of loopback.
        auditor: also enrol an auditor, whose home is ``root / AUDITOR``.
        say: is told each step as it begins.

    Raises:
        UnavailableError: a process did not come up; its log says why.
    """
    processes: dict[str, subprocess.Popen[bytes]] = {}
    homes = {name: root / name for name in data}
    with stopped_by_sigterm(), _closed_undisturbed() as stack:
        stack.callback(_stop, processes)
        say("making the coordinator and its certificate authority")
        made = initialise(root / COORDINATOR, settings or loopback_settings())
        _start(processes, [COORDINATOR], root)
        people = (ANALYST, AUDITOR) if auditor else (ANALYST,)
        say(f"enrolling {len(data)} nodes{', an' if auditor else ' and an'} {' and an '.join(people)} with one-time "
            "invitations")
        _enrol({name: (homes[name], made.invite(name).to_text()) for name in data}
               | {name: (root / name, made.invite(name, name).to_text()) for name in people})
        made.engine.dispose()
        say("verifying fingerprints, registering each node's table under its data contract, accepting its grades")
        _prepare_homes(homes, root / ANALYST, data, contract)
        say("starting the nodes")
        _start(processes, list(homes), root)
        yield LocalFederation(root, homes, processes, stack.enter_context(Connection(root / ANALYST)))


def loopback_settings() -> Settings:
    """Return a coordinator's settings with two free ports of loopback."""
    main, enrolment = free_ports(2)
    return Settings(listen=Listen(main=main, enrolment=enrolment), advertise=Advertise(main=main, enrolment=enrolment))


def free_ports(count: int) -> list[str]:
    """Return loopback addresses with ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _enrol(invited: Mapping[str, tuple[Path, str]]) -> None:
    async def all_of_them() -> None:
        await asyncio.gather(*(enrol(invitation, home) for home, invitation in invited.values()))

    asyncio.run(all_of_them())


def _prepare_homes(
    homes: Mapping[str, Path], analyst: Path, data: Mapping[str, Path | str], contract: str
) -> None:
    from sealane.rpc.identity import load_identity

    prints = {name: load_identity(home).fingerprint for name, home in {**homes, ANALYST: analyst}.items()}
    for name, path in homes.items():
        home = open_home(path)
        for peer, fingerprint in prints.items():
            if peer != name:
                home.register.trust(peer, fingerprint)
        add_dataset(home.register, DATASET, str(data[name]), contract, {}, now=system_clock())
        grade(home.register, DATASET, accept=True)
        home.close()


def _start(processes: dict[str, subprocess.Popen[bytes]], names: Sequence[str], root: Path) -> None:
    for name in names:
        role = COORDINATOR if name == COORDINATOR else "node"
        # A session of its own: Ctrl-C reaches this process only, which then stops the others in order. Undisturbed: a
        # process that was started but not noted yet would be left behind.
        with (root / f"{name}.log").open("ab") as log, uninterrupted():
            processes[name] = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "sealane.cli", role, "serve", "--home", str(root / name)],
                env=ONE_THREAD | os.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                start_new_session=True)
    _await_ready({name: processes[name] for name in names}, root)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the end of the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for one in came:
        signal.raise_signal(one)


def _stop(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """Ask all to stop, nodes first, and kill what does not."""
    for process in reversed(list(processes.values())):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes.values():
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _await_ready(processes: Mapping[str, subprocess.Popen[bytes]], root: Path) -> None:
    """Wait for the line that each process prints once it serves."""
    deadline = time.monotonic() + READY_SECONDS
    with selectors.DefaultSelector() as waiting:
        for name, process in processes.items():
            stdout: IO[bytes] | None = process.stdout
            assert stdout is not None
            waiting.register(stdout, selectors.EVENT_READ, name)
        while waiting.get_map():
            ready = waiting.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise _not_ready(", ".join(str(key.data) for key in waiting.get_map().values()), root)
            for key, _ in ready:
                if not processes[key.data].stdout.readline():  # type: ignore[union-attr]  # a pipe, as asked for
                    raise _not_ready(key.data, root)
                waiting.unregister(key.fileobj)


def _not_ready(name: str, root: Path) -> UnavailableError:
    return UnavailableError("demo.process-failed", f"{name} did not come up", expected=f"within {READY_SECONDS:g} s",
                            hint=f"its log is in {root}; run again with --keep to look at it")


@contextmanager
def _closed_undisturbed() -> Iterator[ExitStack]:
    """Close what was entered, whatever comes meanwhile: a process must not be left behind by a signal."""
    stack = ExitStack()
    try:
        try:
            yield stack
        finally:
            with uninterrupted():
                stack.close()
    except KeyboardInterrupt:
        with uninterrupted():  # if it came a moment before it would have been held back; nothing is closed twice
            stack.close()
        raise


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Turn SIGTERM into a KeyboardInterrupt, so that a stopped demo leaves nothing behind either."""
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
