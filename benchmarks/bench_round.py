"""A small encrypted sum over three nodes on loopback: real processes, mutual TLS, journals with full fsync.

    python benchmarks/bench_round.py [--rounds 200] [--nodes 3] [--entries 16] [--sandbox]
    python benchmarks/bench_round.py --rounds 20 --entries 10000000 --bits 16 --scheme rlwe

With ``--bits`` the sum is of a model's update, quantised to so many bits, instead of counts.
Every node runs the same number of sums in one run and notes when each opened; printed is the time between one opened
sum and the next, over all runs. A benchmark is not a test: the machine's other work is in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from processes import await_port, cpu_seconds, free_ports_pair, peak_megabytes, send_by_hand
from rounds import Rounds
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
from sealane.rpc.enrolment import enrol
from sealane.sectors.registry import contract

CONTRACT = "finance.credit-application/v1"


class TimedCohort:
    """A cohort that notes when each sum was opened."""

    def __init__(self, cohort: Cohort) -> None:
        self._cohort = cohort
        self.size = cohort.size
        self.honest = cohort.honest
        self.minimum_count = cohort.minimum_count
        self.moments = [time.perf_counter()]

    async def sum(self, terms: Any) -> Any:
        """Sum, and note the moment."""
        total = await self._cohort.sum(terms)
        self.moments.append(time.perf_counter())
        return total

    async def agree(self, values: Any) -> Any:
        """Agree."""
        return await self._cohort.agree(values)


class Timed:
    """Runs computations as another execution does, and writes the seconds between one opened sum and the next."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self.full = execution.full

    async def compute(self, admission: Any, data: Any, cohort: Cohort, run_id: str, used: Any) -> Payload:
        """Compute."""
        timed = TimedCohort(cohort)
        payload = await self._execution.compute(admission, data, timed, run_id, used)
        seconds = [b - a for a, b in pairwise(timed.moments)]
        await asyncio.to_thread(Path(os.environ["BENCH_SECONDS"]).write_text, json.dumps(seconds))
        return payload


def main() -> None:
    """Parse the command line and run the coordinator's, a node's or the benchmark's part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--entries", type=int, default=16)
    parser.add_argument("--bits", type=int, default=0, help="of an update's entry; 0 sums counts")
    parser.add_argument("--scheme", default="masking")
    parser.add_argument("--sandbox", action="store_true", help="run the computation in the nodes' sandbox")
    parser.add_argument("--serve", nargs=2, metavar=("ROLE", "HOME"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(_serve(*asked.serve, sandboxed=asked.sandbox))
        return
    with tempfile.TemporaryDirectory() as root:
        print(json.dumps(_bench(Path(root), asked), indent=2))


async def _serve(role: str, home: str, *, sandboxed: bool) -> None:
    keep_freed_memory()  # as the commands that serve do
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if role == "coordinator":
        async with serving(Path(home)):
            await stop.wait()
        return
    opened = open_home(Path(home))
    execution: Execution = Unconfined()
    if sandboxed:
        server = ForkServer(probe(), extra=(str(Path(__file__).parent),), preload=("rounds",))
        execution = Sandbox(server, default_limits())
        server.start()
    with opened.witness() as witness:
        task = asyncio.create_task(Agent(opened, opened.gate(), witness, Timed(execution)).serve())
        await stop.wait()
        task.cancel()


def _bench(root: Path, asked: argparse.Namespace) -> dict[str, Any]:
    main_port, enrolment_port = free_ports_pair()
    settings = Settings(listen=Listen(main=main_port, enrolment=enrolment_port),
                        advertise=Advertise(main=main_port, enrolment=enrolment_port))
    initialise(root / "coordinator", settings).engine.dispose()
    processes = [_start("coordinator", root / "coordinator", root, asked)]
    try:
        await_port(enrolment_port)
        names = [f"node{i}" for i in range(asked.nodes)]
        _prepare(root, names)
        processes += [_start("node", root / name, root, asked) for name in names]
        measured = _measure(root, names, asked, processes)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
    return measured


def _prepare(root: Path, names: list[str]) -> None:
    made = load_coordinator(root / "coordinator")
    identities = {
        name: asyncio.run(enrol(made.invite(name, "analyst" if name == "analyst" else "node").to_text(), root / name))
        for name in [*names, "analyst"]
    }
    made.engine.dispose()
    for name in names:
        row = {f.name: (f.allowed[0] if f.allowed else f.minimum or 0) for f in contract(CONTRACT).fields}
        pd.DataFrame([row] * 40).to_csv(root / f"{name}.csv", index=False)
        home = open_home(root / name)
        for peer, identity in identities.items():
            if peer != name:
                home.register.trust(peer, identity.fingerprint)
        add_dataset(home.register, "rows", str(root / f"{name}.csv"), CONTRACT, {}, now=system_clock())
        grade(home.register, "rows", accept=True)
        home.register.close()


def _measure(
    root: Path, names: list[str], asked: argparse.Namespace, processes: list[subprocess.Popen[bytes]]
) -> dict[str, Any]:
    with Connection(root / "analyst") as analyst:
        record = analyst.propose(StudyFile(
            name="bench", sector="finance", purpose="credit-risk", data_contract=CONTRACT, computation=Rounds.name,
            parameters={"rounds": asked.rounds, "entries": asked.entries, "bits": asked.bits}, scheme=asked.scheme,
            rounds=asked.rounds + 1, valid_days=1))
        study = parse_study(record.study)
        deadline = time.monotonic() + 60
        while any(len(open_home(root / name).register.studies()) == 0 for name in names):
            assert time.monotonic() < deadline, "the nodes did not come up"
            time.sleep(0.5)
        for name in names:
            # Signed in this process and sent by hand: the benchmark's nodes have no control socket.
            signed = open_home(root / name).decisions().approve(study.hash)
            send_by_hand(root / name, signed)
        analyst.await_approvals(record, 30.0, lambda line: None)
        runs = []
        analyst.finish(analyst.session.start(study.hash))  # warms every process up
        before = cpu_seconds(processes)
        for _ in range(3):
            finished = analyst.finish(analyst.session.start(study.hash))
            runs.append(finished.trace)
        cpu = (cpu_seconds(processes) - before) * 1000 / len(runs) / asked.rounds
    seconds = [s * 1000 for name in names
               for s in json.loads((root / f"{name}.seconds").read_text())[asked.rounds // 10:]]
    entries = f"{asked.entries} entries of {asked.bits} bits" if asked.bits else f"{asked.entries} counts"
    return {
        "what": f"sum of {entries} under {asked.scheme} over {asked.nodes} nodes, mTLS on loopback, journals fsynced",
        "machine": {"processors": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "sandbox": asked.sandbox, "rounds": asked.rounds, "runs": len(runs),
        "milliseconds_per_round": {
            "median": round(statistics.median(seconds), 2),
            "p95": round(statistics.quantiles(seconds, n=20)[-1], 2),
            "fastest": round(min(seconds), 2),
        },
        "processor_milliseconds_per_round_of_all_processes": round(cpu, 2),
        "peak_megabytes": {name: round(peak_megabytes(process)) for name, process in
                           zip(["coordinator", *names], processes, strict=True)},
        "bytes_per_round_and_node": round(sum(runs[-1].bytes_sent.values()) / asked.rounds / asked.nodes),
    }


def _start(role: str, home: Path, root: Path, asked: argparse.Namespace) -> subprocess.Popen[bytes]:
    environment = os.environ | {"BENCH_SECONDS": str(root / f"{home.name}.seconds")}
    return subprocess.Popen([sys.executable, __file__, "--serve", role, str(home), *["--sandbox"] * asked.sandbox],
                            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
