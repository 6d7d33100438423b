"""What benchmarks with processes of their own share: a coordinator and nodes, started, enrolled and asked to agree."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealane._version import __version__
from sealane.cli.local_federation import free_ports
from sealane.client.connection import Connection
from sealane.computations.base import Cohort, Payload
from sealane.coordinator.home import load_coordinator
from sealane.coordinator.initialise import initialise
from sealane.coordinator.serve import serving
from sealane.coordinator.settings import Advertise, Listen, Settings
from sealane.core.clock import system_clock
from sealane.core.memory import keep_freed_memory
from sealane.governance.study import parse_study
from sealane.governance.study_file import StudyFile
from sealane.node.agent import Agent
from sealane.node.datasets import add_dataset
from sealane.node.execution import Execution, Unconfined
from sealane.node.grading import grade
from sealane.node.home import open_home
from sealane.node.sandbox.fork_server import ForkServer
from sealane.node.sandbox.limits import default_limits
from sealane.node.sandbox.probe import probe
from sealane.node.sandbox.sandbox import Sandbox
from sealane.node.stream import open_link
from sealane.rpc.enrolment import enrol
from sealane.rpc.identity import load_identity
from sealane.rpc.notices import Hello

SECONDS = "BENCH_SECONDS"
"""Names, in a process's environment, the file in which a node leaves what it timed."""


@dataclass(frozen=True, slots=True)
class Federation:
    """A coordinator, nodes and an analyst whose processes run."""

    root: Path
    names: list[str]
    processes: list[subprocess.Popen[bytes]]

    def cpu_seconds(self) -> float:
        """Return the processor time that the processes have used, from proc(5)."""
        ticks = 0
        for process in self.processes:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def peak_megabytes(self) -> dict[str, float]:
        """Return the most memory that each process has held at once, from proc(5), in 10^6 bytes."""
        peaks = {}
        for name, process in zip(["coordinator", *self.names], self.processes, strict=True):
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            peaks[name] = int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024 / 1e6
        return peaks

    def agree(self, analyst: Connection, file: StudyFile) -> str:
        """Propose a study, have every node approve it, and return its hash."""
        record = analyst.propose(file)
        study = parse_study(record.study)
        deadline = time.monotonic() + 120
        for name in self.names:
            while study.hash not in {one.study.hash for one in open_home(self.root / name).register.studies()}:
                assert time.monotonic() < deadline, "the nodes did not come up"
                time.sleep(0.5)
            # Signed in this process and sent by hand: the benchmark's nodes have no control socket.
            _send_by_hand(self.root / name, open_home(self.root / name).decisions().approve(study.hash))
        analyst.await_approvals(record, 60.0, lambda line: None)
        return study.hash

    def noted(self) -> list[list[float]]:
        """Return what each node timed in its latest run."""
        return [json.loads((self.root / f"{name}.seconds").read_text()) for name in self.names]


@contextmanager
def federation(
    script: str, root: Path, tables: Mapping[str, Path], contract: str, *, options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Federation]:
    """Run a coordinator and a node for each table, every one as ``script --serve ROLE HOME`` with the options."""
    main, enrolment = free_ports(2)
    settings = Settings(listen=Listen(main=main, enrolment=enrolment),
                        advertise=Advertise(main=main, enrolment=enrolment))
    initialise(root / "coordinator", settings).engine.dispose()

    def start(role: str, home: Path) -> subprocess.Popen[bytes]:
        given = os.environ | {SECONDS: str(root / f"{home.name}.seconds")} | dict(environment or {})
        return subprocess.Popen([sys.executable, script, "--serve", role, str(home), *options], env=given,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    processes = [start("coordinator", root / "coordinator")]
    try:
        await_port(enrolment)
        _enrol(root, tables, contract)
        processes += [start("node", root / name) for name in tables]
        yield Federation(root, list(tables), processes)
    finally:
        stop(processes)


async def serve(role: str, home: Path, execution: Callable[[], Execution] = Unconfined) -> None:
    """Be the coordinator or a node until the process is told to end."""
    keep_freed_memory()  # as the commands that serve do
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    if role == "coordinator":
        async with serving(home):
            await ended.wait()
        return
    opened = open_home(home)
    with opened.witness() as witness:
        task = asyncio.create_task(Agent(opened, opened.gate(), witness, execution()).serve())
        await ended.wait()
        task.cancel()


def sandbox(*preload: str) -> Execution:
    """Return a started sandbox that knows modules of this folder."""
    server = ForkServer(probe(), extra=(str(Path(__file__).parent),), preload=preload)
    execution = Sandbox(server, default_limits())
    server.start()
    return execution


class Timed:
    """Runs computations as another execution does, and writes the seconds that the cohort's wrapper has noted."""

    def __init__(self, execution: Execution, wrap: Callable[[Cohort], Any]) -> None:
        self._execution = execution
        self._wrap = wrap
        self.full = execution.full

    async def compute(self, admission: Any, data: Any, cohort: Cohort, run_id: str, used: Any) -> Payload:
        """Compute."""
        timed = self._wrap(cohort)
        payload = await self._execution.compute(admission, data, timed, run_id, used)
        await asyncio.to_thread(Path(os.environ[SECONDS]).write_text, json.dumps(timed.seconds))
        return payload


def await_port(address: str, seconds: float = 60.0) -> None:
    """Wait until something listens at ``host:port``."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host or "127.0.0.1", int(port)), 1.0).close()
        except OSError:
            assert time.monotonic() < deadline, f"nothing listens at {address}"
            time.sleep(0.2)
        else:
            return


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes, and wait for them."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()


def _enrol(root: Path, tables: Mapping[str, Path], contract: str) -> None:
    """Enrol an analyst and the nodes, let them trust each other, and register each node's table."""
    made = load_coordinator(root / "coordinator")
    identities = {
        name: asyncio.run(enrol(made.invite(name, "analyst" if name == "analyst" else "node").to_text(), root / name))
        for name in [*tables, "analyst"]
    }
    made.engine.dispose()
    for name, table in tables.items():
        home = open_home(root / name)
        for peer, identity in identities.items():
            if peer != name:
                home.register.trust(peer, identity.fingerprint)
        add_dataset(home.register, "rows", str(table), contract, {}, now=system_clock())
        grade(home.register, "rows", accept=True)
        home.register.close()


def _send_by_hand(home: Path, signed: Any) -> None:
    """Hand a statement to the coordinator over a short stream of the node's own."""

    async def speak() -> None:
        async with open_link(load_identity(home)) as link:
            link.send(Hello(__version__, ()))
            link.send(signed)
            async for message in link:
                if signed in getattr(message, "statements", ()):
                    return

    asyncio.run(asyncio.wait_for(speak(), 10))
